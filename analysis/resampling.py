"""Intervals by resampling episodes, and permutation nulls that keep what should be kept.

A statistic of many episodes has its interval from drawing episodes with replacement; one that compares
halves draws within each half. Nulls are distributions of the same statistic from data in which only the
relation in question was destroyed: the time of each unit, of a target, or the phase of each component.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from analysis.cluster_statistics import CONFIDENCE, FEWEST_CLUSTERS, Estimate
from analysis.verdicts import simultaneous

Array = np.ndarray

DRAWS = 200
SHUFFLES = 100


def bootstrap(
    statistic: Callable[[Sequence[int]], ArrayLike],
    groups: Sequence[Sequence[int]],
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Estimate]:
    """A statistic of episodes with its interval: its value ± Student's t times its bootstrap standard error.

    The interval is centred on the value, as statistics such as correlations are lower in draws, where
    episodes are repeated, than in the data. Of fewer than six episodes it is infinite.

    >>> x = np.array([0.5, 0.7, 0.4, 0.6, 0.8, 0.6])
    >>> mean, = bootstrap(lambda some: [x[some].mean()], [range(6)])
    >>> round(mean.value, 2), 0.4 < mean.low < 0.55, mean.clusters
    (0.6, True, 6)

    Args:
        statistic: from the numbers of episodes, some of them several times, to (n,) numbers.
        groups: the numbers of the episodes, in groups (such as tasks) that are each drawn from by itself.
        confidence: of each interval.
        draws: how many.
        seed: of the draws.
    """
    everything = [one for group in groups for one in group]
    value = np.asarray(statistic(everything), float)
    n = len(everything)
    if n < FEWEST_CLUSTERS:
        return [Estimate(float(each), -np.inf, np.inf, n) for each in value]
    random = np.random.default_rng(seed)
    drawn = np.stack(
        [
            np.asarray(
                statistic(
                    [int(one) for group in groups for one in random.choice(group, len(group))]
                ),
                float,
            )
            for _ in range(draws)
        ]
    )
    # draws of n are narrower than the data by (n - 1)/n within each group
    least = min(len(group) for group in groups)
    widening = np.sqrt(least / (least - 1)) if least > 1 else 1.0
    error = np.nanstd(drawn, axis=0, ddof=1) * widening
    reach = float(t.ppf(0.5 + confidence / 2, n - len(groups))) * error
    return [
        Estimate(float(v), float(v - r), float(v + r), n)
        if np.isfinite(v) and np.isfinite(r)
        else Estimate(float(v), -np.inf, np.inf, n)
        for v, r in zip(value, reach, strict=True)
    ]


def above(found: Estimate, level: float, parts: int = 1) -> Estimate:
    """By how much a number is above a level, with an interval that holds with those of `parts` - 1 others.

    >>> above(Estimate(0.5, 0.3, 0.7, 12), 0.25)
    Estimate(value=0.25, low=0.04999999999999999, high=0.44999999999999996, clusters=12)

    Args:
        found: the number, with its 95 % interval.
        level: what it is compared with.
        parts: how many numbers are judged together.
    """
    wider = float(norm.ppf(0.5 + simultaneous(parts) / 2) / norm.ppf(0.5 + CONFIDENCE / 2))
    value = found.value - level
    return Estimate(
        value,
        value - wider * (found.value - found.low),
        value + wider * (found.high - found.value),
        found.clusters,
    )


@dataclass(frozen=True)
class Null:
    """A value beside its distribution where there is nothing to find.

    Attributes:
        value: of the data.
        shuffled: (shuffles,) of the shuffled data, sorted.
    """

    value: float
    shuffled: tuple[float, ...]

    @property
    def p(self) -> float:
        """The share of shuffles, the data among them, with a value as high or higher."""
        at_least = sum(each >= self.value for each in self.shuffled)
        return (1 + at_least) / (1 + len(self.shuffled))

    @property
    def level(self) -> float:
        """The 95th percentile of the shuffles."""
        return float(np.quantile(self.shuffled, 0.95))

    def __str__(self) -> str:
        return f"{self.value:.2f} (shuffles: 95 % below {self.level:.2f}; p = {self.p:.3f})"


def null_of(value: float, shuffled: ArrayLike) -> Null:
    """A `Null` of a value and the values of shuffled data, in any order."""
    return Null(float(value), tuple(float(each) for each in np.sort(np.asarray(shuffled, float))))


def shifts(n_ticks: int, n: int, least: int, random: np.random.Generator) -> Array:
    """`n` circular shifts of a series of `n_ticks`, each at least `least` ticks from none: (n,) int.

    Args:
        n_ticks: of the series.
        n: how many.
        least: the shortest shift, either way; shortened where the series has no room for it.
        random: where they are drawn from.
    """
    least = min(least, max(1, n_ticks // 3))
    return random.integers(least, max(least + 1, n_ticks - least + 1), n)


def phase_randomised(part: Array, random: np.random.Generator) -> Array:
    """A surrogate of (ticks, variables) float64: each variable keeps its power spectrum, and no phase.

    Phases are drawn for each variable by itself, so that what one says of another at any lag is destroyed;
    for principal components, which are uncorrelated at lag 0, the covariance is kept but for chance.
    """
    n = len(part)
    waves = np.fft.rfft(part - part.mean(0), axis=0)
    turns = np.exp(2j * np.pi * random.random(waves.shape))
    turns[0] = 1
    if n % 2 == 0:
        turns[-1] = np.sign(turns[-1].real)  # that of Nyquist is real
    return np.fft.irfft(waves * turns, n, axis=0) + part.mean(0)
