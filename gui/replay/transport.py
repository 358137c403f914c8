"""The transport bar of a replay: a slider over all that was recorded; play, step, jump, loop, speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.look.theme import Theme, numbers_font
from gui.replay.overview import Annotated, OverviewSlider
from gui.seen.markers import DIVERGENCE, Extent, Place, around, neighbour, places_of_all
from gui.streams.recorder_watch import clock

AGAIN_TICKS = 50
SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


class TransportBar(QFrame):
    """Shows where a replay is and says where the user wants it; one for all recordings in step."""

    play_pressed = pyqtSignal()
    step_pressed = pyqtSignal(int)
    speed_chosen = pyqtSignal(float)
    tick_chosen = pyqtSignal(int)
    loop_chosen = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self._tick_s = 0.02
        self._tick = 0
        self._playing = False
        self._places: dict[str, tuple[Place, ...]] = {}
        self._annotated: dict[str, tuple[Place, ...]] = {}
        self._loop: tuple[int, int] | None = None
        self.back = self._button("|◂", "One tick back (←)")
        self.play = self._button("Play", "Play or pause (space)")
        self.play.setMinimumWidth(64)
        self.forward = self._button("▸|", "One tick on (→)")
        self.back.clicked.connect(lambda: self.step_pressed.emit(-1))
        self.play.clicked.connect(self.play_pressed)
        self.forward.clicked.connect(lambda: self.step_pressed.emit(1))
        self.previous = self._button("◂◂", "To the one before (Ctrl ←)")
        self.next = self._button("▸▸", "To the next one (Ctrl →)")
        self.previous.clicked.connect(lambda: self.jump(-1))
        self.next.clicked.connect(lambda: self.jump(1))
        self.choice = QComboBox()
        self.choice.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.choice.setToolTip("What to go to, and what to loop over")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.choice.currentIndexChanged.connect(lambda _: self._enable())
        self.loop = self._button(
            "Loop",
            "Over and over: the chosen thing that goes on here, or two seconds. Esc ends it. "
            "[ and ] set its beginning and end; so does dragging with shift on the recording",
        )
        self.loop.setCheckable(True)
        self.loop.clicked.connect(self.toggle_loop)
        self.slider = OverviewSlider()
        self.slider.setToolTip(
            "The whole recording; click or drag to go there, drag with shift for a loop"
        )
        self.slider.loop_marked.connect(lambda first, last: self._choose_loop((first, last)))
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
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 10, 6)
        column.setSpacing(6)
        column.addWidget(self.slider)
        row = QHBoxLayout()
        row.setSpacing(6)
        column.addLayout(row)
        for widget in (self.back, self.play, self.forward):
            row.addWidget(widget)
        row.addSpacing(6)
        row.addWidget(self.previous)
        row.addWidget(self.choice)
        row.addWidget(self.next)
        row.addWidget(self.loop)
        row.addStretch(1)
        row.addWidget(self.time)
        row.addSpacing(6)
        row.addWidget(self.speed)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self.slider.set_theme(theme)

    def set_recordings(
        self, extents: Sequence[Extent], tick_s: float, tick: int | None = None
    ) -> None:
        """What is replayed, and what happened in it; `tick`: where the replay is, the first one if None."""
        self._tick_s = tick_s
        self._annotated = {}
        self._places = places_of_all(extents)
        self._offer_places()
        self.show_loop(None)
        first_tick = min(each.first_tick for each in extents)
        self.slider.blockSignals(True)
        self.slider.setRange(first_tick, max(each.last_tick for each in extents))
        self.slider.setPageStep(round(1.0 / tick_s))
        self.slider.blockSignals(False)
        self.slider.show_recordings(extents, tick_s)
        self.show_tick(first_tick if tick is None else tick)

    def show_annotations(
        self, found: Mapping[str, tuple[Place, ...]], bars: Sequence[Annotated]
    ) -> None:
        """What people annotated: where one may go, by what it is called, and how it is drawn."""
        self._annotated = dict(found)
        self.slider.show_annotations(bars)
        self._offer_places()

    def show_divergence(self, number: int, tick: int) -> None:
        """The first tick at which a recording differs from the first of them."""
        self.slider.show_divergence(number, tick)
        known = self._places.get(DIVERGENCE, ())
        divergences = {*known, Place(tick, tick, DIVERGENCE)}
        self._places[DIVERGENCE] = tuple(sorted(divergences, key=lambda place: place.tick))
        self._offer_places()

    def show_tick(self, tick: int) -> None:
        """Where the replay is."""
        self._tick = tick
        if not self.slider.isSliderDown():
            self.slider.blockSignals(True)
            self.slider.setValue(tick)
            self.slider.blockSignals(False)
        last = self.slider.maximum()
        self.time.setText(f"{clock(tick * self._tick_s)} / {clock((last + 1) * self._tick_s)}")

    def show_playing(self, playing: bool) -> None:
        """Whether it moves."""
        self._playing = playing
        self.play.setText("Pause" if playing else "Play")

    @property
    def marked_loop(self) -> tuple[int, int] | None:
        """First and last tick that are played over and over; None: there is no loop."""
        return self._loop

    def show_loop(self, loop: tuple[int, int] | None) -> None:
        """What it plays over and over; None: nothing."""
        self._loop = loop
        self.loop.setChecked(loop is not None)
        self.slider.show_loop(loop)

    def jump(self, step: int) -> None:
        """Asks for the next (1) or the previous (-1) of what is chosen."""
        # while it plays, what has just begun is not yet left behind
        tick = self._tick - (AGAIN_TICKS if self._playing and step < 0 else 0)
        place = neighbour(self._chosen(), tick, step)
        if place is not None:
            self.tick_chosen.emit(place.tick)

    def toggle_loop(self) -> None:
        """Asks to play over and over what is chosen and goes on here; or to play on."""
        if self._loop is not None:
            self._choose_loop(None)
            return
        place = around(self._chosen(), self._tick)
        if place is not None and place.last_tick > place.tick:
            self._choose_loop((place.tick, place.last_tick))
        else:
            half = round(1.0 / self._tick_s)
            self._choose_loop((self._tick - half, self._tick + half))

    def mark_loop(self, end: int) -> None:
        """Lets the loop begin (0) or end (1) here; where there was none, it has the recording's other end."""
        whole = (self.slider.minimum(), self.slider.maximum())
        ends = list(self._loop or whole)
        ends[end] = self._tick
        if ends[0] >= ends[1]:
            ends[1 - end] = whole[1 - end]
        self._choose_loop((ends[0], ends[1]))

    def show_speed(self, speed: float) -> None:
        """How fast."""
        index = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - speed))
        self.speed.blockSignals(True)
        for place, each in enumerate(SPEEDS):  # a replay may begin at one between these
            self.speed.setItemText(place, f"{speed if place == index else each:g} ×")
        self.speed.setCurrentIndex(index)
        self.speed.blockSignals(False)

    def faster(self, steps: int) -> None:
        """Changes the speed by so many places in `SPEEDS`."""
        index = min(max(self.speed.currentIndex() + steps, 0), len(SPEEDS) - 1)
        self.speed.setCurrentIndex(index)

    def _choose_loop(self, loop: tuple[int, int] | None) -> None:
        self.show_loop(self._loop)  # until it is done
        self.loop_chosen.emit(loop)

    def _chosen(self) -> tuple[Place, ...]:
        name = str(self.choice.currentData())
        return self._annotated.get(name) or self._places.get(name, ())

    def _offer_places(self) -> None:
        chosen = self.choice.currentText()
        self.choice.blockSignals(True)
        self.choice.clear()
        for name in (*self._places, *self._annotated):
            self.choice.addItem(name.replace("_", " "), name)
        self.choice.setCurrentIndex(max(self.choice.findText(chosen), 0))
        self.choice.blockSignals(False)
        self._enable()

    def _enable(self) -> None:
        for button in (self.previous, self.next):
            button.setEnabled(bool(self._chosen()))

    def _slid(self, tick: int) -> None:
        self.tick_chosen.emit(tick)

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button
