"""`rodent-rig dataset`: a subject recorded in every task, undisturbed, for analyses of many episodes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.options import JobsOption, RayOption, Runtime, RuntimeOption, check_least
from cli.sweeps import SweepPlan, carry_out
from parallel.sweep import RunLine, read_note, runs_of
from rig.arenas.names import TASKS
from rig.bus.message_types import TICK_S
from rig.errors import UserError
from rig.output_file import replacing
from stim.protocol.find import find

PROTOCOL = Path("baseline")
PAPER_TASKS = TASKS[1:]
MANIFEST = "manifest.json"
FIRST_SEED = 1000


class RecordingEntry(msgspec.Struct, frozen=True):
    """One recording of a data set: its file as seen from the folder, the file's SHA-256 and size.

    `seconds` is animal time.
    """

    file: str
    task: str
    seed: int
    sha256: str
    size_bytes: int
    seconds: float


class Manifest(msgspec.Struct, frozen=True):
    """What a data set consists of: `subject_sha256` is of its weights, `versions` those that recorded it."""

    subject: str
    subject_sha256: str
    protocol_sha256: str
    versions: dict[str, str]
    recordings: list[RecordingEntry]


def dataset(
    subject: Annotated[str, typer.Argument(help="A subject's name, or its folder.")],
    out: Annotated[Path, typer.Option(help="The data set's folder.")],
    episodes: Annotated[int, typer.Option(help="Of each task.")] = 25,
    task: Annotated[
        list[str] | None,
        typer.Option(help="Only this task; may be given several times. All four if left out."),
    ] = None,
    first_seed: Annotated[
        int, typer.Option(help="Episode k of each task has this seed + k.")
    ] = FIRST_SEED,
    duration: Annotated[
        float | None,
        typer.Option(help="Animal time of each episode in seconds; 30, or until the task ends it."),
    ] = None,
    ray: RayOption = None,
    jobs: JobsOption = None,
    runtime: RuntimeOption = Runtime.onnx,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew in a folder of another data set.")
    ] = False,
) -> None:
    """Record episodes of every task, each a session of its own, with nothing done to the animal.

    It is a sweep of the protocol `baseline`, without the camera; all tasks are served in turn. Called again,
    it goes on. The folder holds `recordings/`, and `manifest.json` with hashes, seeds and versions.
    """
    check_least(
        ("--episodes", episodes, 1),
        ("--first-seed", first_seed, 0),
        ("--duration", duration, TICK_S),
        ("--jobs", jobs, 1),
    )
    tasks = list(dict.fromkeys(task or PAPER_TASKS))
    unknown = next((each for each in tasks if each not in TASKS), None)
    if unknown is not None:
        raise UserError(f"--task {unknown}: there is no such task; there is {', '.join(TASKS)}.")
    settings = {"subject": [subject], "task": tasks, "trials": ["1"]}
    seeds = tuple(range(first_seed, first_seed + episodes))
    runs = sorted(
        runs_of(settings, seeds), key=lambda run: (run.seed, tasks.index(run.settings["task"]))
    )
    entries: list[RecordingEntry] = []

    def add(line: RunLine) -> None:
        entries.append(_entry(out, line))
        _write_manifest(out, entries)

    plan = SweepPlan(
        find(PROTOCOL), settings, seeds, tuple(runs), out, duration_s=duration, runtime=runtime
    )
    carry_out(plan, ray, jobs, overwrite, add)


def _entry(folder: Path, line: RunLine) -> RecordingEntry:
    import recorder

    file = folder / line.file
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    with recorder.open(file) as recording:
        seconds = recording.n_ticks * recording.description.tick_s
    return RecordingEntry(
        line.file, line.settings["task"], line.seed, digest, file.stat().st_size, round(seconds, 2)
    )


def _write_manifest(folder: Path, entries: list[RecordingEntry]) -> None:
    """The manifest of the recordings that there are; what they have in common is the sweep's."""
    note = read_note(folder)
    assert note is not None, "it was written before the first session began"
    ((subject, sha256),) = note.subjects.items()
    manifest = Manifest(
        subject,
        sha256,
        hashlib.sha256(note.protocol_text.encode()).hexdigest(),
        note.versions,
        sorted(entries, key=lambda entry: (entry.task, entry.seed)),
    )
    with replacing(folder / MANIFEST) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
