"""The slider of a replay: what happened when in the whole recording, and where the replay is in it."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QSlider, QWidget

from gui.ethogram import Interval, Intervals
from gui.theme import DARK, Theme
from rig.messages import Event

HEIGHT_PX = 34
EDGE_PX = 5


class OverviewSlider(QSlider):
    """A slider that goes where it is clicked and shows on its track what happened when.

    `loop_marked` comes when an interval was marked on it: dragged over with shift held.
    """

    loop_marked = pyqtSignal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = DARK
        self._behaviours: tuple[str, ...] = ()
        self._intervals: list[Interval] = []
        self._track: QPixmap | None = None
        self._loop: tuple[int, int] | None = None
        self._marking: int | None = None
        self.setFixedHeight(HEIGHT_PX)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(400, HEIGHT_PX)

    def describe(self, behaviours: Sequence[str]) -> None:
        """The behaviours that have a row, in this order."""
        self._behaviours = tuple(behaviours)
        self._redraw()

    def show_events(self, events: Sequence[Event]) -> None:
        """What happened in the recording."""
        pairs = Intervals(keep_ticks=self.maximum() + 1)
        for event in events:
            pairs.add([event], event.tick)
        self._intervals = pairs.within(self.minimum(), self.maximum() + 1)
        self._redraw()

    def show_loop(self, loop: tuple[int, int] | None) -> None:
        """The interval that is played over and over; None if there is none."""
        self._loop = loop
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self._redraw()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draws the track, dimmed where the replay has not been, and the place where it is."""
        if self._track is None:
            self._track = self._draw_track()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._track)
        x = self._x_of(self.value())
        ahead = QColor(self._theme.panel)
        ahead.setAlpha(120)
        painter.fillRect(QRectF(x, 0, self.width() - EDGE_PX - x, self.height()), ahead)
        if self._loop is not None:
            left, right = self._x_of(self._loop[0]), self._x_of(self._loop[1] + 1)
            inside = QColor(self._theme.text)
            inside.setAlpha(48)
            width = max(right - left, 3.0)
            painter.fillRect(QRectF(left, 0, width, self.height()), inside)
            painter.setPen(QColor(self._theme.text))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(left, 0.5, width, self.height() - 1))
        painter.fillRect(QRectF(x - 1, 0, 2, self.height()), QColor(self._theme.text))
        painter.setBrush(QColor(self._theme.text))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(QRectF(x - 4, 0, 8, 6), 2, 2)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """The track has to be drawn anew."""
        self._track = None

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Goes there; with shift, begins to mark a loop."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        tick = self._value_at(event.position().x())
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._marking = tick
            return
        self.setSliderDown(True)
        self.setValue(tick)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Goes along, or marks on."""
        if event is None:
            return
        tick = self._value_at(event.position().x())
        if self._marking is not None:
            self.show_loop((min(self._marking, tick), max(self._marking, tick)))
        elif self.isSliderDown():
            self.setValue(tick)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Stays there; what was marked is a loop."""
        if self._marking is not None and self._loop is not None:
            self.loop_marked.emit(*self._loop)
        self._marking = None
        self.setSliderDown(False)

    def _x_of(self, tick: float) -> float:
        span = max(self.maximum() - self.minimum(), 1)
        return EDGE_PX + (self.width() - 2 * EDGE_PX) * (tick - self.minimum()) / span

    def _value_at(self, x: float) -> int:
        share = (x - EDGE_PX) / max(self.width() - 2 * EDGE_PX, 1)
        return round(self.minimum() + min(max(share, 0.0), 1.0) * (self.maximum() - self.minimum()))

    def _redraw(self) -> None:
        self._track = None
        self.update()

    def _draw_track(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        track = QPixmap(self.size() * ratio)
        track.setDevicePixelRatio(ratio)
        track.fill(QColor(self._theme.panel))
        painter = QPainter(track)
        inner = QRectF(EDGE_PX, 0, self.width() - 2 * EDGE_PX, self.height())
        painter.fillRect(inner, QColor(self._theme.plot))
        row_height = self.height() / (len(self._behaviours) + 1)
        for interval in self._intervals:
            if interval.kind == "stimulus":
                row, colour = len(self._behaviours), QColor(self._theme.stimulus)
                colour.setAlphaF(0.35 if interval.sham else 1.0)
            elif interval.name in self._behaviours:
                row = self._behaviours.index(interval.name)
                colour = QColor(self._theme.behaviour(row))
            else:
                continue
            begin = self.minimum() if interval.began_tick is None else interval.began_tick
            end = self.maximum() + 1 if interval.end_tick is None else interval.end_tick
            left = max(self._x_of(begin), inner.left())
            width = max(min(self._x_of(end), inner.right()) - left, 1.0)
            painter.fillRect(QRectF(left, row * row_height + 0.5, width, row_height - 1), colour)
        painter.end()
        return track
