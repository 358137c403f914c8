"""Recordings side by side: a column each, all at the same tick, for what a stimulus did beside its sham.

A column has its recording's name, the animal, and raster and ethogram; all have the same rows, namely what
happened in any of them, and all cameras look from the same side.
"""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from gui.arena.arena_scene import View
from gui.arena.arena_view import ArenaView
from gui.look.labels import ElidedLabel
from gui.look.theme import Theme
from gui.seen.activity import WINDOW_TICKS
from gui.seen.markers import Extent, rows_of
from gui.streams.recorder_watch import clock
from gui.streams.stream import Batch
from gui.timeline.selection import UnitSelection
from gui.timeline.timeline import Timeline
from rig.bus.message_types import TICK_S, Description

CLOSE_PX = 24
ARENA_PARTS, TIMELINE_PARTS = 9, 11
"""How they share the height: the animal is what one looks at here."""


class Column(QFrame):
    """One recording among several. `closed` asks to take it away."""

    closed = pyqtSignal()

    def __init__(
        self, theme: Theme, extent: Extent, share: float, selection: UnitSelection
    ) -> None:
        super().__init__()
        self.extent = extent
        self.offset = 0
        self.name = ElidedLabel()
        bold = self.name.font()
        bold.setBold(True)
        self.name.setFont(bold)
        self.name.set_full_text(extent.name)
        self.name.setMaximumWidth(self.name.fontMetrics().horizontalAdvance(extent.name) + 4)
        self.what = ElidedLabel()
        self.what.setObjectName("muted")
        self.state = QLabel()
        self.divergence = ElidedLabel()
        self.divergence.setObjectName("muted")
        self.divergence.hide()
        self.arena = ArenaView(theme, share=share)
        self.timeline = Timeline(theme, selection)
        self.timeline.head.show_beside()
        self.timeline.ethogram.show_task(False)  # the same rows in all of them
        close = QToolButton()
        close.setText("×")
        close.setToolTip("Take this recording away")
        close.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        close.setFixedSize(CLOSE_PX, CLOSE_PX)
        close.setStyleSheet("padding: 0;")
        close.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.setContentsMargins(10, 0, 4, 0)
        head.setSpacing(10)
        head.addWidget(self.name, 3)
        head.addWidget(self.what, 2)
        head.addWidget(self.divergence, 2)
        head.addWidget(self.state)
        head.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.arena, ARENA_PARTS)
        column.addWidget(self.timeline, TIMELINE_PARTS)

    def take(self, batch: Batch) -> None:
        """Takes in a batch, without drawing."""
        if batch.description is not None:
            description = batch.description.content
            assert isinstance(description, Description)
            what = f"{description.protocol_name}: {description.subject} in {description.task}"
            self.what.set_full_text(what)
            self.name.setToolTip(f"{self.extent.name}\n{what}")
        self.timeline.take(batch)
        self.arena.take(batch)

    def clear(self) -> None:
        """What comes next does not follow what was shown."""
        self.timeline.clear()

    def show_position(self, tick: int) -> None:
        """Where the replay is, which may be before this recording begins or after its end."""
        words = ""
        tick += self.offset
        if tick < self.extent.first_tick:
            words = f"begins at {clock(self.extent.first_tick * TICK_S)}"
            self.arena.show_nothing(f"This recording {words}.")
        elif tick > self.extent.last_tick:
            words = f"ended at {clock((self.extent.last_tick + 1) * TICK_S)}"
        self.state.setText(words)

    def show_divergence(self, words: str) -> None:
        """How it goes with the first recording, in the place of what it is; "" where nothing is known."""
        self.divergence.set_full_text(words)
        self.divergence.setVisible(bool(words))
        self.what.setVisible(not words)

    def draw(self) -> None:
        """Draws what is new."""
        self.timeline.draw()
        self.arena.show_stimuli(self.timeline.ethogram.stimuli_now())

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self.timeline.set_theme(theme)
        self.arena.set_theme(theme)


class ComparisonView(QWidget):
    """The columns.

    `closed` carries the place of one that is to be taken away, `length_changed` for how many ticks the plots
    reach back (`length_ticks`).

    Args:
        theme: how it looks.
        selection: the selected units, which are the same in all columns; None: its own.
    """

    closed = pyqtSignal(int)
    length_changed = pyqtSignal(int)

    def __init__(
        self,
        theme: Theme,
        selection: UnitSelection | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._selection = selection or UnitSelection(self)
        self._theme = theme
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self.columns: list[Column] = []
        self.length_ticks = WINDOW_TICKS
        self._divergences: dict[int, int] = {}
        self._mode = "orbit"

    def show_recordings(self, extents: Sequence[Extent]) -> None:
        """A column for each, and none for what was shown before."""
        self.close_renderers()
        for column in self.columns:
            self._row.removeWidget(column)
            column.hide()
            column.deleteLater()
        self._divergences = {}
        share = 1.0 / max(len(extents), 1)
        self.columns = [Column(self._theme, each, share, self._selection) for each in extents]
        for number, column in enumerate(self.columns):
            column.timeline.rows = rows_of(extents)
            column.timeline.ethogram.recorded_task_events = column.extent.task_events
            column.closed.connect(lambda number=number: self.closed.emit(number))
            column.arena.look_as(self._mode)
            column.arena.turned.connect(self._look)
            column.timeline.head.kind.currentIndexChanged.connect(self._choose_kind)
            column.timeline.head.display_chosen.connect(self._show_as)
            column.timeline.show_length(self.length_ticks)
            column.timeline.length_changed.connect(self._show_length)
            self._row.addWidget(column, 1)

    def look_as(self, mode: str) -> None:
        """Looks at all animals in one of `gui.arena.arena_scene.MODES`."""
        self._mode = mode
        for column in self.columns:
            column.arena.look_as(mode)

    def take(self, batch: Batch) -> None:
        """A batch for the column of its recording."""
        self.columns[batch.recording].take(batch)

    def clear(self) -> None:
        """What comes next does not follow what was shown."""
        for column in self.columns:
            column.clear()

    def show_position(self, tick: int) -> None:
        """Where the replay is."""
        for column in self.columns:
            column.show_position(tick)

    def show_divergence(self, number: int, words: str, tick: int | None) -> None:
        """Says in a column how its recording goes with the first, and marks the tick where it leaves it."""
        self.columns[number].show_divergence(words)
        if tick is not None:
            self._divergences[number] = tick
            self.columns[number].timeline.mark([tick])
            self.columns[0].timeline.mark(sorted(set(self._divergences.values())))

    def align(self, offsets: Sequence[int]) -> None:
        """Each recording is shown so many ticks further on than the first; what was said of it goes."""
        self._divergences = {}
        for column, offset in zip(self.columns, offsets, strict=True):
            column.offset = offset
            column.show_divergence("")
            column.timeline.mark([])

    def draw(self) -> None:
        """Draws what is new."""
        for column in self.columns:
            column.draw()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        for column in self.columns:
            column.set_theme(theme)

    def close_renderers(self) -> None:
        """Ends the threads that draw the arenas."""
        for column in self.columns:
            column.arena.close_renderer()

    def _look(self, view: View) -> None:
        self._mode = view.mode
        for column in self.columns:
            column.arena.look(view)

    def _choose_kind(self, index: int) -> None:
        for column in self.columns:
            column.timeline.head.kind.setCurrentIndex(index)

    def _show_as(self, display: str) -> None:
        for column in self.columns:
            column.timeline.show_as(display)

    def _show_length(self, n_ticks: int) -> None:
        if n_ticks == self.length_ticks:
            return
        self.length_ticks = n_ticks
        self.length_changed.emit(n_ticks)
        for column in self.columns:
            column.timeline.show_length(n_ticks)
