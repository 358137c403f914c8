"""A chart of `analysis.charts` as a plot: lines, standard errors, axes with their units, a legend."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QFrame, QLabel, QVBoxLayout

from gui.look.behaviour_style import faint, look_of
from gui.look.theme import Theme
from rig.errors import RunError
from rig.output_file import replacing

if TYPE_CHECKING:
    from analysis.charts import Chart, Line

SHADE = 60
LEAST_PX, BELOW_PX = 120, 48
"""The plot's height at least, and what the axis below takes of it."""
NONE = "none of these"
"""As `analysis.charts.NONE`: the part of a path that is of no behaviour."""


class ChartView(QFrame):
    """Shows one chart at a time, which is its `chart`."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._theme = theme
        self.chart: Chart | None = None
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMinimumSize(160, LEAST_PX)
        self.plot.getPlotItem().hide()
        self.title = QLabel()
        self.title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.plot, 1)
        column.addWidget(self.legend)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.plot.setBackground(QColor(theme.plot))
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(QColor(theme.muted)))
            axis.setTextPen(pg.mkPen(QColor(theme.text)))
        self.show_chart(self.chart)

    def save_picture_to(self, path: Path) -> None:
        """Saves the chart as it is seen, at twice its size. Raises `RunError` where it cannot."""
        picture = self.grab()
        scaled = picture.scaled(
            picture.size() * 2,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        with replacing(path) as partial:
            if not scaled.save(str(partial), "PNG"):
                raise RunError(f"{path} could not be written.")

    def show_chart(self, chart: Chart | None) -> None:
        """Draws a chart, or nothing."""
        self.chart = chart
        plot = self.plot.getPlotItem()
        plot.clear()
        plot.setVisible(chart is not None)
        self.legend.setText("")
        self.legend.setVisible(chart is not None)
        self.title.setText("" if chart is None else chart.title)
        plot.setLogMode(chart is not None and chart.log, chart is not None and chart.log)
        plot.setAspectLocked(chart is not None and chart.equal)
        for side in ("left", "bottom"):
            label = "" if chart is None else chart.y_label if side == "left" else chart.x_label
            plot.setLabel(side, label)
            plot.getAxis(side).setTicks(None)
        written = plot.getAxis("left").label.boundingRect().width()  # it stands upright
        self.plot.setMinimumHeight(max(LEAST_PX, round(written) + BELOW_PX))
        if chart is None:
            return
        groups = list(dict.fromkeys(line.group or line.name for line in chart.lines))
        names = []
        for line in chart.lines:
            colour = self._colour(line, groups)
            self._draw_line(line, colour, chart)
            sign = "╌╌" if line.dashed else "━━"
            name = line.name.replace("_", " ") if chart.equal else line.name
            names.append(
                f'<span style="color:{colour.name()}">{sign}</span>&nbsp;{escape(name)}'.replace(
                    " (", "&nbsp;("
                )
            )
        self.legend.setText(" &nbsp; ".join(names))
        if chart.mark is not None:
            pen = pg.mkPen(QColor(self._theme.muted), style=Qt.PenStyle.DotLine)
            plot.addItem(pg.InfiniteLine(chart.mark, angle=90, pen=pen))
        if chart.log:
            for side in ("left", "bottom"):
                values = np.concatenate([x.y if side == "left" else x.x for x in chart.lines])
                plot.getAxis(side).setTicks([_log_ticks(values, fine=side == "bottom")])
        plot.enableAutoRange()

    def _draw_line(self, line: Line, colour: QColor, chart: Chart) -> None:
        plot = self.plot.getPlotItem()
        if line.sem is not None:
            shade = QColor(colour)
            shade.setAlpha(SHADE)
            known = np.isfinite(line.y) & np.isfinite(line.sem)
            edges = [
                pg.PlotCurveItem(
                    line.x[known], line.y[known] + side * line.sem[known], pen=pg.mkPen(None)
                )
                for side in (-1, 1)
            ]
            for edge in edges:
                plot.addItem(edge)
            plot.addItem(pg.FillBetweenItem(*edges, brush=pg.mkBrush(shade)))
        style = Qt.PenStyle.DashLine if line.dashed else Qt.PenStyle.SolidLine
        pen = pg.mkPen(colour, width=1 if chart.equal else 2, style=style)
        plot.plot(line.x, line.y, pen=pen, connect="finite")

    def _colour(self, line: Line, groups: list[str]) -> QColor:
        colours = self._theme.groups
        if self.chart is not None and self.chart.equal:
            if line.name == NONE:
                return QColor(self._theme.muted)
            return faint(look_of(self._theme, line.name))
        return QColor(colours[groups.index(line.group or line.name) % len(colours)])


def _log_ticks(values: NDArray[np.float64], fine: bool) -> list[tuple[float, str]]:
    """Where a logarithmic axis has numbers: at decades, and `fine` at twice and five times these."""
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return []
    decades = range(math.floor(np.log10(known.min())), math.ceil(np.log10(known.max())) + 1)
    factors = (1, 2, 5) if fine else (1,)
    marks = [factor * 10.0**decade for decade in decades for factor in factors]
    return [(math.log10(mark), f"{mark:g}") for mark in marks]
