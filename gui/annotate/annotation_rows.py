"""The rows of annotations below the timeline's plots, on their time axis: seen, selected, and dragged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.annotate.annotation_document import AnnotationDocument
from gui.look.theme import Theme
from gui.look.time_axis import axis_time
from recorder.annotations import Annotation
from rig.bus.message_types import TICK_S

ROW_PX = 16
MOST_ROWS = 6
"""So many are seen at once; the wheel shows the others."""
EDGE_PX = 5
"""So near to its edge a bout is taken by it."""
LEAST_DRAG_PX = 3


@dataclass(frozen=True)
class Axis:
    """Where the time axis is in a widget: from `left_px`, at `first_s`, to `right_px`, at `last_s`."""

    left_px: float
    right_px: float
    first_s: float
    last_s: float

    def x(self, tick: float) -> float:
        """Where the beginning of a tick is."""
        share = (tick * TICK_S - self.first_s) / max(self.last_s - self.first_s, 1e-9)
        return self.left_px + share * (self.right_px - self.left_px)

    def tick(self, x: float) -> float:
        """The other way round, not rounded."""
        share = (x - self.left_px) / max(self.right_px - self.left_px, 1.0)
        return (self.first_s + share * (self.last_s - self.first_s)) / TICK_S


@dataclass
class _Drag:
    row: Annotation
    edge: int
    start: int
    stop: int


class AnnotationRows(QWidget):
    """A row for each behaviour of each channel.

    Args:
        document: what is shown, and changed.
        axis: says where the time axis is now, in this widget.
        theme: says how it looks now.

    `tick_chosen` asks to go to a bout's beginning; `drawn` for a new bout: channel, label, first and last
    tick.
    `editable`: whether anything can be dragged.
    """

    tick_chosen = pyqtSignal(int)
    drawn = pyqtSignal(str, str, int, int)

    def __init__(
        self, document: AnnotationDocument, axis: Callable[[], Axis], theme: Callable[[], Theme]
    ) -> None:
        super().__init__()
        self._document = document
        self._axis = axis
        self._theme = theme
        self._rows: list[tuple[str, str, str, str]] = []  # channel, label, colour, key
        self._bouts: dict[tuple[str, str], list[Annotation]] = {}
        self._open: dict[tuple[str, str], tuple[int, int]] = {}
        self._first_row = 0
        self._drag: _Drag | None = None
        self._pressed: tuple[int, QPointF] | None = None
        self.editable = False
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        document.changed.connect(self._follow)
        document.selection_changed.connect(self.update)
        self._follow()

    @property
    def names(self) -> tuple[str, ...]:
        """What the rows are called."""
        several = len(self._document.channels) > 1
        return tuple(
            f"{channel} {label}" if several else label for channel, label, _, _ in self._rows
        )

    def show_open(self, bouts: dict[tuple[str, str], tuple[int, int]]) -> None:
        """Bouts that were begun and not ended yet, by channel and label: first tick, and the one now."""
        if bouts != self._open:
            self._open = dict(bouts)
            self.update()

    def sizeHint(self) -> QSize:
        """As high as its rows."""
        return QSize(200, ROW_PX * min(max(len(self._rows), 1), MOST_ROWS) + 4)

    def under(self, position: QPointF) -> tuple[Annotation | None, int]:
        """The bout at a place, and its edge there: -1 the beginning, 1 the end, 0 neither."""
        row = self._row_at(position.y())
        if row is None:
            return None, 0
        axis = self._axis()
        channel, label, _, _ = self._rows[row]
        best: tuple[float, Annotation, int] | None = None
        for each in self._bouts.get((channel, label), ()):
            left, right = axis.x(each.start_tick), axis.x(each.stop_tick)
            if not left - EDGE_PX <= position.x() <= right + EDGE_PX:
                continue
            for edge, x in ((-1, left), (1, right)):
                apart = abs(position.x() - x)
                if apart <= EDGE_PX and (best is None or apart < best[0]):
                    best = (apart, each, edge)
            if left <= position.x() <= right and best is None:
                best = (EDGE_PX + 1.0, each, 0)
        return (best[1], best[2]) if best is not None else (None, 0)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draws the rows that are seen."""
        painter = QPainter(self)
        axis = self._axis()
        shown = self._rows[self._first_row : self._first_row + MOST_ROWS]
        ground = QRectF(axis.left_px, 1, axis.right_px - axis.left_px, ROW_PX * len(shown))
        painter.fillRect(ground, QColor(self._theme().plot))
        font = painter.font()
        font.setPointSizeF(8.0)
        painter.setFont(font)
        names = self.names[self._first_row :]
        for place, (channel, label, colour, key) in enumerate(shown):
            top = 1 + place * ROW_PX
            name = f"{names[place]} [{key}]" if key else names[place]
            self._draw_name(painter, name, axis.left_px, top)
            painter.fillRect(
                QRectF(axis.left_px, top + ROW_PX - 1, ground.width(), 1),
                QColor(self._theme().line),
            )
            painter.save()
            painter.setClipRect(QRectF(axis.left_px, top, ground.width(), ROW_PX))
            for each in self._bouts.get((channel, label), ()):
                self._draw_bout(painter, axis, each, top, QColor(colour))
            if (channel, label) in self._open:
                self._draw_open(painter, axis, self._open[channel, label], top, QColor(colour))
            painter.restore()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Selects what is there, and takes hold of an edge; in an empty place begins a new bout."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        row, edge = self.under(event.position())
        self._document.select(row)
        if not self.editable:
            return
        if row is not None and edge:
            self._drag = _Drag(row, edge, row.start_tick, row.stop_tick)
        elif row is None:
            place = self._row_at(event.position().y())
            self._pressed = None if place is None else (place, event.position())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Drags, or says what is under the pointer."""
        if event is None:
            return
        tick = round(self._axis().tick(event.position().x()))
        if self._drag is not None:
            drag = self._drag
            low, high = self._document.room(drag.row)
            if drag.edge < 0:
                drag.start = min(max(tick, low), drag.row.stop_tick - 1)
            else:
                drag.stop = max(min(tick, high), drag.row.start_tick + 1)
            QToolTip.showText(event.globalPosition().toPoint(), _when(drag.start, drag.stop), self)
            self.update()
            return
        row, edge = self.under(event.position())
        self.setCursor(
            Qt.CursorShape.SplitHCursor if edge and self.editable else Qt.CursorShape.ArrowCursor
        )
        words = "" if row is None else _words(row)
        QToolTip.showText(event.globalPosition().toPoint(), words, self)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """What was dragged stays where it is."""
        drag, self._drag = self._drag, None
        pressed, self._pressed = self._pressed, None
        if drag is not None:
            self._document.move_edges(drag.row, drag.start, drag.stop)
        elif pressed is not None and event is not None:
            place, at = pressed
            if abs(event.position().x() - at.x()) >= LEAST_DRAG_PX:
                ends = sorted((self._axis().tick(at.x()), self._axis().tick(event.position().x())))
                channel, label, _, _ = self._rows[place]
                self.drawn.emit(
                    channel, label, round(ends[0]), max(round(ends[1]) - 1, round(ends[0]))
                )
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Goes to where a bout begins."""
        if event is not None:
            row, _ = self.under(event.position())
            if row is not None:
                self.tick_chosen.emit(row.start_tick)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Shows the other rows."""
        if event is None:
            return
        most = max(len(self._rows) - MOST_ROWS, 0)
        self._first_row = min(max(self._first_row - event.angleDelta().y() // 120, 0), most)
        self.update()

    def leaveEvent(self, event: QEvent | None) -> None:
        """The pointer is elsewhere."""
        self.unsetCursor()

    def _follow(self) -> None:
        rows = []
        for channel in self._document.channels:
            keys = {each.name: each.key for each in channel.labels}
            content = self._document.content
            labels: Sequence[str] = content.labels(channel.name) if content is not None else ()
            rows += [(channel.name, label, channel.colour, keys.get(label, "")) for label in labels]
        self._rows = rows
        self._bouts = {}
        for each in self._document.rows:
            self._bouts.setdefault((each.channel, each.label), []).append(each)
        self._first_row = min(self._first_row, max(len(rows) - MOST_ROWS, 0))
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def _row_at(self, y: float) -> int | None:
        place = int((y - 1) // ROW_PX)
        if not 0 <= place < MOST_ROWS or self._first_row + place >= len(self._rows):
            return None
        return self._first_row + place

    def _draw_name(self, painter: QPainter, name: str, right_px: float, top: int) -> None:
        painter.setPen(QColor(self._theme().text))
        metrics = painter.fontMetrics()
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, int(right_px) - 10)
        where = QRectF(2, top, right_px - 8, ROW_PX)
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(where, int(flags), shown)

    def _draw_bout(
        self, painter: QPainter, axis: Axis, row: Annotation, top: int, colour: QColor
    ) -> None:
        start, stop = row.start_tick, row.stop_tick
        if self._drag is not None and self._drag.row == row:
            start, stop = self._drag.start, self._drag.stop
        left, right = axis.x(start), axis.x(stop)
        if right < axis.left_px or left > axis.right_px:
            return
        bar = QRectF(left, top + 2, max(right - left, 2.0), ROW_PX - 5)
        painter.fillRect(bar, colour)
        if row == self._document.selected:
            painter.setPen(QPen(QColor(self._theme().text), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(bar)

    def _draw_open(
        self, painter: QPainter, axis: Axis, ticks: tuple[int, int], top: int, colour: QColor
    ) -> None:
        left, right = axis.x(min(ticks)), axis.x(max(ticks) + 1)
        bar = QRectF(left, top + 2, max(right - left, 2.0), ROW_PX - 5)
        faded = QColor(colour)
        faded.setAlpha(110)
        painter.fillRect(bar, faded)
        painter.setPen(QPen(colour, 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(bar)


def _when(start: int, stop: int) -> str:
    times = (axis_time(each * TICK_S, TICK_S) for each in (start, stop))
    return f"{' to '.join(times)}   ({(stop - start) * TICK_S:.2f} s)"


def _words(row: Annotation) -> str:
    by = f"\nby {row.author}" if row.author else ""
    return f"{row.label}, {row.channel}\n{_when(row.start_tick, row.stop_tick)}{by}"
