"""Raster, a unit's trace and ethogram on one time axis, with freeze, choice of activity and a read-out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent

from gui.activity import KINDS, ORDERS, WINDOW_TICKS
from gui.ethogram import Ethogram
from gui.labels import ElidedLabel
from gui.overlay import Overlay
from gui.raster import Raster
from gui.selection import UnitSelection
from gui.stimulated_units import StimulatedUnits
from gui.stream import Batch
from gui.theme import Theme
from gui.timeline_plots import TimelinePlots
from gui.trace import Trace
from rig.bus.message_types import Description, KnownFault, Tick

CLICKS_APART_S = 0.6
"""Clicks that follow each other sooner belong to a double click."""


class Timeline(QFrame):
    """The middle of the window: what the network and the animal did in the last ten seconds.

    A click on a unit selects it and shows its trace, another on the same one gives it up.
    `rows`, set before a session is described: the behaviours and stimuli that are known to happen.

    Args:
        theme: how it looks.
        selection: the selected units, shared with what else shows or uses them; None: its own.
    """

    frozen_changed = pyqtSignal(bool)

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
        self._tick_s = 0.02
        self._trial_starts: deque[int] = deque(maxlen=WINDOW_TICKS)
        self._pointer: QPointF | None = None
        self._units_before: tuple[int, ...] = ()  # selected before the first click of a double one
        self._clicked_s = self._reset_s = -CLICKS_APART_S
        self.rows: tuple[Sequence[str], Sequence[str]] | None = None
        self.frozen = False
        self.blinded = False

        title = QLabel("Activity")
        title.setObjectName("title")
        self.kind = QComboBox()
        for key, words in KINDS.items():
            self.kind.addItem(words, key)
        self.kind.setFixedWidth(180)
        self.kind.setToolTip(
            "Which activity the raster shows; natural: what the network did before a stimulus changed it"
        )
        self.kind.currentIndexChanged.connect(self._choose_kind)
        self.order = QComboBox()
        for key, words in ORDERS.items():
            self.order.addItem(words, key)
        self.order.setToolTip("Order of the units of each layer; choose again to sort anew")
        self.order.activated.connect(lambda _: self.sort(str(self.order.currentData())))
        self.freeze_button = QToolButton()
        self.freeze_button.setText("Freeze")
        self.freeze_button.setCheckable(True)
        self.freeze_button.setToolTip(
            "Hold the plots still; the animal and the recording go on (F)"
        )
        self.freeze_button.toggled.connect(self.set_frozen)
        self.readout = ElidedLabel()
        self.readout.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

        head = QHBoxLayout()
        head.setContentsMargins(10, 6, 10, 0)
        head.setSpacing(8)
        head.addWidget(title)
        head.addWidget(self.kind)
        head.addWidget(self.order)
        head.addWidget(self.readout, 1)
        head.addWidget(self.freeze_button)

        self.plots = TimelinePlots()
        self.raster = Raster(self.plots.raster, theme)
        self.ethogram = Ethogram(self.plots.ethogram, theme)
        self.trace = Trace(self.plots.trace, theme)
        self.overlay = Overlay(self.plots.shared, theme)
        self.stimulated = StimulatedUnits()
        self._column = layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.plots, 1)
        self.plots.pointed.connect(self._point)
        self.plots.expand_pressed.connect(lambda: self.expand(not self.ethogram.expanded))
        self.plots.close_pressed.connect(lambda: self.choose_unit(None))
        self.plots.reset_pressed.connect(self._show_all)
        self.plots.scene().sigMouseClicked.connect(self._click)
        self.selection.changed.connect(self._selected)
        self._fit()
        self.set_theme(theme)

    def add_below(self, rows: QWidget) -> None:
        """Puts more rows on the time axis below the plots."""
        self._column.addWidget(rows)

    def describe(self, description: Description) -> None:
        """Prepares for a session."""
        self.raster.describe(description.layers, description.tick_s)
        self.stimulated = StimulatedUnits(description.layers)
        self.ethogram.describe(
            description.behaviours, description.stimuli, description.tick_s, self.rows
        )
        self._tick_s = description.tick_s
        self.order.setCurrentIndex(0)
        self.selection.clear()
        self._fit()
        self._follow_to(0)

    def clear(self) -> None:
        """Forgets what was shown; what comes next does not follow it."""
        self.raster.clear()
        self.ethogram.clear()
        self.stimulated.clear()
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
            for message in batch.ticks:
                if isinstance(message.content, Tick) and message.content.first:
                    self._trial_starts.append(message.tick)
            self._dirty = True

    def draw(self) -> None:
        """Draws if there is something new and the plots are not frozen."""
        if not self._dirty or self.frozen or not self.isVisible():
            return
        self._dirty = False
        if self.ethogram.rows_changed:
            self._fit()
        self.raster.draw()
        self.ethogram.draw()
        self._draw_trace()
        self._draw_overlay()
        self._follow_to(self.raster.last_tick + 1)
        self._read_out()

    def mark(self, ticks: Sequence[int]) -> None:
        """Draws a line through the plots at these ticks, such as where two recordings part."""
        self.overlay.mark([tick * self._tick_s for tick in ticks])

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
        kinds = [kind for kind in KINDS if not blinded or kind.endswith("natural")]
        self.kind.clear()
        for kind in kinds:
            self.kind.addItem(KINDS[kind], kind)
        self._dirty = True

    def choose_unit(self, unit: int | None) -> None:
        """Selects one unit, by its number over all layers, and shows its trace; None: no unit."""
        known = unit is not None and 0 <= unit < self.raster.n_units
        self.selection.select([unit] if known and unit is not None else [])

    def _selected(self) -> None:
        """The trace is that of the one selected unit; of several, that of the one it was of."""
        units = self.selection.units
        traced = units[0] if len(units) == 1 else self.trace.unit
        if traced not in units or traced >= self.raster.n_units:
            traced = None
        if traced != self.trace.unit:
            self.trace.choose(traced)
            self._fit()
            self._draw_trace()

    def expand(self, expanded: bool) -> None:
        """Shows all rows of the ethogram, or those in which something has happened."""
        self.ethogram.expand(expanded)
        self._fit()
        self.ethogram.draw()

    def sort(self, by: str) -> None:
        """Orders the units within their layers, as in `gui.raster.ORDERS`."""
        self.order.setCurrentIndex(self.order.findData(by))
        self.raster.sort(by)
        self.raster.draw()
        self._draw_overlay()

    def set_frozen(self, frozen: bool) -> None:
        """Holds the plots still, or lets them follow again."""
        self.frozen = frozen
        self.freeze_button.setChecked(frozen)
        self.freeze_button.setText("Frozen" if frozen else "Freeze")
        self._dirty = True
        self.frozen_changed.emit(frozen)

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
        self._dirty = True

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """The rows may have another height."""
        super().resizeEvent(event)
        self._fit()

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
        last = self.raster.last_tick
        oldest = last + 1 - WINDOW_TICKS
        starts = [tick * self._tick_s for tick in self._trial_starts if tick > oldest]
        self.overlay.show_trials(starts)
        self.overlay.show_stimuli(
            self.ethogram.stimuli(),
            self.stimulated.within(oldest, last),
            self.raster.rows_of,
            last,
            self._tick_s,
            self.blinded,
        )

    def _follow_to(self, tick: int) -> None:
        end_s = max(tick, WINDOW_TICKS) * self._tick_s  # the first ten seconds fill from the left
        self.plots.raster.setXRange(end_s - WINDOW_TICKS * self._tick_s, end_s, padding=0)

    def _choose_kind(self) -> None:
        self.raster.kind = str(self.kind.currentData() or self.raster.kind)
        self._dirty = True
        if self.frozen:
            self.raster.draw()

    def _point(self, position: QPointF | None) -> None:
        self._pointer = position
        self._read_out()

    def _read_out(self) -> None:
        """What lies under the pointer now: the plots move while it stands still."""
        text = ""
        for plot, display in (
            (self.plots.raster, self.raster),
            (self.plots.ethogram, self.ethogram),
        ):
            box = plot.getViewBox()
            if self._pointer is not None and box.sceneBoundingRect().contains(self._pointer):
                place = box.mapSceneToView(self._pointer)
                text = display.under(float(place.x()), float(place.y()))
        if text != self.readout.full_text:
            self.readout.set_full_text(text)

    def _show_all(self) -> None:
        self._reset_s = time.monotonic()
        self.raster.show_all()
        if self._reset_s - self._clicked_s < CLICKS_APART_S:  # the first of its two clicks
            self.selection.select(self._units_before)

    def _click(self, event: MouseClickEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or event.double():
            return
        if not self.plots.in_raster(event.scenePos()):
            return
        box = self.plots.raster.getViewBox()
        unit = self.raster.unit_at(float(box.mapSceneToView(event.scenePos()).y()))
        now_s = time.monotonic()
        if now_s - self._reset_s < CLICKS_APART_S:
            return
        if now_s - self._clicked_s > CLICKS_APART_S:
            self._units_before = self.selection.units
        self._clicked_s = now_s
        self.choose_unit(None if (unit,) == self.selection.units else unit)
