"""Where a recording goes: whether it can go there, how much room is left, what the system says if not."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from recorder import superblock
from recorder.annotations import is_annotations
from recorder.writing_lock import (
    WriterState,
    hold_writing_lock,
    remove_unless_written,
    writer_state,
)
from rig.errors import UserError
from rig.output_file import check_output

ENDING = ".nwb"
ASIDE = ".overwritten"
"""Beside a recording, what had its name before, until the recording is whole."""


def check_target(path: Path, overwrite: bool, reads: Iterable[Path] = ()) -> None:
    """Checks that a recording can be made there.

    Args:
        path: of the recording.
        overwrite: whether it may replace another file.
        reads: files and folders that are read for it, and must not be written to.

    Raises:
        UserError: it is not called .nwb; as `rig.output_file.check_output`; or another session records it.
    """
    if path.suffix.lower() != ENDING and not path.is_dir():
        raise UserError(
            f"{path}: a recording is called {path.stem}{ENDING}, or nothing would open it."
        )
    check_output(path, reads=reads, overwrite=overwrite)
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
    while True:
        file = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{purpose}").open("x+b")
        # until it is locked, another that looks for leftovers may hold its lock to try it, or remove it
        with contextlib.suppress(BlockingIOError):
            locked = hold_writing_lock(file.fileno())
            if os.fstat(file.fileno()).st_nlink:
                return file, locked
        file.close()
        Path(file.name).unlink(missing_ok=True)


def remove_leftovers(path: Path, purpose: str) -> None:
    """Removes what killed processes left of what `reserve` makes; what is in use stays."""
    start, end = f".{path.name}.", f".{purpose}"
    for other in path.parent.iterdir():
        if other.name.startswith(start) and other.name.endswith(end):
            with contextlib.suppress(OSError):
                remove_unless_written(other)


def free_bytes(path: Path) -> int:
    """Free bytes on the disk of a file (for those who are not root)."""
    return shutil.disk_usage(path.parent).free


def recordings_in(folder: Path, deep: bool = False) -> list[Path]:
    """The recordings in a folder, and with `deep` in those within it, by name.

    Not what is being made, nor what people annotated.
    """
    found: Iterator[Path] = folder.rglob("*") if deep else folder.glob("*")
    return sorted(
        each
        for each in found
        if each.suffix.lower() == ENDING
        and not each.name.startswith(".")
        and not is_annotations(each)
    )


def set_aside(path: Path) -> Path | None:
    """Keeps what has a recording's name under another one, F.nwb.overwritten; None: nothing has the name.

    The recording takes the name at once, to be read while it grows; when it is whole, who called this removes
    what was set aside. What others have set aside stays. Raises OSError where it cannot be kept.
    """
    for number in itertools.count(1):
        aside = path.with_name(f"{path.name}{ASIDE}{f'-{number}' if number > 1 else ''}")
        if os.path.lexists(aside):
            continue
        if not path.is_file():
            return None
        try:
            os.link(path, aside)
        except FileExistsError:
            continue
        except OSError:
            path.rename(aside)  # a file system without links
        return aside
    raise AssertionError("a count has no end")
