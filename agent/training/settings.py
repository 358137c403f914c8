"""Training settings: one TOML file per subject, read into frozen dataclasses, every mistake named."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import SubjectError
from agent.network import NetworkConfig
from agent.training.expert import Guidance
from agent.training.gait import GaitSettings
from agent.training.imitation import ImitationSettings
from agent.training.steering import SteeringSettings
from agent.training.vision import VisionSettings

T = TypeVar("T")


@dataclass(frozen=True)
class FlockSettings:
    """How many animals learn at once; of `soft_every`, one sees with shadows."""

    animals: int = 32
    soft_every: int = 4


@dataclass(frozen=True)
class EvaluationSettings:
    """How the finished subject is scored."""

    seeds: int = 10
    duration_s: float = 10.0


@dataclass(frozen=True)
class Settings:
    """Everything that decides how a subject is trained."""

    name: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    gait: GaitSettings = field(default_factory=GaitSettings)
    steering: SteeringSettings = field(default_factory=SteeringSettings)
    expert: Guidance = field(default_factory=Guidance)
    vision: VisionSettings = field(default_factory=VisionSettings)
    imitation: ImitationSettings = field(default_factory=ImitationSettings)
    flock: FlockSettings = field(default_factory=FlockSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)


_SECTIONS: dict[str, type] = {
    "network": NetworkConfig,
    "gait": GaitSettings,
    "steering": SteeringSettings,
    "expert": Guidance,
    "vision": VisionSettings,
    "imitation": ImitationSettings,
    "flock": FlockSettings,
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
    if settings.gait.style not in ("trot", "bound"):
        raise SubjectError(f"{path}: gait.style is 'trot' or 'bound', not {settings.gait.style!r}")
    if settings.flock.animals < 1:
        raise SubjectError(f"{path}: flock.animals is at least 1, not {settings.flock.animals}")
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
