"""How reinforcement learning goes: what is shown on the terminal and in TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from training.rollout.rollout import Segment


class Writer(Protocol):
    """Where the course of training is written, such as TensorBoard's `SummaryWriter`."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Write a number at a step."""


@dataclass(frozen=True)
class Report:
    """How it goes: part done; means of what `Learner.update` tells; by task the reward a tick and return."""

    done: float
    figures: Mapping[str, float]
    reward: Mapping[str, float]
    returns: Mapping[str, float]
    ticks_per_s: float


@dataclass
class Course:
    """What happened since it was last written."""

    tasks: Sequence[str]
    figures: dict[str, list[float]] = field(default_factory=dict)
    reward: dict[str, list[float]] = field(default_factory=dict)
    returns: dict[str, list[float]] = field(default_factory=dict)
    ticks: int = 0
    began: float = field(default_factory=time.monotonic)
    _running: dict[tuple[int, int], float] = field(default_factory=dict)

    def learned(self, figures: Mapping[str, float]) -> None:
        """One update."""
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)

    def lived(self, worker: int, segment: Segment) -> None:
        """One segment of a worker; an episode's return is known when its animal begins the next."""
        self.ticks += segment.reward.size
        for k, index in enumerate(segment.task):
            name, earned = self.tasks[index], segment.reward[:, k]
            self.reward.setdefault(name, []).append(float(earned.mean()))
            if segment.fresh[0, k]:
                whole = self._running.pop((worker, k), None)
                if whole is not None:
                    self.returns.setdefault(name, []).append(whole)
                self._running[worker, k] = 0.0
            if (worker, k) in self._running:
                self._running[worker, k] += float(earned.sum())

    def report(self, done: float) -> Report:
        """All of it, as means."""
        figures, reward, returns = (
            {name: float(np.mean(values)) for name, values in one.items()}
            for one in (self.figures, self.reward, self.returns)
        )
        rate = self.ticks / max(1e-9, time.monotonic() - self.began)
        return Report(done, figures, reward, returns, rate)

    def restart(self) -> None:
        """Begin anew, the unfinished episodes apart."""
        for one in (self.figures, self.reward, self.returns):
            one.clear()
        self.ticks, self.began = 0, time.monotonic()


def write(writer: Writer, report: Report, step: int) -> None:
    """Write a report's figures."""
    for kind, some in (
        ("learner", report.figures),
        ("reward", report.reward),
        ("return", report.returns),
    ):
        for name, value in some.items():
            writer.add_scalar(f"{kind}/{name}", value, step)
    writer.add_scalar("ticks_per_s", report.ticks_per_s, step)
