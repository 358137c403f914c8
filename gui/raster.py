"""The live raster: the activity of every unit over the last ten seconds, z-scored, grouped by layer.

`ActivityWindow` keeps the numbers (a ring of one column per tick and the running mean and variance of
every unit), `Raster` draws them. The z-score is taken when it is drawn, with the statistics of that
moment, so that early columns are corrected as the estimate settles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor

from gui.theme import Theme, activity_colours
from rig.messages import Layer, Message

WINDOW_TICKS = 500
MEMORY_TICKS = 3000
SETTLING_TICKS = 50
Z_RANGE = 3.0
KINDS = {
    "c_applied": "cell state c",
    "h_applied": "hidden state h",
    "c_natural": "cell state c, as if not stimulated",
    "h_natural": "hidden state h, as if not stimulated",
}


class UnitStatistics:
    """Running mean and variance of every unit over about the last minute (`MEMORY_TICKS`).

    Until a unit has been seen for a while its variance leans on the median variance of all units, so that
    the first seconds neither saturate nor flicker.
    """

    def __init__(self, n_units: int) -> None:
        self.n = 0.0
        self.mean = np.zeros(n_units)
        self._sum_of_squares = np.zeros(n_units)

    def add(self, columns: NDArray[np.float32]) -> None:
        """Takes new activity in, (n_units, n_ticks); ticks that are not finite count for nothing."""
        columns = columns[:, np.isfinite(columns).all(axis=0)].astype(np.float64)
        n_new = columns.shape[1]
        if n_new == 0:
            return
        if self.n + n_new > MEMORY_TICKS:
            keep = max(MEMORY_TICKS - n_new, 0) / max(self.n, 1.0)
            self._sum_of_squares *= keep
            self.n *= keep
        mean = columns.mean(axis=1)
        spread = ((columns - mean[:, None]) ** 2).sum(axis=1)
        total = self.n + n_new
        step = mean - self.mean
        self._sum_of_squares += spread + step**2 * (self.n * n_new / total)
        self.mean += step * (n_new / total)
        self.n = total

    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation of every unit, (n_units,), never zero."""
        variance = self._sum_of_squares / max(self.n, 1.0)
        prior = float(np.median(variance)) if len(variance) else 1.0
        settled = (variance * self.n + prior * SETTLING_TICKS) / (self.n + SETTLING_TICKS)
        result: NDArray[np.float64] = np.sqrt(np.maximum(settled, 1e-12))
        return result


class ActivityWindow:
    """The last `WINDOW_TICKS` ticks of every kind of activity; ticks that were lost stay empty."""

    def __init__(self, n_units: int) -> None:
        self.n_units = n_units
        self.last_tick = -1
        self._ring = {kind: np.zeros((n_units, WINDOW_TICKS), np.float32) for kind in KINDS}
        self._filled = np.zeros(WINDOW_TICKS, bool)
        self._statistics = {kind: UnitStatistics(n_units) for kind in KINDS}

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in ticks, oldest first; a tick older than the newest one is ignored."""
        ticks = [message for message in ticks if message.tick > self.last_tick]
        if not ticks:
            return
        newest = ticks[-1].tick
        start = newest - WINDOW_TICKS if self.last_tick < 0 else self.last_tick
        skipped = np.arange(max(start + 1, newest - WINDOW_TICKS + 1), newest + 1)
        numbers = np.array([message.tick for message in ticks])
        kept = numbers > newest - WINDOW_TICKS
        for kind, ring in self._ring.items():
            if kind not in ticks[0].arrays:
                continue
            columns = np.stack([message.arrays[kind] for message in ticks], axis=1)
            self._statistics[kind].add(columns)
            ring[:, numbers[kept] % WINDOW_TICKS] = columns[:, kept]
        self._filled[skipped % WINDOW_TICKS] = False
        self._filled[numbers[kept] % WINDOW_TICKS] = True
        self.last_tick = newest

    def levels(self, kind: str, out: NDArray[np.uint8]) -> None:
        """Writes the window as colour levels, oldest tick left: 0 is z = -3, 254 is z = 3, 255 is empty.

        Args:
            kind: one of `KINDS`.
            out: (n_units, WINDOW_TICKS), overwritten.
        """
        ring, statistics = self._ring[kind], self._statistics[kind]
        scale = (127.0 / (Z_RANGE * statistics.deviation())).astype(np.float32)[:, None]
        shift = 127.5 - statistics.mean.astype(np.float32)[:, None] * scale
        split = (self.last_tick + 1) % WINDOW_TICKS
        for part, place in (
            (ring[:, split:], slice(0, WINDOW_TICKS - split)),
            (ring[:, :split], slice(WINDOW_TICKS - split, WINDOW_TICKS)),
        ):
            level = part * scale
            level += shift
            np.clip(level, 0.0, 254.9, out=level)
            out[:, place] = level
        holes = ~np.concatenate([self._filled[split:], self._filled[:split]])
        if holes.any():
            out[:, holes] = 255


def fit_rows(levels: NDArray[np.uint8], n_rows: int) -> NDArray[np.uint8]:
    """The image with as many rows as the screen has for it, each blended from the two nearest.

    Done here on the levels, because Qt would do it on the colours and for ten times the work. Columns of
    255 (no data) stay 255, and no blend of others becomes 255.
    """
    source = np.linspace(0, len(levels) - 1, n_rows)
    above = np.minimum(source.astype(np.intp), len(levels) - 2)
    weight = np.round((source - above) * 256).astype(np.uint16)[:, None]
    blend: NDArray[np.uint16] = levels[above] * (256 - weight) + levels[above + 1] * weight
    return (blend >> 8).astype(np.uint8)


class Raster:
    """The raster in a plot whose x axis is animal time in seconds and whose y axis counts units.

    Args:
        plot: the plot to draw into.
    """

    def __init__(self, plot: pg.PlotItem, theme: Theme) -> None:
        self.plot = plot
        self.kind = "c_applied"
        self._theme = theme
        self._layers: tuple[Layer, ...] = ()
        self._window = ActivityWindow(0)
        self._levels = np.zeros((0, WINDOW_TICKS), np.uint8)
        self._tick_s = 0.02
        self._drawn_tick = -1
        self._decoration: list[pg.GraphicsObject] = []
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setZValue(-10)
        plot.addItem(self._image)
        plot.invertY(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        self.set_theme(theme)

    @property
    def last_tick(self) -> int:
        """The newest tick taken in; -1 before the first."""
        return self._window.last_tick

    def describe(self, layers: tuple[Layer, ...], tick_s: float) -> None:
        """Prepares for a session with these layers."""
        self._layers = layers
        self._tick_s = tick_s
        n_units = sum(layer.n_units for layer in layers)
        self._window = ActivityWindow(n_units)
        self._levels = np.full((n_units, WINDOW_TICKS), 255, np.uint8)
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
        image = self._levels
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

    def under(self, time_s: float, row: float) -> str:
        """What is drawn at this place, in words: unit, time and z-score; "" where there is nothing."""
        n_units, n_ticks = self._levels.shape
        unit = int(np.floor(row))
        first_s = (self._drawn_tick + 1 - n_ticks) * self._tick_s
        column = int(np.floor((time_s - first_s) / self._tick_s))
        if not (0 <= unit < n_units and 0 <= column < n_ticks):
            return ""
        level = int(self._levels[unit, column])
        first = 0
        for layer in self._layers:
            if unit < first + layer.n_units:
                name = f"{layer.name}/{unit - first}"
                break
            first += layer.n_units
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

    def _decorate(self) -> None:
        """Layer names on the axis, lines between layers."""
        for item in self._decoration:
            self.plot.removeItem(item)
        self._decoration.clear()
        first, ticks = 0, []
        for layer in self._layers:
            ticks.append((first + layer.n_units / 2, layer.name))
            if first:
                line = pg.InfiniteLine(
                    first, angle=0, pen=pg.mkPen(QColor(self._theme.text), width=1)
                )
                line.setOpacity(0.55)
                self.plot.addItem(line)
                self._decoration.append(line)
            first += layer.n_units
        axis = self.plot.getAxis("left")
        axis.setTicks([ticks])
        if first:
            self.plot.setLimits(yMin=0, yMax=first, minYRange=8)
            self.plot.setYRange(0, first, padding=0)


def _rgb(colour: str) -> NDArray[np.uint8]:
    parsed = QColor(colour)
    return np.array([parsed.red(), parsed.green(), parsed.blue()], np.uint8)
