"""What lies over raster, trace and ethogram: beginnings of trials, divergences of recordings, stimuli."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor

from gui.activity import WINDOW_TICKS
from gui.ethogram import Bars, Interval
from gui.theme import Theme

SHADE = 32
"""How opaque (of 255) the light is that lies on the raster during a stimulus."""


class Annotations:
    """Draws them in plots that share a time axis in seconds; the stimuli only in the first plot."""

    def __init__(self, plots: Sequence[pg.PlotItem], theme: Theme) -> None:
        self._plots = tuple(plots)
        self._theme = theme
        self._trial_lines: list[list[pg.InfiniteLine]] = []
        self._mark_lines: list[tuple[pg.PlotItem, pg.InfiniteLine]] = []
        self.marks_s: tuple[float, ...] = ()
        self._shades = Bars()
        self._plots[0].addItem(self._shades, ignoreBounds=True)

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
        while len(self._trial_lines) < len(starts_s):
            pen = pg.mkPen(QColor(self._theme.text), width=1, style=Qt.PenStyle.DotLine)
            lines = [pg.InfiniteLine(angle=90, pen=pen) for _ in self._plots]
            for plot, line in zip(self._plots, lines, strict=True):
                line.setOpacity(0.6)
                plot.addItem(line, ignoreBounds=True)
            self._trial_lines.append(lines)
        for k, lines in enumerate(self._trial_lines):
            for line in lines:
                line.setVisible(k < len(starts_s))
                if k < len(starts_s):
                    line.setValue(starts_s[k])

    def show_stimuli(
        self,
        stimuli: Sequence[tuple[float, float, Interval]],
        end_s: float,
        tick_s: float,
        rows: int,
    ) -> None:
        """Lightens the plot while units are stimulated, from when to when (s); a sham is an outline."""
        delivered, sham = QColor(self._theme.stimulus), QColor(self._theme.stimulus)
        delivered.setAlpha(SHADE)
        sham.setAlpha(2 * SHADE)
        bars = [
            (
                QRectF(start_s, 0, stop_s - start_s, rows),
                sham if interval.sham else delivered,
                not interval.sham,
            )
            for start_s, stop_s, interval in stimuli
        ]
        length_s = WINDOW_TICKS * tick_s
        self._shades.show_bars(bars, QRectF(end_s - length_s, 0, length_s, rows))

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        pen = pg.mkPen(QColor(theme.text), width=1, style=Qt.PenStyle.DotLine)
        for lines in self._trial_lines:
            for line in lines:
                line.setPen(pen)
        self.mark(self.marks_s)
