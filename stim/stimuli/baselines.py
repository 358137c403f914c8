"""What stimuli need from baseline recordings: means, rankings and templates of natural activity.

A protocol says what it needs (`BaselineRequest`) of which named baseline recording; `analysis.baseline`
reads it from the files before the session; the session's folder carries it to the stimulation process as
one msgpack file (`write`, `read`). Nothing here knows HDF5.

The paper clamps units to their mean between the first and the second tap, chooses them by how strongly a
behaviour modulates their z-scored activity, and overwrites them with their average trajectory over
natural performances of a behaviour (section 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from rig.bus.message_types import Array
from rig.errors import RunError
from stim.ticks import TICK_MS, ticks_of

VERSION = 2
MAX_BYTES = 64 * 1024 * 1024
MAX_UNITS = 65_536
MAX_TICKS = 50_000
MAX_VALUES = 1_000

_Name = Annotated[str, Meta(max_length=200)]
_Milliseconds = Annotated[float, Meta(ge=0, le=MAX_TICKS * TICK_MS)]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which ticks of a recording: all; those `during` a behaviour; or from `begin` up to the next `end`.

    `begin` and `end` are task events ("first_tap") or behaviours with ".onset" or ".offset"
    ("rear.onset"). A span never goes from one trial into the next.
    """

    during: _Name = ""
    begin: _Name = ""
    end: _Name = ""

    def __str__(self) -> str:
        if self.during:
            return f"during {self.during}"
        return f"from {self.begin} to {self.end}" if self.begin else "of the whole recording"


class BaselineRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something asked of the natural activity of one layer in a baseline recording.

    `kind` and what it leads to:
      - "mean": each unit's mean in `span`: (units,) float32;
      - "ranking": the layer's units by how strongly their activity is modulated in `span`, strongest
        first: (units,) int64;
      - "template": each unit's average around the onsets of `around` (a behaviour, or a moment as in
        `Span.begin`), from `before_ms` before it up to `after_ms` after it: (ticks, units) float32.
    """

    baseline: _Name
    kind: Literal["mean", "ranking", "template"]
    layer: _Name
    state: Literal["c", "h"]
    span: Span = Span()
    around: _Name = ""
    before_ms: _Milliseconds = 0.0
    after_ms: _Milliseconds = 0.0

    @property
    def before_ticks(self) -> int:
        """Ticks of a template before the onset."""
        return ticks_of(self.before_ms)

    @property
    def after_ticks(self) -> int:
        """Ticks of a template from the onset on; a template has at least one tick."""
        return max(ticks_of(self.after_ms), 0 if self.before_ticks else 1)


Values: TypeAlias = Mapping[BaselineRequest, NDArray[np.float32] | NDArray[np.int64]]
"""What was asked for, with shapes and dtypes as `BaselineRequest` says."""


class BaselineFile(NamedTuple):
    """Where a baseline recording is, and, if it is pinned, the SHA-256 that its file has to have."""

    path: Path
    sha256: str = ""


class BaselineUsed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A baseline recording that a session draws on: its name in the protocol, its file, the file's hash."""

    name: _Name
    path: Annotated[str, Meta(max_length=4096)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class _Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    request: BaselineRequest
    shape: Annotated[tuple[int, ...], Meta(min_length=1, max_length=2)]
    data: bytes


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    values: Annotated[tuple[_Value, ...], Meta(max_length=MAX_VALUES)]
    used: Annotated[tuple[BaselineUsed, ...], Meta(max_length=MAX_VALUES)]


def write(path: Path, values: Values, used: tuple[BaselineUsed, ...]) -> None:
    """Writes a session's values to a new file, or over an old one.

    Args:
        path: of the file.
        values: what was asked for.
        used: the recordings that they come from.
    """
    kept = []
    for request, array in values.items():
        plain = np.ascontiguousarray(array, _dtype(request))
        kept.append(_Value(request, plain.shape, plain.tobytes()))
    path.write_bytes(msgspec.msgpack.encode(_File(VERSION, tuple(kept), used)))


def read(path: Path) -> tuple[Values, tuple[BaselineUsed, ...]]:
    """The values in a file that `write` made, as read-only arrays, and where they come from.

    Raises:
        RunError: there is no such file, or it is not what `write` makes; one sentence.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RunError(f"{path} is larger than {MAX_BYTES >> 20} MB, too large for baselines.")
        file = msgspec.msgpack.decode(path.read_bytes(), type=_File)
    except OSError as problem:
        raise RunError(f"{path} cannot be read: {problem.strerror}.") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise RunError(f"{path} does not hold a session's baselines: {problem}.") from None
    if file.version != VERSION:
        raise RunError(f"{path} has version {file.version}; this program reads version {VERSION}.")
    return {value.request: _array(value, path) for value in file.values}, file.used


def _dtype(request: BaselineRequest) -> str:
    return "<i8" if request.kind == "ranking" else "<f4"


def _array(value: _Value, path: Path) -> Array:
    """The array of a value, judged: what is not finite, or not a ranking, must not reach the subject."""
    request, shape = value.request, value.shape
    what = f"the {request.kind} of {request.layer} in {path}"
    dtype = np.dtype(_dtype(request))
    dimensions = 2 if request.kind == "template" else 1
    if (
        len(shape) != dimensions
        or not 1 <= shape[-1] <= MAX_UNITS
        or not 1 <= shape[0] <= MAX_TICKS
    ):
        raise RunError(f"The shape of {what} is {shape}, which it cannot be.")
    if len(value.data) != int(np.prod(shape)) * dtype.itemsize:
        raise RunError(f"The size of {what} does not fit its shape {shape}.")
    array = np.frombuffer(value.data, dtype).reshape(shape)
    if request.kind == "ranking":
        if not np.array_equal(np.sort(array), np.arange(len(array))):
            raise RunError(f"The order of units in {what} does not name each unit once.")
    elif not np.isfinite(array).all():
        raise RunError(f"There are values in {what} that are not finite.")
    return array
