"""Bars in a plot: given in the plot's own coordinates, painted in the screen's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QPainter, QTransform

from gui.look.behaviour_style import Bar, LevelBar, Look, paint, paint_levels


class Bars(pg.GraphicsObject):  # type: ignore[misc]
    """Rectangles in data coordinates, with lines and patterns that do not stretch with the plot."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self.level_bars: tuple[LevelBar, ...] = ()
        self._bounds = QRectF()

    def show_bars(
        self, bars: Sequence[Bar], bounds: QRectF, level_bars: Sequence[LevelBar] = ()
    ) -> None:
        """Replaces what is drawn.

        Args:
            bars: those that are filled to their height.
            bounds: of all together.
            level_bars: those that are filled as their levels say; the others are drawn over them.
        """
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self.bars, self.level_bars = tuple(bars), tuple(level_bars)
        self.update()

    def boundingRect(self) -> QRectF:
        """What Qt asks for."""
        return self._bounds

    def paint(self, p: QPainter, *args: object) -> None:
        """Draws every bar, at least as wide as it has to be."""
        to_pixels = p.transform()
        p.resetTransform()
        for each in self.level_bars:
            paint_levels(p, to_pixels.mapRect(each.rect), each.look, each.levels)
        for shown, look in in_pixels(self.bars, to_pixels):
            paint(p, shown, look)
        p.setTransform(to_pixels)


def in_pixels(bars: Sequence[Bar], to_pixels: QTransform) -> list[Bar]:
    """Bars as they are painted: plain ones of the same look that follow and touch each other as one.

    In a long window hundreds of marks lie on each other's pixels.

    Args:
        bars: in the plot's coordinates.
        to_pixels: from these to the screen's.
    """
    found: list[Bar] = []
    before: Look | None = None
    top = right = left = 0.0
    for rect, look in bars:
        shown = to_pixels.mapRect(rect)
        if shown.width() < look.least_px:
            shown.setWidth(look.least_px)
        x, y = shown.x(), shown.y()
        if before is look and y == top and left <= x <= right:
            right = max(right, x + shown.width())
            found[-1][0].setRight(right)
            continue
        found.append((shown, look))
        plain = look.fill in ("full", "tint") and not look.pattern
        before, top, left, right = look if plain else None, y, x, x + shown.width()
    return found
