"""Curves of several units in one plot, a row each: lines, their errors, and a bar that says how much.

Rows stand one above the other as in a recording's traces, each around its own middle; one unit of the plot's
y axis is a row. All have one scale, or each has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPolygonF

from gui.look.theme import Theme

FILL = 0.86
"""The share of a row that the largest curve takes."""
BAND_ALPHA = 70
AXIS_PX = 74
MARGIN = 0.12
"""Of the x axis, on the right: for the bars that say how much."""
NUMBERED_PX = 12
"""Of lower rows only the first has a number beside its bar."""
_NICE = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Curves:
    """A curve for every row.

    Attributes:
        x: (points,).
        y: (rows, points); NaN where there is nothing.
        colour: of the lines.
        error: (rows, points), half the height of the band around them; None for none.
        dotted, dashed: the lines, rather than solid.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    error: NDArray[np.float64] | None = None
    dotted: bool = False
    dashed: bool = False


class StackedRows:
    """Draws curves into a plot; below them, perhaps, a row of bars.

    Args:
        plot: the plot to draw into.
        theme: how it looks.
        label: of the x axis, with its unit.
        named: whether the rows have their names beside them.
    """

    def __init__(self, plot: pg.PlotItem, theme: Theme, label: str, named: bool = True) -> None:
        self.plot = plot
        self._label = label
        self._lines: list[pg.PlotCurveItem] = []
        self._bands = _Bands()
        self._bars = pg.BarGraphItem(x0=[0.0], x1=[1.0], y0=[0.0], height=[0.0])
        self._scale = pg.PlotCurveItem(connect="pairs")
        self._numbers: list[pg.TextItem] = []
        self._zero = pg.InfiniteLine(0.0, angle=90)
        for item in (self._bands, self._bars, self._scale, self._zero):
            plot.addItem(item, ignoreBounds=True)
        self._zero.hide()
        self._bars.hide()
        self.scales: tuple[float, ...] = ()
        """What the bars stand for: one for all rows, or one for each."""
        self._theme = theme
        plot.invertY(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(False, False)
        plot.showAxis("right", False)
        left = plot.getAxis("left")
        left.setWidth(AXIS_PX if named else 0)
        left.setStyle(tickLength=0, tickTextOffset=5, autoExpandTextSpace=False, showValues=named)
        plot.getAxis("bottom").enableAutoSIPrefix(False)
        plot.getAxis("bottom").setStyle(tickLength=-4, autoExpandTextSpace=False)
        plot.getAxis("bottom").setHeight(34)
        self.set_theme(theme)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the rows that are drawn."""
        return tuple(words for _, words in self.plot.getAxis("left")._tickLevels[0])

    def values(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The curves of one kind as they are drawn: x, and heights in rows; NaN between rows."""
        x, y = self._lines[number].getData()
        return np.asarray(x, np.float64), np.asarray(y, np.float64)

    def show(
        self,
        names: Sequence[str],
        curves: Sequence[Curves],
        x_range: tuple[float, float],
        bars: tuple[NDArray[np.float64], NDArray[np.float64], str] | None = None,
        zero: bool = False,
        own: bool = False,
    ) -> None:
        """Draws these.

        Args:
            names: of the rows.
            curves: of one or more kinds, each with a curve for every row.
            x_range: what the x axis shows.
            bars: edges of the bins, a height in each, and a name for the row below the others.
            zero: whether there is a line at 0.
            own: whether each row has a scale of its own.
        """
        n_rows = len(names)
        total = max(n_rows + (bars is not None), 1)
        low, high = _range(curves, n_rows)
        span = high - low if own else np.full(n_rows, (high - low).max(initial=0.0))
        per_row = np.divide(FILL, span, out=np.zeros(n_rows), where=span > 0)
        middle = (low + high) / 2
        self._draw_curves(curves, middle, per_row)
        self._draw_bars(bars, n_rows)
        self._zero.setVisible(zero)
        right = x_range[1] + MARGIN * (x_range[1] - x_range[0])
        self.plot.setXRange(x_range[0], right, padding=0)
        self.plot.setLimits(yMin=0, yMax=total)
        self.plot.setYRange(0, total, padding=0)
        ticks = [(row + 0.5, name) for row, name in enumerate(names)]
        if bars is not None:
            ticks.append((n_rows + 0.5, bars[2]))
        self.plot.getAxis("left").setTicks([ticks])
        self._draw_scales(right, span if own else span[:1], per_row)
        self._fit_names(total)

    def set_theme(self, theme: Theme) -> None:
        """Recolours what stays; curves have their own colours."""
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(QColor(theme.line)))
            axis.setTextPen(pg.mkPen(QColor(theme.text)))
        self.plot.getViewBox().setBackgroundColor(QColor(theme.plot))
        self.plot.getAxis("bottom").setLabel(self._label, color=theme.text, **{"font-size": "8pt"})
        self._scale.setPen(pg.mkPen(QColor(theme.text), width=2))
        self._theme = theme
        for number in self._numbers:
            self._colour(number)
        self._zero.setPen(pg.mkPen(QColor(theme.muted), style=Qt.PenStyle.DotLine))
        self._bars.setOpts(brush=pg.mkBrush(QColor(theme.muted)), pen=pg.mkPen(None))

    def _draw_curves(
        self, curves: Sequence[Curves], middle: NDArray[np.float64], per_row: NDArray[np.float64]
    ) -> None:
        while len(self._lines) < len(curves):
            self._lines.append(pg.PlotCurveItem(connect="finite"))
            self.plot.addItem(self._lines[-1], ignoreBounds=True)
        bands: list[tuple[QPolygonF, QColor]] = []
        rows = np.arange(len(middle)) + 0.5
        for number, line in enumerate(self._lines):
            line.setVisible(number < len(curves))
            if number >= len(curves):
                line.setData([], [])
                continue
            each = curves[number]
            heights = rows[:, None] - (each.y - middle[:, None]) * per_row[:, None]
            gap = np.full((len(rows), 1), np.nan)
            x = np.tile(np.append(each.x, np.nan), len(rows))
            line.setData(x, np.hstack([heights, gap]).ravel())
            style = Qt.PenStyle.SolidLine
            if each.dotted or each.dashed:
                style = Qt.PenStyle.DotLine if each.dotted else Qt.PenStyle.DashLine
            line.setPen(pg.mkPen(QColor(each.colour), width=1, style=style))
            if each.error is not None:
                colour = QColor(each.colour)
                colour.setAlpha(BAND_ALPHA)
                for height, error in zip(heights, each.error * per_row[:, None], strict=True):
                    bands += [(part, colour) for part in _polygons(each.x, height, error)]
        self._bands.show_bands(bands)

    def _draw_bars(
        self, bars: tuple[NDArray[np.float64], NDArray[np.float64], str] | None, row: int
    ) -> None:
        self._bars.setVisible(bars is not None)
        if bars is None:
            return
        edges, heights, _ = bars
        most = float(heights.max(initial=0.0))
        drawn = heights / most * FILL if most > 0 else np.zeros(len(heights))
        self._bars.setOpts(
            x0=edges[:-1], x1=edges[1:], y0=np.full(len(drawn), row + 0.95), height=-drawn
        )

    def _fit_names(self, n_rows: int) -> None:
        """Names are as high as the rows allow."""
        row_px = self.plot.getViewBox().height() / n_rows
        size_pt = min(max(row_px * 0.62, 5.5), 8.0)
        axis = self.plot.getAxis("left")
        font = QFont(axis.style["tickFont"] or QFont())
        if abs(font.pointSizeF() - size_pt) > 0.2:
            font.setPointSizeF(size_pt)
            axis.setStyle(tickFont=font)

    def _draw_scales(
        self, right: float, spans: NDArray[np.float64], per_row: NDArray[np.float64]
    ) -> None:
        self.scales = tuple(_nice(span / 2) if span > 0 else 0.0 for span in spans.tolist())
        heights: list[float] = []
        row_px = self.plot.getViewBox().height() / max(len(per_row), 1)
        while len(self._numbers) < len(self.scales):
            number = pg.TextItem(anchor=(1.0, 0.5))
            self._colour(number)
            self.plot.addItem(number, ignoreBounds=True)
            self._numbers.append(number)
        for row, number in enumerate(self._numbers):
            scale = self.scales[row] if row < len(self.scales) else 0.0
            number.setVisible(scale > 0 and (row == 0 or row_px >= NUMBERED_PX))
            if scale > 0:
                half = scale * float(per_row[row]) / 2
                heights += [row + 0.5 - half, row + 0.5 + half]
                number.setText(f"{scale:g}")
                middle = (
                    0.5 if row_px >= NUMBERED_PX else 0.0
                )  # beside its bar, or it would be cut above
                number.setAnchor((1.0, middle))
                number.setPos(right, row + middle)
        self._scale.setData(np.full(len(heights), right), np.array(heights))

    def _colour(self, number: pg.TextItem) -> None:
        number.setColor(QColor(self._theme.text))
        font = QFont()
        font.setPointSizeF(7.5)
        number.setFont(font)


def _range(
    curves: Sequence[Curves], n_rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between what each row's curves and their errors lie, (rows,); 0 where there is nothing."""
    low, high = np.full(n_rows, np.inf), np.full(n_rows, -np.inf)
    for each in curves:
        error = 0.0 if each.error is None else np.nan_to_num(each.error)
        below, above = each.y - error, each.y + error
        low = np.minimum(low, np.where(np.isfinite(below), below, np.inf).min(1, initial=np.inf))
        high = np.maximum(
            high, np.where(np.isfinite(above), above, -np.inf).max(1, initial=-np.inf)
        )
    empty = ~np.isfinite(low)
    low[empty], high[empty] = 0.0, 0.0
    return low, high


def _nice(value: float) -> float:
    """The largest of 1, 2, 5, 10 … that is not above a number."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(each * power for each in _NICE if each * power <= value * (1 + 1e-9)))


def _polygons(
    x: NDArray[np.float64], y: NDArray[np.float64], error: NDArray[np.float64]
) -> list[QPolygonF]:
    """The band around a curve, in as many parts as it has stretches without a hole."""
    there = np.isfinite(y) & np.isfinite(error)
    edges = np.flatnonzero(np.diff(there.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    found = []
    for first, last in edges.tolist():
        part = slice(first, last)
        outline_x = np.concatenate([x[part], x[part][::-1]])
        outline_y = np.concatenate([y[part] - error[part], (y[part] + error[part])[::-1]])
        found.append(pg.functions.arrayToQPolygonF(outline_x, outline_y))
    return found


class _Bands(pg.GraphicsObject):  # type: ignore[misc]
    """Filled outlines, in the plot's own coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self._bands: list[tuple[QPolygonF, QColor]] = []
        self._bounds = QRectF()
        self.setZValue(-5)

    def show_bands(self, bands: list[tuple[QPolygonF, QColor]]) -> None:
        self.prepareGeometryChange()
        self._bands = bands
        self._bounds = QRectF()
        for outline, _ in bands:
            self._bounds = self._bounds.united(outline.boundingRect())
        self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(self, p: QPainter, *args: object) -> None:
        p.setPen(Qt.PenStyle.NoPen)
        for outline, colour in self._bands:
            p.setBrush(colour)
            p.drawPolygon(outline)
