"""What stands in the middle while there is nothing to plot: what is going on, or what one can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.look.pages import Pages
from gui.session.health import STATE_WORDS
from gui.session.recent import Recent
from gui.session.session_setup import SessionStarter
from gui.session.setup_form import SetupForm
from gui.streams.recorder_watch import clock
from rig.clock import shown
from rig.session.directory import running_sessions

LEFT_PX = 284


class Welcome(Pages):
    """Two pages: one says what is going on, the other has a form and lists to begin from.

    Args:
        sessions: what sets sessions up; None: this window shows what there is.
    """

    start_pressed = pyqtSignal()
    setup_pressed = pyqtSignal()
    attach_pressed = pyqtSignal(str)
    open_pressed = pyqtSignal()
    recent_chosen = pyqtSignal(Path)

    def __init__(
        self, sessions: SessionStarter | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.heading, self.detail = QLabel(), QLabel()
        self.heading.setObjectName("heading")
        self.detail.setObjectName("muted")
        self.detail.setWordWrap(True)
        self.detail.setTextFormat(Qt.TextFormat.PlainText)
        self.detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for label in (self.heading, self.detail):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(220, 4)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(8)
        self._message = QFrame()
        self._message.setObjectName("bar")
        column = QVBoxLayout(self._message)
        column.setContentsMargins(48, 24, 48, 24)
        column.setSpacing(14)
        column.addStretch(2)
        column.addWidget(self.heading)
        column.addWidget(self.detail)
        column.addWidget(self.busy, 0, Qt.AlignmentFlag.AlignCenter)
        column.addLayout(self.buttons)
        column.addStretch(3)
        self.addWidget(self._message)

        self.form = SetupForm(sessions) if sessions is not None else None
        self.running = QLabel()
        self.running.setWordWrap(True)
        self.running.setTextFormat(Qt.TextFormat.PlainText)
        self.running.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.come_back = QPushButton("Come back to it")
        self.come_back.setProperty("primary", True)
        self.come_back.clicked.connect(lambda: self.attach_pressed.emit(self._session))
        self.open = QPushButton("Open a recording…")
        self.open.setToolTip("Ctrl+O")
        self.open.clicked.connect(self.open_pressed)
        self.recent = QListWidget()
        self.recent.setWordWrap(True)
        self.recent.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.recent.itemActivated.connect(self._choose)
        self.recent.itemClicked.connect(self._choose)
        self._session = ""
        self._begin = self._make_begin()
        self.addWidget(self._begin)

    def wait(self, sentence: str) -> None:
        """Something is on its way."""
        self._say(sentence, "", busy=True)

    def processes(self, states: dict[str, str]) -> None:
        """How far the session's processes have come up."""
        self.detail.setText(
            " · ".join(f"{name} {STATE_WORDS.get(state, state)}" for name, state in states.items())
        )

    def offer(self, recordings: Sequence[Recent], folder: Path) -> None:
        """Nothing is going on: what can be done about it, running sessions first.

        Args:
            recordings: those that were made or seen last.
            folder: where new ones go.
        """
        running = running_sessions()
        for widget in (self.running, self.come_back):
            widget.setVisible(bool(running))
        if running:
            newest = running[0]
            self._session = newest.session
            since = shown(newest.started_unix_s)
            self.running.setText(
                f"A session is running: {newest.protocol}, {newest.subject} in {newest.task}, since "
                f"{since} (session {newest.session}). A window that was closed, or crashed, did not end it."
            )
        self.recent.clear()
        for each in recordings:
            path = Path(each.file)
            item = QListWidgetItem(
                f"{path.name}\n{clock(each.duration_s)}  {each.subject}, {each.protocol}"
            )
            item.setData(Qt.ItemDataRole.UserRole, each.file)
            item.setToolTip(each.file)
            self.recent.addItem(item)
        self.recent.setVisible(bool(recordings))
        self._none.setVisible(not recordings)
        if self.form is not None:
            self.form.show_folder(folder)
        self.setCurrentWidget(self._begin)
        if running:
            self.come_back.setFocus()  # Enter is to start no second one
        elif self.form is not None:
            self.form.start.setFocus()

    def fail(self, sentence: str, can_start: bool) -> None:
        """It did not work, and why."""
        self._say("That did not work", sentence)
        if can_start:
            self._button("Try again", self.start_pressed.emit, True)
        self._button("Back", self.setup_pressed.emit)
        self._button("Open a recording…", self.open_pressed.emit)

    def _choose(self, item: QListWidgetItem) -> None:
        if self.currentWidget() is self._begin:  # some styles activate what is clicked, too
            self.recent_chosen.emit(Path(str(item.data(Qt.ItemDataRole.UserRole))))

    def _make_begin(self) -> QFrame:
        page = QFrame()
        page.setObjectName("bar")
        heading = QLabel("Recordings")
        heading.setObjectName("heading")
        self._none = QLabel("None yet.")
        self._none.setObjectName("muted")
        left = QVBoxLayout()
        left.setSpacing(10)
        left.addWidget(self.running)
        left.addWidget(self.come_back)
        left.addWidget(heading)
        left.addWidget(self.open)
        left.addWidget(self._none)
        left.addWidget(self.recent, 1)
        left.addStretch(0)
        aside = QWidget()
        aside.setLayout(left)
        left.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout(page)
        row.setContentsMargins(24, 20, 24, 20)
        row.setSpacing(28)
        if self.form is not None:
            aside.setFixedWidth(LEFT_PX)
            row.addWidget(aside)
            row.addWidget(self.form, 1)
        else:
            row.addStretch(1)
            aside.setMinimumWidth(LEFT_PX + 120)
            row.addWidget(aside)
            row.addStretch(1)
        return page

    def _say(self, heading: str, detail: str, busy: bool = False) -> None:
        self.heading.setText(heading)
        self.detail.setText(detail)
        self.busy.setVisible(busy)
        while self.buttons.count():
            item = self.buttons.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        self.setCurrentWidget(self._message)

    def _button(self, words: str, pressed: Callable[[], None], primary: bool = False) -> None:
        button = QPushButton(words)
        button.setProperty("primary", primary)
        button.clicked.connect(lambda: pressed())
        if not self.buttons.count():
            self.buttons.addStretch(1)
            self.buttons.addStretch(1)
        self.buttons.insertWidget(self.buttons.count() - 1, button)
