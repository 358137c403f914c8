"""Metrics of training, as TensorBoard and the terminal show them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from training.learn.training_loop import Counts
from training.rollout.rollout import Rollout


class Writer(Protocol):
    """Where metrics are written, such as TensorBoard's `SummaryWriter`."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Write a number.

        Args:
            tag: its name.
            scalar_value: the number.
            global_step: step of the training that it belongs to.
        """


def write(writer: Writer | None, scalars: Mapping[str, float], step: int) -> None:
    """Write metrics.

    Args:
        writer: where to; None: nowhere.
        scalars: numbers by tag.
        step: of the training.
    """
    if writer is not None:
        for tag, value in scalars.items():
            writer.add_scalar(tag, value, step)


@dataclass(frozen=True)
class ReinforcementMetrics:
    """Means since the last report.

    Attributes:
        fraction: of the training that is done.
        learner: by name, what `Learner.update` returns.
        reward: by task, a tick, scaled.
        returns: by task, of the episodes that ended.
        ticks_per_s: of all environments together.
        counts: what was left out since the training began.
    """

    fraction: float
    learner: Mapping[str, float]
    reward: Mapping[str, float]
    returns: Mapping[str, float]
    ticks_per_s: float
    counts: Counts

    def scalars(self) -> dict[str, float]:
        """All of them by TensorBoard tag."""
        return {
            **{f"learner/{name}": value for name, value in self.learner.items()},
            **{f"reward/{name}": value for name, value in self.reward.items()},
            **{f"return/{name}": value for name, value in self.returns.items()},
            "ticks_per_s": self.ticks_per_s,
            **self.counts.scalars(),
        }


@dataclass
class MetricsAccumulator:
    """Collects what happens between two reports; `tasks` are the names that `Rollout.task` numbers."""

    tasks: Sequence[str]
    learner: dict[str, list[float]] = field(default_factory=dict)
    reward: dict[str, list[float]] = field(default_factory=dict)
    returns: dict[str, list[float]] = field(default_factory=dict)
    ticks: int = 0
    since: float = field(default_factory=time.monotonic)
    _running: dict[tuple[int, int], float] = field(default_factory=dict)

    def add_update(self, metrics: Mapping[str, float]) -> None:
        """Add the metrics of one update."""
        for name, value in metrics.items():
            self.learner.setdefault(name, []).append(value)

    def add_rollout(self, actor: int, rollout: Rollout) -> None:
        """Add a rollout of an actor; an episode's return is known when the next one begins."""
        self.ticks += rollout.reward.size
        for k, index in enumerate(rollout.task):
            name, reward = self.tasks[index], rollout.reward[:, k]
            self.reward.setdefault(name, []).append(float(reward.mean()))
            if rollout.is_first[0, k]:
                finished = self._running.pop((actor, k), None)
                if finished is not None:
                    self.returns.setdefault(name, []).append(finished)
                self._running[actor, k] = 0.0
            if (actor, k) in self._running:
                self._running[actor, k] += float(reward.sum())

    def report(self, fraction: float, counts: Counts) -> ReinforcementMetrics:
        """Means since the last report, and a new beginning; returns of unfinished episodes stay."""
        learner, reward, returns = (
            {name: float(np.mean(values)) for name, values in one.items()}
            for one in (self.learner, self.reward, self.returns)
        )
        now = time.monotonic()
        rate = self.ticks / max(1e-9, now - self.since)
        for one in (self.learner, self.reward, self.returns):
            one.clear()
        self.ticks, self.since = 0, now
        return ReinforcementMetrics(fraction, learner, reward, returns, rate, replace(counts))
