"""Intervals for numbers that come from sessions: whatever shares a seed counts as one observation.

Events of one session are not independent of each other, since a session that goes badly goes badly for all
of its trials. Everything here is therefore counted by cluster (the session's or the episode's seed), and an
interval comes from the spread between clusters:

    ten clusters or more    bootstrap over clusters, with the percentiles expanded for few clusters
    six to nine             exact, by inverting the sign-flip test (Hartigan 1969)
    fewer                   none: no two-sided test at 5 % can reject, so the interval is infinite

A plain percentile bootstrap is too narrow for few clusters (over five it covers about 85 % where it says
95 %); `tests/test_cluster_statistics.py` measures the coverage of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

Floats: TypeAlias = NDArray[np.float64]
Events: TypeAlias = tuple[Sequence[bool], Sequence[int]]
"""Of every event whether it was a hit, and the cluster that it belongs to."""

CONFIDENCE = 0.95
BOOTSTRAP_FROM = 10
"""From so many clusters on, intervals are bootstrapped."""
FEWEST_CLUSTERS = 6
"""Of fewer clusters there is no 95 % interval: 2 of 2**5 sign flips are already 6 %."""
RESAMPLES = 10_000


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
        """The share, 0 to 1."""
        return self.hits / self.n if self.n else float("nan")

    def __str__(self) -> str:
        if not self.n:
            return "none"
        return f"{self.value:.0%} ({self.hits}/{self.n}; {self.low:.0%} to {self.high:.0%})"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; of too few clusters the interval is infinite."""

    value: float
    low: float
    high: float
    clusters: int

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def interval(self, form: str = ".2f") -> str:
        """Its interval in words, numbers as `form` says; "no interval" where there is none.

        >>> Estimate(0.3, 0.1, 0.5, 12).interval("+.1f"), Estimate(0.3, -np.inf, np.inf, 5).interval()
        ('+0.1 to +0.5', 'no interval')
        """
        return f"{self.low:{form}} to {self.high:{form}}" if self.bounded else "no interval"

    def with_interval(self, form: str = "+.2f") -> str:
        """The number and its interval in words, both as `form` says.

        >>> Estimate(0.3, 0.1, 0.5, 12).with_interval()
        '+0.30 (+0.10 to +0.50)'
        """
        return f"{self.value:{form}} ({self.interval(form)})"

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "not measured"
        return f"{self.value:+.2f} ({self.interval('+.2f')}; {self.clusters} seeds)"


# --- shares -----------------------------------------------------------------------------------------


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % score interval (Wilson 1927) of a share of n events; n need not be whole.

    >>> low, high = wilson(0.5, 20)
    >>> round(low, 3), round(high, 3)
    (0.299, 0.701)
    """
    z = float(norm.ppf(0.5 + CONFIDENCE / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def share(hits: Sequence[bool], clusters: Sequence[int]) -> Share:
    """The share of hits, with Wilson's interval for the effective number of events.

    >>> print(share([True, True, False, True], clusters=[1, 1, 2, 2]))
    75% (3/4; 26% to 96%)

    Args:
        hits: (events,) whether each was one.
        clusters: (events,) the cluster of each.
    """
    n = len(hits)
    total = int(sum(hits))
    if not n:
        return Share(0, 0, 0, float("nan"), float("nan"))
    effective = n / design_effect(hits, clusters)
    return Share(total, n, len(set(clusters)), *wilson(total / n, effective))


def design_effect(hits: Sequence[bool], clusters: Sequence[int]) -> float:
    """By how much clustering widens the variance of a share (Kish 1965); at least 1.

    The variance between clusters is that of a ratio of cluster totals. Where it is unknown (one cluster, or
    all events alike) the result is 1.

    >>> round(design_effect([True, True, False, False], clusters=[1, 1, 2, 2]), 6)
    4.0
    >>> design_effect([True, False, True, False], clusters=[1, 1, 2, 2])
    1.0

    Args:
        hits: (events,) whether each was one.
        clusters: (events,) the cluster of each.
    """
    _, index = np.unique(clusters, return_inverse=True)
    n = np.bincount(index).astype(np.float64)
    found = np.bincount(index, weights=np.asarray(hits, np.float64))
    p = found.sum() / n.sum()
    if len(n) < 2 or not 0 < p < 1:
        return 1.0
    between = len(n) / (len(n) - 1) * np.sum((found - p * n) ** 2) / n.sum() ** 2
    return max(1.0, float(between / (p * (1 - p) / n.sum())))


def contrast(
    groups: Sequence[Events],
    statistic: Callable[[Floats], Floats],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """A contrast of the shares of several groups (such as a difference), with its interval over clusters.

    A cluster is drawn, or flipped, with all of its events in all groups: what groups share because they had
    the same seed stays shared. From ten clusters on, the shares of each draw are those of all of its events
    together; below, the contrast is computed within each cluster that has events in the groups.

    >>> seeds = list(range(12))
    >>> print(contrast([([True] * 12, seeds), ([False] * 12, seeds)], lambda x: x[:, 0] - x[:, 1]))
    +1.00 (+1.00 to +1.00; 12 seeds)

    Args:
        groups: hits and clusters of each.
        statistic: from shares (draws, groups) to (draws,); linear in the shares.
        confidence: of the interval.
    """
    names = sorted({cluster for _, clusters in groups for cluster in clusters})
    index = {name: k for k, name in enumerate(names)}
    n = np.zeros((len(names), len(groups)))
    found = np.zeros_like(n)
    for k, (hits, clusters) in enumerate(groups):
        at = [index[cluster] for cluster in clusters]
        np.add.at(n[:, k], at, 1.0)
        np.add.at(found[:, k], at, np.asarray(hits, np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic((found.sum(0) / n.sum(0))[None])[0])
        if len(names) < BOOTSTRAP_FROM:
            within = statistic(found / n)
            within = within[np.isfinite(within)]
            low, high = sign_flip_interval(within, confidence)
            return Estimate(value, low, high, len(within))
        draws = _draws(len(names))
        drawn = statistic((draws @ found) / (draws @ n))
    return Estimate(value, *_percentiles(drawn, len(names), confidence), len(names))


# --- means ------------------------------------------------------------------------------------------


def interval_of_mean(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of one value per cluster, with its interval; values that are not finite are left out.

    >>> print(interval_of_mean([0.5, 0.7, 0.4, 0.6, 0.8, 0.6]))
    +0.60 (+0.40 to +0.80; 6 seeds)
    >>> print(interval_of_mean([0.5, 0.7, 0.4]))
    +0.53 (no interval; 3 seeds)

    Args:
        values: (clusters,).
        confidence: of the interval.
    """
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    if not len(found):
        return Estimate(float("nan"), -np.inf, np.inf, 0)
    if len(found) < BOOTSTRAP_FROM:
        interval = sign_flip_interval(found, confidence)
    else:
        interval = _percentiles(_draws(len(found)) @ found / len(found), len(found), confidence)
    return Estimate(float(found.mean()), *interval, len(found))


def interval_of_sums(
    sums: ArrayLike,
    statistic: Callable[[Floats], Floats],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """A statistic of what clusters add up to, with its interval; of fewer than ten clusters it has none.

    For statistics that jump as a cluster is left out, such as the median of a spectrum, for which `jackknife`
    does not do.

    >>> sums = np.array([[1.0, 2.0]] * 12)
    >>> print(interval_of_sums(sums, lambda of: of[:, 0] / of[:, 1]))
    +0.50 (+0.50 to +0.50; 12 seeds)

    Args:
        sums: (clusters, n) what each contributes.
        statistic: from sums (draws, n) to (draws,).
        confidence: of the interval.
    """
    found = np.asarray(sums, np.float64)
    value = float(statistic(found.sum(0)[None])[0])
    if len(found) < BOOTSTRAP_FROM:
        return Estimate(value, -np.inf, np.inf, len(found))
    drawn = statistic(_draws(len(found)) @ found)
    return Estimate(value, *_percentiles(drawn, len(found), confidence), len(found))


def sign_flip_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The means that an exact two-sided sign-flip test does not reject: low, high.

    The test of a mean m compares the sum of (values - m) with its sums under all 2**n flips of signs; it is
    exact where values are symmetric about their mean. Its inversion is a pair of order statistics of the
    means of all non-empty subsets (Hartigan 1969), which is what is computed.

    >>> sign_flip_interval([1, 2, 3, 4, 5, 6])
    (1.0, 6.0)
    >>> sign_flip_interval([1, 2, 3])
    (-inf, inf)

    Args:
        values: (n,) of independent clusters; at most 20, since all subsets are formed.
        confidence: of the interval; the exact one is that or more.
    """
    found = np.asarray(values, np.float64)
    n = len(found)
    rank = int((1 - confidence) / 2 * 2**n + 1e-9)
    if rank < 1:
        return float("-inf"), float("inf")
    chosen = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
    means = np.sort(chosen @ found / chosen.sum(1))
    return float(means[rank - 1]), float(means[-rank])


def jackknife(statistic: Callable[[list[int]], ArrayLike], clusters: Sequence[int]) -> Floats:
    """Tukey's pseudo-values: any statistic of all clusters as one value per cluster, (clusters, ...).

    Their mean is the statistic (less its bias); `interval_of_mean` of them is its interval. For statistics
    that change smoothly as a cluster is left out, such as ratios of means and spectra.

    >>> over, under = np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0])
    >>> jackknife(lambda some: over[some].mean() / under[some].mean(), [0, 1, 2])
    array([2., 2., 2.])

    Args:
        statistic: from some of the clusters to a number or an array.
        clusters: all of them, two or more.
    """
    n = len(clusters)
    whole = np.asarray(statistic(list(clusters)), np.float64)
    without = [
        np.asarray(statistic([each for each in clusters if each != one]), np.float64)
        for one in clusters
    ]
    return n * whole - (n - 1) * np.stack(without)


# --- bootstrap --------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _draws(n: int) -> Floats:
    """(RESAMPLES, n) how often each of n clusters is in each draw; the same draws for the same n."""
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    return drawn.astype(np.float64)


def _percentiles(drawn: Floats, n: int, confidence: float) -> tuple[float, float]:
    """Percentiles of draws, as much farther out as Student's t of n clusters is (Hesterberg 2015)."""
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("-inf"), float("inf")
    reach = float(t.ppf(0.5 + confidence / 2, n - 1)) * np.sqrt(n / (n - 1))
    tail = float(norm.cdf(-reach))
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)
