"""Props of the arena in a recording: a row where one changes, read back as they were at any tick.

They come whole with every tick and hardly ever change. At the first tick of a trial, and of a file, there is
a row for each of them; after that one for each that is elsewhere, or looks otherwise, than at the tick
before, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from recorder.appending import TableAppender
from recorder.tables import TableRows
from rig.bus.message_types import Array
from rig.props import COLUMNS


class PropWriter:
    """Writes the table `props`."""

    def __init__(self, table: TableAppender) -> None:
        self._table = table
        self._last: Array | None = None

    def begin_trial(self) -> None:
        """The next tick has the props of another trial, or none."""
        self._last = None

    def add(self, tick: int, now: Array | None) -> bool:
        """Takes a tick's props.

        Args:
            tick: which one.
            now: (props, `COLUMNS`) float64; None where it has none.

        Returns:
            Whether they fit those of the tick before; if not, they are not written.
        """
        last = self._last
        if now is None:
            return last is None
        if now.dtype != np.float64 or now.shape[1:] != (len(COLUMNS),):
            return False
        if last is None:
            changed: Sequence[int] = range(len(now))
        elif now.shape != last.shape:
            return False
        else:
            changed = np.flatnonzero((_bits(now) != _bits(last)).any(axis=1)).tolist()
        for prop in changed:
            values = zip(COLUMNS, now[prop].tolist(), strict=True)
            self._table.append(tick=tick, prop=prop, **dict(values))
        self._last = now
        return True


class RecordedProps:
    """The props of a recording, from its table `props`; a recording from before there was one has none.

    Args:
        rows: of the table.
        trial_starts: the first tick of each trial, in order.
    """

    def __init__(self, rows: TableRows, trial_starts: Iterable[int]) -> None:
        self._ticks = rows.column("tick")
        self._props = rows.column("prop")
        columns = [rows.column(name) for name in COLUMNS]
        self._values = np.stack(columns, axis=1).astype(np.float64, copy=False)
        self._starts = np.array([-1, *trial_starts], np.int64)

    def at(self, ticks: Sequence[int]) -> list[Array | None]:
        """The props at each of these ticks, which go up: (props, `COLUMNS`) float64; None where none are.

        Their names are `Recording.model_props` of the trial.
        """
        starts = self._starts[np.searchsorted(self._starts[1:], ticks, "right")].tolist()
        found: list[Array | None] = []
        trial_start, row = -2, 0
        each: dict[int, NDArray[np.float64]] = {}
        now: Array | None = None
        for tick, start in zip(ticks, starts, strict=True):
            if start != trial_start:
                trial_start, each, now = start, {}, None
                row = int(np.searchsorted(self._ticks, start))
            stop = row
            while stop < len(self._ticks) and self._ticks[stop] <= tick:
                each[int(self._props[stop])] = self._values[stop]
                stop += 1
            if stop > row:
                row, now = stop, np.stack([each[prop] for prop in sorted(each)])
            found.append(now)
        return found


def _bits(values: Array) -> NDArray[np.uint64]:
    return np.ascontiguousarray(values).view(np.uint64)
