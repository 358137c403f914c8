"""The ethogram: what the animal does and what was done to it, as bars on the raster's time axis.

One row for each behaviour that has happened, for what the task says, and for each stimulus; the rest is
folded away until it happens or is asked for. A bar begins where the behaviour began, and is filled as high as
the detector was sure; faint between bars, where it was not sure enough. Hovering tells when it was detected.
Where nothing was detected, because there was no stimulation engine, the rows are hatched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QColor, QFont

from gui.look.behaviour_style import Bar, LevelBar, Look, look_of, stimulus_look
from gui.look.theme import Theme
from gui.seen.activity import WINDOW_TICKS
from gui.seen.confidence import ConfidenceHistory, ConfidenceWindow
from gui.seen.intervals import Interval, Intervals
from gui.timeline.bars import Bars
from gui.timeline.task_rows import ROWS, TaskRows
from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import EngineReply, Message

BAR_HEIGHT = 0.68
SMALL_ROW_PX = 13
"""Rows that are lower have smaller names."""
STOPPED = "detection has stopped"
DRY_RUN = "dry run"
"""The kind, and the name of the row, of what a protocol that was not run would have stimulated."""
LEAST_SURE, QUITE_SURE = 0.05, 0.97
_Row = tuple[str, str]


class Ethogram:
    """The ethogram in a plot whose x axis is animal time in seconds and whose y axis counts rows.

    `expanded`: whether rows are shown in which nothing has happened. `blinded`: whether shams look like
    stimuli that were delivered. `rows_changed` is true once after other rows are to be shown. `window_ticks`:
    how much is drawn; `held_tick`: the first tick that is not, None while it follows. `recorded_task_events`,
    set before a recording is described: those of all of it, each with its tick and trial.
    """

    def __init__(self, plot: pg.PlotItem, theme: Theme) -> None:
        self.plot = plot
        self.expanded = False
        self.blinded = False
        self.rows_changed = False
        self.window_ticks = WINDOW_TICKS
        self.held_tick: int | None = None
        self._theme = theme
        self._intervals = Intervals()
        self._confidence = ConfidenceHistory(0)
        self._behaviours: dict[str, int] = {}
        self.task = TaskRows()
        self.recorded_task_events: tuple[tuple[int, int, str], ...] | None = None
        self._with_task = True
        self._all: list[_Row] = []
        self._happened: set[_Row] = set()
        self._rows: list[_Row] = []
        self._gaps: tuple[tuple[int, int], ...] = ()
        self._dry_run: tuple[Interval, ...] = ()
        self._tick_s = 0.02
        self._first_tick = -1
        self._last_tick = -1
        self._drawn: list[tuple[QRectF, Interval]] = []
        self._decoration: list[pg.GraphicsObject] = []
        self._bars = Bars()
        self._note = pg.TextItem(STOPPED, anchor=(0, 0))
        self._note.setZValue(5)
        plot.addItem(self._bars)
        plot.addItem(self._note, ignoreBounds=True)
        self._note.hide()
        plot.invertY(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)

    @property
    def rows(self) -> tuple[_Row, ...]:
        """The kinds and names of the rows that are shown."""
        return tuple(self._rows)

    @property
    def n_folded(self) -> int:
        """How many rows are not shown, because nothing has happened in them."""
        return len(self._all) - len(self._shown(expanded=False))

    def describe(
        self,
        behaviours: Sequence[str],
        stimuli: Sequence[str],
        tick_s: float,
        rows: tuple[Sequence[str], Sequence[str]] | None = None,
    ) -> None:
        """Prepares for these behaviours and stimuli.

        Args:
            behaviours, stimuli: all that there may be.
            tick_s: seconds of a tick.
            rows: those of which it is known that they happen; None: what the protocol may deliver, to begin
                with.
        """
        more = rows or ((), ())  # of a recording beside this one, perhaps
        self._all = [("behaviour", name) for name in dict.fromkeys((*behaviours, *more[0]))]
        self._behaviours = {name: place for place, name in enumerate(behaviours)}
        self._confidence = ConfidenceHistory(len(behaviours))
        self.task = TaskRows(self.recorded_task_events)
        self._all += [("task", name) for name in ROWS if self._with_task]
        self._all += [("stimulus", name) for name in dict.fromkeys((*stimuli, *more[1]))]
        happens = rows or ((), tuple(name for name in stimuli if name != OUTSIDE))
        self._happened = {("behaviour", name) for name in happens[0]}
        self._happened |= {("stimulus", name) for name in happens[1]}
        self._tick_s = tick_s
        self.clear()
        self._choose_rows()

    def clear(self) -> None:
        """Forgets what happened, keeps the rows."""
        self._intervals.clear()
        self._confidence.clear()
        self.task.clear()
        self._first_tick = self._last_tick = -1

    def add(self, answers: Sequence[Message], ticks: Sequence[Message]) -> None:
        """Takes in what was found, and how far time has come, without drawing."""
        for message in ticks:
            if self._first_tick < 0:
                self._first_tick = message.tick
            self._last_tick = max(self._last_tick, message.tick)
        self.task.add(answers, ticks)
        for name in self.task.happened:
            self._note_row(("task", name))
        for message in answers:
            self._confidence.add(message)
            if isinstance(message.content, EngineReply):
                self._intervals.add(message.content.events, message.tick)
                for event in message.content.events:
                    self._note_row((event.kind, event.name))

    def expand(self, expanded: bool) -> None:
        """Shows all rows, or only those in which something has happened."""
        self.expanded = expanded
        self._choose_rows()

    def show_task(self, shown: bool) -> None:
        """Whether there are rows for what the task says, from the next description on."""
        self._with_task = shown

    def show_gaps(self, gaps: Sequence[tuple[int, int]]) -> None:
        """From when to when (ticks) nothing was detected; an end of -1: nothing is yet."""
        self._gaps = tuple(gaps)

    def show_dry_run(self, intervals: Sequence[Interval]) -> None:
        """What another protocol would have stimulated, in a row of its own below the others; none: no row."""
        self._dry_run = tuple(replace(each, kind=DRY_RUN) for each in intervals)
        self._choose_rows()

    def draw(self) -> None:
        """Draws the window as it is now."""
        if self._last_tick < 0:
            return
        now = self._last_tick + 1 if self.held_tick is None else self.held_tick
        start = now - self.window_ticks
        bars = self._draw_gaps(start, now)
        self._drawn = []
        places = {row: place for place, row in enumerate(self._rows)}
        first = max(start, self._first_tick)
        confidence = self._confidence.window(first, max(now, first))
        levels = self._unsure(confidence, first, now, places)
        for interval in (*self._intervals.within(start, now), *self._dry_run):
            dry = interval.kind == DRY_RUN
            row = places.get((interval.kind, DRY_RUN if dry else interval.name))
            if row is None:
                continue
            begin = max(
                self._first_tick if interval.began_tick is None else interval.began_tick, start
            )
            end = now if interval.end_tick is None else min(interval.end_tick, now)
            if end <= begin:
                continue
            rect = self._rect(begin, end, row + (1 - BAR_HEIGHT) / 2, BAR_HEIGHT)
            self._drawn.append((rect, interval))
            number = self._behaviours.get(interval.name) if interval.kind == "behaviour" else None
            sure = None if number is None else confidence.levels(number, begin, end)
            if sure is None or sure.min() > QUITE_SURE:
                bars.append((rect, self._look(interval)))
            else:
                levels.append(LevelBar(rect, self._look(interval), sure))
        task = {name: place for (kind, name), place in places.items() if kind == "task"}
        marks, flow = self.task.draw(start, now, task, self._theme, self._tick_s, self.blinded)
        rows = max(len(self._rows), 1)
        self._bars.show_bars(bars + marks, self._rect(start, now, 0, rows), levels + flow)

    def _unsure(
        self, confidence: ConfidenceWindow, start: int, now: int, places: dict[_Row, int]
    ) -> list[LevelBar]:
        """How sure detectors were all along, faint, below the bars."""
        found = []
        for (kind, name), row in places.items():
            number = self._behaviours.get(name) if kind == "behaviour" else None
            sure = None if number is None else confidence.levels(number, start, now)
            if sure is not None and sure.max() > LEAST_SURE:
                rect = self._rect(start, now, row + (1 - BAR_HEIGHT) / 2, BAR_HEIGHT)
                look = Look(look_of(self._theme, name).colour, "faint")
                found.append(LevelBar(rect, look, sure))
        return found

    def stimuli(self) -> list[tuple[float, float, Interval]]:
        """The stimuli and shams that were drawn last: from when to when (s)."""
        return [
            (rect.left(), rect.right(), interval)
            for rect, interval in self._drawn
            if interval.kind == "stimulus"
        ]

    def drawn(self) -> list[Interval]:
        """All that was drawn last."""
        return [interval for _, interval in self._drawn]

    def stimuli_now(self) -> list[Interval]:
        """The stimuli and shams that go on at the newest tick, drawn or not."""
        now = self._last_tick
        return [
            interval
            for interval in self._intervals.within(now, now)
            if interval.kind == "stimulus" and interval.end_tick != now
        ]

    def under(self, time_s: float, row: float) -> str:
        """What is drawn at this place, in words; "" where there is nothing."""
        for rect, interval in reversed(self._drawn):
            if rect.adjusted(-0.03, 0, 0.03, 0).contains(QPointF(time_s, row)):
                return self._words(interval, time_s)
        if words := self.task.under(time_s, row):
            return words
        for first, last in self._gaps:
            if first <= time_s / self._tick_s and (last < 0 or time_s / self._tick_s < last):
                return f"{STOPPED}: there was no stimulation engine"
        return ""

    def named_at(self, position: QPointF) -> str:
        """The behaviour whose name beside the plot is at this place of the scene; "": none."""
        if not self.plot.getAxis("left").sceneBoundingRect().contains(position):
            return ""
        row = math.floor(self.plot.getViewBox().mapSceneToView(position).y())
        kind, name = self._rows[row] if 0 <= row < len(self._rows) else ("", "")
        return name if kind == "behaviour" else ""

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self._note.setColor(QColor(theme.text))
        self._note.fill = pg.mkBrush(QColor(theme.plot))
        self._decorate()

    def set_row_height(self, height_px: int) -> None:
        """How high the rows are on the screen: low ones have small names."""
        font = QFont(self.plot.getAxis("left").style["tickFont"] or QFont())
        font.setPointSizeF(8.5 if height_px >= SMALL_ROW_PX else 6.5)
        self.plot.getAxis("left").setStyle(tickFont=font)
        self._note.setFont(font)

    def _note_row(self, row: _Row) -> None:
        if row not in self._happened and row in self._all:
            self._happened.add(row)
            self._choose_rows()

    def _shown(self, expanded: bool) -> list[_Row]:
        return [row for row in self._all if expanded or row in self._happened]

    def _choose_rows(self) -> None:
        rows = self._shown(self.expanded)
        if self._dry_run:
            rows.append((DRY_RUN, DRY_RUN))
        self.rows_changed = self.rows_changed or rows != self._rows
        self._rows = rows
        self._decorate()

    def _rect(self, first: int, last: int, top: float, height: float) -> QRectF:
        return QRectF(first * self._tick_s, top, (last - first) * self._tick_s, height)

    def _draw_gaps(self, start: int, now: int) -> list[Bar]:
        rows = sum(kind == "behaviour" for kind, _ in self._rows) or len(self._rows)
        bars: list[Bar] = []
        for first, last in self._gaps:
            begin, end = max(first, start), now if last < 0 else min(last, now)
            if end > begin:
                look = Look(self._theme.muted, "hatch")
                bars.append((self._rect(begin, end, 0, rows), look))
        self._note.setVisible(bool(bars))
        if bars:
            self._note.setPos(bars[-1][0].left(), self.plot.getViewBox().viewRange()[1][0])
        return bars

    def _look(self, interval: Interval) -> Look:
        if interval.kind == DRY_RUN:
            return Look(self._theme.muted if interval.sham else self._theme.accent, "outline")
        if interval.kind == "stimulus":
            return stimulus_look(self._theme, interval.sham, self.blinded)
        return look_of(self._theme, interval.name)

    def _words(self, interval: Interval, time_s: float) -> str:
        name = interval.name.replace("_", " ")
        if interval.kind == "stimulus" and self.blinded:
            name += " (delivered or sham: blinded until the end)"
        elif interval.kind == DRY_RUN:
            name += f" (dry run: {'a sham' if interval.sham else 'it'} would have been here)"
        elif interval.kind == "stimulus":
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
        number = self._behaviours.get(interval.name) if interval.kind == "behaviour" else None
        sure = math.nan
        if number is not None:
            sure = self._confidence.at(number, math.floor(time_s / self._tick_s))
        confidence = "" if math.isnan(sure) else f", confidence here {sure:.2f}"
        return f"{name}   {when}, {lasted}{cause}{confidence}"

    def _decorate(self) -> None:
        for item in self._decoration:
            self.plot.removeItem(item)
        self._decoration.clear()
        names = [(row + 0.5, name.replace("_", " ")) for row, (_, name) in enumerate(self._rows)]
        self.plot.getAxis("left").setTicks([names])
        for row in range(1, len(self._rows)):
            other = self._rows[row][0] != self._rows[row - 1][0]
            colour = self._theme.muted if other else self._theme.line
            line = pg.InfiniteLine(row, angle=0, pen=pg.mkPen(QColor(colour)))
            line.setZValue(-5)
            self.plot.addItem(line)
            self._decoration.append(line)
