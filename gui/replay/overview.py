"""The slider of a replay: what happened when in each recording, on a time axis, and where the replay is.

Each recording has a band of its own, as long as it lasts. Where the pointer rests, it says what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QSlider, QToolTip, QWidget

from gui.look.behaviour_style import faint, look_of, stimulus_look
from gui.look.theme import DARK, Theme
from gui.look.time_axis import axis_time, time_steps
from gui.seen.intervals import Interval, Intervals
from gui.seen.markers import Extent, rows_of

HEIGHT_PX = 34
BAND_PX = 26
"""Heights of the band of one recording alone, and of one among several."""
AXIS_PX = 17
EDGE_PX = 5
ANNOTATED_PX = 5
"""Of the strip below a recording's band, where people annotated it."""
MOST_WORDS = 8
"""So many things are named at once where the pointer is."""


@dataclass(frozen=True)
class Annotated:
    """Something that people annotated: up to, not including, `end_tick`; its colour, and what to call it."""

    first_tick: int
    end_tick: int
    colour: str
    words: str


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
        self._hovered: float | None = None
        self._tick_s = 0.02
        self._annotated: tuple[Annotated, ...] = ()
        self.setFixedHeight(HEIGHT_PX + AXIS_PX)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(400, self.height())

    def show_recordings(self, extents: Sequence[Extent], tick_s: float = 0.02) -> None:
        """What happened in each; `tick_s`: seconds of a tick."""
        self._extents = tuple(extents)
        self._tick_s = tick_s
        self._annotated = ()
        self._rows = rows_of(extents)[0]
        self._intervals = []
        self._divergences = {}
        for extent in extents:
            pairs = Intervals(keep_ticks=extent.last_tick + 1 - min(extent.first_tick, 0))
            for event in extent.events:
                pairs.add([event], event.tick)
            self._intervals.append(pairs.within(extent.first_tick, extent.last_tick + 1))
        bands = HEIGHT_PX if len(extents) == 1 else BAND_PX * len(extents)
        self.setFixedHeight(bands + AXIS_PX)
        self._redraw()

    def show_annotations(self, annotated: Sequence[Annotated]) -> None:
        """What people annotated in the one recording that is shown."""
        self._annotated = tuple(annotated)
        self._redraw()

    def words_at(self, position: QPointF) -> str:
        """What is at a place, in lines: the time and tick, the trial, what goes on; "" beside the bands."""
        if not self._extents or not 0 <= position.y() < self._bands_px:
            return ""
        tick = self._value_at(position.x())
        number = min(int(position.y() / self._band_px), len(self._extents) - 1)
        extent = self._extents[number]
        own = tick + extent.offset
        lines = [f"{axis_time(own * self._tick_s, 0.02)}   tick {own}"]
        if len(self._extents) > 1:
            lines[0] = f"{extent.name}   {lines[0]}"
        if not extent.first_tick <= tick <= extent.last_tick:
            return "\n".join([*lines, "nothing recorded"])
        begun = [start for start in extent.trial_starts if start <= tick]
        lines[0] += f"   trial {extent.first_trial + len(begun)}" if begun else ""
        going_on = [
            each
            for each in self._intervals[number]
            if (each.began_tick is None or each.began_tick <= tick)
            and (each.end_tick is None or tick < each.end_tick)
        ]
        stimuli = [each for each in going_on if each.kind == "stimulus"]
        names = [each.name.replace("_", " ") for each in going_on if each.kind == "behaviour"]
        names += [f"{each.name}{' (sham)' if each.sham else ''}" for each in stimuli]
        names += [each.words for each in self._annotated if each.first_tick <= tick < each.end_tick]
        if len(names) > MOST_WORDS:
            names = [*names[:MOST_WORDS], f"and {len(names) - MOST_WORDS} more"]
        return "\n".join([*lines, *names])

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
        x, bands = self._x_of(self.value()), self._bands_px
        ahead = QColor(self._theme.panel)
        ahead.setAlpha(120)
        painter.fillRect(QRectF(x, 0, self.width() - EDGE_PX - x, bands), ahead)
        if self._hovered is not None:
            painter.fillRect(QRectF(self._hovered - 0.5, 0, 1, bands), QColor(self._theme.muted))
        if self._loop is not None:
            left, right = self._x_of(self._loop[0]), self._x_of(self._loop[1] + 1)
            inside = QColor(self._theme.text)
            inside.setAlpha(48)
            width = max(right - left, 3.0)
            painter.fillRect(QRectF(left, 0, width, bands), inside)
            painter.setPen(QColor(self._theme.text))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(left, 0.5, width, bands - 1))
        painter.fillRect(QRectF(x - 1, 0, 2, bands), QColor(self._theme.text))
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
        words = self.words_at(event.position())
        self._hovered = self._x_of(tick) if words else None
        QToolTip.showText(event.globalPosition().toPoint(), words, self)
        self.update()

    def leaveEvent(self, event: QEvent | None) -> None:
        """The pointer is elsewhere."""
        self._hovered = None
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Stays there; what was marked is a loop."""
        if self._marking is not None and self._loop is not None:
            self.loop_marked.emit(*self._loop)
        self._marking = None
        self.setSliderDown(False)

    @property
    def _bands_px(self) -> int:
        return self.height() - AXIS_PX

    @property
    def _band_px(self) -> float:
        return self._bands_px / max(len(self._extents), 1)

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
        height = self._band_px
        for number, extent in enumerate(self._extents):
            self._draw_band(painter, number, extent, number * height, height)
        for number, tick in self._divergences.items():
            x = self._x_of(tick)
            for band in (0, number):
                top = band * height
                painter.fillRect(QRectF(x - 1, top, 2, height - 2), QColor(self._theme.accent))
        for each in self._annotated:
            left = self._x_of(each.first_tick)
            width = max(self._x_of(each.end_tick) - left, 1.0)
            bar = QRectF(left, self._bands_px - ANNOTATED_PX, width, ANNOTATED_PX - 1)
            painter.fillRect(bar, QColor(each.colour))
        self._draw_axis(painter)
        painter.end()
        return track

    def _draw_axis(self, painter: QPainter) -> None:
        """Times in m:ss below the bands, as many as have room."""
        font = painter.font()
        font.setPointSizeF(8.0)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        first, last = self.minimum() * self._tick_s, (self.maximum() + 1) * self._tick_s
        room = metrics.horizontalAdvance(axis_time(last, 0.1)) + 28
        n = max(int((self.width() - 2 * EDGE_PX) / room), 1)
        times, step = time_steps(first, last, n)
        top = self._bands_px
        for time_s in times:
            x = self._x_of(time_s / self._tick_s)
            painter.fillRect(QRectF(x - 0.5, top, 1, 3), QColor(self._theme.muted))
            words = axis_time(time_s, step)
            width = metrics.horizontalAdvance(words)
            left = min(max(x - width / 2, 0.0), self.width() - width - 1.0)
            painter.setPen(QColor(self._theme.text))
            painter.drawText(QPointF(left, top + 3 + metrics.ascent()), words)

    def _draw_band(
        self, painter: QPainter, number: int, extent: Extent, top: float, height: float
    ) -> None:
        left, right = self._x_of(extent.first_tick), self._x_of(extent.last_tick)
        between = ANNOTATED_PX + 1 if self._annotated else 0 if len(self._extents) == 1 else 2
        painter.fillRect(
            QRectF(left, top, right - left, height - between), QColor(self._theme.plot)
        )
        for trial_start in extent.trial_starts:
            line = QColor(self._theme.muted)
            line.setAlpha(90)
            painter.fillRect(QRectF(self._x_of(trial_start) - 0.5, top, 1, height - between), line)
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
