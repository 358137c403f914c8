"""The operator's marks in the timeline: notes, keys that were pressed, and when the protocol was disarmed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from gui.look.behaviour_style import Look
from gui.look.theme import Theme
from gui.streams.recorder_watch import clock
from gui.timeline.bars import Bars
from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import TICK_S, Description, Message, Tick

NEAR_PX = 6.0
"""A pointer that is so near to a note is on it."""
MOST_KEYS, MOST_DRAWN = 2000, 1000
FLAG_PX, WIDEST_FLAG_PX, LEAST_FLAG_PX = 19.0, 240.0, 34.0


@dataclass(frozen=True)
class _Mark:
    """A line at a tick, with words where there is room; `sure`: the session has brought it."""

    tick: int
    words: str
    is_note: bool
    sure: bool = True


class _Lines(pg.GraphicsObject):  # type: ignore[misc]
    """Lines at ticks; with `flags` they carry their words at the lower edge of their plot."""

    def __init__(self, box: pg.ViewBox, flags: bool) -> None:
        super().__init__()
        self._box = box
        self._flags = flags
        self._marks: Sequence[_Mark] = ()
        self._theme: Theme | None = None
        self.setZValue(20)

    def show_marks(self, marks: Sequence[_Mark], theme: Theme) -> None:
        """Replaces what is drawn."""
        if marks or self._marks:
            self.prepareGeometryChange()
            self._marks, self._theme = marks, theme
            self.update()

    def boundingRect(self) -> QRectF:
        """What Qt asks for: all that is seen."""
        return QRectF(self._box.viewRect())

    def paint(self, p: QPainter, *args: object) -> None:
        """Draws them in pixels."""
        theme = self._theme
        if theme is None or not self._marks:
            return
        seen = p.transform().mapRect(self.boundingRect())
        xs = [p.transform().map(QPointF((mark.tick + 0.5) * TICK_S, 0)).x() for mark in self._marks]
        p.save()
        p.resetTransform()
        p.setClipRect(seen)
        lines: dict[tuple[bool, bool], list[QLineF]] = {}
        for mark, x in zip(self._marks, xs, strict=True):
            line = QLineF(x, seen.top(), x, seen.bottom())
            lines.setdefault((mark.is_note, mark.sure), []).append(line)
        for (is_note, sure), alike in lines.items():
            style = Qt.PenStyle.SolidLine if sure else Qt.PenStyle.DashLine
            p.setPen(QPen(QColor(theme.accent if is_note else theme.muted), 1, style))
            p.drawLines(*alike)
        if self._flags:
            p.setBrush(QColor(theme.raised))
            for mark, flag, words in self._arranged(xs, seen, QFontMetricsF(p.font())):
                p.setPen(self._colour(mark, theme))
                p.drawRect(flag)
                p.setPen(QColor(theme.text))
                p.drawText(flag, Qt.AlignmentFlag.AlignCenter, words)
        p.restore()

    def _arranged(
        self, xs: Sequence[float], seen: QRectF, metrics: QFontMetricsF
    ) -> list[tuple[_Mark, QRectF, str]]:
        """The flags for which there is room: notes up to the next note, then keys between them."""
        both = list(zip(self._marks, xs, strict=True))
        notes = [(mark, x) for mark, x in both if mark.is_note]
        found: list[tuple[_Mark, QRectF, str]] = []
        for number, (mark, x) in enumerate(notes):
            following = notes[number + 1][1] if number + 1 < len(notes) else seen.right()
            room = min(following - x - 2, WIDEST_FLAG_PX)
            if room >= LEAST_FLAG_PX:
                words = metrics.elidedText(mark.words, Qt.TextElideMode.ElideRight, room - 8)
                found.append((mark, _flag(x, words, seen, metrics), words))
        for mark, x in both:
            if mark.is_note:
                continue
            flag = _flag(x, mark.words, seen, metrics)
            if not any(flag.intersects(other) for _, other, _ in found):
                found.append((mark, flag, mark.words))
        return found

    @staticmethod
    def _colour(mark: _Mark, theme: Theme) -> QColor:
        return QColor(theme.accent if mark.is_note else theme.muted)


def _flag(x: float, words: str, seen: QRectF, metrics: QFontMetricsF) -> QRectF:
    width = metrics.horizontalAdvance(words) + 8
    return QRectF(x, seen.bottom() - FLAG_PX, width, FLAG_PX)


class SessionMarks:
    """Keeps them as they come with ticks, or as a recording has them, and draws those that are seen.

    Args:
        raster, ethogram: the plots, whose x axis is animal time in seconds.
        theme: its colours.

    Attributes:
        notes: (tick, text) in the order of ticks.
        spans: from which tick to which, not included, the protocol was disarmed; -1: still.
    """

    def __init__(self, raster: pg.PlotItem, ethogram: pg.PlotItem, theme: Theme) -> None:
        self._theme = theme
        self._box = raster.getViewBox()
        self.notes: list[tuple[int, str]] = []
        self.spans: list[tuple[int, int]] = []
        self._keys: deque[tuple[int, str]] = deque(maxlen=MOST_KEYS)
        self._expected: list[tuple[int, str]] = []
        self._recorded = False
        self._last_tick = -1
        self._rows: list[int] = []
        self._lines = [_Lines(self._box, True), _Lines(ethogram.getViewBox(), False)]
        self._bars = Bars()
        self._ethogram = ethogram.getViewBox()
        for plot, lines in zip((raster, ethogram), self._lines, strict=True):
            plot.addItem(lines, ignoreBounds=True)
        ethogram.addItem(self._bars, ignoreBounds=True)
        self._bars.setZValue(-4)  # below what was detected; a plot raises what is added

    def describe(self, description: Description) -> None:
        """Another session."""
        if not self._recorded:
            self.notes, self._expected = [], []
            self.spans = [] if description.armed else [(0, -1)]

    def show_recorded(
        self, notes: Sequence[tuple[int, str]], disarmed: Sequence[tuple[int, int]]
    ) -> None:
        """All that a recording has, whatever of it is played."""
        self._recorded = True
        self.notes, self.spans = list(notes), list(disarmed)
        self._keys.clear()

    def reset(self) -> None:
        """Another stream begins."""
        self._recorded = False
        self.notes, self.spans, self._expected = [], [], []
        self._keys.clear()

    def clear(self) -> None:
        """What comes next does not follow what was shown."""
        self._keys.clear()

    def expect(self, tick: int, text: str, sent: bool = True) -> None:
        """A note that this window has sent and that no tick has brought yet; or that was refused."""
        if sent:
            self._expected.append((tick, text))
        elif (tick, text) in self._expected:
            self._expected.remove((tick, text))
        else:
            return
        self.draw(self._last_tick)

    def join(self, armed: bool, tick: int) -> None:
        """A session that was joined at a tick was armed or disarmed before."""
        if not armed and not self.spans:
            self.spans = [(tick, -1)]

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in what came from outside with these ticks."""
        for message in ticks:
            content = message.content
            for given in content.inputs if isinstance(content, Tick) else ():
                if given.kind == "key":
                    self._keys.append((message.tick, given.name))
                elif self._recorded:
                    continue
                elif given.kind == "note":
                    tick = given.args.get("tick", message.tick)
                    # a replay on the bus that goes back brings it again
                    if (tick, given.name) not in self._notes_within(tick, tick):
                        insort(self.notes, (tick, given.name), key=lambda note: note[0])
                    self.expect(tick, given.name, sent=False)
                elif given.kind in ("arm", "disarm"):
                    self._arm(given.kind == "arm", message.tick + 1)

    def _arm(self, armed: bool, tick: int) -> None:
        is_open = bool(self.spans) and self.spans[-1][1] < 0
        known = any(tick == first for first, _ in self.spans)  # seen before a replay went back
        if not armed and not is_open and not known:
            self.spans.append((tick, -1))
        elif armed and is_open:
            self.spans[-1] = (self.spans[-1][0], tick)

    def armed_at(self, tick: int) -> bool:
        """Whether the protocol's rules fired at a tick."""
        return not any(first <= tick and (end < 0 or tick < end) for first, end in self.spans)

    def draw(self, last_tick: int, rows: Sequence[tuple[str, str]] | None = None) -> None:
        """Draws what is seen.

        Args:
            last_tick: the newest.
            rows: kind and name of those of the ethogram; None: as before.
        """
        self._last_tick = last_tick
        if rows is not None:
            self._rows = [
                place
                for place, (kind, name) in enumerate(rows)
                if kind == "stimulus" and name != OUTSIDE
            ]
        (begin_s, end_s), _ = self._box.viewRange()
        first, last = int(begin_s / TICK_S) - 1, int(end_s / TICK_S) + 1
        marks = [_Mark(tick, text, True) for tick, text in self._notes_within(first, last)]
        marks += [_Mark(tick, text, True, False) for tick, text in self._expected]
        marks += [_Mark(tick, key.upper(), False) for tick, key in self._keys]
        marks = [mark for mark in marks if first <= mark.tick <= min(last, last_tick)]
        marks = sorted(marks, key=lambda mark: mark.tick)[-MOST_DRAWN:]
        for lines in self._lines:
            lines.show_marks(marks, self._theme)
        look = Look(self._theme.warning, "hatch")
        bars = []
        for start, end in self.spans:
            stop = min(last_tick + 1 if end < 0 else end, last_tick + 1)
            if start <= last and stop >= first and stop > start:
                begin, long = start * TICK_S, (stop - start) * TICK_S
                bars += [(QRectF(begin, row, long, 1.0), look) for row in self._rows]
        self._bars.show_bars(bars, QRectF(self._ethogram.viewRect()))

    def under(self, time_s: float) -> str:
        """What note, or what key, is at a time; "" for none."""
        pixel_s = float(self._box.viewPixelSize()[0])
        near = round(NEAR_PX * pixel_s / TICK_S) + 1
        tick = int(time_s / TICK_S)
        found = self._notes_within(tick - near, tick + near)
        if found:
            at, text = min(found, key=lambda note: abs(note[0] - tick))
            return f"note at {clock(at * TICK_S)}: {text}"
        keys = [each for each in self._keys if abs(each[0] - tick) <= near]
        if keys:
            at, key = min(keys, key=lambda each: abs(each[0] - tick))
            return f"key {key.upper()} at {clock(at * TICK_S)}"
        return ""

    def set_theme(self, theme: Theme) -> None:
        """Recolours with the next drawing."""
        self._theme = theme

    def _notes_within(self, first: int, last: int) -> list[tuple[int, str]]:
        begin = bisect_left(self.notes, first, key=lambda note: note[0])
        end = bisect_left(self.notes, last + 1, key=lambda note: note[0])
        return self.notes[begin:end]
