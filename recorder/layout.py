"""What is where in a recording: an NWB 2 file whose every data set exists, empty, before it grows.

`recorder.schema` lists the series and tables. All series share one `timestamps`: animal time in
seconds, 0 at tick 0 of the session. Every data set has a fill value that cannot be data, so that a row
that never reached the disk can be told from one that did.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import h5py
import msgspec
import numpy as np
from numpy.typing import NDArray

from recorder.integrity import HDF5_ERRORS
from recorder.schema import tables_of
from rig.bus.messages import Array, Description

LAYOUT_VERSION = 2
LIBVER = ("v110", "latest")
"""Read by every HDF5 since 1.10; "latest" alone would write what only the newest library reads."""

TIMESTAMPS = "acquisition/c_natural/timestamps"
TICK = "processing/rig/tick/data"
SESSION = "scratch/session"

_CHUNK_BYTES = 128 * 1024
_MAX_CHUNK_ROWS = 1024


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
    """Which elements hold their dtype's fill value, bit for bit."""
    plain = np.ascontiguousarray(values)
    bits = plain.view(f"u{plain.dtype.itemsize}").reshape(plain.shape)
    fill = np.asarray(fill_value(plain.dtype.str), plain.dtype).view(f"u{plain.dtype.itemsize}")
    result: NDArray[np.bool_] = bits == fill
    return result


# --- the session's own words ------------------------------------------------------------------------


class SessionHeader(msgspec.Struct, frozen=True):
    """Stands in the file as JSON (scratch/session): marks it as ours, and rebuilds the description.

    `part` is the file's number, from 0, where a recording is in several.
    """

    program: str
    layout: int
    session: str
    camera: bool
    description: Description
    part: int = 0


def read_header(file: h5py.File) -> SessionHeader | None:
    """The header of an open recording; None if the file is not one of ours."""
    try:
        if SESSION not in file or file[SESSION].shape != ():
            return None
        text = file[SESSION][()]
        return msgspec.json.decode(text, type=SessionHeader)
    except (msgspec.DecodeError, RecursionError, *HDF5_ERRORS):
        return None


# --- the empty file ---------------------------------------------------------------------------------


def empty_recording(
    description: Description, assets: Mapping[str, Array], session: str, camera: bool
) -> bytes:
    """The bytes of a session's file, written with pynwb: every data set is there, and empty.

    Takes a second or two, more the first time in a process (imports pynwb).
    """
    with warnings.catch_warnings():
        # hdmf calls EnumData experimental; it is part of the cached specification in the file
        warnings.simplefilter("ignore")
        from pynwb import NWBHDF5IO

        from recorder.nwb_objects import session_objects

        nwb = session_objects(description, assets, session, camera)
        in_memory = h5py.File("empty", "w", libver=LIBVER, driver="core", backing_store=False)
        with in_memory as file, NWBHDF5IO(file=file, mode="w") as io:
            io.write(nwb)
            file.flush()
            image: bytes = file.id.get_file_image()
    return image


def mark_as_part(file: h5py.File, part: int, previous_file: str) -> None:
    """Makes an empty recording a part of one: its number from 1 on, `before` the file that it follows."""
    header = read_header(file)
    assert header is not None
    file[SESSION][()] = msgspec.json.encode(msgspec.structs.replace(header, part=part)).decode()
    file["identifier"][()] = str(uuid.uuid4())
    file["file_create_date"][0] = datetime.now().astimezone().isoformat()
    file["general/notes"][()] = (
        f"Part {part + 1} of a recording in several files, after {previous_file}; "
        f"{file['general/notes'].asstr()[()]}"
    )


def header_text(description: Description, session: str, camera: bool) -> str:
    """The text of `SESSION`."""
    header = SessionHeader("rodent-rig", LAYOUT_VERSION, session, camera, description)
    return msgspec.json.encode(header).decode()


def chunk_rows(shape: tuple[int, ...], dtype: str) -> int:
    """Rows of a chunk: about 128 kB, so that a random tick is read with little beside it."""
    row = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    return int(min(_MAX_CHUNK_ROWS, max(1, _CHUNK_BYTES // max(1, row))))


def started_at(description: Description) -> datetime:
    """When the session started, with a time zone; now if the description does not say."""
    try:
        moment = datetime.fromisoformat(description.started)
    except ValueError:
        moment = datetime.now(UTC)
    return moment if moment.tzinfo else moment.astimezone()


def versions_text(description: Description) -> str:
    """The versions of the programs, as JSON."""
    return json.dumps(description.versions, sort_keys=True)


def drop_empty_tables(file: h5py.File, description: Description) -> None:
    """Takes the tables without rows out of a file that grows no more.

    nwbinspector (0.7) fails on an empty table. Each removal is one small write; a reader takes a missing
    table for an empty one.
    """
    for table in tables_of(description):
        if table.path in file and len(file[f"{table.path}/id"]) == 0:
            del file[table.path]
