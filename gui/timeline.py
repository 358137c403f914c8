"""Raster, a unit's trace and ethogram on one time axis, with freeze, choice of activity and a read-out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont
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

from gui.activity import KINDS, ORDERS, WINDOW_TICKS, Z_RANGE
from gui.annotations import Annotations
from gui.ethogram import Ethogram
from gui.labels import ElidedLabel
from gui.raster import Raster
from gui.stream import Batch
from gui.theme import Theme, activity_colours
from gui.trace import Trace
from rig.bus.message_types import Description, Tick

AXIS_WIDTH_PX = 78
ROW_HEIGHT_PX = 19
BOTTOM_AXIS_PX = 38


class Timeline(QFrame):
    """The middle of the window: what the network and the animal did in the last ten seconds.

    A click on a unit shows its trace (`unit_chosen`), another on the same one hides it (None).
    `rows`, set before a session is described: the behaviours and stimuli that have a row, if not all.
    """

    frozen_changed = pyqtSignal(bool)
    unit_chosen = pyqtSignal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self._theme = theme
        self._dirty = False
        self._tick_s = 0.02
        self._trial_starts: deque[int] = deque(maxlen=WINDOW_TICKS)
        self.rows: tuple[Sequence[str], Sequence[str]] | None = None
        self.frozen = False

        title = QLabel("Activity")
        title.setObjectName("title")
        self.kind = QComboBox()
        for key, words in KINDS.items():
            self.kind.addItem(words, key)
        self.kind.setFixedWidth(150)
        view = self.kind.view()
        if view is not None:
            view.setMinimumWidth(270)
        self.kind.setToolTip("Which activity the raster shows")
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

        self._graphics = pg.GraphicsLayoutWidget()
        self._graphics.setBackground(None)
        self._graphics.setFrameShape(QFrame.Shape.NoFrame)
        grid = self._graphics.ci
        grid.setContentsMargins(8, 4, 4, 2)
        grid.setSpacing(4)
        self._raster_plot = grid.addPlot(0, 0)
        self._bar_plot = grid.addPlot(0, 1)
        self._trace_plot = grid.addPlot(1, 0)
        self._ethogram_plot = grid.addPlot(2, 0)
        self.raster = Raster(self._raster_plot, theme)
        self.ethogram = Ethogram(self._ethogram_plot, theme)
        self.trace = Trace(self._trace_plot, theme)
        self._plots = (self._raster_plot, self._trace_plot, self._ethogram_plot)
        self.annotations = Annotations(self._plots, theme)
        self._bar_image = pg.ImageItem(axisOrder="row-major")
        self._arrange()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self._graphics, 1)
        self._graphics.scene().sigMouseMoved.connect(self._hover)
        self._graphics.scene().sigMouseClicked.connect(self._click)
        self.set_theme(theme)

    def describe(self, description: Description) -> None:
        """Prepares for a session."""
        self.raster.describe(description.layers, description.tick_s)
        self.ethogram.describe(
            description.behaviours, description.stimuli, description.tick_s, self.rows
        )
        height = ROW_HEIGHT_PX * max(self.ethogram.n_rows, 1)
        self._ethogram_plot.setFixedHeight(height + BOTTOM_AXIS_PX + 2)
        self._tick_s = description.tick_s
        self.order.setCurrentIndex(0)
        self.choose_unit(None)
        self._follow_to(0)

    def clear(self) -> None:
        """Forgets what was shown; what comes next does not follow it."""
        self.raster.clear()
        self.ethogram.clear()
        self._trial_starts.clear()

    def take(self, batch: Batch) -> None:
        """Takes in a batch, without drawing."""
        if batch.description is not None:
            assert isinstance(batch.description.content, Description)
            self.describe(batch.description.content)
        if batch.ticks or batch.answers:
            self.raster.add(batch.ticks)
            self.ethogram.add(batch.answers, batch.ticks)
            for message in batch.ticks:
                if isinstance(message.content, Tick) and message.content.first:
                    self._trial_starts.append(message.tick)
            self._dirty = True

    def draw(self) -> None:
        """Draws if there is something new and the plots are not frozen."""
        if not self._dirty or self.frozen or not self.isVisible():
            return
        self._dirty = False
        self.raster.draw()
        self.ethogram.draw()
        self._draw_trace()
        self._annotate()
        self._follow_to(self.raster.last_tick + 1)

    def mark(self, ticks: Sequence[int]) -> None:
        """Draws a line through the plots at these ticks, such as where two recordings part."""
        self.annotations.mark([tick * self._tick_s for tick in ticks])

    def choose_unit(self, unit: int | None) -> None:
        """Shows the trace of a unit, by its place among all; None: of none."""
        if unit is not None and unit >= self.raster.n_units:
            unit = None
        if unit != self.trace.unit:
            self.trace.choose(unit)
            self._draw_trace()
            self.unit_chosen.emit(unit)

    def sort(self, by: str) -> None:
        """Orders the units within their layers, as in `gui.raster.ORDERS`."""
        self.order.setCurrentIndex(self.order.findData(by))
        self.raster.sort(by)
        self.raster.draw()

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
        self._theme = theme
        for plot in (*self._plots, self._bar_plot):
            plot.getViewBox().setBackgroundColor(QColor(theme.plot))
            for side in ("left", "right", "bottom", "top"):
                axis = plot.getAxis(side)
                axis.setPen(pg.mkPen(QColor(theme.line)))
                axis.setTextPen(pg.mkPen(QColor(theme.text)))
        self.raster.set_theme(theme)
        self.ethogram.set_theme(theme)
        self.trace.set_theme(theme)
        self.annotations.set_theme(theme)
        self._bar_image.setImage(
            activity_colours(theme, 255)[:, None, :], autoLevels=False, levels=(0, 255)
        )
        self._bar_image.setRect(QRectF(0, -Z_RANGE, 1, 2 * Z_RANGE))
        self._dirty = True

    def _arrange(self) -> None:
        font = QFont(self.font())
        font.setPointSizeF(8.5)
        for plot in (*self._plots, self._bar_plot):
            plot.setMenuEnabled(False)
            plot.hideButtons()
            for side in ("left", "right", "bottom"):
                plot.getAxis(side).setStyle(tickFont=font)
        for plot in self._plots:
            axis = plot.getAxis("left")
            axis.setWidth(AXIS_WIDTH_PX)
            axis.setStyle(tickLength=0, tickTextOffset=6, autoExpandTextSpace=False)
        self._raster_plot.hideAxis("bottom")
        self._trace_plot.hideAxis("bottom")
        self._trace_plot.setXLink(self._raster_plot)
        self._ethogram_plot.setXLink(self._raster_plot)
        self._ethogram_plot.getAxis("bottom").setStyle(tickLength=-4, autoExpandTextSpace=False)
        self._ethogram_plot.getAxis("bottom").setHeight(BOTTOM_AXIS_PX)
        self._ethogram_plot.setLabel("bottom", "animal time (s)")
        self._bar_plot.hideAxis("left")
        self._bar_plot.hideAxis("bottom")
        self._bar_plot.showAxis("right")
        axis = self._bar_plot.getAxis("right")
        axis.setTicks([[(-3, "−3"), (0, "z 0"), (3, "+3")]])
        axis.setWidth(32)
        axis.setStyle(tickLength=0)
        self._bar_plot.setFixedWidth(44)
        self._bar_plot.setMouseEnabled(False, False)
        self._bar_plot.setRange(QRectF(0, -1.1 * Z_RANGE, 1, 2.2 * Z_RANGE), padding=0)
        self._bar_plot.addItem(self._bar_image)
        self._bar_plot.setToolTip(
            "Standard deviations from each unit's own mean over about the last minute"
        )

    def _draw_trace(self) -> None:
        unit = self.trace.unit
        if unit is not None and self.raster.last_tick >= 0:
            self.trace.draw(self.raster.name_of(unit), *self.raster.values_of(unit))

    def _annotate(self) -> None:
        end = self.raster.last_tick + 1
        oldest = end - WINDOW_TICKS
        starts = [tick * self._tick_s for tick in self._trial_starts if tick > oldest]
        self.annotations.show_trials(starts)
        self.annotations.show_stimuli(
            self.ethogram.stimuli(), end * self._tick_s, self._tick_s, self.raster.n_units
        )

    def _follow_to(self, tick: int) -> None:
        end_s = max(tick, WINDOW_TICKS) * self._tick_s  # the first ten seconds fill from the left
        self._raster_plot.setXRange(end_s - WINDOW_TICKS * self._tick_s, end_s, padding=0)

    def _choose_kind(self) -> None:
        self.raster.kind = str(self.kind.currentData())
        self._dirty = True
        if self.frozen:
            self.raster.draw()

    def _hover(self, position: QPointF) -> None:
        text = ""
        for plot, display in (
            (self._raster_plot, self.raster),
            (self._ethogram_plot, self.ethogram),
        ):
            box = plot.getViewBox()
            if box.sceneBoundingRect().contains(position):
                place = box.mapSceneToView(position)
                text = display.under(float(place.x()), float(place.y()))
        self.readout.set_full_text(text)

    def _click(self, event: MouseClickEvent) -> None:
        box = self._raster_plot.getViewBox()
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if not box.sceneBoundingRect().contains(event.scenePos()):
            return
        unit = self.raster.unit_at(float(box.mapSceneToView(event.scenePos()).y()))
        self.choose_unit(None if unit == self.trace.unit else unit)
