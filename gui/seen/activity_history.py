"""The activity of the last seconds, tick by tick, and which behaviour went on at each: for a trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gui.seen.activity import KINDS
from gui.seen.intervals import Intervals
from rig.bus.message_types import EngineReply, Message

KEPT_TICKS = 1000
LOST_TICKS = 50
"""After a gap of so many ticks, or one back, what comes does not follow what was."""


class ActivityHistory:
    """Every kind of activity (`gui.seen.activity.KINDS`) of all units over the last `KEPT_TICKS` ticks.

    `last_tick` is the newest; -1 before the first.
    """

    def __init__(self, n_units: int) -> None:
        self.n_units = n_units
        self.last_tick = -1
        self._rings = {kind: np.zeros((KEPT_TICKS, n_units), np.float32) for kind in KINDS}
        self._ticks = np.full(KEPT_TICKS, -1, np.int64)
        self._intervals = Intervals(keep_ticks=KEPT_TICKS)

    def clear(self) -> None:
        """Forgets everything."""
        self._ticks[:] = -1
        self.last_tick = -1
        self._intervals.clear()

    def add(self, ticks: Sequence[Message], answers: Sequence[Message]) -> None:
        """Takes in ticks and what was found in them."""
        for message in ticks:
            if not self.last_tick < message.tick <= self.last_tick + LOST_TICKS:
                self._ticks[:] = -1
            self.last_tick = message.tick
            place = message.tick % KEPT_TICKS
            fits = True
            for kind, ring in self._rings.items():
                values = message.arrays.get(kind)
                if values is None or values.shape != (self.n_units,):
                    fits = False
                else:
                    ring[place] = values
            self._ticks[place] = message.tick if fits else -1
        for message in answers:
            if isinstance(message.content, EngineReply):
                events = [each for each in message.content.events if each.kind == "behaviour"]
                self._intervals.add(events, message.tick)

    def known(self, first_tick: int) -> NDArray[np.int64]:
        """The ticks from this one on that are known, in order."""
        wanted = np.arange(max(first_tick, self.last_tick + 1 - KEPT_TICKS, 0), self.last_tick + 1)
        return wanted[self._ticks[wanted % KEPT_TICKS] == wanted]

    def values(self, kind: str, ticks: NDArray[np.int64], units: slice) -> NDArray[np.float32]:
        """Activity at ticks that are known, (ticks, units) float32, a copy."""
        return self._rings[kind][ticks % KEPT_TICKS, units]

    def behaviours(self, ticks: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """The names of those that went on, and for each tick the number of one of them; -1: none.

        Where several did, it is the one that began last.
        """
        names: dict[str, int] = {}
        codes = np.full(len(ticks), -1, np.int64)
        if len(ticks) == 0:
            return (), codes
        found = self._intervals.within(int(ticks[0]), int(ticks[-1]))
        for each in sorted(found, key=lambda interval: interval.began_tick or -1):
            begin = -1 if each.began_tick is None else each.began_tick
            end = int(ticks[-1]) + 1 if each.end_tick is None else each.end_tick
            inside = (ticks >= begin) & (ticks < end)
            if inside.any():
                codes[inside] = names.setdefault(each.name, len(names))
        shown, numbers = np.unique(codes[codes >= 0], return_inverse=True)
        kept = list(names)
        codes[codes >= 0] = numbers
        return tuple(kept[each] for each in shown), codes
