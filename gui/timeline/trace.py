"""One unit's activity over the raster's window: c and h, as applied and as the network would have had it."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor

from gui.look.theme import Theme

NAMED_PX, COLOURED_PX = 100, 74
"""Lower plots have small words beside them; still lower ones no more than the unit's name."""


class Trace:
    """Four lines in a plot that takes no room until a unit is chosen; natural ones are dotted."""

    def __init__(self, plot: pg.PlotItem, theme: Theme) -> None:
        self.plot = plot
        self._theme = theme
        self.unit: int | None = None
        self._lines = {
            kind: plot.plot([], [], connect="finite")
            for kind in ("c_natural", "h_natural", "c_applied", "h_applied")
        }
        plot.setMouseEnabled(x=False, y=False)
        plot.setToolTip("One unit, as applied; dotted: as the network would have had it")
        plot.enableAutoRange("y", True)
        self.set_theme(theme)
        self.choose(None)

    def choose(self, unit: int | None) -> None:
        """The unit to show, by its place among all; None: none."""
        self.unit = unit

    def show_applied(self, shown: bool) -> None:
        """Whether what a stimulus made of the unit is drawn, too."""
        for kind, line in self._lines.items():
            line.setVisible(shown or kind.endswith("natural"))

    def draw(
        self, name: str, times_s: NDArray[np.float64], values: dict[str, NDArray[np.float32]]
    ) -> None:
        """The chosen unit's values, NaN where a tick is missing."""
        for kind, line in self._lines.items():
            line.setData(times_s, values[kind])
        c, h = self._colour("c"), self._colour("h")
        words = f'<span style="color:{c}">c</span> <span style="color:{h}">h</span>'
        height = self.plot.maximumHeight()
        low = height < NAMED_PX
        style = {"color": self._theme.text, "font-size": "7pt" if low else "9pt"}
        label = name if height < COLOURED_PX else f"{name} &nbsp;{words}"
        self.plot.getAxis("left").setLabel(label, **style)

    def values(self, kind: str) -> NDArray[np.float64]:
        """What is drawn of a kind."""
        drawn = self._lines[kind].getData()[1]
        return np.asarray([] if drawn is None else drawn)

    def set_theme(self, theme: Theme) -> None:
        """Recolours: c in the accent, h in the colour of warnings, natural values dotted."""
        self._theme = theme
        for kind, line in self._lines.items():
            natural = kind.endswith("natural")
            style = Qt.PenStyle.DotLine if natural else Qt.PenStyle.SolidLine
            line.setPen(pg.mkPen(QColor(self._colour(kind[0])), width=1, style=style))

    def _colour(self, state: str) -> str:
        return self._theme.accent if state == "c" else self._theme.warning
