"""The raster: the activity of every unit over the last seconds, grouped by layer.

As a heat map of z-scores, as traces of the selected units, or as the spikes that a virtual probe would see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor

from gui.look.theme import Theme, activity_colours, spike_colours
from gui.seen.activity import (
    EMPTY,
    WINDOW_TICKS,
    ActivityWindow,
    fit_rows,
    ticks_per_column,
)
from gui.timeline.raster_marks import RowMarks
from gui.timeline.raster_traces import MOST_TRACES, RasterTraces
from rig.bus.message_types import LayerInfo, Message

if TYPE_CHECKING:
    from gui.timeline.spike_window import SpikeWindow

NAMED_ROWS = 160
"""Where no more rows are shown, units have their names."""
LABEL_PX = 14
LEAST_ROWS = 8
"""Nobody looks closer than at so many."""
DISPLAYS = {
    "heat": "heat map",
    "traces": "traces",
    "spikes": "spikes",
}


class Raster:
    """The raster in a plot whose x axis is animal time in seconds and whose y axis counts rows.

    Attributes:
        plot: what it draws into.
        kind: of activity, one of `gui.seen.activity.KINDS`.
        display: one of `DISPLAYS`.
        window_ticks: how much is shown.
        layers: of the session.

    Args:
        plot: the plot to draw into.
        theme: how it looks.
    """

    def __init__(self, plot: pg.PlotItem, theme: Theme) -> None:
        self.plot = plot
        self.kind = "c_applied"
        self.display = "heat"
        self.window_ticks = WINDOW_TICKS
        self.layers: tuple[LayerInfo, ...] = ()
        self._theme = theme
        self._window = ActivityWindow(0)
        self._held: tuple[ActivityWindow, int] | None = (
            None  # what is shown while frozen, and its end
        )
        self._spikes: SpikeWindow | None = None
        self._levels = np.zeros((0, WINDOW_TICKS), np.uint8)
        self._order = np.zeros(0, np.intp)
        self._by_layer = True
        self._selected: tuple[int, ...] = ()
        self._seed = 0
        self._tick_s = 0.02
        self._decoration: list[pg.GraphicsObject] = []
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setZValue(-10)
        plot.addItem(self._image)
        self.traces = RasterTraces(plot, theme)
        self.marks = RowMarks(plot)
        plot.invertY(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=True)
        plot.getViewBox().sigYRangeChanged.connect(lambda *_: self._label())
        plot.getViewBox().sigResized.connect(lambda *_: self._label())
        self.set_theme(theme)

    @property
    def window(self) -> ActivityWindow:
        """The activity that is shown: that of now, or, while frozen, of when it was frozen."""
        return self._held[0] if self._held is not None else self._window

    @property
    def last_tick(self) -> int:
        """The newest tick taken in; -1 before the first."""
        return self._window.last_tick

    @property
    def end_tick(self) -> int:
        """The first tick that is not shown."""
        return self._held[1] if self._held is not None else self._window.last_tick + 1

    @property
    def n_units(self) -> int:
        """The number of units."""
        return self._window.n_units

    @property
    def rows(self) -> NDArray[np.intp]:
        """The unit of each row: all units in their order, or the selected ones as traces."""
        if self.display == "traces":
            return np.array(self._selected[:MOST_TRACES], np.intp)
        return self._order

    @property
    def rows_of(self) -> NDArray[np.intp]:
        """The row in which each unit is drawn; -1 for one that is not."""
        places, rows = np.full(self.n_units, -1), self.rows
        places[rows] = np.arange(len(rows))
        return places

    def describe(self, layers: tuple[LayerInfo, ...], tick_s: float, seed: int = 0) -> None:
        """Prepares for a session.

        Args:
            layers: of the subject.
            tick_s: seconds of a tick.
            seed: the session's, from which emulated spikes follow.
        """
        self.layers = layers
        self._tick_s, self._seed = tick_s, seed
        n_units = sum(layer.n_units for layer in layers)
        self._window = ActivityWindow(n_units)
        self._held = self._spikes = None
        self._levels = np.full((n_units, self.window_ticks), EMPTY, np.uint8)
        self._order = np.arange(n_units)
        self._by_layer = True
        self._selected = ()
        self._fit_view()
        self._decorate()

    def clear(self) -> None:
        """Forgets the activity, keeps the layers."""
        self._window.clear()
        self._spikes = None
        self._levels[:] = EMPTY

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in ticks, without drawing."""
        if self._window.n_units:
            self._window.add(ticks)

    def hold(self, held: bool) -> None:
        """Goes on showing what is shown now, or follows again."""
        if held and self._window.last_tick >= 0:
            self._held = (self._window.copy(), self._window.last_tick + 1)
        else:
            self._held = None
        self._spikes = None

    def show_window(self, n_ticks: int) -> None:
        """How much to show."""
        self.window_ticks = n_ticks

    def show_as(self, display: str) -> None:
        """As one of `DISPLAYS`."""
        if display != self.display:
            self.display = display
            self._levels = np.zeros((0, 0), np.uint8)
            self._colour()
            self._fit_view()
            self._decorate()

    def select(self, units: Iterable[int]) -> None:
        """Marks the rows of these units; as traces they are the rows."""
        self._selected = tuple(unit for unit in units if 0 <= unit < self.n_units)
        if self.display == "traces":
            self._fit_view()
            self._decorate()
        self._mark()

    def draw(self) -> bool:
        """Draws the window as it is now; says whether that was all of it: spikes take several turns."""
        if self._window.last_tick < 0:
            return True
        if self.display == "traces":
            self._draw_traces()
            return True
        per_column = ticks_per_column(self.window_ticks)
        n_columns = -(-self.window_ticks // per_column) + (per_column > 1)
        if self._levels.shape != (self.n_units, n_columns):
            self._levels = np.full((self.n_units, n_columns), EMPTY, np.uint8)
        complete = True
        if self.display == "spikes":
            spikes = self._emulated()
            complete = spikes.make(self.end_tick - self.window_ticks, self.end_tick)
            first = spikes.levels(self._levels, self.end_tick, per_column)
        else:
            first = self.window.levels(self.kind, self._levels, self.end_tick, per_column)
        image = self._levels[self._order]
        rows_on_screen = self._rows_on_screen()
        if 16 < rows_on_screen < len(image):
            image = fit_rows(image, rows_on_screen)
        self._image.setImage(image, autoLevels=False, levels=(0, 255))
        length_s = n_columns * per_column * self._tick_s
        self._image.setRect(QRectF(first * self._tick_s, 0, length_s, self.n_units))
        return complete

    def _emulated(self) -> SpikeWindow:
        # here, because most who open the window do not look at spikes
        from gui.timeline.spike_window import SpikeWindow

        kind = f"h_{self.kind.partition('_')[2]}"
        if self._spikes is None or self._spikes.kind != kind:
            self._spikes = SpikeWindow(self.window, kind, self._seed, self._tick_s)
        return self._spikes

    def _draw_traces(self) -> None:
        units, end = self.rows, self.end_tick
        first = end - self.window_ticks
        values = self.window.block(self.kind, first, end, units)
        statistics = self.window.statistics[self.kind]
        mean, deviation = statistics.mean[units, None], statistics.deviation()[units, None]
        z = ((values - mean) / deviation).astype(np.float32)
        times_s = (np.arange(first, end) + 0.5) * np.float64(self._tick_s)
        self.traces.show_traces(times_s, z, len(self._selected) - len(units))

    def _rows_on_screen(self) -> int:
        """How many pixels all units together are high, those outside the view included."""
        _, units_per_pixel = self.plot.getViewBox().viewPixelSize()
        view = self.plot.getViewWidget()
        ratio = view.devicePixelRatioF() if view is not None else 1.0
        return int(self.n_units / max(units_per_pixel, 1e-9) * ratio + 0.5)

    def arrange(self, order: NDArray[np.intp], by_layer: bool = True) -> None:
        """Puts the units in this order, within their layers or across them."""
        parts = [order]
        if by_layer:
            edges = np.cumsum([0, *(layer.n_units for layer in self.layers)])
            parts = [order[(order >= a) & (order < b)] for a, b in pairwise(edges)]
        self._order = np.concatenate(parts) if parts else np.arange(0)
        self._by_layer = by_layer
        self._decorate()

    def show_all(self) -> None:
        """Back to all rows, after looking closer."""
        if len(self.rows):
            self.plot.setYRange(0, len(self.rows), padding=0)

    def unit_at(self, row: float) -> int | None:
        """The unit that is drawn in this row, by its number over all layers; None outside."""
        place, rows = int(np.floor(row)), self.rows
        return int(rows[place]) if 0 <= place < len(rows) else None

    def units_between(self, row: float, other: float) -> tuple[int, ...]:
        """The units of the rows from one up to and with another, from the top."""
        low, high = sorted((row, other))
        rows = self.rows[max(int(np.floor(low)), 0) : max(int(np.floor(high)) + 1, 0)]
        return tuple(int(unit) for unit in rows)

    def named_at(self, row: float) -> tuple[int, ...]:
        """The units that the name on the axis at this row is of: one, or those of a layer."""
        unit = self.unit_at(row)
        if unit is None:
            return ()
        if self._names_units():
            return (unit,)
        first = 0
        for layer in self.layers if self._by_layer else ():
            if first <= unit < first + layer.n_units:
                return tuple(range(first, first + layer.n_units))
            first += layer.n_units
        return ()

    def name_of(self, unit: int) -> str:
        """What a unit is called: its layer, and its number there."""
        for layer in self.layers:
            if unit < layer.n_units:
                return f"{layer.name}/{unit}"
            unit -= layer.n_units
        return ""

    def values_of(self, unit: int) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Times (s) and every kind of activity of a unit, over what is shown."""
        end = self.end_tick
        times_s = np.arange(end - self.window_ticks, end, dtype=np.float64) * self._tick_s
        return times_s, self.window.values(unit, self.window_ticks, end)

    def blocks_of(
        self, units: Sequence[int], kinds: Sequence[str]
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Times (s), (ticks,), and kinds of activity of units, (units, ticks), over what is shown."""
        end, first = self.end_tick, self.end_tick - self.window_ticks
        times_s = np.arange(first, end) * np.float64(self._tick_s)
        chosen = np.array(units, np.intp)
        return times_s, {kind: self.window.block(kind, first, end, chosen) for kind in kinds}

    def under(self, time_s: float, row: float) -> str:
        """What is drawn at this place, in words: unit, time, c, h and z-score; "" where there is nothing."""
        unit, tick = self.unit_at(row), int(np.floor(time_s / self._tick_s + 1e-6))
        if unit is None or not self.end_tick - self.window_ticks <= tick < self.end_tick:
            return ""
        here = f"{self.name_of(unit)}   {time_s:.2f} s"
        values = self.window.values(unit, 1, tick + 1)
        value = float(values[self.kind][0])
        if not np.isfinite(value):
            return f"{here}   no data"
        statistics, which = self.window.statistics[self.kind], self.kind.partition("_")[2]
        z = (value - statistics.mean[unit]) / statistics.deviation()[unit]
        c, h = (float(values[f"{state}_{which}"][0]) for state in "ch")
        return f"{here}   c {c:+.3f}   h {h:+.3f}   z {z:+.1f}".replace("-", "−")

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self._colour()
        self.traces.set_theme(theme)
        self.marks.set_colour(theme.text, theme.plot)
        self._decorate()

    def _colour(self) -> None:
        ground = QColor(self._theme.plot)
        empty = np.array([[ground.red(), ground.green(), ground.blue()]], np.uint8)
        make = spike_colours if self.display == "spikes" else activity_colours
        self._image.setLookupTable(np.concatenate([make(self._theme, EMPTY), empty]))
        self._image.setVisible(self.display != "traces")
        if self.display != "traces":
            self.traces.hide()

    def _fit_view(self) -> None:
        n_rows = max(len(self.rows), 1)
        if self.n_units:
            self.plot.setLimits(yMin=0, yMax=n_rows, minYRange=min(LEAST_ROWS, n_rows))
            self.plot.setYRange(0, n_rows, padding=0)

    def _names_units(self) -> bool:
        top, bottom = self.plot.getViewBox().viewRange()[1]
        return bool(bottom - top <= NAMED_ROWS)

    def _label(self) -> None:
        """The names on the axis: of layers, or of units where one looks close enough."""
        top, bottom = self.plot.getViewBox().viewRange()[1]
        shown = bottom - top
        height_px = self.plot.getViewBox().height()
        if not self.n_units or height_px <= 0:
            return
        ticks: list[tuple[float, str]] = []
        if self._names_units():
            step = max(1, int(np.ceil(LABEL_PX * shown / height_px)))
            first = int(np.ceil(max(top, 0) / step)) * step
            rows = self.rows
            for row in range(first, min(int(bottom) + 1, len(rows)), step):
                ticks.append((row + 0.5, self.name_of(int(rows[row]))))
        elif self._by_layer:
            begin = 0
            for layer in self.layers:
                end = begin + layer.n_units
                middle = (max(begin, top) + min(end, bottom)) / 2
                if begin < bottom and end > top:
                    ticks.append((middle, layer.name))
                begin = end
        else:
            ticks.append(((top + bottom) / 2, "all layers"))
        self.plot.getAxis("left").setTicks([ticks])

    def _mark(self) -> None:
        rows = self.rows_of[list(self._selected)] if self._selected else np.zeros(0, np.int64)
        marked = np.sort(rows[rows >= 0]) if self.display != "traces" else rows[:0]
        self.marks.show_rows(marked)

    def _decorate(self) -> None:
        """Lines between layers, names on the axis, marks beside the selected rows."""
        for item in self._decoration:
            self.plot.removeItem(item)
        self._decoration.clear()
        first = 0
        for layer in self.layers if self._by_layer and self.display != "traces" else ():
            if first:
                pen = pg.mkPen(QColor(self._theme.text), width=1)
                line = pg.InfiniteLine(first, angle=0, pen=pen)
                line.setOpacity(0.55)
                self.plot.addItem(line)
                self._decoration.append(line)
            first += layer.n_units
        self._mark()
        self._label()
