"""Training settings: one TOML file per subject, read into frozen dataclasses, every mistake named."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from agent.architecture import NetworkConfig
from agent.errors import SubjectError
from training.learn.dagger import ImitationSettings
from training.learn.distillation import ApprenticeshipSettings
from training.learn.reinforcement import Reinforcement
from training.learn.vision import VisionSettings
from training.rollout.vector_env import HerdSettings
from training.skills.climbing import ClimbingSettings
from training.skills.gait import GaitSettings
from training.skills.leaping import LeapingSettings
from training.skills.righting import RightingSettings
from training.skills.spinning import SpinningSettings
from training.skills.steering import SteeringSettings
from training.skills.stepping import SteppingSettings
from training.skills.tapping import TappingSettings
from training.skills.walking_backward import BackingSettings

T = TypeVar("T")


@dataclass(frozen=True)
class FleetSettings:
    """How many processes live at once, each with a herd of its own.

    `ray`: "" for one worker in this process, "local" for Ray actors on this machine, or the address of a
    Ray cluster, `host:port`.
    """

    workers: int = 1
    ray: str = ""


@dataclass(frozen=True)
class EvaluationSettings:
    """How the finished subject is scored; `duration_s` 0 is each task's own."""

    episodes: int = 25
    stock_episodes: int = 3
    duration_s: float = 0.0


@dataclass(frozen=True)
class Settings:
    """Everything that decides how a subject is trained."""

    name: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    herd: HerdSettings = field(default_factory=HerdSettings)
    fleet: FleetSettings = field(default_factory=FleetSettings)
    gait: GaitSettings = field(default_factory=GaitSettings)
    steering: SteeringSettings = field(default_factory=SteeringSettings)
    spinning: SpinningSettings = field(default_factory=SpinningSettings)
    backing: BackingSettings = field(default_factory=BackingSettings)
    righting: RightingSettings = field(default_factory=RightingSettings)
    climbing: ClimbingSettings = field(default_factory=ClimbingSettings)
    tapping: TappingSettings = field(default_factory=TappingSettings)
    stepping: SteppingSettings = field(default_factory=SteppingSettings)
    leaping: LeapingSettings = field(default_factory=LeapingSettings)
    vision: VisionSettings = field(default_factory=VisionSettings)
    apprenticeship: ApprenticeshipSettings = field(default_factory=ApprenticeshipSettings)
    imitation: ImitationSettings = field(default_factory=ImitationSettings)
    reinforcement: Reinforcement = field(default_factory=Reinforcement)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)


_SECTIONS: dict[str, type] = {
    "network": NetworkConfig,
    "herd": HerdSettings,
    "fleet": FleetSettings,
    "gait": GaitSettings,
    "steering": SteeringSettings,
    "spinning": SpinningSettings,
    "backing": BackingSettings,
    "righting": RightingSettings,
    "climbing": ClimbingSettings,
    "tapping": TappingSettings,
    "stepping": SteppingSettings,
    "leaping": LeapingSettings,
    "vision": VisionSettings,
    "apprenticeship": ApprenticeshipSettings,
    "imitation": ImitationSettings,
    "reinforcement": Reinforcement,
    "evaluation": EvaluationSettings,
}


def read(path: Path) -> Settings:
    """Read training settings.

    Raises:
        SubjectError: missing, not TOML, or with an unknown or unusable setting.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SubjectError(f"there is no settings file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SubjectError(f"{path} cannot be read: {error}") from None
    name = said.pop("name", path.stem)
    if not isinstance(name, str) or not name or "/" in name:
        raise SubjectError(f"{path}: name is a word that can name a folder, not {name!r}")
    sections: dict[str, Any] = {}
    for section, values in said.items():
        kind = _SECTIONS.get(section)
        if kind is None or not isinstance(values, dict):
            raise SubjectError(f"{path}: {_unknown('section', section, list(_SECTIONS))}")
        sections[section] = _section(path, section, kind, values)
    settings = Settings(name=name, **sections)
    for section, style in (("gait", settings.gait.style), ("stepping", settings.stepping.style)):
        if style not in ("trot", "bound"):
            raise SubjectError(f"{path}: {section}.style is 'trot' or 'bound', not {style!r}")
    if not settings.herd.tasks:
        raise SubjectError(f"{path}: [herd] has no animals; give at least one task some")
    if settings.imitation.begin_with and settings.apprenticeship.teacher:
        raise SubjectError(
            f"{path}: imitation.begin_with and apprenticeship.teacher are two ways to begin; leave one out"
        )
    if settings.fleet.workers < 1:
        raise SubjectError(f"{path}: fleet.workers is at least 1, not {settings.fleet.workers}")
    return settings


def _section(path: Path, section: str, kind: type[T], values: Mapping[str, Any]) -> T:
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    default = kind()
    given: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise SubjectError(f"{path}: {_unknown(f'setting in [{section}]', key, list(known))}")
        wanted = getattr(default, key)
        given[key] = _value(f"{path}: {section}.{key}", value, wanted)
    try:
        return kind(**given)
    except ValueError as error:
        raise SubjectError(f"{path}: [{section}] {error}") from None


def _value(where: str, value: Any, wanted: Any) -> Any:
    if isinstance(wanted, tuple):
        if not isinstance(value, list) or len(value) != len(wanted):
            raise SubjectError(f"{where} is a list of {len(wanted)} numbers, not {value!r}")
        return tuple(_value(where, one, like) for one, like in zip(value, wanted, strict=True))
    if isinstance(wanted, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(wanted):
        raise SubjectError(
            f"{where} is a {_KINDS.get(type(wanted), type(wanted).__name__)}, not {value!r}"
        )
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        raise SubjectError(f"{where} cannot be negative, and is {value!r}")
    return value


_KINDS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def _unknown(kind: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
    return f"unknown {kind} {name!r}{hint}"
