"""What a window shows at present: which stream, in which phase, at which tick."""

from __future__ import annotations

from PyQt6.QtCore import QObject, QSettings, pyqtSignal

from gui.session_setup import SessionRequest
from gui.stream import Stream
from rig.bus.message_types import Description


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
    def protocol_keys(self) -> tuple[str, ...]:
        """The keys that the protocol of a running session listens to: there they are its own."""
        live = self.phase == "live" and self.description is not None
        return self.description.keys if live and self.description is not None else ()

    @property
    def protocol_key_words(self) -> tuple[tuple[str, str], ...]:
        """Each of these keys, and what it does."""
        return tuple((key, "what the protocol says") for key in self.protocol_keys)

    def set_phase(self, phase: str) -> None:
        """What the window does from now on."""
        self.phase = phase
        self.phase_changed.emit(phase)
