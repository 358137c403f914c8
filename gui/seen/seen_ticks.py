"""Which ticks of a session a display has counted: what a replay shows twice counts once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Span = tuple[int, int]
"""From the first tick up to and with the last."""


class SeenTicks:
    """A set of ticks, a byte each.

    >>> seen = SeenTicks()
    >>> seen.add([3, 4, 5, 9])
    >>> seen.spans(), seen.count, seen.has([5, 6, -1]).tolist()
    ([(3, 5), (9, 9)], 4, [True, False, False])
    """

    def __init__(self) -> None:
        self._there = np.zeros(0, bool)
        self.count = 0

    def has(self, ticks: ArrayLike) -> NDArray[np.bool_]:
        """Which of these ticks are in it."""
        asked = np.asarray(ticks, np.int64)
        inside = (asked >= 0) & (asked < len(self._there))
        inside[inside] = self._there[asked[inside]]
        return inside

    def add(self, ticks: ArrayLike) -> None:
        """These ticks, too; none of them below 0."""
        new = np.asarray(ticks, np.int64)
        if not len(new):
            return
        most = int(new.max()) + 1
        if most > len(self._there):
            grown = np.zeros(max(most, 2 * len(self._there), 4096), bool)
            grown[: len(self._there)] = self._there
            self._there = grown
        new = np.unique(new)
        self.count += int((~self._there[new]).sum())
        self._there[new] = True

    def spans(self) -> list[Span]:
        """Its ticks as stretches without holes, in the order of time."""
        edges = np.flatnonzero(np.diff(self._there.astype(np.int8), prepend=0, append=0))
        return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
