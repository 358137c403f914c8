"""The lock that says whether somebody writes a file.

The flags in an HDF5 file cannot tell a killed writer from a living one. The recorder therefore holds a lock
on the open file, which ends with the process; it stands far behind any data, where HDF5's own locks are not.
Some file systems have no locks (network and FUSE file systems, mostly): there nobody can tell, and a file
that is open for writing has to be left alone.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import os
import struct
from pathlib import Path

from rig.regular_file import open_regular

_LOCK_AT = 1 << 62


class WriterState(enum.Enum):
    """Whether a living recorder has a file open for writing; `unknown` where locks do not work."""

    none = "none"
    living = "living"
    unknown = "unknown"


def hold_writing_lock(descriptor: int) -> bool:
    """Marks an open file as being written until it is closed; False where locks do not work.

    Raises BlockingIOError if another process already writes it.
    """
    try:
        _lock(descriptor, fcntl.F_WRLCK)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def writer_state(path: Path) -> WriterState:
    """Whether a living recorder has this file open for writing. Raises OSError if it cannot be opened."""
    with open_regular(path) as file:
        try:
            _lock(file.fileno(), fcntl.F_RDLCK)
        except BlockingIOError:
            return WriterState.living
        except OSError:
            return WriterState.unknown
    return WriterState.none


def remove_unless_written(path: Path) -> None:
    """Removes a file that nobody writes; where locks do not work it stays.

    Raises OSError if it cannot be opened.

    The lock is held until it is removed, so that nobody begins to write it in between.
    """
    with open_regular(path) as file, contextlib.suppress(OSError):
        _lock(file.fileno(), fcntl.F_RDLCK)
        path.unlink(missing_ok=True)


def _lock(descriptor: int, kind: int) -> None:
    # locks of the open file where there are some (Linux): a process's own locks would be lost as soon
    # as the same process closes the file anywhere else, and do not show between its own threads
    command = getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK)
    request = struct.pack("hhqqi4x", kind, os.SEEK_SET, _LOCK_AT, 1, 0)
    try:
        fcntl.fcntl(descriptor, command, request)
    except OSError as problem:
        if problem.errno in (errno.EACCES, errno.EAGAIN):  # both mean that another holds it
            raise BlockingIOError(problem.errno, os.strerror(problem.errno)) from None
        raise
