"""The faults of a session: what lasts still, and what is over."""

from __future__ import annotations

from collections.abc import Iterator

from rig.bus.message_types import Fault, KnownFault

KEPT = 200
"""Faults that are remembered; a process that fails again and again must not fill the memory."""


class FaultLog:
    """Every fault with its ticks, oldest first; the same live, from a status, and from a recording."""

    def __init__(self) -> None:
        self._known: list[KnownFault] = []

    def __iter__(self) -> Iterator[KnownFault]:
        return iter(self._known)

    def add(self, fault: Fault, tick: int) -> None:
        """Takes a fault in that was said at a tick; one that is over ends the one that it speaks of."""
        if fault.over:
            for place, known in enumerate(self._known):
                if known.over_tick < 0 and (known.source, known.name) == (fault.source, fault.name):
                    self._known[place] = KnownFault(
                        known.source, known.name, known.sentence, known.tick, max(tick, known.tick)
                    )
            return
        over_tick = -1 if fault.name else tick
        self._known.append(KnownFault(fault.source, fault.name, fault.sentence, tick, over_tick))
        del self._known[:-KEPT]

    def newest(self, count: int) -> tuple[KnownFault, ...]:
        """The last so many, and before them what lasts of the others."""
        older = [known for known in self._known[:-count] if known.over_tick < 0]
        return (*older, *self._known[-count:])

    @property
    def present(self) -> str:
        """The newest fault that lasts, as a sentence; "" where none does."""
        return next((each.sentence for each in reversed(self._known) if each.over_tick < 0), "")
