"""How sure the detectors were of each behaviour, tick by tick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gui.activity import MOST_TICKS
from rig.bus.message_types import Message

MOST_LEVELS = 1000
"""So many steps can be told apart on a screen; of more, neighbours are averaged."""


class ConfidenceHistory:
    """The confidences of the last `MOST_TICKS` ticks, as answers bring them (array `confidence`).

    Every detector of the rig gives one at every tick; where it follows events of the task, it is 0 or 1.
    """

    def __init__(self, n_behaviours: int) -> None:
        self._ring = np.full((n_behaviours, MOST_TICKS), np.nan, np.float32)
        self._ticks = np.full(MOST_TICKS, -1, np.int64)

    def clear(self) -> None:
        """Forgets everything."""
        self._ticks[:] = -1

    def add(self, answer: Message) -> None:
        """Takes in an answer; one without confidences, or with those of other behaviours, has none."""
        values = answer.arrays.get("confidence")
        if values is not None and values.shape == (len(self._ring),) and answer.tick >= 0:
            place = answer.tick % MOST_TICKS
            self._ring[:, place] = values
            self._ticks[place] = answer.tick

    def at(self, behaviour: int, tick: int) -> float:
        """That of a behaviour, by its place among all, at a tick; NaN where it is not known."""
        place = tick % MOST_TICKS
        return float(self._ring[behaviour, place]) if self._ticks[place] == tick else float("nan")

    def levels(self, behaviour: int, first: int, last: int) -> NDArray[np.float32] | None:
        """Those of the ticks from `first` up to `last`, not included, in equal steps, at most `MOST_LEVELS`.

        Where one is not known it is that of the tick before; None where hardly any is known.
        """
        ticks = np.arange(first, last)
        places = ticks % MOST_TICKS
        known = (self._ticks[places] == ticks) & np.isfinite(self._ring[behaviour, places])
        if len(ticks) == 0 or known.mean() < 0.5:
            return None
        # of a tick that is not known the last that is; before the first, the first
        last_known = np.maximum.accumulate(np.where(known, np.arange(len(ticks)), -1))
        last_known[last_known < 0] = int(np.argmax(known))
        values = self._ring[behaviour, places[last_known]]
        every = -(-len(values) // MOST_LEVELS)
        if every > 1:
            starts = np.arange(0, len(values), every)
            values = np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))
        return np.clip(values, 0.0, 1.0).astype(np.float32)
