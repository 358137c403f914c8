"""The selected units, looked at closely: their traces, what they do around an event, what they are tuned to.

The numbers are those of `analysis.event_average` and `analysis.tuning`, over all that the window has seen of
the session or recording. In a blinded session delivered stimuli and shams are averaged together, and activity
is the natural one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QColor, QFont, QShowEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from analysis.event_average import EventAverage
from gui.look.labels import ElidedLabel
from gui.look.theme import Theme
from gui.seen.seen_ticks import Span
from gui.streams.recorder_watch import clock
from gui.streams.stream import Batch
from gui.timeline.selection import UnitSelection
from gui.units.stacked_rows import Curves, StackedRows
from gui.units.unit_averages import AFTER_S, BEFORE_S, EventKind, UnitAverages
from rig.bus.message_types import Description

MOST_UNITS = 12
REFRESH_MS = 500
NOTHING = "Select units in the raster (click, drag over rows, Ctrl F) to look at them here."


class TraceSource(Protocol):
    """What knows the activity of the last seconds, and the names of units."""

    @property
    def last_tick(self) -> int:
        """The newest tick; -1 before the first."""

    def name_of(self, unit: int) -> str:
        """What a unit is called."""

    def blocks_of(
        self, units: Sequence[int], kinds: Sequence[str]
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Times (s), (ticks,), and kinds of activity of units, (units, ticks)."""


class UnitsPanel(QFrame):
    """The dock: traces, the average around an event, tuning to speed and heading; redrawn twice a second.

    Args:
        theme: how it looks.
        selection: the units that it shows.
        source: of their traces and names.
    """

    def __init__(
        self,
        theme: Theme,
        selection: UnitSelection,
        source: TraceSource,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme = theme
        self._selection, self._source = selection, source
        self._description: Description | None = None
        self.averages: UnitAverages | None = None
        self._dirty = True
        self.blinded = False

        self.state = QComboBox()
        self.state.addItem("hidden state h", "h")
        self.state.addItem("cell state c", "c")
        self.state.setToolTip(
            "What is shown of each unit, in all plots; it is a number without a unit"
        )
        self.own = QCheckBox("own scales")
        self.own.setToolTip("Gives each unit a scale of its own; else all of a plot have one")
        self.event_choice = QComboBox()
        self.event_choice.setToolTip("What to average around, of what has happened")
        self.event_choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.event_choice.setMinimumWidth(100)
        self.count, self.legend, self.over = QLabel(), QLabel(), ElidedLabel()
        for label in (self.count, self.over):
            label.setObjectName("muted")
        self.plots = pg.GraphicsLayoutWidget()
        self.plots.setFrameShape(QFrame.Shape.NoFrame)
        self.plots.ci.setContentsMargins(4, 4, 8, 2)
        self.plots.ci.setSpacing(4)
        self.traces = StackedRows(self.plots.addPlot(0, 0, 1, 2), theme, "animal time (s)")
        self.around = StackedRows(self.plots.addPlot(1, 0, 1, 2), theme, "time from the event (s)")
        self.speed = StackedRows(self.plots.addPlot(2, 0), theme, "speed (m/s)")
        self.heading = StackedRows(self.plots.addPlot(2, 1), theme, "heading (°)", named=False)
        self.stacks = (self.traces, self.around, self.speed, self.heading)
        self.heading.plot.getAxis("bottom").setTicks(
            [[(d, f"{d}") for d in (-180, -90, 0, 90, 180)]]
        )
        self.empty = QLabel(NOTHING)
        self.empty.setObjectName("empty")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._arrange()
        for box in (self.state, self.event_choice):
            box.activated.connect(lambda _: self.refresh())
        self.own.toggled.connect(lambda _: self.refresh())
        selection.changed.connect(self.refresh)
        self.set_theme(theme)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._follow)
        self._timer.start(REFRESH_MS)

    def take(self, batch: Batch) -> None:
        """Takes in a batch, without drawing."""
        if batch.description is not None:
            assert isinstance(batch.description.content, Description)
            self.describe(batch.description.content)
        if self.averages is not None and (batch.ticks or batch.answers):
            self.averages.add(batch.ticks, batch.answers)
            self._dirty = True

    def describe(self, description: Description) -> None:
        """Prepares for a session: nothing of it has been seen."""
        self._description = description
        self.averages = UnitAverages(description, "natural" if self.blinded else "applied")
        self.event_choice.clear()
        self.refresh()

    def clear(self) -> None:
        """What comes next does not follow; what was seen still counts."""
        if self.averages is not None:
            self.averages.leave()

    def set_blinded(self, blinded: bool) -> None:
        """Averages delivered stimuli and shams together, and natural activity; or tells them apart again.

        What was averaged while it was blinded stays what it is, of natural activity.
        """
        if blinded == self.blinded:
            return
        self.blinded = blinded
        if blinded and self._description is not None:
            self.describe(self._description)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.plots.setBackground(QColor(theme.panel))
        for stack in self.stacks:
            stack.set_theme(theme)
        self.refresh()

    def refresh(self) -> None:
        """Draws everything as it is now, if there is anybody to see it."""
        self._dirty = True
        self._follow()

    def showEvent(self, event: QShowEvent | None) -> None:
        """What came while it was hidden was not drawn."""
        super().showEvent(event)
        self.refresh()

    def _follow(self) -> None:
        # behind another tab nothing of it is seen, though Qt calls it visible
        if self._dirty and self.isVisible() and not self.visibleRegion().isEmpty():
            self._draw()

    def _arrange(self) -> None:
        font = QFont(self.font())
        font.setPointSizeF(8.0)
        for stack in self.stacks:
            for side in ("left", "bottom"):
                stack.plot.getAxis(side).setStyle(tickFont=font)
        for row, stretch in ((0, 5), (1, 5), (2, 5)):
            self.plots.ci.layout.setRowStretchFactor(row, stretch)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.state)
        first.addWidget(self.own)
        first.addWidget(self.count, 1, Qt.AlignmentFlag.AlignRight)
        second.addWidget(QLabel("around"))
        second.addWidget(self.event_choice, 1)
        second.addWidget(self.legend)
        for line in (first, second):
            line.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(4)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.empty, 1)
        column.addWidget(self.plots, 1)
        column.addWidget(self.over)
        self.setMinimumWidth(300)

    # --- drawing ------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        self._dirty = False
        selected = self._selection.units
        units = selected[:MOST_UNITS]
        averages = self.averages
        there = bool(units) and averages is not None and self._source.last_tick >= 0
        self.plots.setVisible(there)
        self.empty.setVisible(not there)
        self.count.setText(
            f"{MOST_UNITS} of {len(selected)} units" if len(selected) > MOST_UNITS else ""
        )
        self._list_events()
        if averages is None:
            return
        self.over.set_full_text(_over(averages))
        if there:
            names = [self._source.name_of(unit) for unit in units]
            state = str(self.state.currentData())
            self._draw_traces(units, names, state)
            self._draw_around(averages, units, names, state)
            self._draw_tuning(averages, units, names, state)

    def _list_events(self) -> None:
        """Adds what has happened for the first time; what is chosen stays chosen."""
        kinds = self.averages.kinds() if self.averages is not None else []
        if kinds == [
            self.event_choice.itemData(place) for place in range(self.event_choice.count())
        ]:
            return
        chosen = self.event_choice.currentData()
        self.event_choice.clear()
        for kind in kinds:
            self.event_choice.addItem(kind.words, kind)
        if chosen in kinds:
            self.event_choice.setCurrentIndex(kinds.index(chosen))

    def _draw_traces(self, units: Sequence[int], names: Sequence[str], state: str) -> None:
        kinds = f"{state}_natural", f"{state}_applied"
        times_s, found = self._source.blocks_of(units, kinds)
        natural, applied = (found[kind].astype(np.float64) for kind in kinds)
        curves = [Curves(times_s, natural, self._theme.warning, dotted=True)]
        if self.blinded:
            curves = [Curves(times_s, natural, self._theme.accent)]
        else:
            curves.append(Curves(times_s, applied, self._theme.accent))
        begin_s = max(
            float(times_s[0]), 0.0
        )  # as the raster's window, which begins with the session
        span = (begin_s, begin_s + float(times_s[-1] - times_s[0]))
        self.traces.show(names, curves, span, own=self.own.isChecked())

    def _draw_around(
        self, averages: UnitAverages, units: Sequence[int], names: Sequence[str], state: str
    ) -> None:
        kind = self.event_choice.currentData()
        found: dict[str, EventAverage] = {}
        if isinstance(kind, EventKind):
            found = averages.around(kind, state, units, apart=not self.blinded)
        colours = {"": self._theme.accent, "delivered": self._theme.accent}
        curves = [
            Curves(
                each.time_s,
                each.mean.T,
                colours.get(name, self._theme.warning),
                each.sem.T,
                dashed=name == "sham",
            )
            for name, each in found.items()
        ]
        self.around.show(names, curves, (-BEFORE_S, AFTER_S), zero=True, own=self.own.isChecked())
        words = [
            f"{_sample(name, colours.get(name, self._theme.warning))} n = {each.n_events}"
            for name, each in found.items()
        ]
        if self.blinded and isinstance(kind, EventKind) and kind.kind == "stimulus":
            words.append("delivered or sham")
        self.legend.setText(" &nbsp; ".join(words) or "nothing has happened yet")

    def _draw_tuning(
        self, averages: UnitAverages, units: Sequence[int], names: Sequence[str], state: str
    ) -> None:
        for variable, stack in (("speed", self.speed), ("heading", self.heading)):
            curve = averages.tuning(variable, state, units)
            factor = 180.0 / np.pi if variable == "heading" else 1.0
            spent = curve.occupancy_s
            curves = [Curves(curve.centre * factor, curve.mean.T, self._theme.accent, curve.sem.T)]
            edges = curve.edges * factor
            last = edges[-1]
            if variable == "speed" and spent.any():
                last = edges[int(np.flatnonzero(spent)[-1]) + 1]
            bars = (edges, spent, f"≤ {spent.max(initial=0.0):.1f} s")
            stack.show(
                names, curves, (float(edges[0]), float(last)), bars, own=self.own.isChecked()
            )


def _sample(name: str, colour: str) -> str:
    """A group's name beside a piece of its line."""
    line = "╌╌" if name == "sham" else "━━"
    return f'<span style="color:{colour}">{line}</span> {name}'.rstrip()


def _over(averages: UnitAverages) -> str:
    """Over what is averaged."""
    seen, tick_s = averages.seen, averages.tick_s
    spans = seen.spans()
    if not spans:
        return "Nothing has been seen yet"
    words = f"{averages.which} activity over {_stretch(spans[-1], tick_s)}"
    if len(spans) > 1:
        words = (
            f"{averages.which} activity over {seen.count * tick_s:.1f} s that were shown, in "
            f"{len(spans)} stretches, the last {_stretch(spans[-1], tick_s)}"
        )
    return f"Averages of {words}"


def _stretch(span: Span, tick_s: float) -> str:
    return f"{clock(span[0] * tick_s)} to {clock((span[1] + 1) * tick_s)}"
