"""The file of a recording before its first row, and what is taken out of it after its last.

An NWB file whose every data set exists, empty, because nothing can be added to a file that is read while it
grows.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping
from datetime import datetime

import h5py
import msgspec

from recorder.file_rotation import RotationState
from recorder.layout import LIBVER, SESSION, SessionHeader, read_header
from recorder.table_schema import tables_of
from rig.bus.message_types import Array, Description


def empty_recording(
    description: Description, assets: Mapping[str, Array], session: str, camera: bool
) -> bytes:
    """The bytes of a session's file, written with pynwb: every data set is there, and empty.

    Takes a second or two, more the first time in a process (imports pynwb).

    Args:
        description: of the session.
        assets: files that its models name: (bytes,) uint8 by file name.
        session: the session's id.
        camera: whether there is a series for the camera.
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


def mark_as_part(file: h5py.File, rotation: RotationState) -> None:
    """Makes an empty recording, open for writing, the next file of another one."""
    header = read_header(file)
    assert header is not None
    part = rotation.number
    description = msgspec.structs.replace(header.description, armed=rotation.armed)
    header = msgspec.structs.replace(header, part=part, description=description)
    file[SESSION][()] = msgspec.json.encode(header).decode()
    file["identifier"][()] = str(uuid.uuid4())
    file["file_create_date"][0] = datetime.now().astimezone().isoformat()
    file["general/notes"][()] = (
        f"Part {part + 1} of a recording in several files, after {rotation.previous_file}; "
        f"{file['general/notes'].asstr()[()]}"
    )


def drop_empty_tables(file: h5py.File, header: SessionHeader) -> None:
    """Takes the tables without rows out of a file that grows no more.

    nwbinspector (0.7) fails on an empty table. Each removal is one small write; a reader takes a missing
    table for an empty one.
    """
    for table in tables_of(header.description, header.layout):
        if table.path in file and len(file[f"{table.path}/id"]) == 0:
            del file[table.path]
