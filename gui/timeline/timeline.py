"""Raster, a unit's trace and ethogram on one time axis, with freeze, choice of activity and a read-out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from PyQt6.QtCore import QPointF, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QVBoxLayout, QWidget
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent

from gui.look.theme import Theme
from gui.seen.activity import KINDS, LEAST_TICKS, MOST_TICKS
from gui.seen.intervals import Interval
from gui.streams.stream import Batch
from gui.timeline.ethogram import Ethogram
from gui.timeline.overlay import Overlay
from gui.timeline.raster import Raster
from gui.timeline.selection import UnitSelection
from gui.timeline.session_marks import SessionMarks
from gui.timeline.stimulated_units import StimulatedUnits
from gui.timeline.timeline_head import TimelineHead
from gui.timeline.timeline_plots import TimelinePlots
from gui.timeline.trace import Trace
from gui.timeline.unit_orders import Modulation, correlation, order
from gui.timeline.unit_picking import UnitPicking
from rig.bus.message_types import Description, KnownFault, Tick

LONGER = 1.25
"""By which a notch of the wheel makes the window longer."""


class Timeline(QFrame):
    """The middle of the window: what the network and the animal did in the last seconds.

    A click on a unit selects it and shows its trace, another on the same one gives it up.
    `rows`, set before a session is described: the behaviours and stimuli that are known to happen.
    `length_changed` carries how many ticks the plots reach back, `blinded_changed` whether shams are hidden,
    `behaviour_chosen` the behaviour whose name was clicked.

    Args:
        theme: how it looks.
        selection: the selected units, shared with what else shows or uses them; None: its own.
    """

    length_changed = pyqtSignal(int)
    blinded_changed = pyqtSignal(bool)
    behaviour_chosen = pyqtSignal(str)

    def __init__(
        self,
        theme: Theme,
        selection: UnitSelection | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.selection = selection or UnitSelection(self)
        self._dirty = False
        self._asked = False  # something else is to be shown, also while the plots are frozen
        self._tick_s = 0.02
        self._trial_starts: deque[int] = deque(maxlen=MOST_TICKS)
        self._pointer: QPointF | None = None
        self.rows: tuple[Sequence[str], Sequence[str]] | None = None
        self.frozen = False
        self.blinded = False

        self.head = TimelineHead()
        self.kind, self.order = self.head.kind, self.head.order
        self.freeze_button, self.readout = self.head.freeze, self.head.readout
        self.disarmed = self.head.disarmed
        self.plots = TimelinePlots()
        self.raster = Raster(self.plots.raster, theme)
        self.ethogram = Ethogram(self.plots.ethogram, theme)
        self.trace = Trace(self.plots.trace, theme)
        self.overlay = Overlay(self.plots.shared, theme)
        self.marks = SessionMarks(self.plots.raster, self.plots.ethogram, theme)
        self.stimulated = StimulatedUnits()
        self.modulation = Modulation()
        self.picking = UnitPicking(self.plots, self.raster, self.selection)
        self._column = layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addWidget(self.plots, 1)
        self.head.kind_chosen.connect(self._choose_kind)
        self.head.display_chosen.connect(self.show_as)
        self.head.sort_asked.connect(lambda: self.sort(str(self.order.currentData())))
        self.head.length_chosen.connect(
            lambda length_s: self.show_length(round(length_s / self._tick_s))
        )
        self.head.searched.connect(self.search)
        self.freeze_button.toggled.connect(self.set_frozen)
        self.plots.pointed.connect(self._point)
        self.plots.expand_pressed.connect(lambda: self.expand(not self.ethogram.expanded))
        self.plots.close_pressed.connect(self._close_trace)
        self.plots.length_scrolled.connect(self._scroll_length)
        self.plots.scene().sigMouseClicked.connect(self._choose_behaviour)
        self.picking.said.connect(self.head.say)
        self.selection.changed.connect(self._selected)
        self._fit()
        self.set_theme(theme)

    def add_below(self, rows: QWidget) -> None:
        """Puts more rows on the time axis below the plots."""
        self._column.addWidget(rows)

    @property
    def length_ticks(self) -> int:
        """How far the plots reach back."""
        return self.raster.window_ticks

    def describe(self, description: Description) -> None:
        """Prepares for a session."""
        self.raster.describe(description.layers, description.tick_s, description.seed)
        self.stimulated = StimulatedUnits(description.layers)
        self.modulation = Modulation(description.behaviours, self.raster.n_units)
        self.ethogram.describe(
            description.behaviours, description.stimuli, description.tick_s, self.rows
        )
        self.ethogram.held_tick = None
        self._tick_s = description.tick_s
        self.head.describe(description.behaviours)
        self.marks.describe(description)
        self.selection.of_network(description.subject_sha256)
        self._selected()
        self._fit()
        self._follow_to(0)

    def clear(self) -> None:
        """Forgets what was shown; what comes next does not follow it."""
        self.raster.clear()
        self.ethogram.clear()
        self.marks.clear()
        self.stimulated.clear()
        self.modulation.leave()
        self._trial_starts.clear()

    def take(self, batch: Batch) -> None:
        """Takes in a batch, without drawing."""
        if batch.description is not None:
            assert isinstance(batch.description.content, Description)
            self.describe(batch.description.content)
        if batch.ticks or batch.answers:
            self.raster.add(batch.ticks)
            self.ethogram.add(batch.answers, batch.ticks)
            self.stimulated.add(batch.answers)
            self.modulation.add(batch.ticks, batch.answers)
            self.marks.add(batch.ticks)
            for message in batch.ticks:
                if isinstance(message.content, Tick) and message.content.first:
                    self._trial_starts.append(message.tick)
            self._dirty = True

    def draw(self) -> None:
        """Draws if there is something new and the plots are not frozen, or something else was asked for."""
        if self.isVisible() and (self._asked or (self._dirty and not self.frozen)):
            self._draw()

    def _draw(self) -> None:
        self._dirty = False
        if self.ethogram.rows_changed:
            self._fit()
        self._follow_to(self.raster.end_tick)
        self._asked = not self.raster.draw()
        self.ethogram.draw()
        self._draw_trace()
        self._draw_overlay()
        self.marks.draw(self.raster.last_tick, self.ethogram.rows)
        self.disarmed.setVisible(not self.marks.armed_at(self.raster.last_tick))
        self._read_out()

    def mark(self, ticks: Sequence[int]) -> None:
        """Draws a line through the plots at these ticks, such as where two recordings part."""
        self.overlay.mark([tick * self._tick_s for tick in ticks])

    def show_dry_run(self, intervals: Sequence[Interval]) -> None:
        """Draws what another protocol would have stimulated in a row of its own; none: no such row."""
        self.ethogram.show_dry_run(intervals)
        self._dirty = True

    def show_faults(self, faults: Sequence[KnownFault]) -> None:
        """Hatches the ethogram where there was no stimulation engine."""
        self.ethogram.show_gaps(
            [
                (each.tick + 1, each.over_tick)
                for each in faults
                if (each.source, each.name) == ("stimulation", "dead")
            ]
        )
        self._dirty = True

    def set_blinded(self, blinded: bool) -> None:
        """Shows delivered stimuli and shams alike, and natural activity alone; or tells them apart again."""
        if blinded == self.blinded:
            return
        self.blinded = self.ethogram.blinded = blinded
        self.trace.show_applied(not blinded)
        self.head.show_kinds([kind for kind in KINDS if not blinded or kind.endswith("natural")])
        self._dirty = True
        self.blinded_changed.emit(blinded)

    def choose_unit(self, unit: int | None) -> None:
        """Selects one unit, by its number over all layers, and shows its trace; None: no unit."""
        known = unit is not None and 0 <= unit < self.raster.n_units
        self.selection.select([unit] if known and unit is not None else [])

    def search(self, text: str) -> None:
        """Selects the units that these words name, as "policy_2/23, core/0-15"; says so if they name none."""
        if self.picking.search(text):
            self.head.leave()

    def show_as(self, display: str) -> None:
        """Shows the raster as one of `gui.timeline.raster.DISPLAYS`."""
        self.head.display.setCurrentIndex(self.head.display.findData(display))
        self.raster.show_as(display)
        self.plots.show_scale(display == "heat")
        self._asked = True

    def show_length(self, n_ticks: int) -> None:
        """How much the plots show: 100 to 3000 ticks, else the nearest to it."""
        n_ticks = min(max(n_ticks, LEAST_TICKS), MOST_TICKS)
        if n_ticks != self.raster.window_ticks:
            self.raster.show_window(n_ticks)
            self.ethogram.window_ticks = n_ticks
            self.head.length.setValue(round(n_ticks * self._tick_s))
            self._asked = True
            self.length_changed.emit(n_ticks)

    def expand(self, expanded: bool) -> None:
        """Shows all rows of the ethogram, or those in which something has happened."""
        self.ethogram.expand(expanded)
        self._fit()
        self.ethogram.draw()

    def sort(self, by: str) -> None:
        """Orders the units, as in `gui.timeline.unit_orders.ORDERS`; says so where that is not known."""
        self.head.show_order(by)
        raster, selected = self.raster, self.selection.units
        length, end = raster.window_ticks, raster.end_tick
        if by == "modulation":
            behaviour = str(self.head.behaviour.currentData() or "")
            values = self.modulation.of(behaviour, raster.kind)
            if values is None:
                name = self.head.behaviour.currentText() or "A behaviour"
                self.head.say(f"{name} has not been seen yet: units are sorted by it once it was.")
                return
            found = (-values).argsort(kind="stable")
            seen_s = self.modulation.seen_s(behaviour, self._tick_s)
            self.head.say(f"by {behaviour.replace('_', ' ')}: {seen_s:.1f} s of it were seen")
        elif by == "correlation":
            if not selected:
                self.head.say("Select a unit first: the others are sorted by how they go with it.")
                return
            values = correlation(raster.window, raster.kind, selected[-1], length, end)
            found = (-values).argsort(kind="stable")
            self.head.say(f"by correlation with {raster.name_of(selected[-1])}")
        else:
            found = order(raster.window, raster.kind, by, length, end)
        raster.arrange(found, self.head.by_layer.isChecked())
        raster.draw()
        self._draw_overlay()

    def set_frozen(self, frozen: bool) -> None:
        """Holds the plots still, or lets them follow again."""
        if frozen != self.frozen:
            self.raster.hold(frozen)
            self.ethogram.held_tick = self.raster.end_tick if frozen else None
        self.frozen = frozen
        self.freeze_button.setChecked(frozen)
        self.freeze_button.setText("Frozen" if frozen else "Freeze")
        self._dirty = True

    def toggle_frozen(self) -> None:
        """Holds still what follows, or the other way round."""
        self.set_frozen(not self.frozen)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self.theme = theme
        self.plots.set_theme(theme)
        self.raster.set_theme(theme)
        self.ethogram.set_theme(theme)
        self.trace.set_theme(theme)
        self.overlay.set_theme(theme)
        self.marks.set_theme(theme)
        self._dirty = True

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """The rows may have another height."""
        super().resizeEvent(event)
        self._fit()
        self._asked = self._asked or self.raster.last_tick >= 0

    def _selected(self) -> None:
        """Marks the rows; the trace is of the one selected unit, or, if several are, of the one it was of."""
        units = self.selection.units
        self.head.unsay()  # "128 units selected" is of those before
        self.raster.select(units)
        traced = units[0] if len(units) == 1 else self.trace.unit
        if traced not in units or traced >= self.raster.n_units:
            traced = None
        if traced != self.trace.unit:
            self._show_trace(traced)
        self._asked = self._asked or self.raster.display == "traces"

    def _close_trace(self) -> None:
        if len(self.selection.units) == 1:
            self.selection.clear()
        else:
            self._show_trace(None)

    def _show_trace(self, unit: int | None) -> None:
        self.trace.choose(unit)
        self._fit()
        self._draw_trace()

    def _fit(self) -> None:
        ethogram = self.ethogram
        ethogram.rows_changed = False
        self.plots.fit(
            len(ethogram.rows),
            ethogram.n_folded,
            ethogram.expanded,
            self.trace.unit is not None,
        )
        ethogram.set_row_height(self.plots.heights.row)

    def _draw_trace(self) -> None:
        unit = self.trace.unit
        if unit is not None and self.raster.last_tick >= 0:
            self.trace.draw(self.raster.name_of(unit), *self.raster.values_of(unit))

    def _draw_overlay(self) -> None:
        end = self.raster.end_tick
        first = end - self.raster.window_ticks
        starts = [tick * self._tick_s for tick in self._trial_starts if first <= tick < end]
        self.overlay.show_trials(starts)
        self.overlay.show_stimuli(
            self.ethogram.stimuli(),
            self.stimulated.within(first, end - 1),
            self.raster.rows_of,
            (first, end),
            self._tick_s,
            self.blinded,
        )

    def _follow_to(self, tick: int) -> None:
        length = self.raster.window_ticks
        end_s = max(tick, length) * self._tick_s  # the first seconds fill from the left
        self.plots.raster.setXRange(end_s - length * self._tick_s, end_s, padding=0)

    def _scroll_length(self, notches: int) -> None:
        now_s = self.raster.window_ticks * self._tick_s
        longer_s = max(round(now_s * LONGER**notches), round(now_s) + (1 if notches > 0 else 0))
        if notches < 0:
            longer_s = min(longer_s, round(now_s) - 1)
        self.show_length(round(longer_s / self._tick_s))

    def _choose_kind(self, kind: str) -> None:
        self.raster.kind = kind
        self._dirty = self._asked = True

    def _choose_behaviour(self, event: MouseClickEvent) -> None:
        name = self.ethogram.named_at(event.scenePos())
        if name:
            self.behaviour_chosen.emit(name)

    def _point(self, position: QPointF | None) -> None:
        self._pointer = position
        if position is None:
            self.head.read_out("")
        self._read_out()

    def _read_out(self) -> None:
        """What lies under the pointer now: the plots move while it stands still."""
        if self._pointer is None:
            return
        text = ""
        for plot, display in (
            (self.plots.raster, self.raster),
            (self.plots.ethogram, self.ethogram),
        ):
            box = plot.getViewBox()
            if box.sceneBoundingRect().contains(self._pointer):
                place = box.mapSceneToView(self._pointer)
                text = self.marks.under(float(place.x()))
                text = text or display.under(float(place.x()), float(place.y()))
        self.head.read_out(text)
