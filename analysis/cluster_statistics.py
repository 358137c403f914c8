"""Shares of events with honest intervals where events come in clusters.

Events of one session are not independent of each other: a session that goes badly goes badly for all of
its trials. What is counted here is therefore counted by cluster (the session's seed), and intervals are
made from the spread between clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Events: TypeAlias = tuple[Sequence[bool], Sequence[int]]
"""Of every event whether it was a hit, and the cluster that it belongs to."""

Z = 1.959963984540054
"""95 % of a normal distribution lie within so many standard deviations."""
RESAMPLES = 4000


@dataclass(frozen=True)
class Share:
    """`hits` of `n` events in so many clusters, with a 95 % interval; of no events, all is NaN."""

    hits: int
    n: int
    clusters: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share."""
        return self.hits / self.n if self.n else float("nan")

    def __str__(self) -> str:
        if not self.n:
            return "none"
        return f"{self.value:.0%} ({self.hits}/{self.n}; {self.low:.0%} to {self.high:.0%})"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % score interval (Wilson 1927) of a share of n events; n need not be whole."""
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def share(hits: Sequence[bool], clusters: Sequence[int]) -> Share:
    """The share of hits, with Wilson's interval for the effective number of events.

    Args:
        hits: of every event, whether it was one.
        clusters: of every event, where it belongs.
    """
    n = len(hits)
    total = int(sum(hits))
    if not n:
        return Share(0, 0, 0, float("nan"), float("nan"))
    effective = n / design_effect(hits, clusters)
    return Share(total, n, len(set(clusters)), *wilson(total / n, effective))


def design_effect(hits: Sequence[bool], clusters: Sequence[int]) -> float:
    """By how much clustering widens the variance of a share (Kish 1965); at least 1.

    The variance between clusters is that of a ratio of cluster totals. Where it cannot be told (one
    cluster, or all events alike) it is 1.
    """
    _, place = np.unique(clusters, return_inverse=True)
    n = np.bincount(place).astype(np.float64)
    found = np.bincount(place, weights=np.asarray(hits, np.float64))
    p = found.sum() / n.sum()
    if len(n) < 2 or not 0 < p < 1:
        return 1.0
    between = len(n) / (len(n) - 1) * np.sum((found - p * n) ** 2) / n.sum() ** 2
    return max(1.0, float(between / (p * (1 - p) / n.sum())))


def resampled(
    groups: Sequence[Events],
    statistic: Callable[[Floats], Floats],
    seed: int = 0,
) -> Estimate:
    """A statistic of the shares of several groups, with an interval from drawing clusters anew.

    A cluster is drawn with all of its events in all groups: what groups share, because they had the same
    seed, stays shared (the bootstrap of paired designs).

    Args:
        groups: hits and clusters of each.
        statistic: from shares (draws, groups) to (draws,).
        seed: of the draws.
    """
    names = sorted({cluster for _, clusters in groups for cluster in clusters})
    place = {name: k for k, name in enumerate(names)}
    n = np.zeros((len(names), len(groups)))
    found = np.zeros_like(n)
    for k, (hits, clusters) in enumerate(groups):
        at = [place[cluster] for cluster in clusters]
        np.add.at(n[:, k], at, 1.0)
        np.add.at(found[:, k], at, np.asarray(hits, np.float64))
    draws = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), RESAMPLES
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic((found.sum(0) / n.sum(0))[None])[0])
        drawn = statistic((draws @ found) / (draws @ n))
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Estimate(value, float("nan"), float("nan"))
    return Estimate(value, *(float(each) for each in np.percentile(drawn, (2.5, 97.5))))
