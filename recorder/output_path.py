"""Where a recording goes: whether it can go there, how much room is left, what the system says if not."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from recorder import superblock
from recorder.writing_lock import WriterState, hold_writing_lock, writer_state
from rig.errors import UserError


def check_target(path: Path, overwrite: bool) -> None:
    """Raises `UserError` if a recording cannot go there: no folder, a file already, a folder itself."""
    if not path.parent.is_dir():
        raise UserError(f"There is no folder {path.parent} to record into; make it first.")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the recording a file name.")
    if path.exists() and not overwrite:
        raise UserError(
            f"{path} exists already; choose another name, or say that it may be overwritten."
        )
    if path.exists():
        state = writer_state(path)
        if state is WriterState.living:
            raise UserError(f"{path} is being recorded by another session; choose another name.")
        if state is WriterState.unknown and superblock.may_be_open(path):
            raise UserError(
                f"{path} is open for writing, and its file system has no locks that would tell whether "
                "another session still records it; choose another name, or remove it first."
            )


def reserve(path: Path, purpose: str) -> tuple[BinaryIO, bool]:
    """A new, hidden, locked file beside a recording, to work in: ".<its name>.<number>.<purpose>".

    What killed processes left of the same kind is removed; the lock tells it from one that is in use;
    where locks do not work it stays.
    Returns the open file, whose path is its `name`, and whether it could be locked. Raises OSError where
    nothing can be made there.
    """
    remove_leftovers(path, purpose)
    file = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{purpose}").open("x+b")
    return file, hold_writing_lock(file.fileno())


def remove_leftovers(path: Path, purpose: str) -> None:
    """Removes what killed processes left of what `reserve` makes; what is in use stays."""
    start, end = f".{path.name}.", f".{purpose}"
    for other in path.parent.iterdir():
        if other.name.startswith(start) and other.name.endswith(end):
            with contextlib.suppress(OSError):
                if writer_state(other) is WriterState.none:
                    other.unlink()


def free_bytes(path: Path) -> int:
    """Free bytes on the disk of a file (for those who are not root)."""
    return shutil.disk_usage(path.parent).free


def reason(problem: Exception) -> str:
    """What the system says of a failed write, in a few words."""
    number = getattr(problem, "errno", None)
    if number:
        return os.strerror(number)
    text = str(problem)
    if "errno = " in text:
        return os.strerror(int(text.split("errno = ")[1].split(",")[0]))
    return text.splitlines()[0] if text else type(problem).__name__


def give_name(partial: Path, path: Path, overwrite: bool) -> None:
    """Gives a finished file its own name.

    Args:
        partial: the file, under a hidden name in the same folder.
        path: its name.
        overwrite: whether it may replace another file.

    Raises:
        OSError: if it cannot; FileExistsError if another file has the name by now.
    """
    if overwrite:
        partial.replace(path)
        return
    try:
        os.link(partial, path)  # fails where a file has appeared meanwhile, unlike a rename
    except FileExistsError:
        raise
    except OSError:
        partial.rename(path)  # a file system without links
    else:
        partial.unlink()


def sync_folder(path: Path) -> None:
    """Waits until the disk has a file's name, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
