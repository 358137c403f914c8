"""A recording in several files: when the next one begins, what they are called, and where the others are.

`F.nwb` continues in `F_001.nwb`, `F_002.nwb` and so on, in the same folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py

from recorder.layout import SessionHeader, read_header
from rig.bus.message_types import Event, Message
from rig.errors import UserError
from rig.output_file import check_output

MIN_S = 1.0
MIN_BYTES = 10_000_000
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "MB": 1e6, "GB": 1e9}
_TIMES = ("s", "min", "h")


@dataclass(frozen=True)
class RotationLimit:
    """When a file is full: after so much animal time, or at so many bytes; 0 is no limit."""

    after_s: float = 0.0
    after_bytes: int = 0

    def is_due(self, recorded_s: float, file_bytes: int) -> bool:
        """Whether a file with so much in it is full."""
        if self.after_s:
            return recorded_s >= self.after_s - 1e-9
        return file_bytes >= self.after_bytes and recorded_s >= MIN_S


@dataclass(frozen=True, kw_only=True)
class OpenState:
    """What is so when a recording begins in the middle of a session.

    Args:
        first_tick: the tick that it begins with.
        expected: the sequence number that is due, by topic.
        episode: the trial that continues; None if one begins with the file.
        open_events: the onsets of open intervals, each with the tick whose answer brought it.
        answer: the last one; its interventions act on the first tick.
    """

    first_tick: int
    expected: Mapping[str, int]
    episode: Message | None
    open_events: tuple[tuple[int, Event], ...]
    answer: Message | None


@dataclass(frozen=True, kw_only=True)
class RotationState(OpenState):
    """What the next file of a recording starts from when the file before is full.

    Args:
        number: of the file, from 1; the first file of the recording is 0.
        previous_file: the name of the file before.
        armed: whether the session's protocol is armed then.
    """

    number: int
    previous_file: str
    armed: bool


def parse_rotation_limit(text: str) -> RotationLimit:
    """What "10min" or "500MB" means. Raises `UserError` for what is no time and no size."""
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*([A-Za-z]+)\s*", text)
    unit = {name.lower(): name for name in _UNITS}.get(found[2].lower(), "") if found else ""
    if not found or not unit:
        raise UserError(
            f"--roll-over {text}: write a time or a size, such as 10min, 90s, 2h, 500MB or 2GB."
        )
    amount = float(found[1]) * _UNITS[unit]
    if unit in _TIMES and amount >= MIN_S:
        return RotationLimit(after_s=amount)
    if unit not in _TIMES and amount >= MIN_BYTES:
        return RotationLimit(after_bytes=int(amount))
    raise UserError(
        f"--roll-over {text}: a file holds at least {MIN_S:g} s or {MIN_BYTES / 1e6:g} MB."
    )


def part_path(first: Path, number: int) -> Path:
    """The name of a part: that of the first file, from 1 on with a number."""
    return first.with_name(f"{first.stem}_{number:03d}{first.suffix}") if number else first


def first_path(path: Path, number: int) -> Path:
    """The name of the first file, of a part with this number; its own where it was renamed."""
    end = f"_{number:03d}"
    if number and path.stem.endswith(end):
        return path.with_name(path.stem.removesuffix(end) + path.suffix)
    return path


def check_parts(first: Path, overwrite: bool, reads: Iterable[Path] = ()) -> None:
    """Checks that further files can be made beside a recording's first.

    Args:
        first: the first file.
        overwrite: whether they may replace others.
        reads: files and folders that are read, and must not be written to.

    Raises:
        UserError: a file of a name that one would get is there and must not be replaced.
    """
    if not first.parent.is_dir():
        return
    reads = tuple(reads)
    pattern = re.compile(rf"{re.escape(first.stem)}_\d{{3,}}{re.escape(first.suffix)}")
    for other in sorted(first.parent.iterdir()):
        if not pattern.fullmatch(other.name):
            continue
        if overwrite:
            check_output(other, reads=reads, overwrite=True)
        else:
            raise UserError(
                f"{other} exists already, and the recording {first.name} may go on under that name; "
                "choose another name, or say that it may be overwritten."
            )


def parts_of(path: Path, header: SessionHeader) -> dict[int, Path]:
    """The files of a recording in the same folder, by number, this one among them.

    Those before it, and those after it up to the first that is missing.
    """
    first = first_path(path, header.part)
    found = {header.part: path}
    if part_path(first, header.part) != path:
        return found  # renamed: which files belong to it is unknown
    for number in range(header.part):
        if _belongs(part_path(first, number), number, header):
            found[number] = part_path(first, number)
    number = header.part + 1
    while _belongs(part_path(first, number), number, header):
        found[number] = part_path(first, number)
        number += 1
    return dict(sorted(found.items()))


def _belongs(path: Path, number: int, header: SessionHeader) -> bool:
    """Whether a file is the part with this number of the same session."""
    if not path.is_file():
        return False
    try:
        # as a live reader, so that one that is being written, or whose writer was killed, opens too
        with h5py.File(path, "r", swmr=True) as file:
            other = read_header(file)
    except (OSError, RuntimeError):
        return False
    return (
        other is not None
        and (other.session, other.part) == (header.session, number)
        and other.description.started == header.description.started
    )
