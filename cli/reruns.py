"""Commands that simulate a recorded session again: `rerun`, and `branch`, which leaves it for another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AllowPython, Settings
from cli.recordings import Parts
from rig.bus.message_types import TICK_S, EngineReply, Episode, Message, Tick
from rig.errors import UserError
from rig.output_file import with_ending

if TYPE_CHECKING:
    from rerun.comparison import Comparison
    from rerun.in_process_transport import InProcessTransport
    from rerun.protocol_sequence import Segment
    from rerun.recorded_session import RecordedSession
    from rig.resume_point import ResumePoint

EVERY_LEAD_S = 1.0
EVERY_LAST_S = 2.0
"""Of the pairs that `--every` makes, so much is recorded before the event and after it."""

File = Annotated[Path, typer.Argument(help="A recording (.nwb).")]
Files = Annotated[
    Path | None,
    typer.Option(
        help="The folder that the recording's protocol stood in, if it names files (baselines, courses)."
    ),
]


def rerun(
    file: File,
    begin: Annotated[
        float | None,
        typer.Option(
            "--from",
            metavar="SECONDS",
            help="Resume the session at the last snapshot at or before this; from its start if left out.",
        ),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="End there; where the recording ends if left out."),
    ] = None,
    parts: Parts = False,
    files: Files = None,
    allow_python: AllowPython = False,
) -> None:
    """Simulate a recorded session again and compare it with its recording, bit by bit.

    Exit status 0: identical. 1: it differs, and where is said. 2: it cannot be run again.
    """
    from rerun.recorded_session import read, segments_of
    from rerun.resume import resume_point
    from rig.resume_point import SnapshotError

    session = read(file, parts)
    segments = segments_of(session, files, allow_python)
    last = session.last_tick
    if session.engineless_tick is not None:
        last = session.engineless_tick - 1
        print(
            f"From tick {last + 1} on the session's stimulation engine was dead, which cannot be repeated; "
            "the ticks before are compared."
        )
    if until is not None:
        last = _tick_in(session, "--until", until, last)
    if begin is None:
        found = _compared(session, segments, last, None)
    else:
        with resume_point(session, _tick_in(session, "--from", begin, last)) as (resume, why):
            if why:
                print(why)
            try:
                found = _compared(session, segments, last, resume)
            except SnapshotError as problem:
                print(f"{problem} It is run again from its start.")
                resume = None
                found = _compared(session, segments, last, None)
            begun = 0 if resume is None else resume.snapshot.tick
            print(f"Resumed at tick {begun} ({begun * TICK_S:.2f} s).")
    if session.known_from > 0:
        print(
            f"The recording begins at tick {session.known_from}; whatever came from outside before is "
            "not in it, so it was not repeated."
        )
    for line in _made_otherwise(session.description.versions):
        print(line)
    n, difference = found.n_identical, found.difference
    if difference is None and found.complete:
        print(f"{session.name}: identical for {n} ticks ({n * TICK_S:.2f} s of animal time).")
        return
    if difference is None:
        print(f"{session.name}: the re-run ended after {n} identical ticks.")
    else:
        print(
            f"{session.name}: identical for {n} ticks, then the first difference is at {difference}."
        )
    raise typer.Exit(1)


def _compared(
    session: RecordedSession, segments: Sequence[Segment], last: int, resume: ResumePoint | None
) -> Comparison:
    """Runs the session again up to a tick, and holds it against its recording."""
    from recorder.replay import ReplaySource
    from rerun.branches import progress_bar
    from rerun.comparison import Comparison
    from rerun.recorded_session import run_again
    from rerun.resume import recorded_messages

    begin = 0 if resume is None else resume.snapshot.tick
    first = max(begin, session.first_tick)
    with ReplaySource(session.files) as source, progress_bar() as bar:
        task = bar.add_task("running again", total=last + 1)
        # before a snapshot it is the engine's answers alone that are made again
        before = (
            each
            for each in recorded_messages(source, session.first_tick, begin - 1)
            if isinstance(each.content, EngineReply)
        )
        answers = Comparison(before, session.first_tick)
        rest = Comparison(recorded_messages(source, first, last), first)

        def on_message(message: Message, transport: InProcessTransport) -> None:
            goes_on = isinstance(message.content, Episode) and first == session.first_tick
            if message.tick >= begin or goes_on:
                rest.on_message(message)
            elif isinstance(message.content, EngineReply):
                answers.on_message(message)
                rest.difference = answers.difference
            if rest.difference is not None:
                transport.stop()
            elif isinstance(message.content, Tick) and message.tick % 10 == 0:
                bar.update(task, completed=message.tick)

        run_again(session, segments, session.description, last, on_message, resume)
    return rest


def branch(
    file: File,
    protocol: Annotated[
        Path, typer.Option(help="The protocol that the branch goes on with: a file, or a name.")
    ],
    at: Annotated[float | None, typer.Option(help="Seconds of animal time to branch at.")] = None,
    at_tick: Annotated[int | None, typer.Option(help="The same as a tick.")] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:NAME",
            help="A branch for each onset of a behaviour (behaviour:rear) or event of the task "
            "(task:first_tap) in the recording, at the tick at which it was found.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The recording to write (.nwb); with --every the folder for them."),
    ] = None,
    lead: Annotated[
        float | None,
        typer.Option(
            help="Record from so many seconds before the branching on; all of the session if left out "
            f"(with --every {EVERY_LEAD_S:g})."
        ),
    ] = None,
    last: Annotated[
        float | None,
        typer.Option(
            help="End so many seconds after the branching; where the recording ends if left out (with "
            f"--every {EVERY_LAST_S:g})."
        ),
    ] = None,
    camera: Annotated[bool, typer.Option(help="Record what the animal sees, too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    settings: Settings = None,
    files: Files = None,
    allow_python: AllowPython = False,
) -> None:
    """Run a recorded session again up to a tick, then go on under another protocol.

    Animal, network, task and every random draw are those of the recording: with its own protocol it is the
    same session again; with a stimulus it is the same up to there, and what differs is what the stimulus did.
    """
    from cli.protocols import baselines_of, load_protocol, reads_of
    from recorder.output_path import check_target
    from rerun.branches import Branch, exists, make, onsets
    from rerun.protocol_sequence import Segment
    from rerun.recorded_session import branched, read, segments_of
    from stim.protocol.find import find
    from stim.protocol.read import is_script

    if [at, at_tick, every].count(None) != 2:
        raise UserError(
            "Say where to branch with one of --at SECONDS, --at-tick TICK, --every KIND:NAME."
        )
    protocol = find(protocol)
    if is_script(str(protocol)) and not allow_python:
        raise UserError(f"{protocol} is a program: read it, then give --allow-python.")
    after = load_protocol(protocol, settings, allow_python)
    if file.is_dir():
        raise UserError(f"{file} is a folder; a branch leaves one recording, or one part of it.")
    session = read(file)
    segments = segments_of(session, files, allow_python)
    if session.engineless_tick is not None:
        raise UserError(
            f"In {file} the stimulation engine died before tick {session.engineless_tick}, which cannot "
            "be repeated; branch a session in which it did not."
        )
    values, used = baselines_of(after)
    baselines = {each.name: each.sha256 for each in used}
    if every is not None:
        ticks = onsets(file, every)
        lead = EVERY_LEAD_S if lead is None else lead
        last = EVERY_LAST_S if last is None else last
        folder = out or file.with_name(f"{file.stem}-{after.name}")
        targets = {tick: folder / f"{file.stem}-{tick:07d}.nwb" for tick in ticks}
    else:
        ticks = [at_tick if at_tick is not None else _tick_of("--at", at)]
        if out is None:
            raise UserError("--out G.nwb says what to record the branch into.")
        targets = {ticks[0]: with_ending(out, (".nwb",))}
    for option, value in (("--lead", lead), ("--last", last)):
        if value is not None and not 0 <= value < math.inf:
            raise UserError(f"{option} {value}: give seconds, 0 or more.")
    for tick in ticks:
        if not max(0, session.first_tick) <= tick <= session.last_tick:
            raise UserError(
                f"Tick {tick} ({tick * TICK_S:.2f} s) is not in {file}, which has the ticks "
                f"{session.first_tick} to {session.last_tick}."
            )
    plans = []
    for tick in ticks:
        own, description = branched(
            session, segments, Segment(after, values, after.script, tick), baselines
        )
        target = targets[tick]
        if every is not None and not overwrite and exists(target, description):
            continue
        begin = 0 if lead is None else max(0, tick - round(lead / TICK_S))
        end = session.last_tick if last is None else tick + round(last / TICK_S)
        plans.append(Branch(target, own, description, begin, min(end, session.last_tick)))
    if every is not None:
        folder.mkdir(parents=True, exist_ok=True)
    own_reads = (path for each in segments for path in each.protocol.files)
    reads = (*reads_of(after), file, *session.sources, *own_reads)
    for plan in plans:
        check_target(plan.target, overwrite, reads)
    make(session, plans, overwrite, camera)
    for plan in plans:
        print(plan.target)
    if every is not None:
        ready = len(ticks) - len(plans)
        beside = f", {ready} were there already" if ready else ""
        print(f"{len(plans)} branches of {file.name} made{beside}.")


def _tick_of(option: str, at_s: float | None) -> int:
    if at_s is None or not math.isfinite(at_s):
        raise UserError(f"{option} {at_s}: give seconds of animal time.")
    return round(at_s / TICK_S)


def _tick_in(session: RecordedSession, option: str, at_s: float, last: int) -> int:
    tick = _tick_of(option, at_s)
    if not max(0, session.first_tick) <= tick <= last:
        raise UserError(
            f"{option} {at_s:g} s is tick {tick}; of {session.path} the ticks {session.first_tick} to "
            f"{last} can be run again."
        )
    return tick


def _made_otherwise(recorded: Mapping[str, str]) -> Iterator[str]:
    """A line for each version, or part of the machine, that is not that of the recording."""
    from rig.versions import camera_of, runtime_of, versions

    now = versions(runtime_of(recorded), camera_of(recorded))
    for name, was in recorded.items():
        if now.get(name, "") != was:
            yield f"Made with {name} {was}, run again with {now.get(name, 'none')}."
