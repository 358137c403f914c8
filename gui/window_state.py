"""What a window shows at present: which stream, in which phase, at which tick."""

from __future__ import annotations

from PyQt6.QtCore import QObject, QSettings, pyqtSignal

from gui.session.session_setup import SessionRequest
from gui.streams.stream import Stream
from rig.bus.message_types import Description, KeyUse


class WindowState(QObject):
    """The one account of what a window does; its parts read it and follow `phase_changed`.

    Attributes:
        settings: where the layout, the theme and the folder of recordings are remembered.
        can_start: whether this window can start a session.
        stream: the session or replay that is shown.
        description: what it is; None until it has said so.
        request: what the session that is shown was set up as; None where another window did it.
        tick: the newest tick that was shown; -1 before the first.
        phase: "empty", "starting", "live", "ending", "ended" or "replay".
    """

    phase_changed = pyqtSignal(str)

    def __init__(self, settings: QSettings, can_start: bool, parent: QObject) -> None:
        super().__init__(parent)
        self.settings = settings
        self.can_start = can_start
        self.stream: Stream | None = None
        self.description: Description | None = None
        self.request: SessionRequest | None = None
        self.tick = -1
        self.phase = "empty"

    @property
    def key_uses(self) -> tuple[KeyUse, ...]:
        """The keys that the session's protocol listens to, and what each does."""
        if self.description is None:
            return ()
        said = {each.key: each for each in self.description.key_uses}
        return tuple(said.get(key, KeyUse(key, "")) for key in self.description.keys)

    @property
    def protocol_keys(self) -> tuple[KeyUse, ...]:
        """Those of a session that runs: there they are the protocol's own."""
        return self.key_uses if self.phase == "live" else ()

    def set_phase(self, phase: str) -> None:
        """What the window does from now on."""
        self.phase = phase
        self.phase_changed.emit(phase)
