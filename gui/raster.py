"""The live raster: the activity of every unit over the last ten seconds, z-scored, grouped by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor

from gui.activity import WINDOW_TICKS, Z_RANGE, ActivityWindow, fit_rows
from gui.theme import Theme, activity_colours
from rig.bus.message_types import LayerInfo, Message

NAMED_ROWS = 160
"""Where no more rows are shown, units have their names."""
LABEL_PX = 14


class Raster:
    """The raster in a plot whose x axis is animal time in seconds and whose y axis counts units.

    Args:
        plot: the plot to draw into.
    """

    def __init__(self, plot: pg.PlotItem, theme: Theme) -> None:
        self.plot = plot
        self.kind = "c_applied"
        self._theme = theme
        self._layers: tuple[LayerInfo, ...] = ()
        self._window = ActivityWindow(0)
        self._levels = np.zeros((0, WINDOW_TICKS), np.uint8)
        self._order = np.zeros(0, np.intp)
        self._tick_s = 0.02
        self._drawn_tick = -1
        self._decoration: list[pg.GraphicsObject] = []
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setZValue(-10)
        plot.addItem(self._image)
        plot.invertY(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.getViewBox().sigYRangeChanged.connect(lambda *_: self._label())
        plot.getViewBox().sigResized.connect(lambda *_: self._label())
        self.set_theme(theme)

    @property
    def last_tick(self) -> int:
        """The newest tick taken in; -1 before the first."""
        return self._window.last_tick

    @property
    def n_units(self) -> int:
        """The number of units."""
        return self._window.n_units

    @property
    def rows_of(self) -> NDArray[np.intp]:
        """The row in which each unit is drawn."""
        return np.argsort(self._order)

    def describe(self, layers: tuple[LayerInfo, ...], tick_s: float) -> None:
        """Prepares for a session with these layers."""
        self._layers = layers
        self._tick_s = tick_s
        n_units = sum(layer.n_units for layer in layers)
        self._window = ActivityWindow(n_units)
        self._levels = np.full((n_units, WINDOW_TICKS), 255, np.uint8)
        self._order = np.arange(n_units)
        if n_units:
            self.plot.setLimits(yMin=0, yMax=n_units, minYRange=8)
            self.plot.setYRange(0, n_units, padding=0)
        self._decorate()

    def clear(self) -> None:
        """Forgets the activity, keeps the layers."""
        self._window = ActivityWindow(self._window.n_units)
        self._levels[:] = 255

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in ticks, without drawing."""
        if self._window.n_units:
            self._window.add(ticks)

    def draw(self) -> None:
        """Draws the window as it is now."""
        if self._window.last_tick < 0:
            return
        self._window.levels(self.kind, self._levels)
        self._drawn_tick = self._window.last_tick
        image = self._levels[self._order]
        rows_on_screen = self._rows_on_screen()
        if 16 < rows_on_screen < len(image):
            image = fit_rows(image, rows_on_screen)
        self._image.setImage(image, autoLevels=False, levels=(0, 255))
        end_s = (self._window.last_tick + 1) * self._tick_s
        length_s = WINDOW_TICKS * self._tick_s
        self._image.setRect(QRectF(end_s - length_s, 0, length_s, self._window.n_units))

    def _rows_on_screen(self) -> int:
        """How many pixels all units together are high, those outside the view included."""
        _, units_per_pixel = self.plot.getViewBox().viewPixelSize()
        view = self.plot.getViewWidget()
        ratio = view.devicePixelRatioF() if view is not None else 1.0
        return int(self._window.n_units / max(units_per_pixel, 1e-9) * ratio + 0.5)

    def sort(self, by: str) -> None:
        """Orders the units within their layers, as in `ORDERS`, by the activity that is shown."""
        found = self._window.order(self.kind, by)
        first, parts = 0, []
        for layer in self._layers:
            last = first + layer.n_units
            parts.append(found[(found >= first) & (found < last)])
            first = last
        self._order = np.concatenate(parts) if parts else np.arange(0)
        self._label()

    def show_all(self) -> None:
        """Back to all units, after looking closer."""
        if self.n_units:
            self.plot.setYRange(0, self.n_units, padding=0)

    def unit_at(self, row: float) -> int | None:
        """The unit that is drawn in this row, by its place among all; None outside."""
        place = int(np.floor(row))
        return int(self._order[place]) if 0 <= place < len(self._order) else None

    def name_of(self, unit: int) -> str:
        """What a unit is called: its layer, and its number there."""
        for layer in self._layers:
            if unit < layer.n_units:
                return f"{layer.name}/{unit}"
            unit -= layer.n_units
        return ""

    def values_of(self, unit: int) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Times (s) and every kind of activity of a unit over the last ten seconds."""
        last = self._window.last_tick
        times_s = np.arange(last + 1 - WINDOW_TICKS, last + 1, dtype=np.float64) * self._tick_s
        return times_s, self._window.values(unit)

    def under(self, time_s: float, row: float) -> str:
        """What is drawn at this place, in words: unit, time and z-score; "" where there is nothing."""
        n_ticks = self._levels.shape[1]
        unit = self.unit_at(row)
        first_s = (self._drawn_tick + 1 - n_ticks) * self._tick_s
        column = int(np.floor((time_s - first_s) / self._tick_s))
        if unit is None or not 0 <= column < n_ticks:
            return ""
        level = int(self._levels[unit, column])
        name = self.name_of(unit)
        if level == 255:
            return f"{name}   {time_s:.2f} s   no data"
        z = (level - 127.0) / 127.0 * Z_RANGE
        return f"{name}   {time_s:.2f} s   z = {z:+.1f}"

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        colours = np.concatenate([activity_colours(theme, 255), _rgb(theme.plot)[None]], axis=0)
        self._image.setLookupTable(colours)
        self._decorate()

    def _label(self) -> None:
        """The names on the axis: of layers, or of units where one looks close enough."""
        top, bottom = self.plot.getViewBox().viewRange()[1]
        shown = bottom - top
        height_px = self.plot.getViewBox().height()
        if not self.n_units or height_px <= 0:
            return
        if shown <= NAMED_ROWS:
            step = max(1, int(np.ceil(LABEL_PX * shown / height_px)))
            first = int(np.ceil(max(top, 0) / step)) * step
            rows = range(first, min(int(bottom) + 1, self.n_units), step)
            ticks = [(row + 0.5, self.name_of(int(self._order[row]))) for row in rows]
        else:
            ticks, begin = [], 0
            for layer in self._layers:
                end = begin + layer.n_units
                middle = (max(begin, top) + min(end, bottom)) / 2
                if begin < bottom and end > top:
                    ticks.append((middle, layer.name))
                begin = end
        self.plot.getAxis("left").setTicks([ticks])

    def _decorate(self) -> None:
        """Lines between layers, names on the axis."""
        for item in self._decoration:
            self.plot.removeItem(item)
        self._decoration.clear()
        first = 0
        for layer in self._layers:
            if first:
                line = pg.InfiniteLine(
                    first, angle=0, pen=pg.mkPen(QColor(self._theme.text), width=1)
                )
                line.setOpacity(0.55)
                self.plot.addItem(line)
                self._decoration.append(line)
            first += layer.n_units
        self._label()


def _rgb(colour: str) -> NDArray[np.uint8]:
    parsed = QColor(colour)
    return np.array([parsed.red(), parsed.green(), parsed.blue()], np.uint8)
