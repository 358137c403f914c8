"""Which units were changed at which ticks: what of the raster is lit during a stimulus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gui.seen.activity import MOST_TICKS
from rig.bus.message_types import EngineReply, LayerInfo, Message


@dataclass(frozen=True)
class Stretch:
    """Units (by their places among all, sorted) that were changed from `first` up to and with `last`."""

    first: int
    last: int
    units: NDArray[np.int64]


class StimulatedUnits:
    """Collects the units of every tick from the engine's replies; drops what is older than the raster."""

    def __init__(self, layers: Sequence[LayerInfo] = ()) -> None:
        self._first: dict[str, tuple[int, int]] = {}
        begin = 0
        for layer in layers:
            self._first[layer.name] = (begin, layer.n_units)
            begin += layer.n_units
        self._stretches: list[Stretch] = []

    def add(self, replies: Sequence[Message]) -> None:
        """Takes replies in, oldest first; what one decides acts at the tick after it."""
        for message in replies:
            reply = message.content
            if not isinstance(reply, EngineReply) or not reply.interventions:
                continue
            found = [
                self._places(entry.layer, message.arrays.get(f"{index}.units"))
                for index, entry in enumerate(reply.interventions)
            ]
            units = np.unique(np.concatenate(found))
            tick = message.tick + 1
            last = self._stretches[-1] if self._stretches else None
            if last is not None and last.last == tick - 1 and np.array_equal(last.units, units):
                self._stretches[-1] = replace(last, last=tick)
            elif len(units):
                self._stretches.append(Stretch(tick, tick, units))
        if replies:
            oldest = replies[-1].tick - 2 * MOST_TICKS
            self._stretches = [each for each in self._stretches if each.last >= oldest]

    def clear(self) -> None:
        """Forgets what was changed."""
        self._stretches = []

    def within(self, first: int, last: int) -> list[Stretch]:
        """The stretches that touch these ticks."""
        return [each for each in self._stretches if each.last >= first and each.first <= last]

    def _places(self, layer: str, units: NDArray[np.int64] | None) -> NDArray[np.int64]:
        begin, n_units = self._first.get(layer, (0, 0))
        if units is None:
            return np.zeros(0, np.int64)
        return units[(units >= 0) & (units < n_units)] + begin


def spans(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Sorted rows as spans of neighbours, each from its first up to and without its second number."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > 1)
    begins = rows[np.concatenate([[0], breaks + 1])]
    ends = rows[np.concatenate([breaks, [len(rows) - 1]])] + 1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))
