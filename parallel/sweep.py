"""A sweep: one protocol over many settings and seeds, every combination a session of its own.

    folder/sweep.json      what was asked: the protocol's text, settings, seeds, subjects, versions
    folder/runs.jsonl      a line for each run: settings, seed, file, status, seconds, what went wrong
    folder/recordings/     the recordings

Each run is a command in a process of its own, so that one that crashes is a line in the report and does
not stop the rest. A run whose recording is complete is not run again: what is complete is for the caller
to judge, who can read recordings.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import product
from pathlib import Path

import msgspec

from parallel.jobs import Executor, Job
from rig.errors import RunError, UserError

NOTE, LINES, RECORDINGS = "sweep.json", "runs.jsonl", "recordings"
_PLAIN = re.compile(r"[\w.+-]{1,40}", re.ASCII)


class SweepRequest(msgspec.Struct, frozen=True):
    """One call of a sweep: the values of each setting, the seeds, and when (ISO 8601, with its zone)."""

    settings: dict[str, list[str]]
    seeds: list[int]
    when: str


class SweepNote(msgspec.Struct, frozen=True):
    """What a sweep's folder is a sweep of; a folder holds one.

    `protocol` is the file's path as seen from the folder. `subjects` and `baselines` map names and paths to
    SHA-256. `duration_s` is 0 where sessions last as long as the protocol says.
    """

    protocol: str
    protocol_text: str
    duration_s: float
    camera: bool
    subjects: dict[str, str]
    baselines: dict[str, str]
    versions: dict[str, str]
    asked: list[SweepRequest]
    runtime: str = "onnx"


class Run(msgspec.Struct, frozen=True):
    """One combination of settings with one seed; `file` is its recording, as seen from the folder."""

    settings: dict[str, str]
    seed: int
    file: str

    def __str__(self) -> str:
        return " ".join(
            [*(f"{key}={value}" for key, value in self.settings.items()), f"seed={self.seed}"]
        )


class RunLine(msgspec.Struct, frozen=True):
    """What became of a run: `status` is "complete", "failed" (`sentence` says why) or "waiting".

    `seconds` is the wall time that it took.
    """

    settings: dict[str, str]
    seed: int
    file: str
    status: str
    seconds: float = 0.0
    sentence: str = ""


def runs_of(settings: Mapping[str, Sequence[str]], seeds: Sequence[int]) -> list[Run]:
    """Every combination with every seed, the seeds of a combination one after the other."""
    return [
        Run(chosen := dict(zip(settings, values, strict=True)), seed, _file(chosen, seed))
        for values in product(*settings.values())
        for seed in seeds
    ]


def _file(settings: Mapping[str, str], seed: int) -> str:
    """A file name that says what was set; what does not fit into a name is told apart by a hash."""
    parts = [f"{_plain(key)}-{_plain(value)}" for key, value in settings.items()]
    name = "_".join([*parts, f"seed-{seed}"])
    return f"{RECORDINGS}/{name if len(name) < 200 else _hash(name)}.nwb"


def _plain(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _hash(text)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


# --- the folder -------------------------------------------------------------------------------------


@contextmanager
def folder_of(folder: Path, note: SweepNote, overwrite: bool = False) -> Iterator[None]:
    """Makes the folder, or takes the one of the same sweep up again, and keeps others from it meanwhile.

    Raises `UserError` where it holds a sweep of something else (unless `overwrite`: its recordings are
    then made anew) or another sweep works in it, `RunError` where it cannot be written.
    """
    try:
        (folder / RECORDINGS).mkdir(parents=True, exist_ok=True)
        lock = (folder / "sweep.lock").open("w")
    except OSError as problem:
        raise RunError(f"The folder {folder} cannot be written: {problem.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"Another sweep is working in {folder}; wait for it to end.") from None
        there = read_note(folder)
        if there is not None and not overwrite:
            other = _difference(there, note)
            if other:
                raise UserError(
                    f"{folder} holds a sweep with {other}; name another folder with --out, or give "
                    "--overwrite to begin it anew."
                )
            before = [(asked.settings, asked.seeds) for asked in there.asked]
            new = [asked for asked in note.asked if (asked.settings, asked.seeds) not in before]
            note = msgspec.structs.replace(note, asked=[*there.asked, *new])
        elif there is not None:
            (folder / LINES).unlink(missing_ok=True)
        _write(folder / NOTE, msgspec.json.format(msgspec.json.encode(note), indent=2))
        yield


def read_note(folder: Path) -> SweepNote | None:
    """What a folder is a sweep of; None where it is none. Raises `UserError` for a spoilt note."""
    try:
        return msgspec.json.decode((folder / NOTE).read_bytes(), type=SweepNote)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as problem:
        raise UserError(f"{folder / NOTE} is not the note of a sweep: {problem}.") from None


def read_lines(folder: Path) -> list[RunLine]:
    """The runs of a sweep; a line that is not one, such as one that a full disk cut off, is left out."""
    try:
        texts = (folder / LINES).read_bytes().splitlines()
    except OSError:
        return []
    lines = []
    for text in texts:
        try:
            lines.append(msgspec.json.decode(text, type=RunLine))
        except msgspec.DecodeError:
            continue
    return lines


def _write_lines(folder: Path, lines: Mapping[str, RunLine]) -> None:
    _write(folder / LINES, b"".join(msgspec.json.encode(line) + b"\n" for line in lines.values()))


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as problem:
        raise RunError(f"{path} cannot be written: {problem.strerror}.") from None


def _difference(there: SweepNote, here: SweepNote) -> str:
    if there.protocol_text != here.protocol_text:
        return f"another text of the protocol than {here.protocol} has now"
    if there.duration_s != here.duration_s:
        return f"--duration {there.duration_s:g}" if there.duration_s else "no --duration"
    if there.runtime != here.runtime:
        return f"--runtime {there.runtime}"
    if there.camera != here.camera:
        return "--camera" if there.camera else "--no-camera"
    for what in ("subject", "baseline"):
        before, now = getattr(there, f"{what}s"), getattr(here, f"{what}s")
        changed = [name for name, found in before.items() if now.get(name, found) != found]
        if changed:
            return f"the {what} {changed[0]} as it was before it was made again"
    return ""


# --- running ----------------------------------------------------------------------------------------


def sweep(
    folder: Path,
    runs: Sequence[Run],
    arguments: Callable[[Run, Path], list[str]],
    lacks: Callable[[Run], str],
    executor: Executor,
    tell: Callable[[RunLine, bool], None],
) -> list[RunLine]:
    """Runs what is not complete yet; a line for each run, in their order.

    Args:
        folder: the sweep's, within `folder_of`.
        runs: what is to be there at the end.
        arguments: the arguments for Python of a run, given the recording to write.
        lacks: why the recording of a run is not complete, in a sentence; "" if it is.
        executor: runs them.
        tell: called with each line as it is known, and whether it was there already.
    """
    lines = {line.file: line for line in read_lines(folder)}
    jobs: dict[str, Job] = {}
    by_file = {run.file: run for run in runs}
    for run in runs:
        if not lacks(run):
            before = lines.get(run.file)
            seconds = before.seconds if before is not None else 0.0
            lines[run.file] = RunLine(run.settings, run.seed, run.file, "complete", seconds)
            tell(lines[run.file], True)
            continue
        lines[run.file] = RunLine(run.settings, run.seed, run.file, "waiting")
        jobs[run.file] = Job(
            arguments(run, folder / run.file), os.getcwd(), str((folder / NOTE).resolve())
        )
    _write_lines(folder, lines)
    for file, outcome in executor.outcomes(jobs):
        run = by_file[file]
        sentence = outcome.sentence or lacks(run)
        status = "failed" if sentence else "complete"
        lines[file] = RunLine(run.settings, run.seed, file, status, outcome.seconds, sentence)
        _write_lines(folder, lines)
        tell(lines[file], False)
    return [lines[run.file] for run in runs]
