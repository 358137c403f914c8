"""Names of earlier versions, translated on reading: settings, checkpoints, rollouts, work folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import SubjectError

T = TypeVar("T")

STAGES = {"apprenticeship": "distillation", "imitation": "dagger", "backing": "walking_backward"}
"""Pipeline stages by their old names."""

SECTIONS = {
    "herd": "vector_env",
    "fleet": "actors",
    "apprenticeship": "distillation",
    "imitation": "dagger",
    "backing": "walking_backward",
}
"""Sections of a settings file by their old names."""

GONE = {"leaping"}
"""Sections of searches that are no more: nothing is trained by them."""

SETTINGS = {
    "vector_env": {
        "soft_every": "shadows_every",
        "push": "muscle_perturbation",
        "shove": "velocity_perturbation",
        "near": "start_near_target",
    },
    "actors": {"workers": "count"},
    "vision": {
        "every": "image_every",
        "places": "poses",
        "batches": "updates",
        "batch": "batch_size",
    },
    "distillation": {
        "segments": "rollouts",
        "sequences": "batch_size",
        "joined": "rollouts_per_sequence",
    },
    "dagger": {
        "begin_with": "init_from",
        "segments": "rollouts",
        "first_segments": "learning_starts",
        "segment_ticks": "rollout_ticks",
        "expert_segments": "expert_decay_rollouts",
        "expert_least": "min_expert_fraction",
        "updates": "updates_per_rollout",
        "sequences": "batch_size",
        "newest": "recent_rollouts",
        "newest_part": "recent_fraction",
        "replay_segments": "buffer_rollouts",
        "blur": "input_noise",
        "warm_ticks": "burn_in",
        "last_learning_rate": "final_learning_rate",
        "average": "ema",
        "trace": "lambda_",
        "look_again": "retrain_vision_at",
        "album_pictures": "image_buffer_size",
        "album_every": "image_buffer_every",
    },
    "reinforcement": {
        "segments": "rollouts",
        "segment_ticks": "rollout_ticks",
        "warm_ticks": "burn_in",
        "replay_segments": "buffer_rollouts",
        "first_segments": "learning_starts",
        "updates": "updates_per_rollout",
        "sequences": "batch_size",
        "critic_part": "critic_warmup",
        "target_every": "update_target_every",
        "last_learning_rate": "final_learning_rate",
        "multiplier_rate": "multiplier_learning_rate",
        "trace": "lambda_",
        "best_part": "top_fraction",
        "value_weight": "value_loss_weight",
        "least_std": "min_std",
        "most_std": "max_std",
        "eyes_open": "train_vision",
    },
}
"""Keys of settings by section (new name), by their old names."""

CHECKPOINT_PREFIXES = {"learning.": "online."}
CHECKPOINT_KEYS = {"done": "completed"}

ROLLOUT_ARRAYS = {
    "senses": "proprioception",
    "behaviour_mean": "policy_mean",
    "behaviour_std": "policy_std",
    "fresh": "is_first",
    "label": "expert_action",
    "cues": "auxiliary_targets",
    "weight": "loss_weight",
    "last_senses": "last_proprioception",
    "version": "policy_version",
}

WORK_FILES = {
    "apprenticeship.safetensors": "distillation.safetensors",
    "imitation.safetensors": "dagger.safetensors",
    "imitation-lived": "dagger-rollouts",
    "skills/backing.npz": "skills/walking_backward.npz",
    "skills/backing-search.npz": "skills/walking_backward-search.npz",
}

TRAINING_KEYS = {
    "apprenticeship_ticks": "distillation_ticks",
    "imitation_ticks": "dagger_ticks",
    "animal_ticks": "dagger_ticks",
}
"""Keys of `[training]` in `subject.toml`."""


def settings(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a settings file under the present names.

    Args:
        path: of the file, for errors.
        document: its content as `tomllib` reads it.

    Raises:
        SubjectError: a section or key stands there under its old name and under its new one, or the section
            is of a search that is gone.
    """
    for section in GONE & document.keys():
        raise SubjectError(f"{path}: the search of [{section}] is gone; delete that section")
    translated = _renamed(document, SECTIONS, str(path))
    for section, keys in SETTINGS.items():
        if isinstance(translated.get(section), dict):
            translated[section] = _renamed(translated[section], keys, f"{path}: [{section}]")
    return translated


def stage(name: str) -> str:
    """The present name of a pipeline stage."""
    return STAGES.get(name, name)


def checkpoint_tensors(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors of a checkpoint under the present names."""
    translated = {}
    for name, value in tensors.items():
        name = CHECKPOINT_KEYS.get(name, name)
        for old, new in CHECKPOINT_PREFIXES.items():
            if name.startswith(old):
                name = new + name.removeprefix(old)
        translated[name] = value
    return translated


def rollout_arrays(arrays: Mapping[str, T]) -> dict[str, T]:
    """The arrays of a rollout file under the present names."""
    return {ROLLOUT_ARRAYS.get(name, name): value for name, value in arrays.items()}


def training_record(training: Mapping[str, Any]) -> dict[str, Any]:
    """The table `[training]` of a subject under the present names."""
    return {TRAINING_KEYS.get(name, name): value for name, value in training.items()}


def skill_file(folder: Path, name: str) -> Path:
    """The file of a skill in `folder`: `<name>.npz`, or that of its earlier name where only this is there."""
    path = folder / f"{name}.npz"
    for old, new in STAGES.items():
        earlier = folder / f"{old}.npz"
        if new == name and not path.exists() and earlier.exists():
            return earlier
    return path


def rename_work_files(work: Path) -> None:
    """Give checkpoints and rollouts of a work folder their present names, where these are free."""
    for old, new in WORK_FILES.items():
        if (work / old).exists() and not (work / new).exists():
            (work / old).rename(work / new)


def _renamed(values: Mapping[str, Any], names: Mapping[str, str], where: str) -> dict[str, Any]:
    translated: dict[str, Any] = {}
    for key, value in values.items():
        new = names.get(key, key)
        if new in translated:
            old = next(old for old, present in names.items() if present == new)
            raise SubjectError(
                f"{where} has both {old!r} and {new!r}, the old and the new name of one thing; "
                f"delete {old!r}"
            )
        translated[new] = value
    return translated
