"""Rollouts on disk, so that an interrupted training resumes with its replay buffer.

One safetensors file per rollout, named by its number, in a folder beside the checkpoint, without images.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from agent.subject import write_bytes
from training import migration
from training.rollout.rollout import Rollout

_ARRAYS = tuple(
    one.name for one in fields(Rollout) if one.name not in ("images", "state", "policy_version")
)


class RolloutStore:
    """The newest `capacity` rollouts, kept in a folder.

    Attributes:
        folder: where they are.
        unreadable: files that the last `load_all` could not read and left out.

    Args:
        folder: made when the first rollout is added.
        capacity: rollouts kept; older files are deleted.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        self.folder, self._capacity = folder, capacity
        self.unreadable = 0

    def add(self, number: int, rollout: Rollout) -> None:
        """Write a rollout under its number, and delete the one that is beyond the capacity now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self._path(number), _to_bytes(rollout))
        self._path(number - self._capacity).unlink(missing_ok=True)

    def load_all(self) -> list[Rollout]:
        """The rollouts, oldest first; a file that is damaged or incomplete is counted in `unreadable`."""
        rollouts = []
        self.unreadable = 0
        for path in sorted(self.folder.glob("*.safetensors"))[-self._capacity :]:
            try:
                rollouts.append(_from_arrays(migration.rollout_arrays(load(path.read_bytes()))))
            except (OSError, SafetensorError, KeyError):
                self.unreadable += 1
        return rollouts

    def count(self) -> int:
        """One more than the number of the newest rollout; 0 where there is none."""
        names = [path.stem for path in self.folder.glob("*.safetensors")]
        return max((int(name) + 1 for name in names if name.isdigit()), default=0)

    def clear(self) -> None:
        """Delete all rollouts."""
        for path in self.folder.glob("*.safetensors"):
            path.unlink()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"


def _to_bytes(rollout: Rollout) -> bytes:
    arrays = {name: getattr(rollout, name) for name in _ARRAYS}
    for layer, (h, c) in enumerate(rollout.state):
        arrays[f"h.{layer}"], arrays[f"c.{layer}"] = h, c
    arrays["policy_version"] = np.array([rollout.policy_version])
    return bytes(save({name: np.ascontiguousarray(value) for name, value in arrays.items()}))


def _from_arrays(arrays: dict[str, np.ndarray]) -> Rollout:
    layers = sum(name.startswith("h.") for name in arrays)
    return Rollout(
        **{name: arrays[name] for name in _ARRAYS},
        images=None,
        state=tuple((arrays[f"h.{k}"], arrays[f"c.{k}"]) for k in range(layers)),
        policy_version=int(arrays["policy_version"][0]),
    )
