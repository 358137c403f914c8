"""The file of a recording while it is written: made under a hidden name, named when it can be read, synced.

It is made empty and switched to single-writer-multiple-reader mode before it gets its own name: whoever
finds it can read it, from the first moment on. A lock on it, which ends with the process, tells a recorder
that lives from one that was killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import h5py

from recorder.layout import LIBVER
from recorder.output_path import free_bytes, reserve, set_aside
from recorder.writing_lock import hold_writing_lock
from rig.errors import RunError
from rig.output_file import give_name, reason, sync_folder

RESERVE_BYTES = 8 * 1024 * 1024
"""Free space, beside what is about to be written, below which a recording ends by itself, properly closed,
before the disk is full."""

READERS_S = 1.0
"""How long a recording that ends waits for those who read it live to close it."""
ROTATION_READERS_S = 0.1
"""How long a recording that continues in another file waits for them."""


class GrowingFile:
    """A file that grows: `h5` is open for writing.

    Args:
        path: its name, once `publish` gives it.
        image: the empty recording (`recorder.empty_file.empty_recording`).
        overwrite: whether it may replace another file.

    Raises `RunError` with one sentence where it cannot be made.
    """

    def __init__(self, path: Path, image: bytes, overwrite: bool) -> None:
        self.path = path
        self._overwrite = overwrite
        self._synced = True
        self._before: Path | None = None
        try:
            if free_bytes(path) < RESERVE_BYTES + len(image):
                raise OSError(errno.ENOSPC, "")
            self._lock, self._locked = reserve(path, "part")
        except OSError as problem:
            raise self.creation_error(problem) from None
        self._partial = Path(self._lock.name)
        try:
            self._lock.write(image)
            self._lock.flush()
            self.h5 = h5py.File(self._partial, "r+", libver=LIBVER)
            self._descriptor = int(self.h5.id.get_vfd_handle())
            self._created = os.fstat(self._descriptor)
        except (OSError, RuntimeError) as problem:
            self.discard()
            raise self.creation_error(problem) from None

    @property
    def size_bytes(self) -> int:
        """Its size at present."""
        return os.fstat(self._descriptor).st_size

    def publish(self) -> None:
        """Gives it its name. Raises `RunError`, if only because another file has it by now."""
        try:
            self.h5.flush()
            os.fsync(self._descriptor)
            if self._overwrite:
                self._before = set_aside(self.path)
            give_name(self._partial, self.path, self._overwrite)
            sync_folder(self.path)
        except (OSError, RuntimeError) as problem:
            self.discard()
            self._put_back()
            raise self.creation_error(problem) from None

    def _put_back(self) -> None:
        """Gives what was to be replaced its name again, where nothing has that name."""
        if self._before is not None:
            with contextlib.suppress(OSError):
                if os.path.lexists(self.path):
                    if os.path.samefile(self.path, self._before):
                        self._before.unlink()
                else:
                    self._before.rename(self.path)
            self._before = None

    def drop_before(self) -> None:
        """Removes what it has replaced, which was kept until now."""
        if self._before is not None:
            with contextlib.suppress(OSError):
                self._before.unlink(missing_ok=True)

    def discard(self) -> None:
        """Takes away a file that has no name yet."""
        with contextlib.suppress(OSError, RuntimeError, AttributeError):
            self.h5.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)
        self._lock.close()

    def flush(self) -> None:
        """Hands what was written to the system, which keeps it whatever happens to this process."""
        if not self._locked:  # locks of a network file system may come back
            self._locked = hold_writing_lock(self._lock.fileno())
        self.h5.flush()
        self._synced = False

    def sync(self) -> None:
        """Waits until the disk has what was flushed."""
        if not self._synced:
            os.fsync(self._descriptor)
            self._synced = True

    def write_problem(self, coming_bytes: int = 0) -> str:
        """What keeps it from growing: it was taken away, or the disk is about to be full; else "".

        `coming_bytes` are about to be written. The reserve is for what closing needs, and for the chunks
        that HDF5 begins: 128 kB at once for each of some forty data sets.
        """
        moved = self._moved_or_removed()
        if moved:
            return moved
        free = free_bytes(self.path)
        if free < RESERVE_BYTES + coming_bytes:
            return f"The disk of {self.path} is full ({free / 1e6:.1f} MB left)"
        return ""

    def _moved_or_removed(self) -> str:
        """Says that it was moved away or removed; else ""."""
        try:
            now = os.stat(self.path)
        except OSError:
            now = None
        if now is None or not os.path.samestat(now, self._created):
            gone = os.fstat(self._lock.fileno()).st_nlink == 0
            return (
                f"The file {self.path} was removed while it was being recorded"
                if gone
                else f"The file {self.path} was moved away while it was being recorded"
            )
        return ""

    @property
    def removed(self) -> bool:
        """Whether nothing of it will be left when it is closed."""
        return os.fstat(self._lock.fileno()).st_nlink == 0

    def close(self, finish: Callable[[h5py.File], None], readers_s: float = READERS_S) -> str:
        """Ends the writing; `finish` gets the file once more, opened anew, for what a growing one forbids.

        The file is whole before and after. Live readers have `readers_s` to close it; then
        it is finished all the same. Returns a sentence where it was moved or removed, else "".
        """
        self.h5.close()
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self.path), self._created):
                self._finish(finish, readers_s)
            os.fsync(self._lock.fileno())
        moved = self._moved_or_removed()
        self._lock.close()
        return moved

    def _finish(self, finish: Callable[[h5py.File], None], readers_s: float) -> None:
        give_up_s = time.monotonic() + readers_s
        while True:
            # HDF5's lock is that of a reader: ours keeps everybody away who would write
            locking = None if time.monotonic() < give_up_s else False
            try:
                file = h5py.File(self.path, "r+", libver=LIBVER, locking=locking)
            except BlockingIOError:
                time.sleep(0.05)
                continue
            with file:
                finish(file)
            return

    def creation_error(self, problem: Exception) -> RunError:
        """What to say where it could not be made."""
        return RunError(f"The recording {self.path} cannot be made: {reason(problem)}.")
