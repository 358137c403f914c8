"""Files that commands write: whether a file can go there, and how it comes to be there.

    path = with_ending(path, ".nwb", "--out")
    check_output(path, reads=(protocol, *baselines), overwrite=overwrite)
    …
    with replacing(path) as partial:
        partial.write_text("…")

Whatever the command line is asked to write goes through here. No command writes to a file that it reads,
under whatever name or link; a file that may be overwritten is there until the new one is whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rig.errors import RunError, UserError
from rig.regular_file import UnfitFileError

LONGEST_NAME = 255
LONGEST_PATH = 4095
"""Bytes, of the name of a file and of a whole path, where the system does not say otherwise."""
_LONGEST_PURPOSE = "recovering"
"""The longest end of the hidden names that files have while they are made (`recorder.output_path`)."""


def check_path(path: Path | str, option: str = "") -> None:
    """Whether a path can be one at all: of text, of names that are not too long.

    Args:
        path: as the user gave it.
        option: how the user named it, for the sentence.

    Raises:
        UserError: it cannot.
    """
    raw = os.fsencode(path)
    shown = raw.decode(errors="backslashreplace")
    what = f"{option} {shown}".strip() if len(shown) <= 80 else f"{option} {shown[:60]}…".strip()
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise UserError(
            f"{what}: the name is not UTF-8 text, which recordings keep; rename it."
        ) from None
    if b"\0" in raw:
        raise UserError(f"{what}: a name cannot have the character 0 in it.")
    longest = max(len(part) for part in raw.split(b"/"))
    if longest > LONGEST_NAME or len(raw) > LONGEST_PATH:
        raise UserError(
            f"{what}: the name is too long ({longest} bytes; {LONGEST_NAME} are the most)."
            if longest > LONGEST_NAME
            else f"{what}: the path is too long ({len(raw)} bytes; {LONGEST_PATH} are the most)."
        )


def with_ending(path: Path, endings: Sequence[str], option: str = "--out") -> Path:
    """The path, with the first of these endings where it has none.

    Args:
        path: of a file to write.
        endings: those that it may have, such as ".nwb".
        option: how the user named it, for the sentence.

    Raises:
        UserError: it has another ending, so that nothing would open it as what it is.
    """
    if path.suffix.lower() in endings or path.is_dir():
        return path
    if not path.suffix:
        return path.with_name(f"{path.name}{endings[0]}")
    words = " or ".join([", ".join(endings[:-1]), endings[-1]] if endings[1:] else endings)
    raise UserError(f"{option} {path}: it is written as {words}.")


def check_output(
    path: Path,
    *,
    reads: Iterable[Path] = (),
    overwrite: bool = False,
    option: str = "",
) -> None:
    """Checks that a file can be written there, before anything is done for it.

    Args:
        path: of the file.
        reads: files and folders that the command reads; links to them count as them.
        overwrite: whether it may replace another file.
        option: how the user named it, for the sentence.

    Raises:
        UserError: there is no such folder, or it cannot be written; a file is there, or one that is read.
    """
    shown = f"{option} {path}".strip()
    check_path(path, option)
    if not path.parent.is_dir():
        raise UserError(
            f"There is no folder {path.parent} to write {path.name} into; make it first."
        )
    if path.is_dir():
        raise UserError(f"{shown} is a folder; give the file a name.")
    if os.path.lexists(path):
        read = next((each for each in _files(reads) if _same(path, each)), None)
        if read is not None:
            same = "" if path == read else f"the same file as {read}, "
            raise UserError(f"{shown} is {same}which this command reads; choose another name.")
        if path.exists() and not path.is_file():
            raise UserError(f"{shown} is a device or the like, not a file; choose another name.")
        if not overwrite:
            raise UserError(
                f"{shown} exists already; choose another name, or say that it may be overwritten "
                "(--overwrite)."
            )
    try:
        hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{_LONGEST_PURPOSE}")
        hidden.touch(exist_ok=False)
        hidden.unlink()
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:
            raise UserError(f"{shown}: the name is too long; choose a shorter one.") from None
        raise UserError(f"{shown} cannot be written: {reason(problem)}.") from None


@contextlib.contextmanager
def replacing(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """A file to write into, beside the real one, whose name it gets when the block is left and all is well.

    Args:
        path: of the real one.
        overwrite: whether it may replace another file.

    Raises:
        RunError: it could not be written; what was there before is there still.
    """
    partial = path.with_name(f".{path.stem[:60]}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        give_name(partial, path, overwrite)
        sync_folder(path)
    except OSError as problem:
        raise RunError(f"{path} could not be written: {reason(problem)}.") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


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


def reason(problem: Exception) -> str:
    """What the system says of a failed write, in a few words."""
    if isinstance(problem, UnfitFileError):
        return str(problem.strerror)
    number = getattr(problem, "errno", None)
    if number:
        return os.strerror(number)
    text = str(problem)
    if "errno = " in text:
        return os.strerror(int(text.split("errno = ")[1].split(",")[0]))
    return text.splitlines()[0] if text else type(problem).__name__


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """These files, and all in these folders."""
    for path in paths:
        with contextlib.suppress(OSError):
            if path.is_dir():
                yield from (each for each in path.rglob("*") if each.is_file())
            else:
                yield path


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, by whatever links."""
    try:
        a, b = one.stat(), other.stat()
    except OSError:
        return False
    return os.path.samestat(a, b) and stat.S_ISREG(a.st_mode)
