"""The activity of every unit over the last ten seconds: its numbers, z-scores, and orders of the units.

A ring of one column per tick, and the running mean and variance of every unit. The z-score is taken when
it is drawn, with the statistics of that moment, so that early columns are corrected as the estimate
settles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rig.bus.message_types import Message

WINDOW_TICKS = 500
MEMORY_TICKS = 3000
SETTLING_TICKS = 50
Z_RANGE = 3.0
ORDERS = {
    "number": "as numbered",
    "mean": "by mean",
    "deviation": "by deviation",
    "peak": "by time of peak",
}
"""Orders of the units of a layer, highest or first on top; taken when chosen, so that rows stand still."""
KINDS = {
    "c_applied": "cell state c",
    "h_applied": "hidden state h",
    "c_natural": "cell state c, natural",
    "h_natural": "hidden state h, natural",
}


class UnitStatistics:
    """Running mean and variance of every unit over about the last minute (`MEMORY_TICKS`).

    Until a unit has been seen for a while its variance leans on the median variance of all units, so that
    the first seconds neither saturate nor flicker.
    """

    def __init__(self, n_units: int) -> None:
        self.n = 0.0
        self.mean = np.zeros(n_units)
        self._sum_of_squares = np.zeros(n_units)

    def add(self, columns: NDArray[np.float32]) -> None:
        """Takes new activity in, (n_units, n_ticks); ticks that are not finite count for nothing."""
        columns = columns[:, np.isfinite(columns).all(axis=0)].astype(np.float64)
        n_new = columns.shape[1]
        if n_new == 0:
            return
        if self.n + n_new > MEMORY_TICKS:
            keep = max(MEMORY_TICKS - n_new, 0) / max(self.n, 1.0)
            self._sum_of_squares *= keep
            self.n *= keep
        mean = columns.mean(axis=1)
        spread = ((columns - mean[:, None]) ** 2).sum(axis=1)
        total = self.n + n_new
        step = mean - self.mean
        self._sum_of_squares += spread + step**2 * (self.n * n_new / total)
        self.mean += step * (n_new / total)
        self.n = total

    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation of every unit, (n_units,), never zero."""
        variance = self._sum_of_squares / max(self.n, 1.0)
        prior = float(np.median(variance)) if len(variance) else 1.0
        settled = (variance * self.n + prior * SETTLING_TICKS) / (self.n + SETTLING_TICKS)
        result: NDArray[np.float64] = np.sqrt(np.maximum(settled, 1e-12))
        return result


class ActivityWindow:
    """The last `WINDOW_TICKS` ticks of every kind of activity; ticks that were lost stay empty."""

    def __init__(self, n_units: int) -> None:
        self.n_units = n_units
        self.last_tick = -1
        self._ring = {kind: np.zeros((n_units, WINDOW_TICKS), np.float32) for kind in KINDS}
        self._filled = np.zeros(WINDOW_TICKS, bool)
        self._statistics = {kind: UnitStatistics(n_units) for kind in KINDS}

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in ticks, oldest first; a tick older than the newest one is ignored."""
        ticks = [message for message in ticks if message.tick > self.last_tick]
        if not ticks:
            return
        newest = ticks[-1].tick
        start = newest - WINDOW_TICKS if self.last_tick < 0 else self.last_tick
        skipped = np.arange(max(start + 1, newest - WINDOW_TICKS + 1), newest + 1)
        numbers = np.array([message.tick for message in ticks])
        kept = numbers > newest - WINDOW_TICKS
        for kind, ring in self._ring.items():
            if kind not in ticks[0].arrays:
                continue
            columns = np.stack([message.arrays[kind] for message in ticks], axis=1)
            self._statistics[kind].add(columns)
            ring[:, numbers[kept] % WINDOW_TICKS] = columns[:, kept]
        self._filled[skipped % WINDOW_TICKS] = False
        self._filled[numbers[kept] % WINDOW_TICKS] = True
        self.last_tick = newest

    def levels(self, kind: str, out: NDArray[np.uint8]) -> None:
        """Writes the window as colour levels, oldest tick left: 0 is z = -3, 254 is z = 3, 255 is empty.

        Args:
            kind: one of `KINDS`.
            out: (n_units, WINDOW_TICKS), overwritten.
        """
        ring, statistics = self._ring[kind], self._statistics[kind]
        scale = (127.0 / (Z_RANGE * statistics.deviation())).astype(np.float32)[:, None]
        shift = 127.5 - statistics.mean.astype(np.float32)[:, None] * scale
        split = (self.last_tick + 1) % WINDOW_TICKS
        for part, place in (
            (ring[:, split:], slice(0, WINDOW_TICKS - split)),
            (ring[:, :split], slice(WINDOW_TICKS - split, WINDOW_TICKS)),
        ):
            level = part * scale
            level += shift
            np.clip(level, 0.0, 254.9, out=level)
            out[:, place] = level
        holes = ~np.concatenate([self._filled[split:], self._filled[:split]])
        if holes.any():
            out[:, holes] = 255

    def values(self, unit: int) -> dict[str, NDArray[np.float32]]:
        """Every kind of activity of one unit over the window, oldest first, NaN where a tick is missing."""
        places = np.arange(self.last_tick + 1, self.last_tick + 1 + WINDOW_TICKS) % WINDOW_TICKS
        there = self._filled[places]
        return {
            kind: np.where(there, ring[unit, places], np.float32(np.nan))
            for kind, ring in self._ring.items()
        }

    def order(self, kind: str, by: str) -> NDArray[np.intp]:
        """The units from first to last, by one of `ORDERS`, of what is known now."""
        statistics = self._statistics[kind]
        if by == "mean":
            return np.argsort(-statistics.mean, kind="stable")
        if by == "deviation":
            return np.argsort(-statistics.deviation(), kind="stable")
        if by == "peak":
            places = np.arange(self.last_tick + 1, self.last_tick + 1 + WINDOW_TICKS) % WINDOW_TICKS
            seen = np.where(self._filled[places], self._ring[kind][:, places], -np.inf)
            return np.argsort(np.argmax(seen, axis=1), kind="stable")
        return np.arange(self.n_units)


def fit_rows(levels: NDArray[np.uint8], n_rows: int) -> NDArray[np.uint8]:
    """The image with as many rows as the screen has for it, each blended from the two nearest.

    Done here on the levels, because Qt would do it on the colours and for ten times the work. Columns of
    255 (no data) stay 255, and no blend of others becomes 255.
    """
    source = np.linspace(0, len(levels) - 1, n_rows)
    above = np.minimum(source.astype(np.intp), len(levels) - 2)
    weight = np.round((source - above) * 256).astype(np.uint16)[:, None]
    blend: NDArray[np.uint16] = levels[above] * (256 - weight) + levels[above + 1] * weight
    return (blend >> 8).astype(np.uint8)
