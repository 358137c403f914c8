"""The notes of a session in the panel of its log: however many there are, and however fast they come."""

from __future__ import annotations

from PyQt6.QtCore import QTimer

from gui.session.log_panel import LogPanel
from gui.timeline.session_marks import SessionMarks

LISTED = 500
EVERY_MS = 300
"""The list is made anew no more often."""


class SessionNotes:
    """Puts the newest notes into the log.

    Args:
        marks: which keep them.
        log: where they are listed.
    """

    def __init__(self, marks: SessionMarks, log: LogPanel) -> None:
        self._marks = marks
        self._log = log
        self._listed = 0
        self._timer = QTimer(log)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._list)

    def reset(self) -> None:
        """Another session."""
        self._timer.stop()
        self._listed = 0
        self._marks.reset()
        self._log.show_notes(())

    def show(self) -> None:
        """There may be new ones."""
        if len(self._marks.notes) != self._listed and not self._timer.isActive():
            self._timer.start(EVERY_MS)

    def _list(self) -> None:
        notes = self._marks.notes
        self._listed = len(notes)
        lines = [(tick, f"note: {text}") for tick, text in notes[-LISTED:]]
        if len(notes) > LISTED:
            earlier = f"{len(notes) - LISTED} earlier notes are in the timeline and the recording."
            lines.insert(0, (lines[0][0], earlier))
        self._log.show_notes(lines)
