"""The bar with *Acquire* and *Record*, what the recorder says of itself, and the animal's clock."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QFontMetrics, QResizeEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.look.labels import ElidedLabel, restyle
from gui.look.theme import Theme, numbers_font
from gui.streams.recorder_watch import Verdict, clock

BUTTON_PX = 32
"""What a button has beside its words."""
INSIDE_PX, GAP_PX = 12, 16
LEAST_FILE_PX, MOST_FILE_PX = 60, 150
"""Room for the file's name: a short one is whole before size and free disk are said beside it."""
LEAST_RECORDING_PX = 204
"""Of what the recorder says, room for "THE RECORDER HAS DIED"; longer words give way."""


class ControlBar(QFrame):
    """Acquire and Record, two buttons; beside them what the recorder says of itself; the animal's clock."""

    acquire_pressed = pyqtSignal()
    record_pressed = pyqtSignal()
    release_pressed = pyqtSignal()
    pause_pressed = pyqtSignal()
    step_pressed = pyqtSignal()
    arm_pressed = pyqtSignal()

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
        self.pause, self.step = QPushButton("Pause"), QPushButton("Step")
        self.pause.clicked.connect(self.pause_pressed)
        self.step.setToolTip("Run one tick (20 ms) and pause (full stop)")
        self.step.clicked.connect(self.step_pressed)
        self.arm = QPushButton("Armed")
        self.arm.clicked.connect(self.arm_pressed)
        for button in (self.pause, self.step, self.arm):
            button.hide()
        self.release = QPushButton("Release all")
        self.release.setToolTip(
            "End every stimulus at once, the protocol's too (escape twice within 0.6 s)"
        )
        self.release.clicked.connect(self.release_pressed)
        restyle(self.release, edged=True)
        self.release.hide()
        bold = self.font()
        bold.setBold(True)
        for button, widest in (
            (self.acquire, "Starting…"),
            (self.record, "Stop recording"),
            (self.pause, "Resume"),
            (self.step, "Step"),
            (self.arm, "Disarmed"),
            (self.release, "Release all"),
        ):
            button.setMinimumSize(QFontMetrics(bold).horizontalAdvance(widest) + BUTTON_PX, 34)

        self.recording = QFrame()
        self.recording.setObjectName("recording")
        self.recording.setMinimumSize(LEAST_RECORDING_PX, 34)
        self.headline = QLabel("Not recording")
        self.headline.setFont(bold)
        self._headline, self._low = self.headline.text(), False
        self.file = ElidedLabel()
        self.since, self.elapsed = QLabel(), QLabel()
        self.size_on_disk, self.free = QLabel(), QLabel()
        self.since.setToolTip("The first tick in the file: what came before it is not recorded")
        for label in (self.since, self.elapsed, self.size_on_disk):
            label.setFont(numbers_font())
        inside = QHBoxLayout(self.recording)
        inside.setContentsMargins(INSIDE_PX, 0, INSIDE_PX, 0)
        inside.setSpacing(GAP_PX)
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
        for button in (self.pause, self.step, self.arm):
            row.addWidget(button)
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
        self._headline = dot + verdict.headline
        self.file.set_full_text(verdict.file)
        for label, text in (
            (self.since, verdict.since),
            (self.elapsed, verdict.elapsed),
            (self.size_on_disk, verdict.size),
            (self.free, verdict.free),
        ):
            label.setText(text)
        self._low = verdict.low
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """There may be room for more, or for less."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Leaves out what there is no room for, the least important first; the pointer tells it all."""
        others = [self.elapsed, self.since, self.size_on_disk, self.free]
        if self._low:
            others.insert(1, others.pop())
        self.headline.setText(self._headline)
        kept = [self.headline, *(label for label in others if label.text())]
        room = self.recording.width() - 2 * INSIDE_PX

        def left() -> int:
            return room - sum(each.sizeHint().width() + GAP_PX for each in kept)

        name = self.file.fontMetrics().horizontalAdvance(self.file.full_text) + 4
        while len(kept) > 2 and left() < min(max(name, LEAST_FILE_PX), MOST_FILE_PX):
            kept.pop()
        self.file.setVisible(left() >= LEAST_FILE_PX // 2)
        if len(kept) == 2 and left() < -GAP_PX:
            kept.pop()
        if left() < -GAP_PX and self.isVisible():
            metrics = self.headline.fontMetrics()
            right = Qt.TextElideMode.ElideRight
            self.headline.setText(metrics.elidedText(self._headline, right, room))
        for label in others:
            label.setVisible(label in kept)
        words = (self._headline, self.file.full_text, *(label.text() for label in others))
        self.recording.setToolTip("\n".join(each for each in words if each))

    def show_operating(self, live: bool, *, paused: bool, armed: bool, can_arm: bool) -> None:
        """Labels the buttons that hold the animal and arm its protocol.

        Args:
            live: whether there is a session that hears them.
            paused: whether the animal is held.
            armed: whether the protocol's rules fire.
            can_arm: whether there is an engine that runs them.
        """
        for button in (self.pause, self.step, self.arm):
            button.setVisible(live)
        self.pause.setText("Resume" if paused else "Pause")
        self.pause.setToolTip(
            "Let the animal go on (space)"
            if paused
            else "Hold the animal between two ticks (space)"
        )
        restyle(self.pause, warned=paused)
        self.arm.setEnabled(can_arm)
        self.arm.setText(("Armed" if armed else "Disarmed") if can_arm else "No engine")
        self.arm.setToolTip(
            "The protocol's rules fire. Disarm it: detectors go on, nothing is delivered (Ctrl D)"
            if armed
            else "The protocol's rules fire nothing. Arm it (Ctrl D)"
        )
        restyle(self.arm, warned=can_arm and not armed)
        restyle(self.clock, held=live and paused)

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

    def show_pace(self, words: str, slow: bool = False, reason: str = "") -> None:
        """How fast its time passes.

        Args:
            words: such as "1.00 × real time".
            slow: whether that is slower than it should, over the whole session.
            reason: one sentence where it is so now, said to the pointer.
        """
        self.pace.setText(words)
        self.pace.setToolTip(reason)
        self._slow = slow or bool(reason)
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
