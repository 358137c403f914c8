"""Training settings: one TOML file per subject, read into frozen dataclasses; mistakes are named."""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agent.architecture import NetworkConfig
from agent.errors import SubjectError
from parallel.errors import ClusterError
from parallel.ray_cluster import host_and_port
from rig.regular_file import open_regular
from training import migration
from training.learn.checks import check_at_least_1
from training.learn.dagger import DaggerSettings
from training.learn.distillation import DistillationSettings
from training.learn.reinforcement import ReinforcementSettings
from training.learn.vision import VisionSettings
from training.rollout.vector_env import VectorEnvSettings
from training.skills.climbing import ClimbingSettings
from training.skills.gait import GaitSettings
from training.skills.library import SKILLS
from training.skills.righting import RightingSettings
from training.skills.running_leap import RunningLeapSettings
from training.skills.running_over_gaps import GapSearchSettings
from training.skills.spinning import SpinningSettings
from training.skills.steering import SteeringSettings
from training.skills.stepping import SteppingSettings
from training.skills.tapping import TappingSettings
from training.skills.walking_backward import WalkingBackwardSettings

MOST_BYTES = 1_000_000
MOST_ACTORS = 100
"""More would have the seeds of another stage's (`stage_actors.make_vector_env`)."""


SHORTEST_S = 0.1
"""Of an episode, or a trial of a search."""
LEAST = {
    "population": 2, "starts": 1, "cases": 1, "touches": 1, "animals": 1, "arenas": 1,
    "rollout_s": SHORTEST_S, "trial_s": SHORTEST_S,
}  # fmt: skip
"""Least values of the searches' settings, by the end of their names."""


@dataclass(frozen=True)
class ActorSettings:
    """The processes that collect rollouts, each with its own environments.

    Attributes:
        count: how many.
        ray: "" for processes of this machine without Ray (a single actor runs in the learner's), "local" for
            Ray actors on this machine, or the address of a Ray cluster, `host:port`.
    """

    count: int = 1
    ray: str = ""


@dataclass(frozen=True)
class EvaluationSettings:
    """How the finished subject is scored; `duration_s` 0 is each task's own."""

    episodes: int = 25
    stock_episodes: int = 3
    duration_s: float = 0.0

    def __post_init__(self) -> None:
        check_at_least_1(self, "episodes")
        if 0 < self.duration_s < SHORTEST_S:
            raise ValueError(f"duration_s is 0 or at least {SHORTEST_S}, not {self.duration_s}")


@dataclass(frozen=True)
class Settings:
    """Everything that decides how a subject is trained; every field but `name` is a section of the file."""

    name: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    vector_env: VectorEnvSettings = field(default_factory=VectorEnvSettings)
    actors: ActorSettings = field(default_factory=ActorSettings)
    gait: GaitSettings = field(default_factory=GaitSettings)
    steering: SteeringSettings = field(default_factory=SteeringSettings)
    spinning: SpinningSettings = field(default_factory=SpinningSettings)
    walking_backward: WalkingBackwardSettings = field(default_factory=WalkingBackwardSettings)
    righting: RightingSettings = field(default_factory=RightingSettings)
    climbing: ClimbingSettings = field(default_factory=ClimbingSettings)
    tapping: TappingSettings = field(default_factory=TappingSettings)
    stepping: SteppingSettings = field(default_factory=SteppingSettings)
    running_leap: RunningLeapSettings = field(default_factory=RunningLeapSettings)
    gap_running: GapSearchSettings = field(default_factory=GapSearchSettings)
    vision: VisionSettings = field(default_factory=VisionSettings)
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    dagger: DaggerSettings = field(default_factory=DaggerSettings)
    reinforcement: ReinforcementSettings = field(default_factory=ReinforcementSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)


def read(path: Path) -> Settings:
    """Read training settings; names of earlier versions are understood.

    Raises:
        SubjectError: missing, not TOML, or with an unknown or unusable setting.
    """
    try:
        with open_regular(path, MOST_BYTES) as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise SubjectError(f"there is no settings file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SubjectError(f"{path} cannot be read: {error}") from None
    document = migration.settings(path, document)
    name = document.pop("name", path.stem)
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name:
        raise SubjectError(f"{path}: name is a word that can name a folder, not {name!r}")
    kinds = typing.get_type_hints(Settings)
    del kinds["name"]
    sections: dict[str, Any] = {}
    for section, values in document.items():
        if section not in kinds:
            raise SubjectError(f"{path}: {_unknown('section', section, kinds)}")
        if not isinstance(values, dict):
            raise SubjectError(f"{path}: [{section}] is a section with settings, not {values!r}")
        sections[section] = _section(path, section, kinds[section], values)
    settings = Settings(name=name, **sections)
    _check(path, settings)
    return settings


def _check(path: Path, settings: Settings) -> None:
    """Check what one section alone does not tell."""
    for section, style in (("gait", settings.gait.style), ("stepping", settings.stepping.style)):
        if style not in ("trot", "bound"):
            raise SubjectError(f"{path}: {section}.style is 'trot' or 'bound', not {style!r}")
    for section in SKILLS:
        for key, value in asdict(getattr(settings, section)).items():
            least = next((most for end, most in LEAST.items() if key.endswith(end)), 0)
            if isinstance(value, int | float) and value < least:
                raise SubjectError(f"{path}: {section}.{key} is at least {least}, not {value}")
    if settings.actors.ray not in ("", "local"):
        try:
            host_and_port(settings.actors.ray)  # now, and not after days of searches
        except ClusterError as error:
            raise SubjectError(f"{path}: actors.ray: {error}") from None
    if not settings.vector_env.tasks:
        raise SubjectError(f"{path}: [vector_env] has no environments; give at least one task some")
    if settings.dagger.init_from and settings.distillation.teacher:
        raise SubjectError(
            f"{path}: dagger.init_from and distillation.teacher are two ways to begin; leave one out"
        )
    if not 1 <= settings.actors.count <= MOST_ACTORS:
        raise SubjectError(
            f"{path}: actors.count is at least 1 and at most {MOST_ACTORS}, not {settings.actors.count}"
        )


def _section(path: Path, section: str, kind: type, values: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        if key not in hints:
            raise SubjectError(f"{path}: {_unknown(f'setting in [{section}]', key, hints)}")
        try:
            converted = msgspec.convert(value, hints[key])
        except msgspec.ValidationError:
            raise SubjectError(
                f"{path}: {section}.{key} is {_expected(hints[key])}, not {value!r}"
            ) from None
        for one in converted if isinstance(converted, tuple) else (converted,):
            if not isinstance(one, str) and not one >= 0:
                raise SubjectError(f"{path}: {section}.{key} cannot be negative, and is {value!r}")
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        # raised by the section's own checks
        raise SubjectError(f"{path}: [{section}] {error.__cause__ or error}") from None


def _expected(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return f"a list of {len(typing.get_args(hint))} numbers"
    known = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return known.get(hint, str(hint))


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
    return f"unknown {kind} {name!r}{hint}"
