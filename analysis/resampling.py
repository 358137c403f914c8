"""Intervals by resampling episodes, and permutation nulls that keep what should be kept.

A statistic of many episodes has its interval from drawing episodes with replacement; one that compares
halves draws within each half. Nulls are distributions of the same statistic from data in which only the
relation in question was destroyed: that of an episode's activity to the same episode's events or targets
(`exchanged`), or the phase of each component.

Why episodes are exchanged, and nothing is shifted in time: what units do alike in every episode, such as a
decay from its start, is a relation to whatever else changes with that time, and shifts destroy it. So they
let noise pass. Measured with noise in the place of activity and events, speeds, behaviours and lengths of 100
episodes of `rodent` (25 a task), 16 to 40 simulations each, asked for 5 %:

    rate at which noise passes          decays alike      wanders (10 s)
                                        shifts  exchange  shifts  exchange
    sequences (`fig7`)                    2 %      7 %      5 %      7 %
    variability (`fig11`)                27 %     13 %      7 %      7 %
    axes of speed                       100 %      5 %       -        -
    decoded speed                       100 %      6 %       -        6 %
    decoded behaviour                    10 %       -        -        -
    decoded task                        100 %      0 %       -        6 %
    time since a tap                      8 %      3 %      0 %      0 %
    strides (`fig10`)                    15 %     12 %       -        -

"Shifts" stands for the nulls that exchanges replace: activity, events or speeds moved in time; tasks dealt
out among episodes as long as they are; units moved within the stride. Of so few simulations that pass at
5 % by chance, up to 13 % are to be expected. Units that share three slow courses passed the sequences' shifts
at 15 %, each having been moved by itself; under exchanges it was 10 %. A dash was not measured.

Under exchanges the rate holds whatever the activity (Harris 2020), if episodes are drawn alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from analysis.cluster_statistics import CONFIDENCE, FEWEST_CLUSTERS, Estimate
from analysis.verdicts import simultaneous

Array = np.ndarray

DRAWS = 200
SHUFFLES = 100
ALIKE = 2 / 3
"""Of the longest episode: so long are those that are exchanged with it."""


def bootstrap(
    statistic: Callable[[Sequence[int]], ArrayLike],
    groups: Sequence[Sequence[int]],
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Estimate]:
    """A statistic of episodes with its interval: its value ± Student's t times its bootstrap standard error.

    The interval is centred on the value, as statistics such as correlations are lower in draws, where
    episodes are repeated, than in the data. Of fewer than six episodes it is infinite, and where a group has
    one alone: draws only repeat it, so that nothing says how it would vary.

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
    n, least = len(everything), min(len(group) for group in groups)
    if n < FEWEST_CLUSTERS or least < 2:
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
    error = np.nanstd(drawn, axis=0, ddof=1) * np.sqrt(least / (least - 1))
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
    free = max(1, found.clusters - 1)
    wider = float(t.ppf(0.5 + simultaneous(parts) / 2, free) / t.ppf(0.5 + CONFIDENCE / 2, free))
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
        """The share of shuffles, the data among them, with a value as high or higher.

        What is not defined counts as such: of data without a value it is 1.

        >>> null_of(2.0, [0.0, 1.0, 2.0]).p, null_of(np.nan, [0.0, 1.0, 2.0]).p
        (0.5, 1.0)
        """
        at_least = sum(not each < self.value for each in self.shuffled)
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


def exchanged(
    parts: Sequence[Array], random: np.random.Generator, groups: Sequence[Hashable] = ()
) -> list[Array]:
    """The series of episodes, each in the place of another one of its group, all of its variables together.

    Only those of like length are exchanged, the shorter ones at least two thirds of the longest: what ends
    early has nothing to put in late places. One that is longer than that of its new place is cut, a shorter
    one begins anew where it ends.

    >>> parts = [np.array([1, 1, 1, 1]), np.array([2, 3]), np.array([4, 5, 6])]
    >>> [each.tolist() for each in exchanged(parts, np.random.default_rng(3))]
    [[4, 5, 6, 4], [2, 3], [1, 1, 1]]

    Args:
        parts: each (ticks, ...).
        random: where the exchange is drawn from; some, or all, may stay in their places.
        groups: of each episode what it is exchanged within, such as its task; none for all.
    """
    order = np.arange(len(parts))
    for group in dict.fromkeys(groups or (0,)):
        own = [k for k in range(len(parts)) if not groups or groups[k] == group]
        own.sort(key=lambda k: -len(parts[k]))
        while own:
            alike = [k for k in own if len(parts[k]) >= ALIKE * len(parts[own[0]])]
            order[alike] = random.permutation(alike)
            own = own[len(alike) :]
    return [_as_long_as(parts[int(k)], len(place)) for k, place in zip(order, parts, strict=True)]


def _as_long_as(part: Array, n: int) -> Array:
    return part[:n] if len(part) >= n else np.resize(part, (n, *part.shape[1:]))


def matched_lengths(lengths: Sequence[int], groups: Sequence[Hashable]) -> list[int]:
    """To which lengths episodes are cut so that they are as long in each group: rank by rank the shortest.

    >>> matched_lengths([900, 800, 1000, 300], ["a", "a", "b", "b"])
    [900, 300, 900, 300]

    Args:
        lengths: (episodes,).
        groups: of each.
    """
    own = {
        group: [k for k, each in enumerate(groups) if each == group]
        for group in dict.fromkeys(groups)
    }
    ranked = {group: sorted(members, key=lambda k: -lengths[k]) for group, members in own.items()}
    found = list(lengths)
    for members in ranked.values():
        for rank, k in enumerate(members):
            # where groups are of different size, that of the same part of it
            found[k] = min(
                lengths[others[min(rank * len(others) // len(members), len(others) - 1)]]
                for others in ranked.values()
            )
    return found


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
