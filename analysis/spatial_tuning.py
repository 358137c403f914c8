"""Whether units are tuned to where the animal is, and to where it heads, against two nulls.

    bins = place_bins(x, y)                            # of each episode, (ticks,)
    found = measured(rates, bins, skaggs, rate_hz)     # as it is, shifted, and exchanged
    tuned = tuned_units(found)                         # which units pass

An episode has an arena of its own, so that a unit has a map, or a preferred heading, of its own in each: a
measure is taken within an episode and averaged over episodes. A unit is tuned that stands out from both of

    shifts        activity is moved around the episode in time, that of all units together: it keeps each
                  unit's autocorrelation, and loses its relation to the place
    exchanges     each episode has the activity of another one: whatever activity does with time stays

The first alone is not enough. Where the end of an episode meets its beginning slow activity jumps, in the
middle of a visit, so that its maps are blurred: in episodes of 30 s 12 % of units that wander at random are
"tuned" at 5 %, and 56 % of those that decay in every episode alike. Under exchanges the rate holds whatever
the activity, as long as episodes are drawn alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from analysis.cluster_statistics import Estimate
from analysis.resampling import Null, bootstrap, null_of

Array = np.ndarray
Measure: TypeAlias = Callable[[Array, Array], Array]
"""From mean rates (..., bins, units) and occupancy (bins,) to (..., units)."""

CELL_M = 0.5
"""Of the maze: a corridor is one wide."""
HEADINGS = 16
LOWEST_HZ, HIGHEST_HZ = 0.5, 50.0
LEAST_SHIFT_S = 2.0
SHIFTS = 200
"""In each episode, spread evenly."""
COMBINATIONS = 2999
"""Of shifts or exchanges of the episodes; so many that one unit alone of 128 can pass."""
DRAWS = 100
LEAST_SAMPLES = 3
"""Of a heading, for it to count: one sample of a bin is no mean."""
FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True)
class Measured:
    """A measure of each unit in each episode, and the same where there is nothing to find.

    Attributes:
        shifted: (episodes, 1 + shifts, units) float32; the first of them is not shifted.
        exchanged: (episodes, episodes, units) float32, of the place in one and the activity in another.
    """

    shifted: Array
    exchanged: Array

    def of_units(self, units: slice) -> Measured:
        """That of some units."""
        return Measured(self.shifted[..., units], self.exchanged[..., units])


@dataclass(frozen=True)
class TunedUnits:
    """Which units are tuned.

    Attributes:
        value: (units,) of the measure, mean over episodes.
        chance: (units,) the higher one of its means over shifts and over exchanges.
        p: (units,) the share of shifts, or of exchanges, in which it is as high or higher; the larger one.
        passes: (units,) bool, tuned, of which no more than `FALSE_DISCOVERIES` are to be expected by chance
            (Benjamini & Hochberg 1995).
        share: of the units that pass, 0 to 1, with its interval over episodes.
        null: the same beside the share that passes of exchanged activity.
    """

    value: Array
    chance: Array
    p: Array
    passes: Array
    share: Estimate
    null: Null


def rates_of(parts: Sequence[Array]) -> list[Array]:
    """Activity as rates, float32, Hz: from the 1st to the 99th percentile of each unit, 0.5 to 50.

    These are the rates of the virtual probe whose drive is "scaled" (`analysis.spiking.Probe`): what a spike
    says of a place is defined of rates. A unit that never changes has the lowest rate.

    Args:
        parts: each episode (ticks, units).
    """
    low, high = np.percentile(np.concatenate(parts), (1, 99), axis=0)
    scale = np.divide(1.0, high - low, where=high > low, out=np.zeros_like(high))
    span = HIGHEST_HZ - LOWEST_HZ
    return [
        (LOWEST_HZ + span * np.clip((each - low) * scale, 0, 1)).astype(np.float32)
        for each in parts
    ]


def place_bins(x: Array, y: Array, cell_m: float = CELL_M) -> Array:
    """The cell that the animal is in, of those that it visits: (ticks,) int, from 0 on.

    >>> place_bins(np.array([0.1, 0.2, 0.6, 0.1]), np.zeros(4)).tolist()
    [0, 0, 1, 0]

    Args:
        x: (ticks,) m.
        y: (ticks,) m.
        cell_m: a cell's width; the middle of one is at 0, as in the maze.
    """
    cells = np.round(np.stack([x, y], axis=1) / cell_m).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)


def heading_bins(yaw: Array) -> Array:
    """The bin of a heading in rad, (ticks,) int from 0 to `HEADINGS` - 1; the middle of bin 0 is at 0.

    >>> heading_bins(np.array([0.0, np.pi, -np.pi / 2, 2 * np.pi])).tolist()
    [0, 8, 12, 0]
    """
    return np.round(np.asarray(yaw) / (2 * np.pi / HEADINGS)).astype(np.int64) % HEADINGS


def skaggs(rates: Array, occupancy: Array) -> Array:
    """What a spike says of the place, in bits (Skaggs et al. 1993): (..., units).

    Of a place with the share p of the time and the rate r, where m is the mean rate: the sum of
    p (r / m) log2(r / m).

    >>> skaggs(np.array([[8.0, 1.0], [0.0, 1.0]]), np.array([50, 50])).tolist()
    [1.0, 0.0]

    Args:
        rates: (..., bins, units) mean rates.
        occupancy: (bins,) ticks in each.
    """
    p = (occupancy / occupancy.sum())[:, None].astype(rates.dtype)
    mean = (p * rates).sum(-2, keepdims=True)
    of_mean = rates / np.maximum(mean, 1e-12)
    information: Array = (p * of_mean * np.log2(np.maximum(of_mean, 1e-12))).sum(-2)
    return information


def mean_vector_length(rates: Array, occupancy: Array) -> Array:
    """How much rates point to one heading, 0 (to none) to 1 (to one alone): (..., units).

    Headings of fewer than three ticks do not count.

    >>> curve = np.zeros((HEADINGS, 2))
    >>> curve[3, 0], curve[:, 1] = 5.0, 5.0
    >>> mean_vector_length(curve, np.full(HEADINGS, 9)).round(6).tolist()
    [1.0, 0.0]

    Args:
        rates: (..., bins, units) mean rates; the last bins may be missing.
        occupancy: (bins,) ticks in each.
    """
    angle = 2 * np.pi * np.arange(len(occupancy)) / HEADINGS
    there = (occupancy >= LEAST_SAMPLES)[:, None]
    axes = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(rates.dtype)
    counted = np.where(there, rates, 0)
    length = np.linalg.norm(np.einsum("...bu,bk->...ku", counted, axes), axis=-2)
    return length / np.maximum(counted.sum(-2), 1e-12)


def maps_of(rates: Array, bins: Array, offsets: Sequence[int] = (0,)) -> tuple[Array, Array]:
    """Mean rates in each bin, for each offset of the activity: (offsets, bins, units) and (bins,) ticks.

    Args:
        rates: (ticks, units); what has to be a circle in time is closed where it ends.
        bins: (ticks,) from 0 on.
        offsets: by how many ticks activity is later than the place.
    """
    rates = np.asarray(rates)
    n, n_bins = len(rates), int(bins.max()) + 1
    occupancy = np.bincount(bins, minlength=n_bins)
    ticks = np.arange(n)
    rows = np.concatenate([k * n_bins + bins for k in range(len(offsets))])
    columns = np.concatenate([(ticks + each) % n for each in offsets])
    weight = np.tile(1 / occupancy[bins], len(offsets)).astype(rates.dtype)
    mean = csr_matrix((weight, (rows, columns)), (len(offsets) * n_bins, n)) @ rates
    return mean.reshape(len(offsets), n_bins, -1), occupancy


def measured(
    rates: Sequence[Array],
    bins: Sequence[Array],
    measure: Measure,
    rate_hz: float,
    shifts: int = SHIFTS,
) -> Measured:
    """A measure of each episode, and of it shifted and exchanged; all are cut to the shortest.

    Args:
        rates: of each episode (ticks, units), Hz; arrays, or pynapple's TsdFrame.
        bins: of each episode (ticks,) int from 0 on: of place or of heading.
        measure: `skaggs` or `mean_vector_length`.
        rate_hz: ticks per second.
        shifts: how many at most.
    """
    n = min(map(len, rates))
    parts = [np.asarray(each)[:n] for each in rates]
    least = min(round(LEAST_SHIFT_S * rate_hz), max(1, n // 3))
    offsets = np.unique(np.linspace(least, n - least, shifts).astype(int)).tolist()
    shifted, exchanged = [], []
    for k, own in enumerate(bins):
        shifted.append(measure(*maps_of(parts[k], own[:n], [0, *offsets])))
        exchanged.append(np.stack([measure(*maps_of(each, own[:n]))[0] for each in parts]))
    return Measured(np.stack(shifted), np.stack(exchanged))


def tuned_units(found: Measured, draws: int = DRAWS, seed: int = 0) -> TunedUnits:
    """Which units are tuned, by the mean over episodes, and which share of them.

    Args:
        found: the measure in two episodes or more.
        draws: of episodes, for the interval.
        seed: of the combinations of shifts and of exchanges.
    """
    random = np.random.default_rng(seed)
    n, n_units = len(found.shifted), found.shifted.shape[-1]
    every = np.arange(n)[:, None]
    by_shift = random.integers(1, found.shifted.shape[1], (n, COMBINATIONS))
    by_exchange = random.permuted(np.tile(np.arange(n)[:, None], COMBINATIONS), axis=0)
    # (episodes, combinations x units), so that the mean over any episodes is one product
    nulls = [
        found.shifted[every, by_shift].reshape(n, -1),
        found.exchanged[every, by_exchange].reshape(n, -1),
    ]

    def judged(episodes: Sequence[int]) -> tuple[Array, list[Array]]:
        """Means over some episodes, (units,), and those of both nulls, (combinations, units)."""
        weight = np.bincount(np.asarray(episodes, int), minlength=n).astype(np.float32)
        weight /= weight.sum()
        shuffled = [(weight @ each).reshape(COMBINATIONS, n_units) for each in nulls]
        return weight @ found.shifted[:, 0], shuffled

    def share(episodes: Sequence[int]) -> list[float]:
        return [float(passing(_p_of(*judged(episodes))).mean())]

    value, shuffled = judged(range(n))
    p = _p_of(value, shuffled)
    passes = passing(p)
    (estimate,) = bootstrap(share, [range(n)], draws=draws)
    if estimate.bounded:
        estimate = replace(estimate, low=max(0.0, estimate.low), high=min(1.0, estimate.high))
    # each exchange as if it were the data
    rank = np.sort(shuffled[1], axis=0)
    some = shuffled[1][: COMBINATIONS // 10]
    higher = np.stack(
        [COMBINATIONS - np.searchsorted(rank[:, u], some[:, u]) for u in range(n_units)], axis=1
    )
    by_chance = [passing(each / COMBINATIONS).mean() for each in higher]
    chance = np.maximum(*(each.mean(0) for each in shuffled))
    return TunedUnits(value, chance, p, passes, estimate, null_of(float(passes.mean()), by_chance))


def _p_of(value: Array, nulls: Sequence[Array]) -> Array:
    """The larger one of the p of several nulls (combinations, units): (units,)."""
    # what differs by rounding is the same: a unit that never changes has p = 1
    least = value - 1e-6 * np.abs(value)
    p: Array = np.max([(1 + (each >= least).sum(0)) / (1 + len(each)) for each in nulls], axis=0)
    return p


def passing(p: Array) -> Array:
    """Which units pass, (units,) bool: Benjamini and Hochberg's procedure.

    As `scipy.stats.false_discovery_control`, which takes ten times as long for so few.

    >>> passing(np.array([0.001, 0.03, 0.2, 0.9])).tolist()
    [True, False, False, False]
    """
    ordered = np.sort(p)
    low = np.flatnonzero(ordered <= FALSE_DISCOVERIES * np.arange(1, len(p) + 1) / len(p))
    return np.asarray(p <= (ordered[low[-1]] if len(low) else -1.0))
