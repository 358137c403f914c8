"""How sure the detectors were of each behaviour, tick by tick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gui.seen.activity import MOST_TICKS
from rig.bus.message_types import Message

MOST_LEVELS = 150
"""So many steps can be told apart in a bar; of more, neighbours are averaged."""
Floats = NDArray[np.float32]


class ConfidenceHistory:
    """The confidences of the last `MOST_TICKS` ticks, as answers bring them (array `confidence`).

    Every detector of the rig gives one at every tick; where it follows events of the task, it is 0 or 1.
    """

    def __init__(self, n_behaviours: int) -> None:
        self._ring = np.zeros((n_behaviours, MOST_TICKS), np.float32)
        self._ticks = np.full(MOST_TICKS, -1, np.int64)

    def clear(self) -> None:
        """Forgets everything."""
        self._ticks[:] = -1

    def add(self, answer: Message) -> None:
        """Takes in an answer; one without confidences, or with those of other behaviours, has none."""
        values = answer.arrays.get("confidence")
        if values is None or values.shape != (len(self._ring),) or answer.tick < 0:
            return
        if np.isfinite(values).all():
            place = answer.tick % MOST_TICKS
            self._ring[:, place] = values
            self._ticks[place] = answer.tick

    def at(self, behaviour: int, tick: int) -> float:
        """That of a behaviour, by its place among all, at a tick; NaN where it is not known."""
        place = tick % MOST_TICKS
        return float(self._ring[behaviour, place]) if self._ticks[place] == tick else float("nan")

    def window(self, first: int, last: int) -> ConfidenceWindow:
        """Those of the ticks from `first` up to `last`, not included."""
        places = np.arange(first, last) % MOST_TICKS
        known = self._ticks[places] == np.arange(first, last)
        values = self._ring[:, places]
        if not known.all() and known.any():
            # of a tick that is not known the last that is; before the first, the first
            latest = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))
            latest[latest < 0] = int(np.argmax(known))
            values = values[:, latest]
        np.clip(values, 0.0, 1.0, out=values)
        return ConfidenceWindow(first, values, known)


class ConfidenceWindow:
    """The confidences of a stretch of ticks, as they are drawn.

    Args:
        first: the first tick.
        values: (behaviours, ticks), 0 to 1; where one is not known, that of the tick before.
        known: (ticks,), which are.
    """

    def __init__(self, first: int, values: Floats, known: NDArray[np.bool_]) -> None:
        self._first, self._values = first, values
        self._n_known = np.concatenate([[0], np.cumsum(known)])

    def levels(self, behaviour: int, first: int, last: int) -> Floats | None:
        """Those of a behaviour in equal steps, at most `MOST_LEVELS`; None where fewer than half are known.

        Args:
            behaviour: its place among all.
            first, last: the first tick, and the one after the last.
        """
        begin, end = max(first - self._first, 0), max(last - self._first, 0)
        values = self._values[behaviour, begin:end]
        n = len(values)
        if n == 0 or 2 * (self._n_known[begin + n] - self._n_known[begin]) < n:
            return None
        every = -(-n // MOST_LEVELS)
        if every == 1:
            return values
        starts = np.arange(0, n, every)
        sums = np.add.reduceat(values, starts)
        return (sums / np.diff(np.append(starts, n))).astype(np.float32)
