"""What lies over raster, trace and ethogram: beginnings of trials, divergences of recordings, stimuli."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter

from gui.look.behaviour_style import Bar, Look, stimulus_look
from gui.look.theme import Theme
from gui.seen.intervals import Interval
from gui.timeline.bars import Bars
from gui.timeline.stimulated_units import Stretch, spans

SHADE = 44
"""How opaque (of 255) the light is that lies on the rows of units while they are changed."""
STRIP_PX = 6


class Overlay:
    """Draws them in plots that share a time axis in seconds; the stimuli only in the first plot."""

    def __init__(self, plots: Sequence[pg.PlotItem], theme: Theme) -> None:
        self._plots = tuple(plots)
        self._theme = theme
        self._trial_lines = [_Lines(plot) for plot in self._plots]
        self._mark_lines: list[tuple[pg.PlotItem, pg.InfiniteLine]] = []
        self.marks_s: tuple[float, ...] = ()
        self.shades = Bars()
        self._plots[0].addItem(self.shades, ignoreBounds=True)

    def mark(self, times_s: Sequence[float]) -> None:
        """A line at each of these times, such as where two recordings part."""
        self.marks_s = tuple(times_s)
        for plot, line in self._mark_lines:
            plot.removeItem(line)
        self._mark_lines = []
        for time_s in self.marks_s:
            for plot in self._plots:
                pen = pg.mkPen(QColor(self._theme.accent), width=2)
                line = pg.InfiniteLine(time_s, angle=90, pen=pen)
                plot.addItem(line, ignoreBounds=True)
                self._mark_lines.append((plot, line))

    def show_trials(self, starts_s: Sequence[float]) -> None:
        """A dotted line where each of these trials begins."""
        for lines in self._trial_lines:
            lines.show_lines(starts_s)

    def show_stimuli(
        self,
        stimuli: Sequence[tuple[float, float, Interval]],
        stretches: Sequence[Stretch],
        rows_of: NDArray[np.intp],
        shown: tuple[int, int],
        tick_s: float,
        blinded: bool = False,
    ) -> None:
        """Lightens the rows of units while they are changed; above them a strip says what by.

        Args:
            stimuli: stimuli and shams, from when to when (s): filled and hollow strips.
            stretches: which units were changed at which ticks.
            rows_of: the row of each unit; -1: none.
            shown: the first tick that is shown, and the first that is not any more.
            tick_s: seconds of a tick.
            blinded: all strips look alike, and no row is lit.
        """
        n_rows = max(int(rows_of.max(initial=-1)) + 1, 1)
        begin_s, end_s = shown[0] * tick_s, shown[1] * tick_s
        light = Look(self._with_alpha(self._theme.stimulus, SHADE))
        bars: list[Bar] = []
        for stretch in () if blinded else stretches:
            lit_s = stretch.first * tick_s
            length = min((stretch.last + 1) * tick_s, end_s) - lit_s
            rows = rows_of[stretch.units]
            for top, bottom in spans(np.sort(rows[rows >= 0])):
                bars.append((QRectF(lit_s, top, length, bottom - top), light))
        top, bottom = self._plots[0].getViewBox().viewRange()[1]
        height = STRIP_PX * self._plots[0].getViewBox().viewPixelSize()[1]
        for start_s, stop_s, interval in stimuli:
            look = stimulus_look(self._theme, interval.sham, blinded)
            bars.append((QRectF(start_s, min(top, bottom), stop_s - start_s, height), look))
        self.shades.show_bars(bars, QRectF(begin_s, 0, end_s - begin_s, n_rows))

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        for lines in self._trial_lines:
            lines.set_colour(theme.text)
        self.mark(self.marks_s)

    @staticmethod
    def _with_alpha(colour: str, alpha: int) -> str:
        faded = QColor(colour)
        faded.setAlpha(alpha)
        return faded.name(QColor.NameFormat.HexArgb)


class _Lines(pg.GraphicsObject):  # type: ignore[misc]
    """Dotted lines across a plot at some times: one item, as there may be many of them."""

    def __init__(self, plot: pg.PlotItem) -> None:
        super().__init__()
        self._box = plot.getViewBox()
        self._times_s: tuple[float, ...] = ()
        self._colour = QColor()
        self.setZValue(1)
        self.setOpacity(0.6)
        plot.addItem(self, ignoreBounds=True)
        self._box.sigRangeChanged.connect(lambda *_: self.prepareGeometryChange())

    def show_lines(self, times_s: Sequence[float]) -> None:
        """Replaces what is drawn."""
        if self._times_s != tuple(times_s):
            self._times_s = tuple(times_s)
            self.update()

    def set_colour(self, colour: str) -> None:
        """Recolours."""
        self._colour = QColor(colour)
        self.update()

    def boundingRect(self) -> QRectF:
        """What Qt asks for: all that is seen."""
        return QRectF(self._box.viewRect())

    def paint(self, p: QPainter, *args: object) -> None:
        """Draws them in pixels."""
        if not self._times_s:
            return
        to_pixels = p.transform()
        seen = to_pixels.mapRect(self.boundingRect())
        p.resetTransform()
        p.setPen(pg.mkPen(self._colour, width=1, style=Qt.PenStyle.DotLine))
        for time_s in self._times_s:
            x = to_pixels.map(QPointF(time_s, 0.0)).x()
            p.drawLine(QPointF(x, seen.top()), QPointF(x, seen.bottom()))
        p.setTransform(to_pixels)
