"""The slider of a replay: what happened when in each recording, and where the replay is.

Each recording has a band of its own, as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QSlider, QWidget

from gui.behaviour_style import faint, look_of, stimulus_look
from gui.intervals import Interval, Intervals
from gui.markers import Extent, rows_of
from gui.theme import DARK, Theme

HEIGHT_PX = 34
BAND_PX = 26
"""Heights of the band of one recording alone, and of one among several."""
EDGE_PX = 5


class OverviewSlider(QSlider):
    """A slider that goes where it is clicked and shows on its track what happened when.

    `loop_marked` comes when an interval was marked on it: dragged over with shift held.
    """

    loop_marked = pyqtSignal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = DARK
        self._extents: tuple[Extent, ...] = ()
        self._intervals: list[list[Interval]] = []
        self._rows: tuple[str, ...] = ()
        self._divergences: dict[int, int] = {}
        self._track: QPixmap | None = None
        self._loop: tuple[int, int] | None = None
        self._marking: int | None = None
        self.setFixedHeight(HEIGHT_PX)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(400, self.height())

    def show_recordings(self, extents: Sequence[Extent]) -> None:
        """What happened in each."""
        self._extents = tuple(extents)
        self._rows = rows_of(extents)[0]
        self._intervals = []
        self._divergences = {}
        for extent in extents:
            pairs = Intervals(keep_ticks=self.maximum() + 1)
            for event in extent.events:
                pairs.add([event], event.tick)
            self._intervals.append(pairs.within(extent.first_tick, extent.last_tick + 1))
        self.setFixedHeight(HEIGHT_PX if len(extents) == 1 else BAND_PX * len(extents))
        self._redraw()

    def show_divergence(self, number: int, tick: int) -> None:
        """Marks where a recording leaves the first of them."""
        self._divergences[number] = tick
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
        height = self.height() / max(len(self._extents), 1)
        for number, extent in enumerate(self._extents):
            self._draw_band(painter, number, extent, number * height, height)
        for number, tick in self._divergences.items():
            x = self._x_of(tick)
            for band in (0, number):
                top = band * height
                painter.fillRect(QRectF(x - 1, top, 2, height - 2), QColor(self._theme.accent))
        painter.end()
        return track

    def _draw_band(
        self, painter: QPainter, number: int, extent: Extent, top: float, height: float
    ) -> None:
        left, right = self._x_of(extent.first_tick), self._x_of(extent.last_tick)
        between = 0 if len(self._extents) == 1 else 2
        painter.fillRect(
            QRectF(left, top, right - left, height - between), QColor(self._theme.plot)
        )
        row_height = (height - between) / (len(self._rows) + 1)
        for interval in self._intervals[number]:
            if interval.kind == "stimulus":
                row, look = len(self._rows), stimulus_look(self._theme, interval.sham)
            elif interval.name in self._rows:
                row = self._rows.index(interval.name)
                look = look_of(self._theme, interval.name)
            else:
                continue
            begin = extent.first_tick if interval.began_tick is None else interval.began_tick
            end = extent.last_tick + 1 if interval.end_tick is None else interval.end_tick
            start = max(self._x_of(begin), left)
            width = max(min(self._x_of(end), right) - start, 1.0)
            bar = QRectF(start, top + row * row_height + 0.5, width, max(row_height - 1, 1.0))
            painter.fillRect(bar, faint(look))
