"""The line at the bottom of the window in which the operator writes a note."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QWidget

from gui.streams.recorder_watch import clock
from rig.bus.external_inputs import LONGEST_NOTE
from rig.bus.message_types import TICK_S

_OWN_KEYS = (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Up, Qt.Key.Key_Down)


class _Line(QLineEdit):
    """A line whose keys are its own, also those that the window has for other things."""

    left = pyqtSignal()

    def event(self, event: QEvent | None) -> bool:
        """Claims its keys before the window's shortcuts do."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and event.key() in _OWN_KEYS
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Escape leaves it."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)


class NoteLine(QFrame):
    """Enter sends what is `written`, with the tick at which it was opened; escape drops it.

    `closed` says that it needs the keyboard no more.
    """

    written = pyqtSignal(int, str)
    closed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.tick = 0
        self.label, self.line = QLabel(), _Line()
        self.line.setMaxLength(LONGEST_NOTE)
        self.line.setAccessibleName("Note")
        hint = QLabel("enter: keep   escape: drop")
        hint.setObjectName("muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 12, 5)
        row.setSpacing(10)
        row.addWidget(self.label)
        row.addWidget(self.line, 1)
        row.addWidget(hint)
        self.line.returnPressed.connect(self._send)
        self.line.left.connect(self._leave)
        self.hide()

    def open(self, tick: int, text: str = "", recorded: bool = True) -> None:
        """Lets the user write a note on a tick; one that is being written stays, with its tick.

        Args:
            tick: that it is of.
            text: to begin with.
            recorded: whether the session is: else that is said.
        """
        self.line.setPlaceholderText(
            "for the timeline and the recording"
            if recorded
            else "the session is not being recorded"
        )
        if self.isHidden():
            self.tick = tick
            self.line.setText(text)
            self.label.setText(f"Note at {clock(tick * TICK_S)}")
            self.show()
        self.line.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def shut(self) -> str:
        """Hides it; returns what was written in it and not sent."""
        unsent = "" if self.isHidden() else " ".join(self.line.text().split())
        self.hide()
        return unsent

    def _send(self) -> None:
        text = " ".join(self.line.text().split())
        self._leave()
        if text:
            self.written.emit(self.tick, text)

    def _leave(self) -> None:
        self.hide()
        self.closed.emit()
