"""Traces of units in the raster's place, a row each, z-scored: one line through all of them."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtGui import QColor

from gui.look.theme import Theme
from gui.seen.activity import Z_RANGE

MOST_TRACES = 40
SPAN_Z = 2 * Z_RANGE
"""How many standard deviations are as high as a row."""
NOTHING = "Select units by name (Ctrl F), or in the heat map, to see their traces here"


class RasterTraces:
    """Draws into a plot whose y axis counts rows; says so where there is nothing to draw."""

    def __init__(self, plot: pg.PlotItem, theme: Theme) -> None:
        self._plot = plot
        self._line = pg.PlotCurveItem(connect="finite")
        self._note = pg.TextItem(anchor=(0.5, 0.5))
        for item in (self._line, self._note):
            plot.addItem(item, ignoreBounds=True)
        self.set_theme(theme)
        self.hide()

    def show_traces(
        self, times_s: NDArray[np.float64], z: NDArray[np.float32], hidden: int
    ) -> None:
        """Draws z-scores, (rows, ticks), NaN where a tick is missing.

        Args:
            times_s: (ticks,).
            z: (rows, ticks); beyond the row they are cut off.
            hidden: how many selected units there are beside those of the rows.
        """
        rows = np.arange(len(z))[:, None] + 0.5
        heights = rows - np.clip(z / SPAN_Z, -0.5, 0.5)
        gap = np.full((len(z), 1), np.nan)
        x = np.tile(np.append(times_s, np.nan), len(z))
        self._line.setData(x, np.hstack([heights, gap]).ravel())
        self._line.setVisible(len(z) > 0)
        words = f"a row is {SPAN_Z:.0f} z high"
        if hidden:
            words += f"; {MOST_TRACES} of {hidden + len(z)} selected units are shown"
        self._note.setText(words if len(z) else NOTHING)
        (left, right), (top, bottom) = self._plot.getViewBox().viewRange()
        self._note.setAnchor((1.0, 1.0) if len(z) else (0.5, 0.5))
        at = (right, max(top, bottom)) if len(z) else ((left + right) / 2, (top + bottom) / 2)
        self._note.setPos(*at)
        self._note.setVisible(True)

    def hide(self) -> None:
        """Draws nothing."""
        self._line.setVisible(False)
        self._note.setVisible(False)

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is drawn: times (s) and heights (rows), NaN between the traces."""
        x, y = self._line.getData()
        return np.asarray(x, np.float64), np.asarray(y, np.float64)

    @property
    def note(self) -> str:
        """What stands beside the traces, or instead of them."""
        return str(self._note.toPlainText())

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._line.setPen(pg.mkPen(QColor(theme.accent), width=1))
        self._note.setColor(QColor(theme.muted))
        self._note.fill = pg.mkBrush(QColor(theme.plot))
