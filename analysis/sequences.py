"""Sequences of activity: which units are active when, around taps and within strides.

The paper sorts units by the time of their peak and shows the same averages, in which noise alone gives a
diagonal. Here units are sorted by the peak in one half of the episodes and shown in the other, and held
against exchanges in which each episode has the activity of another one, of all units together: it keeps
what it does with the time since the episode began and what units have in common, and loses its relation to
the event. Where events come at the same time in every episode, nothing can tell one relation from the other.

Activity is z-scored over all ticks of the episodes; an average over events is absolute, as in the paper
("absolute averaged z-scored activity").
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from analysis.cluster_statistics import Estimate
from analysis.core import aligned
from analysis.resampling import SHUFFLES, Null, bootstrap, exchanged, null_of

Array = np.ndarray

TILES = 8
"""Parts of the time between taps in which units are to peak, if they tile it."""


@dataclass(frozen=True)
class Totals:
    """Windows of activity around events, added up in each episode.

    Attributes:
        sums: (episodes, ticks, units) float64.
        counts: (episodes,) how many events each episode has.
    """

    sums: Array
    counts: Array

    @property
    def with_events(self) -> list[int]:
        """The numbers of the episodes that have any."""
        return [int(k) for k in np.flatnonzero(self.counts)]

    def average(self, episodes: Sequence[int]) -> Array:
        """The average over the events of some episodes, each as often as it is named: (ticks, units)."""
        weight = np.bincount(np.asarray(episodes, int), minlength=len(self.counts))
        return np.tensordot(weight, self.sums, 1) / max(1, int(weight @ self.counts))


@dataclass(frozen=True)
class UnitSequence:
    """A sequence of units: sorted in one half of the episodes, shown in the other.

    Attributes:
        shown: (units, ticks) absolute average activity of the second half, rows sorted by the first.
        order: (units,) the units in this order.
        peaks: (units,) the tick of each unit's peak in the second half, in that order.
        similarity: rank correlation of the units' peak times between the halves, over episodes.
        null: the same correlation beside that of shuffles.
        events: in all episodes.
    """

    shown: Array
    order: Array
    peaks: Array
    similarity: Estimate
    null: Null
    events: int


def z_scored_together(parts: Sequence[Array]) -> list[Array]:
    """Episodes (ticks, units) as z-scores over all of them, float32; a unit that never changes is 0."""
    n = sum(len(each) for each in parts)
    mean = sum(each.sum(0, dtype=np.float64) for each in parts) / n
    square = sum(((each - mean) ** 2).sum(0) for each in parts) / n
    deviation = np.sqrt(square)
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    scale = np.divide(1.0, deviation, where=varies, out=np.zeros_like(deviation))
    return [((each - mean) * scale).astype(np.float32) for each in parts]


def events_of(
    parts: Sequence[Array], rows: Sequence[Sequence[int]], before: int, after: int
) -> list[Array]:
    """Windows around events (events, ticks, units) of each episode; those that reach beyond it are left out.

    Args:
        parts: each (ticks, units), z-scored.
        rows: the events of each, rows of it.
        before: ticks ahead of the event.
        after: ticks from the event on.
    """
    windows = []
    for part, own in zip(parts, rows, strict=True):
        inside = [row for row in own if row >= before and row + after <= len(part)]
        windows.append(aligned(part, inside, before, after))
    return windows


def totals_of(windows: Sequence[Array]) -> Totals:
    """The windows of each episode (events, ticks, units), added up."""
    sums = np.stack([each.sum(0, dtype=np.float64) for each in windows])
    return Totals(sums, np.array([len(each) for each in windows]))


def exchanged_totals(
    parts: Sequence[Array],
    rows: Sequence[Sequence[int]],
    before: int,
    after: int,
    random: np.random.Generator,
    groups: Sequence[Hashable] = (),
) -> Iterator[Totals]:
    """Windows around each episode's events in the activity of others, added up; a new exchange each time.

    Args:
        parts: each (ticks, units).
        rows: the events of each, rows of it.
        before: ticks ahead of the event.
        after: ticks from the event on.
        random: where exchanges are drawn from.
        groups: of each episode what activity is exchanged within; none for all.
    """
    n = before + after
    adding, counts = [], []
    for part, own in zip(parts, rows, strict=True):
        inside = np.array([row for row in own if row >= before and row + after <= len(part)], int)
        at = (inside[:, None] + np.arange(-before, after)).ravel()
        ones = np.ones(len(at), part.dtype)
        adding.append(csr_matrix((ones, (np.tile(np.arange(n), len(inside)), at)), (n, len(part))))
        counts.append(len(inside))
    while True:
        others = exchanged(parts, random, groups)
        sums = [add @ other for add, other in zip(adding, others, strict=True)]
        yield Totals(np.stack(sums).astype(np.float64), np.array(counts))


def rank_correlation(one: Array, other: Array) -> float:
    """Spearman's correlation of two series (n,), ties at their mean rank; 0 where one does not vary.

    >>> round(rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 2, 4, 3])), 3)
    0.8
    """
    a, b = rankdata(one) - (len(one) + 1) / 2, rankdata(other) - (len(other) + 1) / 2
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / size) if size else 0.0


def peak_times(mean: Array) -> Array:
    """When each unit's absolute average is highest: the centre of the ticks within 90 % of it, (units,).

    Args:
        mean: (ticks, units).
    """
    size = np.abs(mean)
    high = size >= 0.9 * np.maximum(size.max(0), 1e-12)
    ticks = np.arange(len(mean))[:, None]
    return (high * size * ticks).sum(0) / np.maximum((high * size).sum(0), 1e-12)


def sequence_of(
    parts: Sequence[Array],
    rows: Sequence[Sequence[int]],
    before: int,
    after: int,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> UnitSequence:
    """The sequence around events, of every other episode's events sorted by the rest's.

    Args:
        parts: each (ticks, units), z-scored.
        rows: the events of each, rows of it.
        before: ticks ahead of the event.
        after: ticks from the event on.
        shuffles: for the null.
        seed: of the shuffles.
    """
    totals = totals_of(events_of(parts, rows, before, after))
    there = totals.with_events
    first, second = there[::2], there[1::2]
    varies = np.any([each.any(0) for each in parts], axis=0)

    def similarity(chosen: Sequence[int], of: Totals = totals) -> float:
        one = [each for each in chosen if each in in_first]
        other = [each for each in chosen if each not in in_first]
        if not one or not other:
            return float("nan")
        a, b = peak_times(of.average(one)), peak_times(of.average(other))
        return rank_correlation(a[varies], b[varies])

    in_first = set(first)
    (found,) = bootstrap(lambda some: [similarity(some)], [first, second])
    random = np.random.default_rng(seed)
    others = islice(exchanged_totals(parts, rows, before, after, random), shuffles)
    shuffled = [similarity(there, other) for other in others]
    order = np.argsort(peak_times(totals.average(first)), kind="stable")
    shown = totals.average(second)
    return UnitSequence(
        np.abs(shown).T[order],
        order,
        peak_times(shown)[order],
        found,
        null_of(found.value, shuffled),
        int(totals.counts.sum()),
    )


def least_share(peaks: Array, start: int, stop: int, bins: int = TILES) -> float:
    """Of the units that peak in a stretch, the share in the emptiest of its equal parts, (0 to 1/bins).

    >>> least_share(np.array([0.5, 1.5, 2.5, 3.5, 9.0]), 0, 4, bins=4)
    0.25

    Args:
        peaks: (units,) ticks.
        start: where the stretch begins.
        stop: where it ends.
        bins: how many parts.
    """
    counts = np.histogram(peaks, bins, (start, stop))[0]
    return float(counts.min() / max(1, counts.sum()))
