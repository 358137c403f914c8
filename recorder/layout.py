"""What is where in a recording: an NWB 2 file whose every data set exists, empty, before it grows.

`recorder.series_schema` and `recorder.table_schema` list the series and tables. All series share one
`timestamps`: animal time in seconds, 0 at tick 0 of the session. Every data set has a fill value that cannot
be data, so that a row that never reached the disk can be told from one that did.
"""

from __future__ import annotations

from typing import Any

import h5py
import msgspec
import numpy as np
from numpy.typing import NDArray

from recorder.integrity import HDF5_ERRORS
from rig.bus.message_types import Array, Description

LAYOUT_VERSION = 3
"""What is where; the reader knows the earlier ones, too.

Up to 2, the activity after interventions is a series of its own, and the tables of behaviours and stimuli
stand among the intervals.
"""
LIBVER = ("v110", "latest")
"""Read by every HDF5 since 1.10; "latest" alone would write what only the newest library reads."""

TIMESTAMPS = "acquisition/c_natural/timestamps"
TICK = "processing/rig/tick/data"
SESSION = "scratch/session"


def fill_value(dtype: str) -> Any:
    """What an unwritten element of this dtype holds, as a NumPy scalar that real data never has.

    Floats get a NaN with bits of our own, so that a NaN that was recorded is not mistaken for it.
    """
    kind = np.dtype(dtype)
    if kind == np.float32:
        return np.array(0x7FC0F111, np.uint32).view(np.float32)[()]
    if kind == np.float64:
        return np.array(0x7FF80000_0000F111, np.uint64).view(np.float64)[()]
    if kind.kind == "u":
        return np.array(np.iinfo(kind).max, kind)[()]
    return np.array(np.iinfo(kind).min, kind)[()]


def is_fill(values: Array) -> NDArray[np.bool_]:
    """Which elements hold their dtype's fill value, bit for bit: bool, of the shape of `values`."""
    plain = np.ascontiguousarray(values)
    bits = plain.view(f"u{plain.dtype.itemsize}").reshape(plain.shape)
    fill = np.asarray(fill_value(plain.dtype.str), plain.dtype).view(f"u{plain.dtype.itemsize}")
    result: NDArray[np.bool_] = bits == fill
    return result


class SessionHeader(msgspec.Struct, frozen=True):
    """Stands in the file as JSON (scratch/session): marks it as ours, and rebuilds the description.

    `part` is the file's number, from 0, where a recording is in several. `clip`: it was saved after it had
    happened.
    """

    program: str
    layout: int
    session: str
    camera: bool
    description: Description
    part: int = 0
    clip: bool = False


def read_header(file: h5py.File) -> SessionHeader | None:
    """The header of an open recording; None if the file is not one of ours."""
    try:
        if SESSION not in file or file[SESSION].shape != ():
            return None
        text = file[SESSION][()]
        return msgspec.json.decode(text, type=SessionHeader)
    except (msgspec.DecodeError, RecursionError, *HDF5_ERRORS):
        return None


def header_text(description: Description, session: str, camera: bool) -> str:
    """The JSON text of a `SessionHeader`, which stands at `SESSION`.

    Args:
        description: of the session.
        session: its id.
        camera: whether the camera is recorded.
    """
    header = SessionHeader("rodent-rig", LAYOUT_VERSION, session, camera, description)
    return msgspec.json.encode(header).decode()
