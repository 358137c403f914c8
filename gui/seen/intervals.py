"""Intervals of behaviours and stimuli, paired from onset and offset events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gui.seen.activity import MOST_TICKS
from rig.bus.message_types import Event


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

    def __init__(self, keep_ticks: int = 2 * MOST_TICKS) -> None:
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
