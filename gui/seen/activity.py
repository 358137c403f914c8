"""The activity of every unit over the last minute: its numbers, and z-scores as colour levels.

A ring of one column per tick, and the running mean and variance of every unit. The z-score is taken when
it is drawn, with the statistics of that moment, so that early columns are corrected as the estimate
settles. Where a window is so long that several ticks share a column of the picture, their mean is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rig.bus.message_types import Message

WINDOW_TICKS = 500
"""How much is shown until another length is chosen."""
LEAST_TICKS, MOST_TICKS = 100, 3000
MOST_COLUMNS = 1000
"""Of a picture: more ticks share columns, two or three each."""
_RING_TICKS = 3060
"""A multiple of 2 and 3, with room for a column that is not complete yet."""
_AHEAD_TICKS = 6
MEMORY_TICKS = 3000
SETTLING_TICKS = 50
Z_RANGE = 3.0
EMPTY = 255
"""The level where nothing is known."""
KINDS = {
    "c_applied": "cell c",
    "h_applied": "hidden h",
    "c_natural": "natural c",
    "h_natural": "natural h",
}


def ticks_per_column(n_ticks: int) -> int:
    """How many ticks share a column of a picture of so many ticks: 1 to 3."""
    return max(1, -(-n_ticks // MOST_COLUMNS))


class UnitStatistics:
    """Running mean and variance of every unit over about the last minute (`MEMORY_TICKS`).

    Until a unit has been seen for a while its variance leans on the median variance of all units, so that
    the first seconds neither saturate nor flicker.
    """

    def __init__(self, n_units: int) -> None:
        self.n = 0.0
        self.mean = np.zeros(n_units)
        self._sum_of_squares = np.zeros(n_units)

    def copy(self) -> UnitStatistics:
        """The same, as it is now."""
        other = UnitStatistics(len(self.mean))
        other.n, other.mean = self.n, self.mean.copy()
        other._sum_of_squares = self._sum_of_squares.copy()
        return other

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
    """The last `MOST_TICKS` ticks of every kind of activity; ticks that were lost stay empty.

    Attributes:
        n_units: units.
        last_tick: the newest; -1 before the first.
        statistics: of every kind, as of now.
    """

    def __init__(self, n_units: int) -> None:
        self.n_units = n_units
        self.last_tick = -1
        self.statistics = {kind: UnitStatistics(n_units) for kind in KINDS}
        self._ring = {kind: np.zeros((n_units, _RING_TICKS), np.float32) for kind in KINDS}
        self._filled = np.zeros(_RING_TICKS, bool)
        self._shared = _SharedColumns()

    def clear(self) -> None:
        """Forgets everything; the memory stays its own, for a replay that jumps does so often."""
        self.last_tick = -1
        self.statistics = {kind: UnitStatistics(self.n_units) for kind in KINDS}
        self._filled[:] = False
        self._shared = _SharedColumns()

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in ticks, oldest first; a tick older than the newest one is ignored."""
        ticks = [message for message in ticks if message.tick > self.last_tick]
        if not ticks:
            return
        newest = ticks[-1].tick
        start = newest - _RING_TICKS if self.last_tick < 0 else self.last_tick
        skipped = np.arange(max(start + 1, newest - _RING_TICKS + 1), newest + 1 + _AHEAD_TICKS)
        numbers = np.array([message.tick for message in ticks])
        kept = numbers > newest - MOST_TICKS
        places = numbers[kept] % _RING_TICKS
        for kind, ring in self._ring.items():
            if kind not in ticks[0].arrays:
                continue
            columns = np.stack([message.arrays[kind] for message in ticks], axis=1)
            self.statistics[kind].add(columns)
            ring[:, places] = columns[:, kept]
        self._filled[skipped % _RING_TICKS] = False
        self._filled[places] = True
        self.last_tick = newest

    def copy(self) -> ActivityWindow:
        """The same, as it is now."""
        other = ActivityWindow(self.n_units)
        other.last_tick = self.last_tick
        other.statistics = {kind: each.copy() for kind, each in self.statistics.items()}
        other._ring = {kind: ring.copy() for kind, ring in self._ring.items()}
        other._filled = self._filled.copy()
        return other

    def known(self, first: int, stop: int) -> NDArray[np.bool_]:
        """Which of these ticks are there, (stop - first,)."""
        ticks = np.arange(first, stop)
        there = (ticks > self.last_tick - MOST_TICKS) & (ticks <= self.last_tick)
        return there & self._filled[ticks % _RING_TICKS]

    def block(
        self, kind: str, first: int, stop: int, units: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Activity of units (None: all) at these ticks, (units, stop - first), NaN where there is none."""
        places = np.arange(first, stop) % _RING_TICKS
        ring = self._ring[kind]
        values = ring[:, places] if units is None else ring[np.ix_(units, places)]
        values[:, ~self.known(first, stop)] = np.nan
        return values

    def values(
        self, unit: int, n_ticks: int = WINDOW_TICKS, end: int | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Every kind of activity of one unit, oldest first, NaN where a tick is missing.

        Args:
            unit: its number.
            n_ticks: how many.
            end: the first tick that is not among them; None: all up to the newest.
        """
        stop = self.last_tick + 1 if end is None else end
        chosen = np.array([unit])
        return {kind: self.block(kind, stop - n_ticks, stop, chosen)[0] for kind in KINDS}

    def levels(
        self, kind: str, out: NDArray[np.uint8], end: int | None = None, per_column: int = 1
    ) -> int:
        """Writes z-scores as colour levels, oldest left: 0 is z = -3, 254 is z = 3, 255 is empty.

        Args:
            kind: one of `KINDS`.
            out: (n_units, n_columns), overwritten.
            end: the first tick that is not shown; None: all up to the newest.
            per_column: ticks of a column. Columns begin at multiples of it, so that the picture does not
                flicker as it moves; the last one may reach beyond `end`.

        Returns:
            The first tick of the first column.
        """
        stop = self.last_tick + 1 if end is None else end
        n_columns = out.shape[1]
        last = -(-stop // per_column)  # columns, counted from tick 0
        first = last - n_columns
        if per_column == 1:
            ring, size = self._ring[kind], _RING_TICKS
            there = self.known(first, last)
        else:
            ring, size = self._shared.means(self, kind, per_column), _RING_TICKS // per_column
            there = self.known(first * per_column, last * per_column)
            there = np.asarray(there.reshape(-1, per_column).any(axis=1))
        statistics = self.statistics[kind]
        scale = (127.0 / (Z_RANGE * statistics.deviation())).astype(np.float32)[:, None]
        shift = 127.5 - statistics.mean.astype(np.float32)[:, None] * scale
        begin = first % size
        split = min(size - begin, n_columns)
        for part, place in (
            (ring[:, begin : begin + split], slice(0, split)),
            (ring[:, : n_columns - split], slice(split, n_columns)),
        ):
            level = part * scale
            level += shift
            np.clip(level, 0.0, 254.9, out=level)
            out[:, place] = level
        if not there.all():
            out[:, ~there] = EMPTY
        return first * per_column


class _SharedColumns:
    """Means over neighbouring ticks of the ring, for one kind and width at a time, kept up as ticks come."""

    def __init__(self) -> None:
        self._of: tuple[str, int] = ("", 0)
        self._done = 0  # columns before this one are as they will be
        self._means = np.zeros((0, 0), np.float32)

    def means(self, window: ActivityWindow, kind: str, width: int) -> NDArray[np.float32]:
        """(n_units, ring's ticks / width): a column's place is its number modulo how many there are.

        Args:
            window: whose; always the same. Were it kept, the two would outlive their use together.
            kind, width: of which activity, and of how many ticks a column is the mean.
        """
        n_columns = _RING_TICKS // width
        newest = window.last_tick // width
        if self._of != (kind, width):
            self._of, self._done = (kind, width), newest - n_columns + 1
            self._means = np.zeros((window.n_units, n_columns), np.float32)
        first = max(self._done, newest - n_columns + 1)
        for column, stop in _without_wrap(first, newest + 1, n_columns):
            ring = window._ring[kind][:, column * width : stop * width]
            there = window._filled[column * width : stop * width]
            total = np.zeros((window.n_units, stop - column), np.float32)
            number = np.zeros(stop - column, np.float32)
            for offset in range(width):
                known = there[offset::width]
                total += np.where(known, ring[:, offset::width], np.float32(0))
                number += known
            self._means[:, column:stop] = total / np.maximum(number, 1)
        self._done = newest  # the newest one may grow
        return self._means


def _without_wrap(first: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Places in a ring of this size from `first` up to `stop`, as stretches that do not go round."""
    begin, n = first % size, stop - first
    split = min(size - begin, n)
    return [each for each in ((begin, begin + split), (0, n - split)) if each[1] > each[0]]


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
