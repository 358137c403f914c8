"""A condition's episodes with their metrics, and how they are kept in `scores.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from evaluation.conditions import EvaluationCondition
from evaluation.episode import EpisodeResult
from evaluation.metrics import METRICS, MetricValue, mean
from rig.arenas.camera import Quality


@dataclass(frozen=True)
class Score:
    """A condition and its episodes."""

    condition: EvaluationCondition
    episodes: tuple[EpisodeResult, ...]

    @property
    def falls(self) -> int:
        """Episodes in which the animal fell."""
        return sum(episode.fell for episode in self.episodes)

    def mean(self, name: str) -> float:
        """The mean over episodes of one of their statistics."""
        return mean([episode.statistics[name] for episode in self.episodes]).value

    def metrics(self, scores: Sequence[Score]) -> dict[str, MetricValue]:
        """All metrics of the task, by key; `scores` has those of the actors that some are relative to."""
        others = {
            one.condition.actor: one.episodes
            for one in scores
            if one.condition.task == self.condition.task and one.condition.actor != "subject"
        }
        metrics = METRICS[self.condition.task]
        return {metric.key: metric.of(self.episodes, others) for metric in metrics}


def as_json(score: Score, scores: Sequence[Score]) -> dict[str, Any]:
    """A score with every episode; `scores` as in `Score.metrics`."""
    task, actor, rendering, action = score.condition.key
    return {
        "actor": actor,
        "task": task,
        "rendering": rendering,
        "action": action,
        "n_episodes": len(score.episodes),
        "time_limit_s": score.condition.time_limit_s,
        "metrics": {key: one.as_json() for key, one in score.metrics(scores).items()},
        "episodes": [episode.as_json() for episode in score.episodes],
    }


def from_json(stored: Mapping[str, Any]) -> Score:
    """What `as_json` stored; its metrics are computed anew from the episodes."""
    rendering = stored["rendering"]
    condition = EvaluationCondition(
        task=stored["task"],
        actor=stored["actor"],
        policy=None,
        quality=None if rendering == "none" else cast(Quality, rendering),
        sampled=stored["action"] == "sampled",
        episodes=stored["n_episodes"],
        time_limit_s=stored["time_limit_s"],
    )
    return Score(condition, tuple(EpisodeResult(**one) for one in stored["episodes"]))
