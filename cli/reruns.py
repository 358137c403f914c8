"""`rodent-rig rerun`: a recorded session simulated again, and held against its recording."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AllowPython
from cli.recordings import Parts
from rig.bus.message_types import TICK_S, EngineReply, Episode, Message, Tick
from rig.errors import UserError

if TYPE_CHECKING:
    from rerun.comparison import Comparison
    from rerun.in_process_transport import InProcessTransport
    from rerun.protocol_sequence import Segment
    from rerun.recorded_session import RecordedSession
    from rig.resume_point import ResumePoint

File = Annotated[Path, typer.Argument(help="A recording (.nwb).")]
Files = Annotated[
    Path | None,
    typer.Option(
        help="The folder that the recording's protocol stood in, if it names files (baselines, waveforms)."
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


def tick_of(option: str, at_s: float | None) -> int:
    """The tick at a time (s); raises `UserError` for what is none."""
    if at_s is None or not math.isfinite(at_s):
        raise UserError(f"{option} {at_s}: give seconds of animal time.")
    return round(at_s / TICK_S)


def _tick_in(session: RecordedSession, option: str, at_s: float, last: int) -> int:
    tick = tick_of(option, at_s)
    if not max(0, session.first_tick) <= tick <= last:
        raise UserError(
            f"{option} {at_s:g} s is tick {tick}; of {session.path} the ticks {session.first_tick} to "
            f"{last} can be run again."
        )
    return tick


def _made_otherwise(recorded: Mapping[str, str]) -> Iterator[str]:
    """A line for each version, or part of the machine, that is not that of the recording."""
    from rig.versions import camera_of, runtime_of, task_events_of, versions

    now = versions(runtime_of(recorded), camera_of(recorded), task_events_of(recorded))
    for name, was in recorded.items():
        if now.get(name, "") != was:
            yield f"Made with {name} {was}, run again with {now.get(name, 'none')}."
