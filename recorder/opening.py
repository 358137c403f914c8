"""Opens recordings: one file, or the files of a rotated recording, read as one.

    recorder.open("F.nwb")                          # this file
    recorder.open("F.nwb", parts=True)              # the whole recording that it belongs to
    recorder.open("folder")                         # the whole recording that lies in a folder
    recorder.open(["F_001.nwb", "F_002.nwb"])       # these parts, which follow each other

A file whose recorder was killed is repaired first. Where the file system has no locks, nobody can tell a
killed recorder from a living one: such a file is read as it is, and left alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import h5py

from recorder import superblock
from recorder.annotations import is_annotations, recording_of_annotations
from recorder.concatenated import ConcatenatedRecording
from recorder.file_rotation import first_path, part_path
from recorder.integrity import HDF5_ERRORS
from recorder.output_path import recordings_in
from recorder.reading import Recording
from recorder.recovery import recorded_state, recover
from recorder.summary import describe
from rig.errors import RunError, UserError
from rig.output_file import reason

RecordingPath = Path | str | Sequence[Path]
"""A recording's file, a folder with the parts of one, or these parts."""


def open_recording(path_or_parts: RecordingPath, parts: bool = False) -> Recording:
    """Opens a recording for reading; see `Recording`. Usually called as `recorder.open`.

    One that was left by a killed recorder is repaired first; where that is impossible (a full disk, a
    folder that cannot be written), it is read as it is.

    >>> import recorder
    >>> session = recorder.open("session.nwb")
    >>> session.values("qpos", first_tick=10, last_tick=14).shape
    (5, 74)
    >>> session.activity("policy_2", state="c").shape                # pynapple TsdFrame: ticks × units
    (100, 128)
    >>> [float(start_s) for start_s in session.stimuli["clamp"].start]
    [0.22, 1.22]
    >>> session.close()

    Args:
        path_or_parts: a file, a folder with the parts of one recording, or several parts.
        parts: read the whole recording, of which the file may be any part; `Recording.files` are all.

    Raises:
        UserError: with one sentence, for what is not a recording of this program, or of a newer one; a
            part that is missing, or there twice; files that do not belong together or do not follow
            each other.
    """
    with ExitStack() as opened:
        if isinstance(path_or_parts, Path | str):
            path = Path(path_or_parts)
            if path.is_dir():
                found = _parts_in_folder(path, opened)
            elif parts:
                found = _parts_in_same_folder(path, opened)
            else:
                return _open_one(path)
        else:
            found = _opened([Path(each) for each in path_or_parts], opened)
        recording = found[0] if len(found) == 1 else ConcatenatedRecording(found)
        opened.pop_all()
        return recording


def all_parts(path: Path) -> tuple[Path, ...]:
    """The files of the whole recording that a file is a part of, or that lies in a folder, in order.

    Raises `UserError` as `open_recording`.
    """
    with open_recording(path, parts=True) as recording:
        return recording.files


def info(path_or_parts: RecordingPath, parts: bool = False) -> str:
    """What a recorded session was, on one screen of plain text."""
    with open_recording(path_or_parts, parts) as recording:
        return describe(recording)


def _open_one(path: Path) -> Recording:
    if is_annotations(path):
        recording = recording_of_annotations(path)
        there = "" if recording.exists() else ", but is not in its folder"
        raise UserError(
            f"{path} holds annotations, no recording; open {recording.name}, which shows them{there}."
        )
    state = recorded_state(path)
    if state == "killed":
        try:
            recover(path)
            state = "recovered"
        except (RunError, UserError):
            state = "unrecovered"
    for wait_s in (0.05, 0.2, 0.0):
        try:
            source = superblock.AsIfClosed(path) if state in ("unrecovered", "unknown") else path
            file = h5py.File(source, "r", swmr=state == "live")
            break
        except HDF5_ERRORS as problem:
            # a recorder that is just closing the file keeps it to itself for a moment
            failure = problem
            time.sleep(wait_s)
    else:
        raise UserError(f"{path} cannot be read as a recording: {reason(failure)}.")
    try:
        return Recording(path, file, state)
    except BaseException:
        file.close()
        raise


# --- the parts of a recording -----------------------------------------------------------------------


def _parts_in_folder(folder: Path, opened: ExitStack) -> list[Recording]:
    files = recordings_in(folder)
    if not files:
        raise UserError(f"There is no recording (.nwb) in the folder {folder}.")
    return _check_complete(_opened(files, opened))


def _parts_in_same_folder(path: Path, opened: ExitStack) -> list[Recording]:
    one = opened.enter_context(_open_one(path))
    others = [each for each in one.parts if each != path]
    return _check_complete(_check_order([one, *_open_each(others, opened)]))


def _opened(files: Sequence[Path], opened: ExitStack) -> list[Recording]:
    if not files:
        raise UserError("No recording was named.")
    return _check_order(_open_each(files, opened))


def _open_each(files: Sequence[Path], opened: ExitStack) -> list[Recording]:
    return [opened.enter_context(_open_one(each)) for each in files]


def _check_order(found: list[Recording]) -> list[Recording]:
    """These files in order. Raises `UserError` unless they are parts that follow each other."""
    found = sorted(found, key=lambda each: each.part)
    for one, other in pairwise(found):
        if (one.session, one.description.started) != (other.session, other.description.started):
            raise UserError(
                f"{other.path} does not belong to the recording {one.path}: it is of another session "
                f"({other.session}, not {one.session})."
            )
        if one.part == other.part:
            same = one.first_tick == other.first_tick
            what = f"part {one.part + 1} of one recording twice" if same else "two recordings"
            raise UserError(
                f"{one.path} and {other.path} are {what}, of the session {one.session}; only the parts "
                "of one, each once, are read together."
            )
        if other.part != one.part + 1:
            raise _missing(one, one.part + 1)
        if other.n_ticks and other.first_tick != one.last_tick + 1:
            raise UserError(
                f"{other.path} does not follow {one.path}: that ends with tick {one.last_tick}, and this "
                f"begins with tick {other.first_tick}."
            )
    return found


def _check_complete(found: list[Recording]) -> list[Recording]:
    """The same. Raises `UserError` if the recording's beginning or end is not among them."""
    if found[0].part:
        raise _missing(found[0], found[0].part - 1)
    if found[-1].continues and not _next_file_is_being_created(found[-1]):
        raise _missing(found[-1], found[-1].part + 1)
    return found


def _missing(known: Recording, number: int) -> UserError:
    path = part_path(first_path(known.path, known.part), number)
    renamed = part_path(first_path(known.path, known.part), known.part) != known.path
    if renamed:
        why = (
            f"{known.path.name} was renamed; put the parts into a folder of their own and name that"
        )
    elif path.exists():
        why = f"{path.name} is something else, or cannot be opened now"
    else:
        why = f"there is no {path.name} beside it"
    return UserError(
        f"Part {number + 1} of the recording that {known.path} is part {known.part + 1} of is missing: "
        f"{why}."
    )


def _next_file_is_being_created(last: Recording) -> bool:
    """Whether the next file has no name yet: the recorder is between two files, or was killed there."""
    name = part_path(first_path(last.path, last.part), last.part + 1).name
    return any(
        each.name.startswith(f".{name}.") and each.name.endswith(".part")
        for each in last.path.parent.iterdir()
    )
