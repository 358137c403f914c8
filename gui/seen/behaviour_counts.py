"""How often, how long, and for which share of the time the animal did what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gui.seen.markers import Extent
from rig.bus.message_types import TICK_S, Event


@dataclass(frozen=True)
class BehaviourSummary:
    """A behaviour in what was seen: bouts, bouts a minute, their mean length, its share of the time.

    `mean_s` is of the bouts whose beginning and end were seen; None where there is none yet.
    """

    name: str
    count: int
    per_minute: float
    mean_s: float | None
    share: float


class BehaviourCounts:
    """Counts bouts from events; `first_tick` and `last_tick` are what was seen, -1 before anything was."""

    def __init__(self) -> None:
        self.first_tick = self.last_tick = -1
        self._counts: dict[str, int] = {}
        self._whole: dict[str, tuple[int, int]] = {}  # bouts, and ticks of them together
        self._ticks: dict[str, int] = {}  # of all bouts that are over
        self._open: dict[tuple[str, int], int | None] = {}

    def see(self, first: int, last: int) -> None:
        """These ticks were seen."""
        self.first_tick = first if self.first_tick < 0 else min(self.first_tick, first)
        self.last_tick = max(self.last_tick, last)

    def add(self, events: Iterable[Event]) -> None:
        """Takes in what was found; what is no behaviour is passed over, and what came before as well."""
        for event in events:
            if event.kind != "behaviour":
                continue
            name, key = event.name, (event.name, event.number)
            if event.phase == "onset":
                if key not in self._open:
                    self._counts[name] = self._counts.get(name, 0) + 1
                    self._open[key] = event.began_tick
                continue
            known = key in self._open
            began = self._open.pop(key, None)
            if not known:  # it went on when this began
                self._counts[name] = self._counts.get(name, 0) + 1
            since = max(self.first_tick, 0) if began is None else began
            length = max(event.tick - since, 0)
            self._ticks[name] = self._ticks.get(name, 0) + length
            if began is not None:
                bouts, ticks = self._whole.get(name, (0, 0))
                self._whole[name] = (bouts + 1, ticks + length)

    @property
    def seen_s(self) -> float:
        """How much time was seen."""
        return 0.0 if self.first_tick < 0 else (self.last_tick + 1 - self.first_tick) * TICK_S

    def summaries(self) -> list[BehaviourSummary]:
        """Every behaviour that was seen, in the order in which they came."""
        seen_s = self.seen_s
        if seen_s <= 0:
            return []
        going_on: dict[str, int] = {}
        for (name, _), began in self._open.items():
            since = self.first_tick if began is None else max(began, self.first_tick)
            going_on[name] = going_on.get(name, 0) + max(self.last_tick + 1 - since, 0)
        found = []
        for name, count in self._counts.items():
            bouts, ticks = self._whole.get(name, (0, 0))
            total_s = (self._ticks.get(name, 0) + going_on.get(name, 0)) * TICK_S
            found.append(
                BehaviourSummary(
                    name,
                    count,
                    60.0 * count / seen_s,
                    ticks * TICK_S / bouts if bouts else None,
                    min(total_s / seen_s, 1.0),
                )
            )
        return found


def counts_of(extent: Extent) -> BehaviourCounts:
    """Those of a whole recording."""
    counts = BehaviourCounts()
    counts.see(extent.first_tick, extent.last_tick)
    counts.add(extent.events)
    return counts
