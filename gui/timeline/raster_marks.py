"""What marks selected rows of the raster: a bar at their left edge, whatever is zoomed to."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor, QPainter

from gui.timeline.stimulated_units import spans

MARK_PX = 7
LEAST_PX = 3
"""A row may be lower than a pixel; its mark is not."""
BAND_ALPHA = 60


class RowMarks(pg.GraphicsObject):  # type: ignore[misc]
    """Bars at the left edge of a plot beside some rows, and a band over rows that are being dragged over."""

    def __init__(self, plot: pg.PlotItem) -> None:
        super().__init__()
        self._box = plot.getViewBox()
        self._rows: list[tuple[int, int]] = []
        self._band: tuple[float, float] | None = None
        self._colour = QColor()
        self._edge = QColor()
        self.setZValue(20)
        plot.addItem(self, ignoreBounds=True)
        self._box.sigRangeChanged.connect(lambda *_: self._move())

    @property
    def rows(self) -> list[tuple[int, int]]:
        """The marked rows as spans, each from its first up to and without its second number."""
        return self._rows

    def show_rows(self, rows: NDArray[np.int64]) -> None:
        """Marks these rows, sorted."""
        self._rows = spans(rows)
        self.update()

    def show_band(self, band: tuple[float, float] | None) -> None:
        """Lights rows from one to another that are not selected yet; None: no longer."""
        self._band = band
        self.update()

    def set_colour(self, colour: str, edge: str) -> None:
        """The colour of marks, and that of the line around them."""
        self._colour, self._edge = QColor(colour), QColor(edge)
        self.update()

    def boundingRect(self) -> QRectF:
        """What Qt asks for: all that is in view."""
        return QRectF(self._box.viewRect())

    def paint(self, p: QPainter, *args: object) -> None:
        """Draws in the screen's pixels."""
        if not self._rows and self._band is None:
            return
        to_pixels = p.transform()
        view = QRectF(self._box.viewRect())
        p.resetTransform()
        p.setPen(self._edge)
        for first, last in self._rows:
            shown = to_pixels.mapRect(QRectF(view.left(), first, view.width(), last - first))
            height = max(shown.height(), LEAST_PX)
            mark = QRectF(shown.left(), shown.center().y() - height / 2, MARK_PX, height)
            p.fillRect(mark, self._colour)
            p.drawLine(mark.topRight(), mark.bottomRight())
        if self._band is not None:
            low, high = sorted(self._band)
            band = QColor(self._colour)
            band.setAlpha(BAND_ALPHA)
            p.fillRect(to_pixels.mapRect(QRectF(view.left(), low, view.width(), high - low)), band)
        p.setTransform(to_pixels)

    def _move(self) -> None:
        self.prepareGeometryChange()
        self.update()
