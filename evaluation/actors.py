"""Who acts in an episode: a `PolicySpec`, small enough to be sent to a process, builds the actor there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from agent.errors import SubjectError
from agent.subject import Step, Subject, load
from analysis.code_identity import digest
from training.experts import Skills, TaskExpert, expert_for
from training.experts.pose import BodyReader

Array = np.ndarray

WALK_SPEED = 1.0
WALK_YAW_RAD_S = 3.0
WALK_REDRAW_S = 1.0
_TICKS_PER_S = 50


class Actor(Protocol):
    """Acts for one animal."""

    def begin(self, environment: Any, seed: int) -> None:
        """A new episode in a composer environment that was just reset."""

    def act(self, observation: Mapping[str, Array]) -> Array:
        """The action, (actuators,) float, for what the animal senses now."""


class PolicySpec(Protocol):
    """Builds an actor; with equal `identity` it does the same in the same episode."""

    def build(self) -> Actor:
        """The actor.

        Raises:
            SubjectError: something that it needs is missing.
        """

    def identity(self) -> str:
        """A digest of the data that decides what the actor does; its code is in `code_identity`."""

    def __hash__(self) -> int: ...


@lru_cache(maxsize=2)
def _loaded(folder: Path, sha256: str) -> Subject:
    # the reference: scores do not change with the runtime that sessions use
    subject = load(folder, "torch")
    if subject.sha256 != sha256:
        raise SubjectError(f"{folder} changed while it was being evaluated; evaluate it again")
    return subject


@dataclass(frozen=True)
class SubjectSpec:
    """A trained subject; `sampled` is with motor noise, as in sessions, otherwise the mean action."""

    folder: Path
    sha256: str
    sampled: bool

    def build(self) -> Actor:
        """The actor."""
        return PolicyActor(_loaded(self.folder, self.sha256), self.sampled)

    def identity(self) -> str:
        """A digest of the data that decides what the actor does."""
        return digest([], self.sha256, str(self.sampled))


class PolicyActor:
    """A subject that acts; `last` is what it did at the last tick."""

    last: Step

    def __init__(self, subject: Subject, sampled: bool) -> None:
        self._subject, self._sampled = subject, sampled

    def begin(self, environment: Any, seed: int) -> None:
        """A new episode, from the network's initial state."""
        self._subject.reset()
        self._rng = np.random.default_rng([seed, 11])

    def act(self, observation: Mapping[str, Array]) -> Array:
        """The action (actuators,) of one step of the network."""
        n = self._subject.config.action_size
        noise = self._rng.standard_normal(n) if self._sampled else None
        self.last = self._subject.step(observation, noise=noise)
        return self.last.action


@dataclass(frozen=True)
class ExpertSpec:
    """The expert of a task, made of the skills in a folder."""

    task: str
    skills: Path

    def build(self) -> Actor:
        """The actor."""
        return _ExpertActor(_expert(self.task, self.skills))

    def identity(self) -> str:
        """A digest of the data that decides what the actor does."""
        return _skills_digest(self.skills, "expert", self.task)


def _expert(task: str, skills: Path) -> TaskExpert:
    try:
        return expert_for(task, Skills(skills))
    except (ImportError, ValueError):
        raise SubjectError(f"there is no expert for {task!r} in this version") from None


def _skills_digest(skills: Path, *words: str) -> str:
    return digest(skills.glob("*.npz"), *words)


class _ExpertActor:
    def __init__(self, expert: TaskExpert) -> None:
        self._expert = expert

    def begin(self, environment: Any, seed: int) -> None:
        self._expert.begin(environment)

    def act(self, observation: Mapping[str, Array]) -> Array:
        return self._expert.act()


@dataclass(frozen=True)
class RandomWalkSpec:
    """The expert's running with a yaw command that is drawn anew every second: it meets orbs by chance."""

    skills: Path

    def build(self) -> Actor:
        """The actor."""
        return _RandomWalkActor(self.skills)

    def identity(self) -> str:
        """A digest of the data that decides what the actor does."""
        return _skills_digest(self.skills, "random walk")


class _RandomWalkActor:
    def __init__(self, skills: Path) -> None:
        self._locomotion = Skills(skills).locomotion()

    def begin(self, environment: Any, seed: int) -> None:
        self._body = BodyReader(environment)
        self._rng = np.random.default_rng([seed, 17])
        self._tick = 0

    def act(self, observation: Mapping[str, Array]) -> Array:
        if self._tick % round(WALK_REDRAW_S * _TICKS_PER_S) == 0:
            self._yaw = self._rng.uniform(-WALK_YAW_RAD_S, WALK_YAW_RAD_S)
        self._tick += 1
        # from a standstill the full gait makes it stumble
        going = float(np.clip(self._body.forward_speed_m_s() / 0.5, 0, 1))
        speed = WALK_SPEED * (0.5 + 0.5 * going)
        activation = self._body.activation()[None]
        return self._locomotion.act(activation, np.array([speed]), np.array([self._yaw]))[0]


@dataclass(frozen=True)
class RandomActionsSpec:
    """Actions drawn uniformly, every tick anew."""

    def build(self) -> Actor:
        """The actor."""
        return _RandomActor()

    def identity(self) -> str:
        """A digest of the data that decides what the actor does."""
        return "uniform 1"


class _RandomActor:
    def begin(self, environment: Any, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 13])
        self._n = environment.physics.model.ptr.nu

    def act(self, observation: Mapping[str, Array]) -> Array:
        return self._rng.uniform(-1, 1, self._n)
