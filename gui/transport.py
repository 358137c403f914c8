"""The transport bar of a replay: play, step, speed, and a slider over the whole recording."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from gui.overview import OverviewSlider
from gui.recorder_watch import clock
from gui.theme import Theme, numbers_font
from rig.messages import Event

SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


class TransportBar(QFrame):
    """Shows where a replay is and says where the user wants it; knows nothing of recordings."""

    play_pressed = pyqtSignal()
    step_pressed = pyqtSignal(int)
    speed_chosen = pyqtSignal(float)
    tick_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self._tick_s = 0.02
        self.back = self._button("|◂", "One tick back (←)")
        self.play = self._button("Play", "Play or pause (space)")
        self.play.setMinimumWidth(64)
        self.forward = self._button("▸|", "One tick on (→)")
        self.back.clicked.connect(lambda: self.step_pressed.emit(-1))
        self.play.clicked.connect(self.play_pressed)
        self.forward.clicked.connect(lambda: self.step_pressed.emit(1))
        self.slider = OverviewSlider()
        self.slider.setToolTip("The whole recording; click or drag to go there")
        self.slider.valueChanged.connect(self._slid)
        self.time = QLabel("–")
        self.time.setFont(numbers_font())
        self.speed = QComboBox()
        self.speed.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.speed.setToolTip("Speed of the replay (↑ ↓)")
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g} ×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(lambda index: self.speed_chosen.emit(SPEEDS[index]))
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 10, 6)
        row.setSpacing(6)
        for widget in (self.back, self.play, self.forward):
            row.addWidget(widget)
        row.addSpacing(6)
        row.addWidget(self.slider, 1)
        row.addSpacing(6)
        row.addWidget(self.time)
        row.addSpacing(6)
        row.addWidget(self.speed)

    def describe(self, behaviours: Sequence[str]) -> None:
        """The behaviours that have a row."""
        self.slider.describe(behaviours)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self.slider.set_theme(theme)

    def set_range(
        self, first_tick: int, n_ticks: int, tick_s: float, events: Sequence[Event]
    ) -> None:
        """The recording's extent and what happened in it."""
        self._tick_s = tick_s
        self.slider.blockSignals(True)
        self.slider.setRange(first_tick, first_tick + max(n_ticks - 1, 0))
        self.slider.setPageStep(round(1.0 / tick_s))
        self.slider.blockSignals(False)
        self.slider.show_events(events)
        self.show_tick(first_tick)

    def show_tick(self, tick: int) -> None:
        """Where the replay is."""
        if not self.slider.isSliderDown():
            self.slider.blockSignals(True)
            self.slider.setValue(tick)
            self.slider.blockSignals(False)
        last = self.slider.maximum()
        self.time.setText(f"{clock(tick * self._tick_s)} / {clock((last + 1) * self._tick_s)}")

    def show_playing(self, playing: bool) -> None:
        """Whether it moves."""
        self.play.setText("Pause" if playing else "Play")

    def show_speed(self, speed: float) -> None:
        """How fast."""
        index = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - speed))
        self.speed.blockSignals(True)
        self.speed.setCurrentIndex(index)
        self.speed.setItemText(index, f"{SPEEDS[index]:g} ×")
        self.speed.blockSignals(False)

    def faster(self, steps: int) -> None:
        """Changes the speed by so many places in `SPEEDS`."""
        index = min(max(self.speed.currentIndex() + steps, 0), len(SPEEDS) - 1)
        self.speed.setCurrentIndex(index)

    def _slid(self, tick: int) -> None:
        self.tick_chosen.emit(tick)

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button
