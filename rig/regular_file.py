"""Files that a user names are read only where they are files: no device, no pipe, nothing endless."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


class UnfitFileError(OSError):
    """A file that is not read; `strerror` is a phrase that says why."""


def open_regular(path: Path, most_bytes: int | None = None) -> BufferedReader:
    """A file, opened for reading; never waits, as opening a pipe does.

    Args:
        path: a regular file, or a link to one.
        most_bytes: how large it may be; None: any size.

    Raises:
        UnfitFileError: it is not a regular file, or is larger.
        OSError: it cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(handle)
    refused = None
    if stat.S_ISDIR(found.st_mode):
        refused = errno.EISDIR, "it is a folder"
    elif not stat.S_ISREG(found.st_mode):
        refused = errno.EINVAL, "it is not a regular file"
    elif most_bytes is not None and found.st_size > most_bytes:
        refused = errno.EFBIG, f"it is larger than {most_bytes / 1e6:.0f} MB"
    if refused is not None:
        os.close(handle)
        raise UnfitFileError(*refused)
    return os.fdopen(handle, "rb")
