"""How the activity of units depends on a variable, such as speed or heading: off line and while measured.

The mean of a bin is over all ticks spent in it. Neighbouring ticks are nearly the same, so that its standard
error counts visits: stretches of ticks without leaving the bin (or the trial). It is that of a ratio of two
sums over visits, each visit weighted with its length (as in survey statistics: a cluster is a visit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.core import Floats


@dataclass(frozen=True)
class Tuning:
    """Activity in each bin of a variable.

    Attributes:
        edges: (bins + 1,) float64, ascending, in the variable's unit.
        mean: (bins, units) float64; NaN where no tick was spent.
        sem: (bins, units) float64, standard error of the mean over visits; NaN for fewer than two.
        occupancy_s: (bins,) float64, seconds spent in each bin.
        n_visits: (bins,) int64.
    """

    edges: NDArray[np.float64]
    mean: NDArray[np.float64]
    sem: NDArray[np.float64]
    occupancy_s: NDArray[np.float64]
    n_visits: NDArray[np.int64]

    @property
    def centre(self) -> NDArray[np.float64]:
        """(bins,): the middle of each bin."""
        middle: NDArray[np.float64] = (self.edges[1:] + self.edges[:-1]) / 2
        return middle


class TuningSums:
    """What a tuning curve is made of, stretch after stretch of ticks.

    >>> sums = TuningSums([0.0, 1.0, 2.0], n_units=1)
    >>> sums.add(np.array([[1.0], [3.0], [8.0]]), np.array([0.5, 0.6, 1.5]))
    >>> sums.add(np.array([[2.0]]), np.array([0.7]))
    >>> sums.leave()
    >>> curve = sums.tuning(tick_s=0.02)
    >>> curve.mean[:, 0].tolist(), curve.occupancy_s.tolist(), curve.n_visits.tolist()
    ([2.0, 8.0], [0.06, 0.02], [2, 1])

    Args:
        edges: of the bins, ascending; a bin has its lower edge and not its upper one, the last has both.
        n_units: units.
    """

    def __init__(self, edges: ArrayLike, n_units: int) -> None:
        self.edges = np.asarray(edges, np.float64)
        n_bins = len(self.edges) - 1
        self._ticks = np.zeros(n_bins, np.int64)
        self._visits = np.zeros(n_bins, np.int64)
        self._squared_ticks = np.zeros(n_bins)
        self._sum = np.zeros((n_bins, n_units))
        self._squares = np.zeros((n_bins, n_units))
        self._cross = np.zeros((n_bins, n_units))
        self._bin = -1  # of the visit that goes on
        self._trial: object = None
        self._visit_ticks = 0
        self._visit = np.zeros(n_units)

    def add(self, activity: Floats, variable: Floats, trial: ArrayLike | None = None) -> None:
        """Takes in ticks that follow those before; `leave` first where they do not.

        Ticks whose variable or activity is not finite, or lies in no bin, are left out, and end a visit.

        Args:
            activity: (ticks, units).
            variable: (ticks,).
            trial: (ticks,), the trial of every tick, which no visit goes beyond; None: all is one.
        """
        if not len(activity):
            return
        bins = np.searchsorted(self.edges, variable, side="right") - 1
        bins[variable == self.edges[-1]] = len(self.edges) - 2
        known = (bins >= 0) & (bins < len(self.edges) - 1)
        known &= np.isfinite(variable) & np.isfinite(activity).all(axis=1)
        bins[~known] = -1
        trials = np.zeros(len(bins), np.int64) if trial is None else np.asarray(trial)
        other = (np.diff(bins) != 0) | (trials[1:] != trials[:-1])
        starts = np.concatenate([[0], np.flatnonzero(other) + 1])
        ends = np.append(starts[1:], len(bins))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            place = int(bins[start])
            if place != self._bin or trials[start] != self._trial:
                self.leave()
                self._bin, self._trial = place, trials[start]
            if place >= 0:
                self._visit_ticks += end - start
                self._visit += activity[start:end].sum(axis=0, dtype=np.float64)

    def leave(self) -> None:
        """Ends the visit that goes on: the next ticks do not follow."""
        if self._visit_ticks:
            place, ticks, visit = self._bin, self._visit_ticks, self._visit
            self._ticks[place] += ticks
            self._visits[place] += 1
            self._squared_ticks[place] += ticks**2
            self._sum[place] += visit
            self._squares[place] += visit**2
            self._cross[place] += ticks * visit
            self._visit = np.zeros_like(visit)
        self._bin, self._visit_ticks = -1, 0

    def tuning(self, tick_s: float, units: Sequence[int] | None = None) -> Tuning:
        """The curves so far; the visit that goes on counts from its end on.

        Args:
            tick_s: seconds of a tick.
            units: of these units only, in this order; None: of all.
        """
        chosen = slice(None) if units is None else np.asarray(units, np.int64)
        ticks = self._ticks[:, None].astype(np.float64)
        visits = self._visits[:, None].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self._sum[:, chosen] / ticks
            residuals = (
                self._squares[:, chosen]
                - 2 * mean * self._cross[:, chosen]
                + mean**2 * self._squared_ticks[:, None]
            )
            variance = np.maximum(residuals, 0.0) * visits / (visits - 1)
            sem = np.where(visits > 1, np.sqrt(variance) / ticks, np.nan)
        occupancy_s = self._ticks * np.float64(tick_s)
        return Tuning(self.edges, mean, sem, occupancy_s, self._visits.copy())


def tuning(
    activity: Floats,
    variable: Floats,
    edges: ArrayLike,
    *,
    tick_s: float,
    trial: ArrayLike | None = None,
) -> Tuning:
    """The activity of units in each bin of a variable.

    >>> speed = np.array([0.1, 0.1, 0.6, 0.6, 0.1])
    >>> curve = tuning(10 * speed[:, None], speed, [0.0, 0.5, 1.0], tick_s=0.02)
    >>> curve.mean[:, 0].tolist(), curve.n_visits.tolist()
    ([1.0, 6.0], [2, 1])

    Args:
        activity: (ticks, units); NaN where a tick is missing.
        variable: (ticks,), NaN where it is not known.
        edges: (bins + 1,), ascending, in the variable's unit.
        tick_s: seconds of a tick.
        trial: (ticks,), the trial of every tick; None: all is one.
    """
    sums = TuningSums(edges, activity.shape[1])
    sums.add(activity, variable, trial)
    sums.leave()
    return sums.tuning(tick_s)
