"""The lock beside a file of annotations: one window or command changes it at a time.

The lock is a hidden file, `.F.annotations.nwb.lock`, held until it is closed: by its process's end at the
latest.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from recorder.writing_lock import hold_writing_lock
from rig.errors import RunError, UserError
from rig.output_file import reason


def take_lock(annotations: Path) -> BinaryIO:
    """Takes the lock of a file of annotations, which need not be there yet; `leave_lock` gives it back.

    Raises:
        BlockingIOError: somebody else has it.
        OSError: nothing can be written there.
    """
    path = annotations.with_name(f".{annotations.name}.lock")
    while True:
        file = path.open("a+b")
        try:
            hold_writing_lock(file.fileno())
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass  # whoever had it has just removed it
        except BaseException:
            file.close()
            raise
        file.close()


def leave_lock(lock: BinaryIO) -> None:
    """Gives back what `take_lock` took."""
    with contextlib.suppress(OSError):
        Path(str(lock.name)).unlink(missing_ok=True)
    lock.close()


@contextlib.contextmanager
def changing(annotations: Path) -> Iterator[None]:
    """Holds the lock of a file of annotations, for a command that changes it.

    Raises:
        UserError: a window, or another command, changes it just now.
        RunError: nothing can be written there.
    """
    try:
        lock = take_lock(annotations)
    except BlockingIOError:
        raise UserError(
            f"{annotations} is being changed in a window; close the recording there, and try again."
        ) from None
    except OSError as problem:
        raise RunError(f"{annotations} cannot be written: {reason(problem)}.") from None
    try:
        yield
    finally:
        leave_lock(lock)
