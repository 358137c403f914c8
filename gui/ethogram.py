"""The ethogram: what the animal does and what was done to it, as bars on the raster's time axis.

`Intervals` pairs onsets with offsets, `Ethogram` draws them: one row per behaviour, one per stimulus,
delivered stimuli filled and shams hollow. A bar begins where the behaviour began; hovering also tells
when it was detected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QColor, QPainter

from gui.activity import WINDOW_TICKS
from gui.theme import Theme
from rig.bus.message_types import EngineReply, Event, Message

BAR_HEIGHT = 0.68


@dataclass(frozen=True)
class Interval:
    """Something that lasts: a behaviour, a stimulus, a sham; ticks as in `rig.bus.message_types.Event`.

    `began_tick` None: it was going on before the first tick that is known here; `end_tick` None: it still is.
    """

    kind: str
    name: str
    number: int
    sham: bool
    cause: str
    began_tick: int | None
    found_tick: int | None
    end_tick: int | None


class Intervals:
    """The intervals of the last `keep_ticks` ticks, paired from onset and offset events."""

    def __init__(self, keep_ticks: int = 2 * WINDOW_TICKS) -> None:
        self._keep_ticks = keep_ticks
        self._open: dict[tuple[str, str, int], Interval] = {}
        self._closed: list[Interval] = []

    def clear(self) -> None:
        """Forgets everything."""
        self._open.clear()
        self._closed.clear()

    def add(self, events: Sequence[Event], tick: int) -> None:
        """Takes in the events found at a tick."""
        for event in events:
            key = (event.kind, event.name, event.number)
            if event.phase == "onset":
                self._open[key] = Interval(
                    event.kind,
                    event.name,
                    event.number,
                    event.sham,
                    event.cause,
                    event.began_tick,
                    event.tick,
                    None,
                )
                continue
            began = self._open.pop(key, None) or Interval(
                event.kind, event.name, event.number, event.sham, event.cause, None, None, None
            )
            self._closed.append(replace(began, end_tick=event.tick))
        if self._closed and (self._closed[0].end_tick or 0) < tick - self._keep_ticks:
            self._closed = [
                interval
                for interval in self._closed
                if (interval.end_tick or 0) >= tick - self._keep_ticks
            ]

    def within(self, first_tick: float, last_tick: float) -> list[Interval]:
        """The intervals that touch this span."""
        return [
            interval
            for interval in (*self._closed, *self._open.values())
            if (interval.end_tick is None or interval.end_tick >= first_tick)
            and (interval.began_tick is None or interval.began_tick <= last_tick)
        ]


class Bars(pg.GraphicsObject):  # type: ignore[misc]
    """Draws rectangles given in data coordinates: (rectangle, colour, filled)."""

    def __init__(self) -> None:
        super().__init__()
        self._bars: list[tuple[QRectF, QColor, bool]] = []
        self._bounds = QRectF()

    def show_bars(self, bars: list[tuple[QRectF, QColor, bool]], bounds: QRectF) -> None:
        """Replaces what is drawn."""
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self._bars = bars
        self.update()

    def boundingRect(self) -> QRectF:
        """What Qt asks for."""
        return self._bounds

    def paint(self, p: QPainter, *args: object) -> None:
        """Fills or outlines every bar; hollow ones with a line one pixel and a half wide."""
        for rect, colour, filled in self._bars:
            if filled:
                p.fillRect(rect, colour)
            else:
                pen = pg.mkPen(colour, width=1.5)
                pen.setCosmetic(True)
                p.setPen(pen)
                p.drawRect(rect)


class Ethogram:
    """The ethogram in a plot whose x axis is animal time in seconds and whose y axis counts rows."""

    def __init__(self, plot: pg.PlotItem, theme: Theme) -> None:
        self.plot = plot
        self._theme = theme
        self._intervals = Intervals()
        self._rows: list[tuple[str, str]] = []
        self._colours: dict[str, int] = {}
        self._tick_s = 0.02
        self._first_tick = -1
        self._last_tick = -1
        self._drawn: list[tuple[QRectF, Interval]] = []
        self._decoration: list[pg.GraphicsObject] = []
        self._bars = Bars()
        plot.addItem(self._bars)
        plot.invertY(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def describe(
        self,
        behaviours: Sequence[str],
        stimuli: Sequence[str],
        tick_s: float,
        rows: tuple[Sequence[str], Sequence[str]] | None = None,
    ) -> None:
        """Prepares rows for these behaviours and stimuli; for fewer, or others, where `rows` has them."""
        self._colours = {name: place for place, name in enumerate(behaviours)}
        shown = rows or (behaviours, stimuli)
        self._rows = [("behaviour", name) for name in shown[0]]
        self._rows += [("stimulus", name) for name in shown[1]]
        self._tick_s = tick_s
        self.clear()
        self._decorate()

    def clear(self) -> None:
        """Forgets what happened, keeps the rows."""
        self._intervals.clear()
        self._first_tick = self._last_tick = -1

    def add(self, answers: Sequence[Message], ticks: Sequence[Message]) -> None:
        """Takes in what was found, and how far time has come, without drawing."""
        for message in ticks:
            if self._first_tick < 0:
                self._first_tick = message.tick
            self._last_tick = max(self._last_tick, message.tick)
        for message in answers:
            if isinstance(message.content, EngineReply):
                self._intervals.add(message.content.events, message.tick)

    def draw(self) -> None:
        """Draws the last ten seconds as they are now."""
        if self._last_tick < 0:
            return
        now = self._last_tick + 1
        start = now - WINDOW_TICKS
        self._drawn = []
        bars: list[tuple[QRectF, QColor, bool]] = []
        for interval in self._intervals.within(start, now):
            try:
                row = self._rows.index((interval.kind, interval.name))
            except ValueError:
                continue
            begin = max(
                self._first_tick if interval.began_tick is None else interval.began_tick, start
            )
            end = now if interval.end_tick is None else min(interval.end_tick, now)
            if end <= begin:
                continue
            rect = QRectF(
                begin * self._tick_s,
                row + (1 - BAR_HEIGHT) / 2,
                (end - begin) * self._tick_s,
                BAR_HEIGHT,
            )
            self._drawn.append((rect, interval))
            bars.append((rect, self._colour(row), not interval.sham))
        self._bars.show_bars(
            bars,
            QRectF(start * self._tick_s, 0, WINDOW_TICKS * self._tick_s, max(len(self._rows), 1)),
        )

    def stimuli(self) -> list[tuple[float, float, Interval]]:
        """The stimuli and shams that were drawn last: from when to when (s)."""
        return [
            (rect.left(), rect.right(), interval)
            for rect, interval in self._drawn
            if interval.kind == "stimulus"
        ]

    def stimuli_now(self) -> list[Interval]:
        """The stimuli and shams that go on at the newest tick, drawn or not."""
        now = self._last_tick
        return [
            interval
            for interval in self._intervals.within(now, now)
            if interval.kind == "stimulus" and interval.end_tick != now
        ]

    def under(self, time_s: float, row: float) -> str:
        """The interval drawn at this place, in words; "" where there is none."""
        for rect, interval in reversed(self._drawn):
            if rect.adjusted(-0.03, 0, 0.03, 0).contains(QPointF(time_s, row)):
                return self._words(interval)
        return ""

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self._decorate()

    def _words(self, interval: Interval) -> str:
        name = interval.name.replace("_", " ")
        if interval.kind == "stimulus":
            name += " (sham: drawn and timed, not delivered)" if interval.sham else " (delivered)"
        if interval.began_tick is None:
            when = "began before what is shown"
        else:
            when = f"onset {interval.began_tick * self._tick_s:.2f} s"
            if interval.found_tick is not None and interval.found_tick > interval.began_tick:
                when += f", detected at {interval.found_tick * self._tick_s:.2f} s"
        if interval.end_tick is None:
            lasted = "still going on"
        elif interval.began_tick is None:
            lasted = f"ended {interval.end_tick * self._tick_s:.2f} s"
        else:
            length_ms = (interval.end_tick - interval.began_tick) * self._tick_s * 1000
            lasted = f"lasted {length_ms:.0f} ms"
        cause = f", on {interval.cause}" if interval.cause else ""
        return f"{name}   {when}, {lasted}{cause}"

    def _colour(self, row: int) -> QColor:
        kind, name = self._rows[row]
        if kind == "stimulus":
            return QColor(self._theme.stimulus)
        return QColor(self._theme.behaviour(self._colours.get(name, row)))

    def _decorate(self) -> None:
        for item in self._decoration:
            self.plot.removeItem(item)
        self._decoration.clear()
        names = [(row + 0.5, name.replace("_", " ")) for row, (_, name) in enumerate(self._rows)]
        self.plot.getAxis("left").setTicks([names])
        n_behaviours = sum(kind == "behaviour" for kind, _ in self._rows)
        for row in range(1, len(self._rows)):
            line = pg.InfiniteLine(
                row,
                angle=0,
                pen=pg.mkPen(
                    QColor(self._theme.muted if row == n_behaviours else self._theme.line)
                ),
            )
            line.setZValue(-5)
            self.plot.addItem(line)
            self._decoration.append(line)
        rows = max(len(self._rows), 1)
        self.plot.setLimits(yMin=0, yMax=rows)
        self.plot.setYRange(0, rows, padding=0)
