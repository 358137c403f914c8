"""What stands in the middle while there is nothing to plot: what is going on, or what one can do."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rig.clock import shown
from rig.session.directory import running_sessions


class Welcome(QFrame):
    """A heading, a sentence, and the buttons that make sense."""

    start_pressed = pyqtSignal()
    attach_pressed = pyqtSignal(str)
    open_pressed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.heading = QLabel()
        self.heading.setObjectName("heading")
        self.heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.detail = QLabel()
        self.detail.setObjectName("muted")
        self.detail.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.detail.setWordWrap(True)
        self.detail.setTextFormat(Qt.TextFormat.PlainText)
        self.detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(220, 4)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(48, 24, 48, 24)
        column.setSpacing(14)
        column.addStretch(2)
        column.addWidget(self.heading)
        column.addWidget(self.detail)
        column.addWidget(self.busy, 0, Qt.AlignmentFlag.AlignCenter)
        column.addLayout(self._buttons)
        column.addStretch(3)

    def wait(self, sentence: str) -> None:
        """Something is on its way."""
        self._say(sentence, "", busy=True)

    def processes(self, states: dict[str, str]) -> None:
        """How far the session's processes have come up."""
        self.detail.setText(" · ".join(f"{name} {state}" for name, state in states.items()))

    def offer(self, can_start: bool) -> None:
        """Nothing is going on: what can be done about it, running sessions first."""
        running = running_sessions()
        if running:
            newest = running[0]
            since = shown(newest.started_unix_s)
            self._say(
                "A session is running",
                f"{newest.protocol}: {newest.subject} in {newest.task}, since {since} "
                f"(session {newest.session}). A window that was closed, or crashed, did not end it.",
            )
            self._button("Come back to it", lambda: self.attach_pressed.emit(newest.session), True)
        else:
            self._say("No session", "Start one, or open a recording.")
        if can_start:
            self._button("Start a new session", self.start_pressed.emit, not running)
        self._button("Open a recording…", self.open_pressed.emit)

    def fail(self, sentence: str, can_start: bool) -> None:
        """It did not work, and why."""
        self._say("That did not work", sentence)
        if can_start:
            self._button("Try again", self.start_pressed.emit, True)
        self._button("Open a recording…", self.open_pressed.emit)

    def _say(self, heading: str, detail: str, busy: bool = False) -> None:
        self.heading.setText(heading)
        self.detail.setText(detail)
        self.busy.setVisible(busy)
        while self._buttons.count():
            item = self._buttons.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()

    def _button(self, words: str, pressed: object, primary: bool = False) -> None:
        button = QPushButton(words)
        button.setProperty("primary", primary)
        button.clicked.connect(lambda: pressed())  # type: ignore[operator]
        if not self._buttons.count():
            self._buttons.addStretch(1)
            self._buttons.addStretch(1)
        self._buttons.insertWidget(self._buttons.count() - 1, button)
