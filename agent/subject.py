"""A subject: a trained network with its body, on disk one folder, in use one object with `step`.

subjects/runner/subject.toml          name, architecture, order of the senses, training, versions, licence
subjects/runner/weights.safetensors   the network
subjects/runner/card.md, scores.json  what it can do, measured
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from agent.activity import Activity
from agent.architecture import NetworkConfig
from agent.errors import SubjectError
from agent.interventions import Intervention, by_layer
from agent.runtime import (
    DEFAULT,
    PACKAGES,
    Runtime,
    RuntimeName,
    onnx_runtime,
    torch_network,
    torch_runtime,
)

if TYPE_CHECKING:
    from agent.network import Network

Array = np.ndarray

FORMAT = 1
CAMERA = "walker/egocentric_camera"
FOLDER_VARIABLE = "RODENT_RIG_SUBJECTS"
SUBJECT_FILE, WEIGHTS_FILE = "subject.toml", "weights.safetensors"


@dataclass(frozen=True)
class Layer:
    """One layer of the network: its name and how many units it has."""

    name: str
    n_units: int


@dataclass(frozen=True)
class Step:
    """What a subject did at one tick.

    Attributes:
        action: (actions,) float64, as the physics takes it, -1 to 1.
        action_mean: (actions,) float64, the same without motor noise.
        value: the network's estimate of the return.
        activity: of all units.
    """

    action: Array
    action_mean: Array
    value: float
    activity: Activity


@dataclass(frozen=True)
class Weights:
    """What `weights.safetensors` holds: float32 arrays by name, and the SHA-256 of the file."""

    config: NetworkConfig
    arrays: Mapping[str, Array]
    sha256: str


class Subject:
    """A trained animal, ready to act; made by `load`.

    Attributes:
        name: of the subject.
        folder: where it was loaded from.
        layers: in the order in which units are numbered.
        unit_names: "core/0" ... "policy_2/127".
        proprioception: names and sizes of the senses that it reads, in its order.
        sha256: of everything that decides what it does: weights, architecture, order of the senses.
        training: what its folder says of how it was trained.
        runtime: what its steps run on, "onnx" or "torch".
        config: the architecture.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        weights: Weights,
        proprioception: Sequence[tuple[str, int]],
        training: Mapping[str, Any],
        runtime: RuntimeName = DEFAULT,
    ) -> None:
        config = weights.config
        self.name, self.folder, self.config = name, folder, config
        self.training = dict(training)
        self.proprioception = tuple(proprioception)
        self.layers = tuple(
            Layer(*pair) for pair in zip(config.layer_names, config.layer_sizes, strict=True)
        )
        self.n_units = config.n_units
        self.unit_names = tuple(
            f"{layer.name}/{unit}" for layer in self.layers for unit in range(layer.n_units)
        )
        identity = json.dumps(
            [weights.sha256, asdict(config), list(proprioception)], sort_keys=True
        )
        self.sha256 = hashlib.sha256(identity.encode()).hexdigest()
        self._sizes = {layer.name: layer.n_units for layer in self.layers}
        self._weights = weights
        self.runtime = runtime

    @cached_property
    def _acting(self) -> Runtime:
        if self.runtime == "onnx":
            return onnx_runtime(self.config, self._weights.arrays, self._weights.sha256)
        return torch_runtime(self.network)

    @property
    def action_std(self) -> Array:
        """Standard deviation of each action (actions,), float64."""
        return self._acting.action_std

    @cached_property
    def network(self) -> Network:
        """The network as PyTorch knows it, to train on from or to teach others; `step` does not read it.

        Raises:
            SubjectError: PyTorch is not installed.
        """
        return torch_network(self.config, self._weights.arrays)

    def reset(self) -> None:
        """Begin an episode: all units at zero."""
        self._acting.reset()

    def step(
        self,
        observation: Mapping[str, Array],
        interventions: Sequence[Intervention] = (),
        noise: Array | None = None,
    ) -> Step:
        """One tick: see, feel, update every layer, decide.

        Args:
            observation: dm_control's observations by name; those that it does not know are ignored.
            interventions: act between a layer's update and all that reads it, in this order.
            noise: (actions,) standard normal draws for a sampled action; None for the mean action.

        Raises:
            ValueError: an observation is missing, misshapen or not finite, or an intervention names
                a layer or unit that does not exist.
        """
        senses = self._senses(observation)
        pixels = observation[CAMERA]
        if pixels.shape != (64, 64, 3) or pixels.dtype != np.uint8:
            raise ValueError(f"{CAMERA} is {pixels.dtype} {pixels.shape}, not uint8 (64, 64, 3)")
        sorted_out = by_layer(interventions, self._sizes) if interventions else {}
        mean, value, activity = self._acting.step(senses, pixels, sorted_out)
        action_mean = mean.astype(np.float64)
        action = action_mean if noise is None else action_mean + self.action_std * noise
        return Step(np.clip(action, -1.0, 1.0), np.clip(action_mean, -1.0, 1.0), value, activity)

    def _senses(self, observation: Mapping[str, Array]) -> Array:
        try:
            senses = np.concatenate(
                [np.ravel(observation[name]) for name, _ in self.proprioception], dtype=np.float32
            )
            observation[CAMERA]
        except KeyError as missing:
            raise ValueError(f"the observation lacks {missing}") from None
        if senses.size != self.config.proprioception_size:
            raise ValueError(
                f"the senses have {senses.size} numbers, not {self.config.proprioception_size}"
            )
        if not np.isfinite(senses).all():
            raise ValueError("a sense is not finite; the physics has diverged")
        return senses

    def state(self) -> dict[str, Array]:
        """All that the subject remembers: copies of `c` and `h` (n_units,)."""
        return {"c": self._acting.c.copy(), "h": self._acting.h.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state that `state()` gave."""
        for name, own in (("c", self._acting.c), ("h", self._acting.h)):
            if np.shape(state[name]) != own.shape:
                raise ValueError(
                    f"state {name!r} has shape {np.shape(state[name])}, not {own.shape}"
                )
            own[:] = state[name]


# --- on disk ----------------------------------------------------------------------------------------


def subject_folders() -> list[Path]:
    """Folders in which subjects are looked for by name, first match first."""
    given = os.environ.get(FOLDER_VARIABLE)
    places = [Path(given)] if given else []
    return [*places, Path.cwd() / "subjects", Path(__file__).resolve().parents[1] / "subjects"]


def find(name_or_path: str | Path) -> Path:
    """The folder of a subject.

    Raises:
        SubjectError: there is none; the sentence lists the names that there are.
    """
    given = Path(name_or_path)
    for place in [given, *(folder / given for folder in subject_folders())]:
        if os.path.isfile(place / SUBJECT_FILE):  # also where a name is too long to be one
            return place
    names = known()
    if os.path.isdir(given):
        raise SubjectError(
            f"the folder {given} holds no subject: {SUBJECT_FILE} is missing; train one with "
            "'rodent-rig train'"
        )
    raise SubjectError(
        f"there is no subject {str(name_or_path)!r}; "
        + (f"known subjects are {', '.join(names)}" if names else "none is installed")
        + f" (looked in {', '.join(dict.fromkeys(str(f) for f in subject_folders()))})"
    )


def known() -> list[str]:
    """The names of all subjects that `find` finds by name."""
    return sorted({p.parent.name for f in subject_folders() for p in f.glob(f"*/{SUBJECT_FILE}")})


def load(name_or_path: str | Path, runtime: RuntimeName = DEFAULT) -> Subject:
    """Load a subject by its name or its folder.

    Args:
        name_or_path: such as "runner", or a folder that holds a `subject.toml`.
        runtime: what its steps run on: "onnx", or "torch", the reference. The latter sets PyTorch to one
            thread: at one animal more threads only get in each other's way.

    Raises:
        SubjectError: missing, damaged, made for another architecture, or the runtime is not installed.

    >>> subject = load("runner")
    >>> subject.n_units
    512
    """
    subject = describe(name_or_path, runtime)
    # the runtime starts now, not in the first tick of a session
    subject.reset()
    return subject


def describe(name_or_path: str | Path, runtime: RuntimeName = DEFAULT) -> Subject:
    """As `load`, but the runtime starts with the first step: for who only asks for layers or the hash.

    Raises:
        SubjectError: missing, damaged, or made for another architecture.
    """
    if runtime not in PACKAGES:
        raise SubjectError(f"there is no runtime {runtime!r}; there are {', '.join(PACKAGES)}")
    folder = find(name_or_path)
    path = folder / SUBJECT_FILE
    try:
        said = tomllib.loads(_read(path).decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SubjectError(f"{path} cannot be read: {error}; restore it or train again") from None
    if said.get("format") != FORMAT:
        raise SubjectError(
            f"{path} has format {said.get('format')!r}, this version reads format {FORMAT}; "
            "use the version of rodent-rig that made it, or train again"
        )
    try:
        config = _config(said["architecture"])
        senses = [(str(name), int(size)) for name, size in said["observations"]["proprioception"]]
        name, expected = str(said["name"]), str(said["weights"]["sha256"])
        training, shapes = dict(said.get("training", {})), config.parameter_shapes
    except (KeyError, TypeError, ValueError) as error:
        raise SubjectError(
            f"{path} does not describe a subject of this version ({type(error).__name__}: {error}); "
            "restore it or train again"
        ) from None
    arrays = _load_weights(folder / WEIGHTS_FILE, shapes, expected)
    return Subject(folder, name, Weights(config, arrays, expected), senses, training, runtime)


def _config(said: Mapping[str, Any]) -> NetworkConfig:
    known = {field.name for field in fields(NetworkConfig)}
    unknown = set(said) - known
    if unknown or known - set(said):
        raise ValueError(
            f"architecture has {sorted(unknown)} too many and {sorted(known - set(said))} missing"
        )
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in said.items()
    }
    return NetworkConfig(**values)


def _read(path: Path) -> bytes:
    """A file's content. Raises OSError, also for a device or a pipe, which may have no end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")
    return path.read_bytes()


def _load_weights(
    path: Path, shapes: Mapping[str, tuple[int, ...]], expected: str
) -> dict[str, Array]:
    """The arrays in a file, which have these shapes, and whose SHA-256 is as expected."""
    try:
        raw = _read(path)
    except OSError as error:
        raise SubjectError(
            f"{path} cannot be read: {error.strerror}; restore it or train again"
        ) from None
    if hashlib.sha256(raw).hexdigest() != expected:
        raise SubjectError(
            f"{path} is damaged: its SHA-256 is not the one in {SUBJECT_FILE}; restore both files"
        )
    try:
        arrays = load_arrays(raw)
    except SafetensorError as error:
        raise SubjectError(
            f"{path} is no safetensors file ({error}); restore it or train again"
        ) from None
    if misfit := _misfit(arrays, shapes):
        raise SubjectError(
            f"{path} does not fit the architecture in {SUBJECT_FILE} ({misfit}); restore both files"
        )
    return arrays


def _misfit(arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What is wrong with the first array that is not as it should be; "" where all are."""
    for name in sorted({*arrays, *shapes}):
        if name not in arrays:
            return f"{name} is missing"
        if name not in shapes:
            return f"{name} is not of this architecture"
        found = arrays[name]
        if found.shape != shapes[name] or found.dtype != np.float32:
            return f"{name} is {found.dtype} {found.shape}, not float32 {shapes[name]}"
        if not np.isfinite(found).all():
            return f"{name} has numbers that are not finite"
    return ""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:  # a full disk: what is there of it would keep it full
        partial.unlink(missing_ok=True)
        raise
