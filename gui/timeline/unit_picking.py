"""How units are selected in the raster: by click, by dragging over rows, by a name on the axis, by search."""

from __future__ import annotations

import time

from PyQt6.QtCore import QObject, QPointF, Qt, pyqtSignal
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent

from gui.timeline.raster import Raster
from gui.timeline.selection import UnitSelection
from gui.timeline.timeline_plots import RowDrag, TimelinePlots
from gui.timeline.unit_search import find_units

CLICKS_APART_S = 0.6
"""Clicks that follow each other sooner belong to a double click."""


class UnitPicking(QObject):
    """Turns what the mouse does on the raster into a selection.

    A click takes a unit, or gives it up where it is the only one; with Ctrl it is added or taken away.
    Dragging takes all rows between, with Ctrl beside what is selected. A click on a name takes the layer or
    the unit that it is of. A double click shows all rows and leaves the selection as it was before.
    `said` carries a sentence for the user.

    Args:
        plots: where it happens.
        raster: what is drawn there.
        selection: what is selected.
    """

    said = pyqtSignal(str)

    def __init__(self, plots: TimelinePlots, raster: Raster, selection: UnitSelection) -> None:
        super().__init__(plots)
        self._plots, self._raster, self._selection = plots, raster, selection
        self._before: tuple[int, ...] = ()  # selected before the first click of a double one
        self._clicked_s = self._reset_s = -CLICKS_APART_S
        plots.scene().sigMouseClicked.connect(self._click)
        plots.raster_box.dragged.connect(self._drag)
        plots.reset_pressed.connect(self._reset)

    def search(self, text: str) -> bool:
        """Selects the units that these words name; says what is wrong where they name none."""
        try:
            units = find_units(text, self._raster.layers)
        except ValueError as mistake:
            self.said.emit(str(mistake))
            return False
        self._selection.select(units)
        named = self._raster.name_of(units[0]) if len(units) == 1 else f"{len(units)} units"
        self.said.emit(f"{named} selected")
        return True

    def _reset(self) -> None:
        self._reset_s = time.monotonic()
        self._raster.show_all()
        if self._reset_s - self._clicked_s < CLICKS_APART_S:  # the first of its two clicks
            self._selection.select(self._before)

    def _click(self, event: MouseClickEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or event.double():
            return
        row = self._row(event.scenePos())
        added = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if self._plots.in_raster(event.scenePos()):
            now_s = time.monotonic()
            if now_s - self._reset_s < CLICKS_APART_S:
                return
            if now_s - self._clicked_s > CLICKS_APART_S:
                self._before = self._selection.units
            self._clicked_s = now_s
            unit = self._raster.unit_at(row)
            if unit is None:
                return
            if added:
                self._selection.toggle(unit)
            else:
                self._selection.select(() if self._selection.units == (unit,) else (unit,))
        elif self._plots.on_raster_names(event.scenePos()):
            units = self._raster.named_at(row)
            if added:
                self._selection.add(units)
            elif units:
                self._selection.select(units)

    def _drag(self, drag: RowDrag) -> None:
        self._raster.marks.show_band(None if drag.finished else (drag.first, drag.last))
        if drag.finished:
            units = self._raster.units_between(drag.first, drag.last)
            if drag.added:
                self._selection.add(units)
            elif units:
                self._selection.select(units)

    def _row(self, place: QPointF) -> float:
        return float(self._plots.raster_box.mapSceneToView(place).y())
