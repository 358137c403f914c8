"""The bar with *Acquire* and *Record*, what the recorder says of itself, and the animal's clock."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.labels import ElidedLabel, restyle
from gui.recorder_watch import Verdict, clock
from gui.theme import Theme, numbers_font


class ControlBar(QFrame):
    """Acquire and Record, two buttons; beside them what the recorder says of itself; the animal's clock."""

    acquire_pressed = pyqtSignal()
    record_pressed = pyqtSignal()
    release_pressed = pyqtSignal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self._theme = theme
        self._slow = False
        self.acquire = QPushButton("Acquire")
        self.acquire.setToolTip("Start or end the session")
        self.acquire.clicked.connect(self.acquire_pressed)
        self.record = QPushButton("Record")
        self.record.setToolTip("Start or stop writing the session to a file (R)")
        self.record.clicked.connect(self.record_pressed)
        self.release = QPushButton("Release all")
        self.release.setToolTip(
            "End every stimulus at once, the protocol's too (escape twice within 0.6 s)"
        )
        self.release.clicked.connect(self.release_pressed)
        restyle(self.release, edged=True)
        for button in (self.acquire, self.record, self.release):
            button.setMinimumSize(104, 34)
        self.release.hide()

        self.recording = QFrame()
        self.recording.setObjectName("recording")
        self.recording.setMinimumHeight(34)
        self.headline = QLabel("Not recording")
        bold = self.headline.font()
        bold.setBold(True)
        self.headline.setFont(bold)
        self.file = ElidedLabel()
        self.since, self.elapsed = QLabel(), QLabel()
        self.size_on_disk, self.free = QLabel(), QLabel()
        self.since.setToolTip("The first tick in the file: what came before it is not recorded")
        for label in (self.since, self.elapsed, self.size_on_disk):
            label.setFont(numbers_font())
        inside = QHBoxLayout(self.recording)
        inside.setContentsMargins(12, 0, 12, 0)
        inside.setSpacing(16)
        inside.addWidget(self.headline)
        inside.addWidget(self.file, 1)
        for label in (self.since, self.elapsed, self.size_on_disk, self.free):
            inside.addWidget(label)

        self.replayed = ElidedLabel()
        self.replayed.setMinimumHeight(34)
        self.replayed.setIndent(6)

        self.clock = QLabel("–:––.–")
        self.clock.setFont(numbers_font(15))
        self.clock.setToolTip("Animal time: ticks times 20 ms")
        self.pace = QLabel("")
        self.pace.setMinimumWidth(self.fontMetrics().horizontalAdvance("00.00 × real time ") + 8)
        self.pace.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

        row = QHBoxLayout(self)
        row.setContentsMargins(8, 7, 14, 7)
        row.setSpacing(8)
        row.addWidget(self.acquire)
        row.addWidget(self.record)
        row.addWidget(self.release)
        row.addWidget(self.recording, 1)
        row.addWidget(self.replayed, 1)
        row.addWidget(self.pace)
        row.addSpacing(4)
        row.addWidget(self.clock)

    def show_acquisition(self, words: str, acquiring: bool, possible: bool) -> None:
        """Labels the first button; `acquiring` lights it."""
        self.acquire.setText(words)
        self.acquire.setEnabled(possible)
        restyle(self.acquire, on=acquiring)

    def show_recording(self, verdict: Verdict, words: str, possible: bool) -> None:
        """Shows what the recorder has said, and labels the second button."""
        self.record.setText(words)
        self.record.setEnabled(possible)
        restyle(self.record, recording=verdict.state == "recording")
        restyle(self.recording, state=verdict.state)
        dot = "●  " if verdict.state == "recording" else ""
        self.headline.setText(dot + verdict.headline)
        self.file.set_full_text(verdict.file)
        for label, text in (
            (self.since, verdict.since),
            (self.elapsed, verdict.elapsed),
            (self.size_on_disk, verdict.size),
            (self.free, verdict.free),
        ):
            label.setText(text)
            label.setVisible(bool(text))

    def show_on(self, live: bool, on: bool) -> None:
        """Shows the button that releases all while a stimulus is on.

        Args:
            live: whether a session runs: the button keeps its place then, or the bar would jump.
            on: whether a stimulus, or a sham, is on.
        """
        place = self.release.sizePolicy()
        if place.retainSizeWhenHidden() != live:
            place.setRetainSizeWhenHidden(live)
            self.release.setSizePolicy(place)
        self.release.setVisible(on)

    def show_time(self, seconds: float) -> None:
        """The animal's clock."""
        self.clock.setText(clock(seconds))

    def show_pace(self, words: str, slow: bool = False) -> None:
        """How fast its time passes; `slow`: slower than it should."""
        self.pace.setText(words)
        self._slow = slow
        self._colour_pace()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self._colour_pace()

    def _colour_pace(self) -> None:
        colour = self._theme.warning if self._slow else self._theme.muted
        self.pace.setStyleSheet(f"color: {colour};")

    def show_controls(self, phase: str) -> None:
        """A recording cannot be acquired or recorded again: its name takes the buttons' place.

        Args:
            phase: as `WindowState.phase`; where there is nothing yet, nothing can be recorded.
        """
        replaying, empty = phase == "replay", phase == "empty"
        self.acquire.setVisible(not replaying)
        for widget in (self.record, self.recording):
            widget.setVisible(not replaying and not empty)
        self.clock.setVisible(not empty and phase != "starting")
        self.replayed.setVisible(replaying or empty)
        if empty:
            self.replayed.set_full_text("")

    def show_replayed(self, words: str) -> None:
        """What is replayed."""
        self.replayed.set_full_text(words)
