"""How much activity differs from one event to the next, over the time around it (Churchland et al. 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Squares:
    """Windows around events of each episode, as sums of values and of squares.

    Attributes:
        values: (episodes, ticks, units).
        squares: (episodes, ticks, units).
        counts: (episodes,) events.
    """

    values: Array
    squares: Array
    counts: Array

    def deviation(self, episodes: Sequence[int]) -> Array:
        """The standard deviation over events of each unit at each tick, (ticks, units); of one event NaN.

        Args:
            episodes: those that count, each as often as it is named.
        """
        weight = np.bincount(np.asarray(episodes, int), minlength=len(self.counts))
        n = int(weight @ self.counts)
        if n < 2:
            return np.full(self.values.shape[1:], np.nan)
        total, square = np.tensordot(weight, self.values, 1), np.tensordot(weight, self.squares, 1)
        return np.sqrt(np.maximum(square - total**2 / n, 0) / (n - 1))


def squares_of(windows: Sequence[Array]) -> Squares:
    """The sums of windows (events, ticks, units) of each episode.

    >>> found = squares_of([np.array([[[1.0]], [[3.0]]]), np.array([[[5.0]]])])
    >>> found.deviation([0, 1]).tolist()
    [[2.0]]
    """
    return Squares(
        np.stack([each.sum(0, dtype=np.float64) for each in windows]),
        np.stack([(each.astype(np.float64) ** 2).sum(0) for each in windows]),
        np.array([len(each) for each in windows]),
    )
