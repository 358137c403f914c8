"""Bars in a plot: given in the plot's own coordinates, painted in the screen's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QPainter

from gui.behaviour_style import Bar, paint


class Bars(pg.GraphicsObject):  # type: ignore[misc]
    """Rectangles in data coordinates, with lines and patterns that do not stretch with the plot."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self._bounds = QRectF()

    def show_bars(self, bars: Sequence[Bar], bounds: QRectF) -> None:
        """Replaces what is drawn."""
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self.bars = tuple(bars)
        self.update()

    def boundingRect(self) -> QRectF:
        """What Qt asks for."""
        return self._bounds

    def paint(self, p: QPainter, *args: object) -> None:
        """Draws every bar, at least a pixel wide."""
        to_pixels = p.transform()
        p.resetTransform()
        for rect, look in self.bars:
            shown = to_pixels.mapRect(rect)
            shown.setWidth(max(shown.width(), 1.0))
            paint(p, shown, look)
        p.setTransform(to_pixels)
