"""The metrics of each task over the episodes of a condition, and the goals that they are held against.

Every metric has a 95 % interval over episodes, each of which has a seed of its own
(`analysis.cluster_statistics`); whether a goal is reached is decided by that interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.stats import t

from analysis import cluster_statistics
from evaluation.episode import EpisodeResult
from rig.body_quantities import FALLEN_BELOW_UP

GAP_EDGES_M = (0.05, 0.08, 0.11, 0.14, 0.17, 0.20)
"""Bins of the crossing rate; the arena draws widths evenly from the whole range."""

Episodes = Sequence[EpisodeResult]
Goal: TypeAlias = Literal["", "not measured", "target", "minimum", "below", "cannot tell"]


@dataclass(frozen=True)
class MetricValue:
    """The value of a metric; NaN where there was nothing to measure.

    Attributes:
        value: the mean, share or ratio.
        low, high: its 95 % interval over episodes; infinite where they are too few for one.
        standard_error: of a mean.
        count, total: of a share.
    """

    value: float
    low: float = -math.inf
    high: float = math.inf
    standard_error: float | None = None
    count: int | None = None
    total: int | None = None

    def as_json(self) -> dict[str, float | int | None]:
        """Only what applies; the value as null where nothing was measured."""
        rest = {
            "low95": _finite(self.low),
            "high95": _finite(self.high),
            "standard_error": _finite(self.standard_error),
            "count": self.count,
            "total": self.total,
        }
        return {
            "value": _finite(self.value),
            **{key: value for key, value in rest.items() if value is not None},
        }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 5)


def mean(values: Sequence[float | None]) -> MetricValue:
    """The mean over the episodes where there is a value; values are (episodes,).

    >>> found = mean([1.0, None, 3.0])
    >>> found.value, found.standard_error
    (2.0, 1.0)
    """
    there = np.array([v for v in values if v is not None], float)
    if not len(there):
        return MetricValue(float("nan"))
    error = float(there.std(ddof=1) / np.sqrt(len(there))) if len(there) > 1 else None
    found = cluster_statistics.interval_of_mean(there)
    return MetricValue(found.value, found.low, found.high, error)


def share(hits: Sequence[Sequence[bool]]) -> MetricValue:
    """The share of events that are hits, from those of every episode.

    >>> found = share([[True, False], [True], []])
    >>> found.count, found.total
    (2, 3)
    """
    found = cluster_statistics.share(
        [hit for each in hits for hit in each], [k for k, each in enumerate(hits) for _ in each]
    )
    if not found.n:
        return MetricValue(float("nan"), count=0, total=0)
    if found.clusters < cluster_statistics.FEWEST_CLUSTERS:
        return MetricValue(found.value, count=found.hits, total=found.n)
    return MetricValue(found.value, found.low, found.high, None, found.hits, found.n)


def ratio(over: Sequence[float], under: Sequence[float]) -> MetricValue:
    """The sum of one number over that of another, (episodes,) each, neither below 0.

    NaN where there is nothing below. The interval is Fieller's (1954): all ratios r for which the mean of
    over - r under does not differ from 0 by Student's t. So it always holds the value. It is cut at 0; where
    what is below might be 0 as well, it has no end and counts as none. In simulations it covers 94 to 98 %
    from ten episodes on (`tests/test_evaluation.py`).

    >>> found = ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    >>> found.value, round(found.standard_error, 6)
    (2.0, 0.0)

    Args:
        over: of every episode.
        under: of the same episodes.
    """
    both = np.array([over, under], float)
    n = both.shape[1]
    if not both[1].sum() > 0:
        return MetricValue(float("nan"))
    above, below = both.mean(1)
    value = float(above / below)
    if n < 2:
        return MetricValue(value)
    spread = np.cov(both) / n
    error = float(np.std(both[0] - value * both[1], ddof=1) / np.sqrt(n) / below)
    reach = float(t.ppf(0.5 + cluster_statistics.CONFIDENCE / 2, n - 1)) ** 2
    # r is inside where (above - r below)² <= reach times its variance: between the roots of a r² - 2 b r + c
    a = below**2 - reach * spread[1, 1]
    b = above * below - reach * spread[0, 1]
    c = above**2 - reach * spread[0, 0]
    if n < cluster_statistics.FEWEST_CLUSTERS or a <= 0 or value == 0:
        return MetricValue(value, standard_error=error)
    half = math.sqrt(max(0.0, b**2 - a * c))
    return MetricValue(
        value,
        min(value, max(0.0, float(b - half) / float(a))),
        max(value, float(b + half) / float(a)),
        error,
    )


@dataclass(frozen=True)
class Metric:
    """One metric of a task.

    Attributes:
        key: its name in `scores.json`.
        label: its name in the table.
        of: from a condition's episodes, and those of the task's other actors by name, to its value.
        percent: shown in per cent.
        minimum, target: the goals, in the metric's unit; None where it has none.
        digits: shown after the point.
    """

    key: str
    label: str
    of: Callable[[Episodes, Mapping[str, Episodes]], MetricValue]
    percent: bool = False
    minimum: float | None = None
    target: float | None = None
    digits: int = 2

    def reached(self, one: MetricValue) -> Goal:
        """The higher goal that lies wholly below the interval; "below" where all of it is below the lower.

        "cannot tell" where the interval holds the lower goal, "" where there is no goal.
        """
        goals = [goal for goal in (self.minimum, self.target) if goal is not None]
        if not goals:
            return ""
        if not math.isfinite(one.value):
            return "not measured"
        if self.target is not None and one.low >= self.target:
            return "target"
        if self.minimum is not None and one.low >= self.minimum:
            return "minimum"
        return "below" if one.high < min(goals) else "cannot tell"

    def text(self, one: MetricValue) -> str:
        """A value as the table shows it."""
        if not math.isfinite(one.value):
            return "–"
        if one.total is not None:
            return f"{100 * one.value:.0f} % ({one.count}/{one.total})"
        if self.percent:
            return f"{100 * one.value:.0f} %"
        error = f" ± {one.standard_error:.{self.digits}f}" if one.standard_error is not None else ""
        return f"{one.value:.{self.digits}f}{error}"

    def interval(self, one: MetricValue) -> str:
        """A value's interval as the table shows it; "none" where there is no interval."""
        if not (math.isfinite(one.low) and math.isfinite(one.high)):
            return "none"
        if self.percent:
            return f"{100 * one.low:.0f} to {100 * one.high:.0f} %"
        return f"{one.low:.{self.digits}f} to {one.high:.{self.digits}f}"

    def goal(self, value: float | None) -> str:
        """A goal as the table shows it."""
        return "" if value is None else f"{100 * value:.0f} %" if self.percent else f"{value:g}"


def _mean_of(name: str) -> Callable[[Episodes, Mapping[str, Episodes]], MetricValue]:
    return lambda own, others: mean([episode.statistics[name] for episode in own])


def _share_of(holds: Callable[[EpisodeResult], bool]) -> Callable[[Episodes, Any], MetricValue]:
    return lambda own, others: share([[holds(each)] for each in own])


def _crossed(low: float, high: float) -> Callable[[Episodes, Any], MetricValue]:
    def of(own: Episodes, others: Mapping[str, Episodes]) -> MetricValue:
        return share(
            [
                [gap["crossed"] for gap in e.statistics["gaps"] if low <= gap["width_m"] < high]
                for e in own
            ]
        )

    return of


def _crossings(own: Episodes, others: Mapping[str, Episodes]) -> MetricValue:
    return mean([sum(gap["crossed"] for gap in episode.statistics["gaps"]) for episode in own])


def _relative(name: str, to: str) -> Callable[[Episodes, Mapping[str, Episodes]], MetricValue]:
    """Ratio of means to another actor's over the episodes (seeds) that both played."""

    def of(own: Episodes, others: Mapping[str, Episodes]) -> MetricValue:
        if own is others.get(to):
            return MetricValue(float("nan"))  # beside itself
        theirs = {episode.seed: episode for episode in others.get(to, ())}
        both = [e for e in own if e.seed in theirs]
        return ratio(
            [e.statistics[name] for e in both], [theirs[e.seed].statistics[name] for e in both]
        )

    return of


def _righted_from_lying(own: Episodes, others: Mapping[str, Episodes]) -> MetricValue:
    lying = [e for e in own if e.statistics["began_upright"] < FALLEN_BELOW_UP]
    return share([[e.statistics["righted"]] for e in lying])


def _pairs(own: Episodes, others: Mapping[str, Episodes]) -> MetricValue:
    return share([[outcome == "pair" for outcome in e.statistics["outcomes"]] for e in own])


def _interval(own: Episodes, others: Mapping[str, Episodes]) -> MetricValue:
    times = [[t for t in e.statistics["intervals_s"] if t is not None] for e in own]
    return ratio([sum(each) for each in times], [len(each) for each in times])


_RETURN = Metric("return", "return", lambda own, others: mean([e.reward for e in own]), digits=1)
_LASTED = Metric("duration_s", "episode s", lambda own, others: mean([e.duration_s for e in own]))
_FALLS = Metric("episodes_with_a_fall", "episodes with a fall", _share_of(lambda e: e.fell), True)
_STRIDE = Metric("stride_hz", "stride Hz", _mean_of("stride_hz"))
_SPEED = "forward speed m/s, until the end"

METRICS: dict[str, tuple[Metric, ...]] = {
    "corridor": (
        _RETURN,
        _LASTED,
        Metric("speed_m_s", _SPEED, _mean_of("speed_m_s")),
        Metric(
            "lowest_speed_m_s",
            "lowest of an episode",
            lambda own, others: MetricValue(min(e.statistics["speed_m_s"] for e in own)),
        ),
        _FALLS,
        _STRIDE,
    ),
    "gaps": (
        _RETURN,
        _LASTED,
        Metric("speed_m_s", _SPEED, _mean_of("speed_m_s"), False, 0.6, 0.9),
        Metric(
            "speed_over_all_m_s",
            "forward speed m/s, over the whole time",
            _mean_of("speed_over_all_m_s"),
            False,
            0.6,
            0.9,
        ),
        Metric("crossed", "gaps crossed, of those reached", _crossed(0, 9), True, 0.85, 0.98),
        Metric(
            "without_a_fall",
            "episodes without a fall",
            _share_of(lambda e: not e.fell),
            True,
            0.6,
            0.9,
        ),
        Metric("crossings", "gaps crossed an episode", _crossings, digits=1),
        *(
            Metric(
                f"crossed_{round(100 * a)}_{round(100 * b)}_cm",
                f"crossed, {round(100 * a)}–{round(100 * b)} cm",
                # the last bin has its upper edge too
                _crossed(a, b if b < GAP_EDGES_M[-1] else 9),
                True,
            )
            for a, b in pairwise(GAP_EDGES_M)
        ),
        _STRIDE,
    ),
    "forage": (
        _RETURN,
        _LASTED,
        Metric("orbs", "orbs an episode", _mean_of("orbs"), False, 3, 6, 1),
        Metric(
            "orbs_to_random_walk",
            "orbs, times those of the random walk",
            _relative("orbs", "random walk"),
            False,
            5,
            None,
            1,
        ),
        Metric("orbs_there", "orbs there", _mean_of("orbs_there"), digits=1),
        Metric("travelled_m", "way m", _mean_of("travelled_m"), digits=1),
        _FALLS,
    ),
    "escape": (
        _RETURN,
        _LASTED,
        Metric("distance_m", "distance from the centre m", _mean_of("distance_m")),
        Metric(
            "distance_to_expert",
            "distance, of the expert's",
            _relative("distance_m", "expert"),
            True,
            0.5,
            0.9,
        ),
        Metric(
            "righted",
            "episodes in which it righted itself",
            _share_of(lambda e: bool(e.statistics["righted"])),
            True,
            0.9,
            0.99,
        ),
        Metric("righted_from_lying", "of those that began lying", _righted_from_lying, True),
        Metric("righted_after_s", "upright after s", _mean_of("righted_after_s")),
        _FALLS,
    ),
    "two_tap": (
        _RETURN,
        _LASTED,
        Metric("pairs", "first taps with a second at 0.8 ± 0.1 s", _pairs, True, 0.5, 0.85),
        Metric("first_taps", "first taps an episode", _mean_of("first_taps"), False, 2, 6, 1),
        Metric("interval_s", "interval of the second tap s", _interval),
        Metric("travelled_m", "way m", _mean_of("travelled_m"), digits=1),
        _FALLS,
    ),
}
"""By task. The goals were set before anything was measured."""
