"""Who acts in an episode. A source is small and can be sent to another process; it makes the actor there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from agent.errors import SubjectError
from agent.subject import Step, Subject, load
from training.experts import Skills, TaskExpert, expert_for
from training.experts.pose import BodyReader

Array = np.ndarray

_ROOT = Path(__file__).resolve().parents[1]
_AGENT, _TRAINING = _ROOT / "agent", _ROOT / "training"
WALK_SPEED = 1.0
WALK_YAW_RAD_S = 3.0
WALK_REDRAWN_S = 1.0
_TICKS_PER_S = 50


class Actor(Protocol):
    """Acts for one animal."""

    def begin(self, environment: Any, seed: int) -> None:
        """A new episode in a composer environment that was just reset."""

    def act(self, observation: Mapping[str, Array]) -> Array:
        """The action (actuators,) for what the animal senses now."""


class Source(Protocol):
    """Makes an actor; equal `identity` means that it does the same in the same episode."""

    def make(self) -> Actor:
        """The actor. Raises `SubjectError` where something that it needs is missing."""

    def identity(self) -> str:
        """A digest of everything that decides what the actor does."""

    def __hash__(self) -> int: ...


def digest(paths: Iterable[Path], *words: str) -> str:
    """SHA-256 of the contents of files, in the order of their names, and of words."""
    found = hashlib.sha256(repr(words).encode())
    for path in sorted(paths):
        found.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


@lru_cache(maxsize=2)
def _loaded(folder: Path, sha256: str) -> Subject:
    # the reference: scores do not change with the runtime that sessions use
    subject = load(folder, "torch")
    if subject.sha256 != sha256:
        raise SubjectError(f"{folder} changed while it was being evaluated; evaluate it again")
    return subject


@dataclass(frozen=True)
class Student:
    """A trained subject; `sampled` is with motor noise, as in sessions, otherwise the mean action."""

    folder: Path
    sha256: str
    sampled: bool

    def make(self) -> Actor:
        """See `Source`."""
        return StudentActor(_loaded(self.folder, self.sha256), self.sampled)

    def identity(self) -> str:
        """See `Source`."""
        return digest(_AGENT.glob("*.py"), self.sha256, str(self.sampled))


class StudentActor:
    """A subject that acts; `last` is what it did at the last tick."""

    last: Step

    def __init__(self, subject: Subject, sampled: bool) -> None:
        self._subject, self._sampled = subject, sampled

    def begin(self, environment: Any, seed: int) -> None:
        """See `Actor`."""
        self._subject.reset()
        self._rng = np.random.default_rng([seed, 11])

    def act(self, observation: Mapping[str, Array]) -> Array:
        """See `Actor`."""
        n = self._subject.config.action_size
        noise = self._rng.standard_normal(n) if self._sampled else None
        self.last = self._subject.step(observation, noise=noise)
        return self.last.action


@dataclass(frozen=True)
class Teacher:
    """The expert of a task, made of the skills in a folder."""

    task: str
    skills: Path

    def make(self) -> Actor:
        """See `Source`."""
        return _ExpertActor(_expert(self.task, self.skills))

    def identity(self) -> str:
        """See `Source`."""
        return _skilled(self.skills, "expert", self.task)


def _expert(task: str, skills: Path) -> TaskExpert:
    try:
        return expert_for(task, Skills(skills))
    except (ImportError, ValueError):
        raise SubjectError(f"there is no expert for {task!r} in this version") from None


def _skilled(skills: Path, *words: str) -> str:
    code = [*_TRAINING.glob("experts/*.py"), *_TRAINING.glob("skills/*.py")]
    return digest([*code, *skills.glob("*.npz")], *words)


class _ExpertActor:
    def __init__(self, expert: TaskExpert) -> None:
        self._expert = expert

    def begin(self, environment: Any, seed: int) -> None:
        self._expert.begin(environment)

    def act(self, observation: Mapping[str, Array]) -> Array:
        return self._expert.act()


@dataclass(frozen=True)
class RandomWalk:
    """The expert's running with a yaw command that is drawn anew every second: it meets orbs by chance."""

    skills: Path

    def make(self) -> Actor:
        """See `Source`."""
        return _WalkActor(self.skills)

    def identity(self) -> str:
        """See `Source`."""
        return _skilled(self.skills, "random walk")


class _WalkActor:
    def __init__(self, skills: Path) -> None:
        self._locomotion = Skills(skills).locomotion()

    def begin(self, environment: Any, seed: int) -> None:
        self._body = BodyReader(environment)
        self._rng = np.random.default_rng([seed, 17])
        self._tick = 0

    def act(self, observation: Mapping[str, Array]) -> Array:
        if self._tick % round(WALK_REDRAWN_S * _TICKS_PER_S) == 0:
            self._yaw = self._rng.uniform(-WALK_YAW_RAD_S, WALK_YAW_RAD_S)
        self._tick += 1
        # from a standstill the full gait makes it stumble
        going = float(np.clip(self._body.forward_speed_m_s() / 0.5, 0, 1))
        speed = WALK_SPEED * (0.5 + 0.5 * going)
        activation = self._body.activation()[None]
        return self._locomotion.act(activation, np.array([speed]), np.array([self._yaw]))[0]


@dataclass(frozen=True)
class RandomActions:
    """Actions drawn uniformly, every tick anew."""

    def make(self) -> Actor:
        """See `Source`."""
        return _RandomActor()

    def identity(self) -> str:
        """See `Source`."""
        return "uniform 1"


class _RandomActor:
    def begin(self, environment: Any, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 13])
        self._n = environment.physics.model.ptr.nu

    def act(self, observation: Mapping[str, Array]) -> Array:
        return self._rng.uniform(-1, 1, self._n)
