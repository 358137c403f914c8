"""Emulated spikes of every unit over the raster's window, made as they are asked for.

The emulation is that of `analysis.spiking`: the same activity gives the spikes that a virtual probe beside
the session, or one on its recording, has. A window that is shown for the first time is made from its oldest
tick on, a little at a time, so that the window's thread is never held up.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from analysis.spiking import OnLine, Probe
from gui.seen.activity import EMPTY, ActivityWindow

BUDGET_S = 0.008
"""What making spikes may take of one repaint, of processor time."""
_TICKS_AT_A_TIME = 25


class SpikeWindow:
    """The number of spikes of each unit in each tick.

    Args:
        window: the units' activity.
        kind: which drives the spikes: "h_applied" or "h_natural".
        seed: the session's.
        tick_s: seconds of a tick.
    """

    def __init__(self, window: ActivityWindow, kind: str, seed: int, tick_s: float) -> None:
        self.window, self.kind = window, kind
        self._emulation = OnLine(Probe(), window.n_units, seed, tick_s)
        self._counts = np.zeros((window.n_units, 0), np.uint8)
        self._first = self._stop = 0  # the ticks that are made

    def make(self, first: int, stop: int, budget_s: float = BUDGET_S) -> bool:
        """Makes what is missing of these ticks, as much as there is time for; says whether that was all.

        Args:
            first: the oldest tick.
            stop: the first that is not wanted.
            budget_s: seconds of processor time that it may take.
        """
        deadline = (
            time.thread_time() + budget_s
        )  # of its own: a busy machine gives little at a time
        first = max(first, 0)
        if not self._first <= first <= self._stop:
            self._first = self._stop = first
        self._keep(first, stop)
        while self._stop < stop and time.thread_time() < deadline:
            end = min(self._stop + _TICKS_AT_A_TIME, stop)
            activity = self.window.block(self.kind, self._stop, end)
            known = np.asarray(np.isfinite(activity).all(axis=0))
            for tick in range(self._stop, end):
                column = self._counts[:, tick - self._first]
                if not known[tick - self._stop]:
                    column[:] = EMPTY
                    continue
                units, _ = self._emulation.spikes(tick, activity[:, tick - self._stop])
                column[:] = np.minimum(np.bincount(units, minlength=len(column)), EMPTY - 1)
            self._stop = end
        return self._stop >= stop

    def levels(self, out: NDArray[np.uint8], end: int, per_column: int = 1) -> int:
        """Writes spikes as levels, oldest left: 0 is none, 254 is one or more in every tick, 255 is empty.

        Args:
            out: (n_units, n_columns), overwritten.
            end: the first tick that is not shown.
            per_column: ticks of a column, as `ActivityWindow.levels`.

        Returns:
            The first tick of the first column.
        """
        last = -(-end // per_column)
        first = (last - out.shape[1]) * per_column
        counts = np.full((len(out), out.shape[1] * per_column), EMPTY, np.uint8)
        low, high = max(first, self._first), min(last * per_column, self._stop)
        if high > low:
            made = self._counts[:, low - self._first : high - self._first]
            counts[:, low - first : high - first] = made
        empty = counts[0].reshape(-1, per_column) == EMPTY
        counts[counts == EMPTY] = 0
        np.minimum(counts, 1, out=counts)
        shared = counts[:, ::per_column].copy()
        for offset in range(1, per_column):
            shared += counts[:, offset::per_column]
        np.multiply(shared, 254 // per_column, out=out, casting="unsafe")
        out[:, empty.all(axis=1)] = EMPTY
        return first

    def _keep(self, first: int, stop: int) -> None:
        """Room for these ticks; what is older is forgotten now and then."""
        room = self._counts.shape[1]
        if stop - self._first <= room:
            return
        kept = self._counts[:, first - self._first : self._stop - self._first]
        grown = np.zeros((len(self._counts), 2 * (stop - first)), np.uint8)
        grown[:, : kept.shape[1]] = kept
        self._counts, self._first = grown, first
        self._stop = max(self._stop, first)
