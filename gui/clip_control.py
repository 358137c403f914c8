"""Clips in the window: one key saves the last minute, and what becomes of every clip is said."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QObject

from gui.panels import Panels
from gui.session import recordings
from gui.session.recent import Recent, remember
from gui.streams.live_stream import LiveStream
from gui.streams.recorder_watch import clock
from gui.window_state import WindowState
from rig.bus.message_types import TICK_S, ClipReport, Status
from rig.errors import UserError

TOLD_S = 12.0


class ClipControl(QObject):
    """Asks the session that a window follows for a clip, and follows what its status says of clips.

    Args:
        state: what the window shows.
        panels: where it is said.
        parent: of this object.
    """

    def __init__(self, state: WindowState, panels: Panels, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        self._panels = panels
        self._known: dict[str, str] | None = None
        """What was said last of each clip; None before the first status."""

    def reset(self) -> None:
        """Another stream begins."""
        self._known = None

    def save(self) -> None:
        """Asks for the last minute, as a recording beside the others."""
        stream, description = self._state.stream, self._state.description
        if self._state.phase != "live" or not isinstance(stream, LiveStream) or description is None:
            return
        try:
            name = f"{description.protocol_name}-clip"
            file = recordings.new_file(self._state.settings, name, description.animal)
        except (OSError, UserError) as problem:
            where = recordings.folder(self._state.settings)
            why = problem.strerror if isinstance(problem, OSError) else problem
            self._say(f"No clip can be saved in {where}: {why}.", "fault")
            return
        self._say("Saving the last minute…")
        stream.command("save_clip", file=str(file))

    def take_status(self, status: Status) -> None:
        """Says what has become of clips since the last status."""
        known, self._known = self._known, {each.file: each.state for each in status.clips}
        if known is None:
            return
        for each in status.clips:
            if known.get(each.file) != each.state:
                self._tell(each)

    def _tell(self, clip: ClipReport) -> None:
        name = Path(clip.file).name
        span = f"{clock(clip.first_tick * TICK_S)} to {clock((clip.last_tick + 1) * TICK_S)}"
        why = "" if clip.cause == "client" else f" ({clip.cause})"
        if clip.state == "failed":
            self._panels.banner.clear_sentence("clip")  # the fault says it
        elif clip.state == "saved":
            self._say(f"Saved as {name}: {span}{why}.")
            description = self._state.description
            if description is not None:
                seconds = (clip.last_tick + 1 - clip.first_tick) * TICK_S
                made = Recent(clip.file, description.subject, description.protocol_name, seconds)
                remember(self._state.settings, made)
        else:
            words = {"waiting": "A clip is to be saved", "writing": "Saving"}[clip.state]
            self._say(f"{words}: {name}{why}…")

    def _say(self, sentence: str, kind: str = "note") -> None:
        self._panels.banner.show_sentence("clip", sentence, kind, for_s=TOLD_S)
