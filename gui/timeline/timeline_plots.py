"""The plots of the timeline, one above the other on one time axis, and how they share the height.

The raster always has at least 45 % of the timeline. What is left is the trace's and the ethogram's: its rows
become lower, then the trace does, and in the end the ethogram scrolls.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyqtgraph as pg
from PyQt6.QtCore import QEvent, QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QMouseEvent, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QFrame, QScrollBar, QToolButton, QWidget
from pyqtgraph.GraphicsScene.mouseEvents import MouseDragEvent

from gui.look.theme import Theme, activity_colours
from gui.seen.activity import Z_RANGE

AXIS_WIDTH_PX = 84
BAR_WIDTH_PX = 44
BOTTOM_AXIS_PX = 36
SPACING_PX = 4
RASTER_SHARE = 0.45
ROW_PX, LEAST_ROW_PX = 19, 10
SCALE = [(-3, "−3"), (0, "z 0"), (3, "+3")]
"""Of the colour bar."""
TRACE_PX, LEAST_TRACE_PX = 120, 64


@dataclass(frozen=True)
class Heights:
    """How high the plots are, in pixels; `rows` of the ethogram are to be seen at once."""

    raster: int
    trace: int
    row: int
    rows: int


def share(total: int, whole: int, n_rows: int, traced: bool) -> Heights:
    """Divides a height among raster, trace and ethogram.

    Args:
        total: what there is for all plots together, px.
        whole: the height of which the raster gets its share at least, px.
        n_rows: of the ethogram.
        traced: whether there is a trace.
    """
    least_raster = min(int(RASTER_SHARE * whole) + 1, total)
    spare = max(total - least_raster - BOTTOM_AXIS_PX - 2 * SPACING_PX, 0)
    trace = min(TRACE_PX, spare) if traced else 0
    n_rows = max(n_rows, 1)
    if traced and n_rows * LEAST_ROW_PX > spare - trace:
        trace = max(min(spare, LEAST_TRACE_PX), spare - n_rows * LEAST_ROW_PX)
    room = max(spare - trace, LEAST_ROW_PX)
    row = min(max(room // n_rows, LEAST_ROW_PX), ROW_PX)
    rows = min(n_rows, max(room // row, 1))
    used = trace + rows * row + BOTTOM_AXIS_PX + 2 * SPACING_PX
    return Heights(max(total - used, 0), trace, row, rows)


@dataclass(frozen=True)
class RowDrag:
    """A drag over rows of the raster: from where to where it has come, whether to what is selected."""

    first: float
    last: float
    added: bool
    finished: bool


class RowBox(pg.ViewBox):  # type: ignore[misc]
    """A view in which the left button drags over rows (`dragged`); the middle one moves them."""

    dragged = pyqtSignal(object)

    def mouseDragEvent(self, ev: MouseDragEvent, axis: int | None = None) -> None:
        """Says what is dragged over with the left button; else as pyqtgraph has it."""
        if ev.button() != Qt.MouseButton.LeftButton or axis is not None:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        first, last = (self.mapToView(place).y() for place in (ev.buttonDownPos(), ev.pos()))
        added = bool(ev.modifiers() & Qt.KeyboardModifier.ControlModifier)
        self.dragged.emit(RowDrag(float(first), float(last), added, bool(ev.isFinish())))


class TimelinePlots(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Raster, colour bar, trace and ethogram as empty plots, with what one presses at their edges.

    `pointed` carries where the pointer is, in the scene; None when it has left. `expand_pressed` asks for all
    rows of the ethogram or for fewer, `close_pressed` for no trace, `reset_pressed` for the whole raster,
    `length_scrolled` for more time (above 0) or less, so many notches of the wheel.
    """

    pointed = pyqtSignal(object)
    expand_pressed = pyqtSignal()
    close_pressed = pyqtSignal()
    reset_pressed = pyqtSignal()
    length_scrolled = pyqtSignal(int)
    _arranged = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumHeight(140)
        grid = self.ci
        grid.setContentsMargins(8, 4, 4, 2)
        grid.setSpacing(SPACING_PX)
        self.raster_box = RowBox()
        self.raster = grid.addPlot(0, 0, viewBox=self.raster_box)
        self.bar = grid.addPlot(0, 1)
        self.trace = grid.addPlot(1, 0)
        self.ethogram = grid.addPlot(2, 0)
        self.shared = (self.raster, self.trace, self.ethogram)
        self.heights = Heights(0, 0, ROW_PX, 1)
        self._n_rows = 1
        self._traced = False
        self._bar_image = pg.ImageItem(axisOrder="row-major")
        self.more = QToolButton(self)
        self.more.setObjectName("small")
        self.more.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.more.setToolTip("Rows in which nothing has happened yet")
        self.more.clicked.connect(self.expand_pressed)
        self.close_trace = QToolButton(self)
        self.close_trace.setObjectName("small")
        self.close_trace.setText("×")
        self.close_trace.setToolTip("Close the trace (or click its unit again)")
        self.close_trace.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.close_trace.clicked.connect(self.close_pressed)
        self.scroll_bar = QScrollBar(Qt.Orientation.Vertical, self)
        self.scroll_bar.valueChanged.connect(lambda _: self._show_rows())
        self._arrange()
        self._arranged = True
        self.scene().sigMouseMoved.connect(self.pointed)

    def set_theme(self, theme: Theme) -> None:
        """Recolours the ground, the axes and the colour bar."""
        self.setBackground(QColor(theme.panel))
        for plot in (*self.shared, self.bar):
            plot.getViewBox().setBackgroundColor(QColor(theme.plot))
            for side in ("left", "right", "bottom", "top"):
                axis = plot.getAxis(side)
                axis.setPen(pg.mkPen(QColor(theme.line)))
                axis.setTextPen(pg.mkPen(QColor(theme.text)))
        self._bar_image.setImage(
            activity_colours(theme, 255)[:, None, :], autoLevels=False, levels=(0, 255)
        )
        self._bar_image.setRect(QRectF(0, -Z_RANGE, 1, 2 * Z_RANGE))

    def show_scale(self, shown: bool) -> None:
        """Whether the colour bar says something about what the raster shows; its place stays."""
        self._bar_image.setVisible(shown)
        self.bar.getAxis("right").setTicks([SCALE if shown else []])

    def fit(self, n_rows: int, n_folded: int, expanded: bool, traced: bool) -> None:
        """Shares the height anew.

        Args:
            n_rows: of the ethogram, as it is shown.
            n_folded: rows that are not shown, or would not be.
            expanded: whether they are shown.
            traced: whether there is a trace.
        """
        self._n_rows, self._traced = max(n_rows, 1), traced
        self.more.setText("fewer" if expanded else f"+{n_folded} more")
        self.more.setVisible(n_folded > 0)
        self._share()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Shares the new height."""
        super().resizeEvent(event)
        if self._arranged:  # Qt resizes it before it is made
            self._share()

    def leaveEvent(self, event: QEvent | None) -> None:
        """The pointer is elsewhere: what it was on is not what is read out."""
        self.pointed.emit(None)
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """With Ctrl, more time or less; scrolls an ethogram that does not fit; else as pyqtgraph has it."""
        if event is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            notches = -event.angleDelta().y() / 120
            if notches:
                self.length_scrolled.emit(round(notches) or (1 if notches > 0 else -1))
            event.accept()
            return
        if event is not None and self.scroll_bar.maximum() > 0:
            where = self.mapToScene(event.position().toPoint())
            if self.ethogram.sceneBoundingRect().contains(where):
                self.scroll_bar.setValue(self.scroll_bar.value() - event.angleDelta().y() // 120)
                event.accept()
                return
        super().wheelEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Shows all units again."""
        if event is not None and self.in_raster(self.mapToScene(event.position().toPoint())):
            self.reset_pressed.emit()
        super().mouseDoubleClickEvent(event)

    def in_raster(self, position: QPointF) -> bool:
        """Whether a place in the scene is in the raster."""
        return bool(self.raster.getViewBox().sceneBoundingRect().contains(position))

    def on_raster_names(self, position: QPointF) -> bool:
        """Whether a place in the scene is on the names beside the raster."""
        return bool(self.raster.getAxis("left").sceneBoundingRect().contains(position))

    def _share(self) -> None:
        total = self.height() - 8  # the grid's margins, and a pixel at each end
        parent = self.parentWidget()
        whole = max(parent.height() if parent is not None else 0, self.height())
        self.heights = share(total, whole, self._n_rows, self._traced)
        self.trace.setVisible(self._traced)
        self.trace.setFixedHeight(self.heights.trace if self._traced else 0)
        ethogram = self.heights.rows * self.heights.row + BOTTOM_AXIS_PX
        self.ethogram.setFixedHeight(ethogram)
        self.scroll_bar.setRange(0, self._n_rows - self.heights.rows)
        self.scroll_bar.setPageStep(self.heights.rows)
        self._show_rows()
        self._place_buttons(ethogram)

    def _show_rows(self) -> None:
        first = self.scroll_bar.value()
        self.ethogram.setLimits(yMin=0, yMax=self._n_rows)
        self.ethogram.setYRange(first, first + self.heights.rows, padding=0)

    def _place_buttons(self, ethogram_px: int) -> None:
        bottom = self.height() - 2
        right = self.width() - BAR_WIDTH_PX - 2
        top = bottom - ethogram_px
        self.more.resize(AXIS_WIDTH_PX - 6, 18)
        self.more.move(8, bottom - 20)
        self.scroll_bar.setGeometry(right, top, 10, ethogram_px - BOTTOM_AXIS_PX)
        self.scroll_bar.setVisible(self.scroll_bar.maximum() > 0)
        self.close_trace.resize(20, 20)
        self.close_trace.move(right + 4, top - SPACING_PX - self.heights.trace)
        self.close_trace.setVisible(self._traced)

    def _arrange(self) -> None:
        font = QFont(self.font())
        font.setPointSizeF(8.5)
        for plot in (*self.shared, self.bar):
            plot.setMenuEnabled(False)
            plot.hideButtons()
            for side in ("left", "right", "bottom"):
                plot.getAxis(side).setStyle(tickFont=font)
        for plot in self.shared:
            axis = plot.getAxis("left")
            axis.setWidth(AXIS_WIDTH_PX)
            axis.setStyle(tickLength=0, tickTextOffset=6, autoExpandTextSpace=False)
        self.raster.hideAxis("bottom")
        self.trace.hideAxis("bottom")
        self.trace.setXLink(self.raster)
        self.ethogram.setXLink(self.raster)
        bottom = self.ethogram.getAxis("bottom")
        bottom.setStyle(tickLength=-4, autoExpandTextSpace=False)
        bottom.setHeight(BOTTOM_AXIS_PX)
        self.ethogram.setLabel("bottom", "animal time (s)")
        self.bar.hideAxis("left")
        self.bar.hideAxis("bottom")
        self.bar.showAxis("right")
        axis = self.bar.getAxis("right")
        axis.setTicks([SCALE])
        axis.setWidth(32)
        axis.setStyle(tickLength=0)
        self.bar.setFixedWidth(BAR_WIDTH_PX)
        self.bar.setMouseEnabled(False, False)
        self.bar.setRange(QRectF(0, -1.1 * Z_RANGE, 1, 2.2 * Z_RANGE), padding=0)
        self.bar.addItem(self._bar_image)
        self.bar.setToolTip(
            "Standard deviations from each unit's own mean over about the last minute"
        )
