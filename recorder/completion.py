"""What a recording gets, and loses, when nothing is added to it any more."""

from __future__ import annotations

import os

import h5py

from recorder.empty_file import drop_empty_tables
from recorder.layout import read_header
from recorder.named_intervals import complete_intervals

ROOM_BYTES = 4 * 1024 * 1024
"""Free space that a recording needs beyond its rows to be completed when it is closed."""


def complete(file: h5py.File) -> None:
    """Writes what only a file has that grows no more, and takes out what such a one must not have."""
    header = read_header(file)
    assert header is not None
    # where the disk is nearly full, a file without the former is whole, and one that broke off is not
    disk = os.fstatvfs(int(file.id.get_vfd_handle()))  # not by its name: it may have been moved
    if disk.f_bavail * disk.f_frsize > ROOM_BYTES:
        complete_intervals(file, header)
    drop_empty_tables(file, header)
