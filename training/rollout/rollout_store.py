"""Segments on disk, so that a training that was interrupted goes on with all that was lived before.

One safetensors file per segment, named by its number, in a folder beside the checkpoint, without pictures.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from agent.subject import write_bytes
from training.rollout.rollout import Segment

_ARRAYS = tuple(
    one.name for one in fields(Segment) if one.name not in ("pictures", "state", "version")
)


class Lived:
    """The newest `capacity` segments, kept in a folder.

    Args:
        folder: made when the first segment comes.
        capacity: segments kept; older files are deleted.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        self._folder, self._capacity = folder, capacity

    def add(self, number: int, segment: Segment) -> None:
        """Keep a segment under its number, and delete the one that is too old now."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self._path(number), _bytes(segment))
        self._path(number - self._capacity).unlink(missing_ok=True)

    def all(self) -> list[Segment]:
        """The segments, oldest first; a file that is damaged or of another shape is left out."""
        found = []
        for path in sorted(self._folder.glob("*.safetensors"))[-self._capacity :]:
            try:
                found.append(_segment(load(path.read_bytes())))
            except (OSError, SafetensorError, KeyError):
                continue
        return found

    def count(self) -> int:
        """How many are kept, going by the number of the newest."""
        names = [path.stem for path in self._folder.glob("*.safetensors")]
        return max((int(name) + 1 for name in names if name.isdigit()), default=0)

    def forget(self) -> None:
        """Delete them all: what they hold is not true any more."""
        for path in self._folder.glob("*.safetensors"):
            path.unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.safetensors"


def _bytes(segment: Segment) -> bytes:
    arrays = {name: getattr(segment, name) for name in _ARRAYS}
    for layer, (h, c) in enumerate(segment.state):
        arrays[f"h.{layer}"], arrays[f"c.{layer}"] = h, c
    arrays["version"] = np.array([segment.version])
    return bytes(save({name: np.ascontiguousarray(value) for name, value in arrays.items()}))


def _segment(arrays: dict[str, np.ndarray]) -> Segment:
    layers = sum(name.startswith("h.") for name in arrays)
    return Segment(
        **{name: arrays[name] for name in _ARRAYS},
        pictures=None,
        state=tuple((arrays[f"h.{k}"], arrays[f"c.{k}"]) for k in range(layers)),
        version=int(arrays["version"][0]),
    )
