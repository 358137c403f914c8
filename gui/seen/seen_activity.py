"""What has been seen of the units in a live session: their mean so far, and the last ten seconds of each.

Both are of natural activity, as the network computed it, and of both states: what a stimulus by hand holds
units at, or gives back to them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rig.bus.message_types import Message

KEPT_TICKS = 500
STATES = ("c", "h")


class SeenActivity:
    """The natural activity of all units, as it comes.

    Args:
        n_units: of all layers.
    """

    def __init__(self, n_units: int) -> None:
        self.n_ticks = 0
        self.last_tick = -1
        self._sums = {state: np.zeros(n_units) for state in STATES}
        self._ring = {state: np.zeros((KEPT_TICKS, n_units), np.float32) for state in STATES}
        self._tick_at = np.full(KEPT_TICKS, -1, np.int64)

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes ticks in, oldest first; what is not finite counts for nothing."""
        for message in ticks:
            found = {
                state: values
                for state in STATES
                if (values := message.arrays.get(f"{state}_natural")) is not None
                and values.shape == self._sums[state].shape
                and np.isfinite(values).all()
            }
            if message.tick <= self.last_tick or len(found) < len(STATES):
                continue
            place = message.tick % KEPT_TICKS
            for state, values in found.items():
                self._sums[state] += values
                self._ring[state][place] = values
            self._tick_at[place] = message.tick
            self.last_tick = message.tick
            self.n_ticks += 1

    def mean(self, state: str, units: Sequence[int]) -> NDArray[np.float32] | None:
        """The mean of each of these units, (units,) float32; None where no tick has been seen.

        Args:
            state: "c" or "h".
            units: by their numbers over all layers.
        """
        if not self.n_ticks:
            return None
        return np.asarray(self._sums[state][list(units)] / self.n_ticks, np.float32)

    def course(
        self, state: str, units: Sequence[int], first: int, last: int
    ) -> NDArray[np.float32] | None:
        """What these units did, tick by tick: (ticks, units) float32; None where a tick was not seen.

        Args:
            state: "c" or "h".
            units: by their numbers over all layers.
            first, last: of the ticks, both included; the last `KEPT_TICKS` are kept.
        """
        ticks = np.arange(first, last + 1)
        if not 0 < len(ticks) <= KEPT_TICKS or first < 0:
            return None
        places = ticks % KEPT_TICKS
        if not np.array_equal(self._tick_at[places], ticks):
            return None
        return np.ascontiguousarray(self._ring[state][places][:, list(units)])
