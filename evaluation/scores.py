"""The figures of each task over the episodes of a condition, and the goals that they are held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from evaluation.conditions import Condition
from evaluation.episode import Episode

GAP_EDGES_M = (0.05, 0.08, 0.11, 0.14, 0.17, 0.20)
"""Bins of the crossing rate; the arena draws widths evenly from the whole range."""

Episodes = Sequence[Episode]


@dataclass(frozen=True)
class Estimate:
    """A figure: its value, the standard error of a mean, or a share's count of its total.

    `value` is NaN where nothing was there to measure.
    """

    value: float
    standard_error: float | None = None
    count: int | None = None
    total: int | None = None

    def as_json(self) -> dict[str, float | int | None]:
        """Only what applies; NaN as null."""
        said = {"value": _json(self.value), "standard_error": _json(self.standard_error)}
        counted = {"count": self.count, "total": self.total}
        return {
            "value": said["value"],
            **{k: v for k, v in {**said, **counted}.items() if v is not None and k != "value"},
        }


def _json(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 5)


def mean(values: Sequence[float | None]) -> Estimate:
    """Mean and standard error over the episodes where there is a value."""
    there = np.array([v for v in values if v is not None], float)
    if not len(there):
        return Estimate(float("nan"))
    error = float(there.std(ddof=1) / np.sqrt(len(there))) if len(there) > 1 else None
    return Estimate(float(there.mean()), error)


def share(count: int, total: int) -> Estimate:
    """A share of a total."""
    return Estimate(count / total if total else float("nan"), None, count, total)


@dataclass(frozen=True)
class Figure:
    """One figure of a task.

    Attributes:
        key: its name in `scores.json`.
        label: its name in the table.
        of: from a condition's episodes, and those of the task's other actors by name, to its value.
        percent: shown in per cent.
        at_least, aim: the goals, in the figure's unit; None where it is only told.
        digits: shown after the point.
    """

    key: str
    label: str
    of: Callable[[Episodes, Mapping[str, Episodes]], Estimate]
    percent: bool = False
    at_least: float | None = None
    aim: float | None = None
    digits: int = 2

    def verdict(self, value: float) -> str:
        """Which goal is reached: "aim", "at least", "below" both, or "" where there is none."""
        if self.at_least is None and self.aim is None:
            return ""
        if not math.isfinite(value):
            return "not measured"
        if self.aim is not None and value >= self.aim:
            return "aim"
        if self.at_least is not None and value >= self.at_least:
            return "at least"
        return "below"

    def text(self, one: Estimate) -> str:
        """A value as the table shows it."""
        if not math.isfinite(one.value):
            return "–"
        if one.total is not None:
            return f"{100 * one.value:.0f} % ({one.count}/{one.total})"
        if self.percent:
            return f"{100 * one.value:.0f} %"
        error = f" ± {one.standard_error:.{self.digits}f}" if one.standard_error is not None else ""
        return f"{one.value:.{self.digits}f}{error}"

    def goal(self, value: float | None) -> str:
        """A goal as the table shows it."""
        return "" if value is None else f"{100 * value:.0f} %" if self.percent else f"{value:g}"


def _mean_of(name: str) -> Callable[[Episodes, Mapping[str, Episodes]], Estimate]:
    return lambda own, others: mean([episode.figures[name] for episode in own])


def _share_of(holds: Callable[[Episode], bool]) -> Callable[[Episodes, Any], Estimate]:
    return lambda own, others: share(sum(map(holds, own)), len(own))


def _crossed(low: float, high: float) -> Callable[[Episodes, Any], Estimate]:
    def of(own: Episodes, others: Mapping[str, Episodes]) -> Estimate:
        tried = [g for e in own for g in e.figures["gaps"] if low <= g["width_m"] < high]
        return share(sum(gap["crossed"] for gap in tried), len(tried))

    return of


def _crossings(own: Episodes, others: Mapping[str, Episodes]) -> Estimate:
    return mean([sum(gap["crossed"] for gap in episode.figures["gaps"]) for episode in own])


def _relative(name: str, to: str) -> Callable[[Episodes, Mapping[str, Episodes]], Estimate]:
    """Ratio of means to another actor's over the episodes (seeds) that both played."""

    def of(own: Episodes, others: Mapping[str, Episodes]) -> Estimate:
        if own is others.get(to):
            return Estimate(float("nan"))  # beside itself
        theirs = {episode.seed: episode for episode in others.get(to, ())}
        both = [(e.figures[name], theirs[e.seed].figures[name]) for e in own if e.seed in theirs]
        if not both:
            return Estimate(float("nan"))
        over, under = (float(np.mean(values)) for values in zip(*both, strict=True))
        # nothing can be so many times nothing
        return Estimate(over / under if under > 0 else float("nan"))

    return of


def _righted_from_lying(own: Episodes, others: Mapping[str, Episodes]) -> Estimate:
    lying = [e for e in own if e.figures["began_upright"] < 0.3]
    return share(sum(e.figures["righted"] for e in lying), len(lying))


def _pairs(own: Episodes, others: Mapping[str, Episodes]) -> Estimate:
    outcomes = [outcome for e in own for outcome in e.figures["outcomes"]]
    return share(outcomes.count("pair"), len(outcomes))


def _interval(own: Episodes, others: Mapping[str, Episodes]) -> Estimate:
    return mean([t for e in own for t in e.figures["intervals_s"]])


_RETURN = Figure("return", "return", lambda own, others: mean([e.reward for e in own]), digits=1)
_LASTED = Figure("duration_s", "episode s", lambda own, others: mean([e.duration_s for e in own]))
_FALLS = Figure("episodes_with_a_fall", "episodes with a fall", _share_of(lambda e: e.fell), True)
_STRIDE = Figure("stride_hz", "stride Hz", _mean_of("stride_hz"))
_SPEED = "forward speed m/s, until the end"

FIGURES: dict[str, tuple[Figure, ...]] = {
    "corridor": (
        _RETURN,
        _LASTED,
        Figure("speed_m_s", _SPEED, _mean_of("speed_m_s")),
        Figure(
            "lowest_speed_m_s",
            "lowest of an episode",
            lambda own, others: Estimate(min(e.figures["speed_m_s"] for e in own)),
        ),
        _FALLS,
        _STRIDE,
    ),
    "gaps": (
        _RETURN,
        _LASTED,
        Figure("speed_m_s", _SPEED, _mean_of("speed_m_s"), False, 0.6, 0.9),
        Figure(
            "speed_over_all_m_s",
            "forward speed m/s, over the whole time",
            _mean_of("speed_over_all_m_s"),
            False,
            0.6,
            0.9,
        ),
        Figure("crossed", "gaps crossed, of those reached", _crossed(0, 9), True, 0.85, 0.98),
        Figure(
            "without_a_fall",
            "episodes without a fall",
            _share_of(lambda e: not e.fell),
            True,
            0.6,
            0.9,
        ),
        Figure("crossings", "gaps crossed an episode", _crossings, digits=1),
        *(
            Figure(
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
        Figure("orbs", "orbs an episode", _mean_of("orbs"), False, 3, 6, 1),
        Figure(
            "orbs_to_random_walk",
            "orbs, times those of the random walk",
            _relative("orbs", "random walk"),
            False,
            5,
            None,
            1,
        ),
        Figure("orbs_there", "orbs there", _mean_of("orbs_there"), digits=1),
        Figure("travelled_m", "way m", _mean_of("travelled_m"), digits=1),
        _FALLS,
    ),
    "escape": (
        _RETURN,
        _LASTED,
        Figure("distance_m", "distance from the centre m", _mean_of("distance_m")),
        Figure(
            "distance_to_expert",
            "distance, of the expert's",
            _relative("distance_m", "expert"),
            True,
            0.5,
            0.9,
        ),
        Figure(
            "righted",
            "episodes in which it righted itself",
            _share_of(lambda e: bool(e.figures["righted"])),
            True,
            0.9,
            0.99,
        ),
        Figure("righted_from_lying", "of those that began lying", _righted_from_lying, True),
        Figure("righted_after_s", "upright after s", _mean_of("righted_after_s")),
        _FALLS,
    ),
    "two_tap": (
        _RETURN,
        _LASTED,
        Figure("pairs", "first taps with a second at 0.8 ± 0.1 s", _pairs, True, 0.5, 0.85),
        Figure("first_taps", "first taps an episode", _mean_of("first_taps"), False, 2, 6, 1),
        Figure("interval_s", "interval of the second tap s", _interval),
        Figure("travelled_m", "way m", _mean_of("travelled_m"), digits=1),
        _FALLS,
    ),
}
"""By task. Goals are those that were set before anything was measured."""


@dataclass(frozen=True)
class Score:
    """A condition and its episodes."""

    condition: Condition
    episodes: tuple[Episode, ...]

    @property
    def falls(self) -> int:
        """Episodes in which the animal fell."""
        return sum(episode.fell for episode in self.episodes)

    def mean(self, name: str) -> float:
        """Mean over the episodes of a figure that the meter read."""
        return mean([episode.figures[name] for episode in self.episodes]).value

    def estimates(self, scores: Sequence[Score]) -> dict[str, Estimate]:
        """All figures, by key; `scores` has those of the actors that some are relative to."""
        others = {
            one.condition.actor: one.episodes
            for one in scores
            if one.condition.task == self.condition.task and one.condition.actor != "student"
        }
        figures = FIGURES[self.condition.task]
        return {figure.key: figure.of(self.episodes, others) for figure in figures}


def as_json(score: Score, scores: Sequence[Score]) -> dict[str, Any]:
    """A score with every episode."""
    task, actor, rendering, action = score.condition.key
    return {
        "actor": actor,
        "task": task,
        "rendering": rendering,
        "action": action,
        "episodes": len(score.episodes),
        "wanted_duration_s": score.condition.duration_s,
        "figures": {key: one.as_json() for key, one in score.estimates(scores).items()},
        "each": [episode.as_json() for episode in score.episodes],
    }
