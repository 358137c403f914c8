"""The activity of a layer as a trajectory along its first principal components, live and in replays.

Components are found from what was seen over about the last minute (`gui.units.component_worker`), and
can be held. Its colours are those of behaviours, and of nothing that a blinded protocol hides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from analysis.components import Components
from gui.look.theme import Theme
from gui.seen.activity import KINDS
from gui.seen.activity_history import ActivityHistory
from gui.streams.stream import Batch
from gui.units.component_worker import LEAST_TICKS, N_COMPONENTS, ComponentWorker
from gui.units.trajectory_plot import TrajectoryPlot
from rig.bus.message_types import TICK_S, Description

LENGTHS_S = (5, 10, 20)
DRAW_MS = 66


class PopulationPanel(QFrame):
    """The dock. `components_changed` comes when other axes are shown."""

    components_changed = pyqtSignal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.components: Components | None = None
        self._layers: dict[str, slice] = {}
        self._history = ActivityHistory(0)
        self._choice = 0
        self._given = -1
        self._centre, self._reach = np.zeros(N_COMPONENTS), 0.0
        self._dirty = False
        self.layer = QComboBox()
        self.layer.setToolTip("The layer whose units are projected")
        self.kind = QComboBox()
        self.kind.setToolTip(
            "Which activity; natural: what the network did before a stimulus changed it"
        )
        self.length = QComboBox()
        for seconds in LENGTHS_S:
            self.length.addItem(f"{seconds} s", seconds)
        self.length.setCurrentIndex(1)
        self.length.setToolTip("How much of the trajectory is shown")
        self.z_scored = _button(
            "z-scored", "Each unit in its own standard deviations, so that all count alike"
        )
        self.z_scored.setChecked(True)
        self.deep = _button(
            "3 axes", "Three components; drag to turn them, double-click to turn them back"
        )
        self.hold = _button(
            "Hold axes",
            "Keep the components as they are; else they are found anew every two seconds, from about the "
            "last minute, and turned to be as near as can be to the former ones",
        )
        self.again = _button(
            "New axes", "Find the components from the last 20 s alone, not turned to former ones"
        )
        self.again.setCheckable(False)
        self.plot = TrajectoryPlot(theme)
        head = QHBoxLayout()
        for box in (self.layer, self.kind, self.length):
            head.addWidget(box)
        below = QHBoxLayout()
        below.addWidget(self.z_scored)
        below.addWidget(self.deep)
        below.addStretch(1)
        below.addWidget(self.hold)
        below.addWidget(self.again)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(6)
        column.addLayout(head)
        column.addLayout(below)
        column.addWidget(self.plot, 1)
        self.worker = ComponentWorker(self)
        self.worker.found.connect(self._found)
        self.layer.currentIndexChanged.connect(lambda _: self._begin())
        self.kind.currentIndexChanged.connect(lambda _: self._begin())
        self.z_scored.toggled.connect(lambda _: self._begin())
        self.again.clicked.connect(lambda: self._begin())
        self.deep.toggled.connect(self._choose_depth)
        self.length.currentIndexChanged.connect(lambda _: self._redraw())
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._follow)
        self._offer_kinds(False)
        self.plot.say("No activity yet.")

    def take(self, batch: Batch) -> None:
        """Takes in a batch, without drawing."""
        if batch.description is not None:
            assert isinstance(batch.description.content, Description)
            self.describe(batch.description.content)
        if batch.ticks or batch.answers:
            self._history.add(batch.ticks, batch.answers)
            self._dirty = True

    def describe(self, description: Description) -> None:
        """Prepares for a session with these layers."""
        self._layers, first = {}, 0
        for layer in description.layers:
            self._layers[layer.name] = slice(first, first + layer.n_units)
            first += layer.n_units
        if len(self._layers) > 1:
            self._layers["all layers"] = slice(0, first)
        self._history = ActivityHistory(first)
        chosen = self.layer.currentText()
        self.layer.blockSignals(True)
        self.layer.clear()
        self.layer.addItems(list(self._layers))
        last = len(description.layers) - 1  # the layer that actions are read from
        self.layer.setCurrentIndex(self.layer.findText(chosen) if chosen in self._layers else last)
        self.layer.blockSignals(False)
        self._begin()

    def clear(self) -> None:
        """What comes next does not follow what was shown; the axes stay."""
        self._history.clear()
        self._given = -1
        self._dirty = True

    def set_blinded(self, blinded: bool) -> None:
        """Natural activity alone, which a stimulus has not changed in the same tick; or all kinds again."""
        self._offer_kinds(blinded)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self.plot.set_theme(theme)

    def close_worker(self) -> None:
        """Ends the thread that finds components."""
        self._timer.stop()
        self.worker.close()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Begins to find and to draw, from what has been seen."""
        self._timer.start(DRAW_MS)
        self._dirty = True

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Hidden, it costs next to nothing."""
        self._timer.stop()

    def _follow(self) -> None:
        if not self.visibleRegion().isEmpty():  # behind another tab Qt calls it visible
            self.draw()

    def draw(self) -> None:
        """Gives new activity to the worker, and draws the trajectory if there is something new."""
        if not self._dirty:
            return
        self._dirty = False
        units = self._layers.get(self.layer.currentText())
        if units is None or self._history.last_tick < 0:
            return
        if not self.hold.isChecked():
            self._give(units)
        n_ticks = round(int(self.length.currentData()) / TICK_S)
        ticks = self._history.known(self._history.last_tick + 1 - n_ticks)
        components = self.components
        if components is None or not len(ticks):
            if units.stop - units.start < N_COMPONENTS:
                self.plot.say(
                    f"A layer of fewer than {N_COMPONENTS} units has no trajectory to show."
                )
            else:
                self.plot.say(f"Components need {LEAST_TICKS * TICK_S:.0f} s of activity.")
            return
        points = components.project(self._history.values(self._kind, ticks, units))
        unit = "standard deviations" if self.z_scored.isChecked() else "activity"
        shares = enumerate((100 * components.explained).tolist(), start=1)
        if self.plot.deep:
            labels = [f"component {number}: {share:.0f} %" for number, share in shares]
        else:
            labels = [
                f"component {number} ({share:.0f} % of variance), {unit}"
                for number, share in shares
            ]
        self._fit(points[:, : 3 if self.plot.deep else 2])
        behaviours = self._history.behaviours(ticks)
        self.plot.show_trajectory(points, ticks, behaviours, labels, (self._centre, self._reach))

    @property
    def _kind(self) -> str:
        return str(self.kind.currentData())

    def _give(self, units: slice) -> None:
        ticks = self._history.known(self._given + 1)
        if len(ticks):
            self._given = int(ticks[-1])
            self.worker.add(self._history.values(self._kind, ticks, units))

    def _fit(self, points: NDArray[np.float64]) -> None:
        """Keeps the part of space that is shown while the trajectory fits it, and fills a third of it."""
        low, high = points.min(axis=0), points.max(axis=0)
        needed = max(float((high - low).max()) / 2, 1e-6)
        centre = self._centre[: len(low)]
        beyond = max(float((high - centre).max()), float((centre - low).max()))
        if beyond > self._reach or needed < self._reach / 3:
            self._centre[: len(low)] = (low + high) / 2
            self._reach = 1.25 * needed

    def _begin(self) -> None:
        units = self._layers.get(self.layer.currentText(), slice(0, 0))
        self.components, self._given, self._reach = None, -1, 0.0
        self.hold.setChecked(False)
        self._choice = self.worker.choose(units.stop - units.start, self.z_scored.isChecked())
        self._redraw()

    def _found(self, choice: int, components: Components) -> None:
        if choice == self._choice and not self.hold.isChecked():
            self.components = components
            self._redraw()
            self.components_changed.emit()

    def _choose_depth(self, deep: bool) -> None:
        self.plot.deep, self._reach = deep, 0.0
        self._redraw()

    def _redraw(self) -> None:
        self._dirty = True

    def _offer_kinds(self, blinded: bool) -> None:
        kinds = [kind for kind in KINDS if not blinded or kind.endswith("natural")]
        if [self.kind.itemData(place) for place in range(self.kind.count())] == kinds:
            return
        self.kind.blockSignals(True)
        self.kind.clear()
        for kind in kinds:
            self.kind.addItem(KINDS[kind], kind)
        self.kind.blockSignals(False)
        self._begin()


def _button(words: str, meaning: str) -> QToolButton:
    button = QToolButton()
    button.setText(words)
    button.setToolTip(meaning)
    button.setCheckable(True)
    return button
