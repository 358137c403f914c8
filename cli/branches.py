"""`rodent-rig branch`: a recorded session run again up to a tick, then on under another protocol."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AllowPython, Settings
from cli.reruns import File, Files, tick_of
from rig.bus.message_types import TICK_S, Input
from rig.errors import UserError
from rig.output_file import with_ending
from rig.terminal import say_progress

if TYPE_CHECKING:
    from rerun.protocol_sequence import Segment
    from rerun.recorded_session import RecordedSession
    from stim.protocol.model import Protocol

EVERY_LEAD_S = 1.0
EVERY_LAST_S = 2.0
"""Of the pairs that `--every` makes, so much is recorded before the event and after it."""
ADDED = "added"
"""What a stimulus is called that is added to a branch."""


def branch(
    file: File,
    protocol: Annotated[
        Path | None,
        typer.Option(
            help="The protocol that the branch goes on with: a file, or a name; the session's own if left "
            "out."
        ),
    ] = None,
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
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STIMULUS",
            help="Withhold this stimulus of the protocol: shams in its place; again for each.",
        ),
    ] = None,
    add: Annotated[
        str,
        typer.Option(
            metavar="JSON",
            help='A stimulus that is added at the branching, as on the bus: \'{"layer": "core", '
            '"units": [3], "value": 0, "for_ms": 500}\'.',
        ),
    ] = "",
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say whether it can be made, and from where on.")
    ] = False,
    progress: Annotated[
        bool, typer.Option("--progress", help="Say how far it is in lines, for programs.")
    ] = False,
) -> None:
    """Run a recorded session again up to a tick, then go on under another protocol.

    Animal, network, task and every random draw are those of the recording: with its own protocol it is the
    same session again; with a stimulus it is the same up to there, and what differs is what the stimulus did.
    """
    from cli.protocols import reads_of
    from recorder.output_path import check_target
    from rerun.branches import Branch, exists, make, onsets
    from rerun.recorded_session import branched, read, segments_of

    if [at, at_tick, every].count(None) != 2:
        raise UserError(
            "Say where to branch with one of --at SECONDS, --at-tick TICK, --every KIND:NAME."
        )
    if settings and protocol is None:
        raise UserError("--set is for the protocol that --protocol names.")
    after = None if protocol is None else _loaded(protocol, settings, allow_python, without or ())
    if file.is_dir():
        raise UserError(f"{file} is a folder; a branch leaves one recording, or one part of it.")
    session = read(file)
    segments = segments_of(session, files, allow_python)
    if session.engineless_tick is not None:
        raise UserError(
            f"In {file} the stimulation engine died before tick {session.engineless_tick}, which cannot "
            "be repeated; branch a session in which it did not."
        )
    added = _added(add, session) if add else ()
    if every is not None:
        ticks = onsets(file, every)
        lead = EVERY_LEAD_S if lead is None else lead
        last = EVERY_LAST_S if last is None else last
        name = after.name if after is not None else session.description.protocol_name
        folder = out or file.with_name(f"{file.stem}-{name}")
        targets = {tick: folder / f"{file.stem}-{tick:07d}.nwb" for tick in ticks}
    else:
        ticks = [at_tick if at_tick is not None else tick_of("--at", at)]
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
        segment, baselines = _after(session, segments, after, tick, without or ())
        if added and not segment.protocol.outside_allowed:
            raise UserError(
                f"The protocol {segment.protocol.name} takes no stimuli from outside (outside_stimuli: "
                "refused)."
            )
        own, description = branched(session, segments, segment, baselines)
        target = targets[tick]
        if every is not None and not overwrite and exists(target, description):
            continue
        begin = 0 if lead is None else max(0, tick - round(lead / TICK_S))
        end = session.last_tick if last is None else tick + round(last / TICK_S)
        plans.append(Branch(target, own, description, begin, min(end, session.last_tick), added))
    if every is not None and not dry_run:
        folder.mkdir(parents=True, exist_ok=True)
    own_reads = (path for each in segments for path in each.protocol.files)
    given = () if after is None else reads_of(after)
    reads = (*given, file, *session.sources, *own_reads)
    for plan in plans:
        if not dry_run or plan.target.parent.is_dir() or every is None:
            check_target(plan.target, overwrite, reads)
    if dry_run:
        _say_where(session, [plan.tick for plan in plans])
        return
    make(session, plans, overwrite, camera, say_progress if progress else None)
    for plan in plans:
        print(plan.target)
    if every is not None:
        ready = len(ticks) - len(plans)
        beside = f", {ready} were there already" if ready else ""
        print(f"{len(plans)} branches of {file.name} made{beside}.")


def _loaded(
    protocol: Path, settings: Settings, allow_python: bool, without: Sequence[str]
) -> Protocol:
    from cli.protocols import load_protocol
    from cli.subjects import layers_of
    from rerun.own_protocol import with_shams
    from stim.protocol.find import find
    from stim.protocol.read import is_script

    protocol = find(protocol)
    if is_script(str(protocol)) and not allow_python:
        raise UserError(f"{protocol} is a program: read it, then give --allow-python.")
    found = load_protocol(protocol, settings, allow_python)
    return with_shams(found, without, layers_of(found.subject))


def _after(
    session: RecordedSession,
    segments: Sequence[Segment],
    after: Protocol | None,
    tick: int,
    without: Sequence[str],
) -> tuple[Segment, dict[str, str]]:
    """What goes on from a tick, and its baselines by hash."""
    from cli.protocols import baselines_of
    from rerun.own_protocol import own_segment
    from rerun.protocol_sequence import Segment

    if after is None:
        segment, hashes = own_segment(session, segments, tick, without)
        return segment, dict(hashes)
    values, used = baselines_of(after)
    return Segment(after, values, after.script, tick), {each.name: each.sha256 for each in used}


def _added(text: str, session: RecordedSession) -> tuple[Input, ...]:
    """The stimulus of `--add`, checked as one of a client is."""
    from rig.bus.external_inputs import read_input
    from rig.bus.stimulus_request import NotAcceptedError

    try:
        args = json.loads(text)
    except ValueError as problem:
        raise UserError(f"--add is no JSON: {problem}.") from None
    if not isinstance(args, dict):
        raise UserError('--add is a stimulus as on the bus: \'{"layer": …, "units": […], …}\'.')
    layers = {layer.name: layer.n_units for layer in session.description.layers}
    try:
        return (read_input("stimulate", {"name": ADDED, **args}, layers),)
    except NotAcceptedError as problem:
        raise UserError(f"--add: {problem}.") from None


def _say_where(session: RecordedSession, ticks: Sequence[int]) -> None:
    """Says from which tick on each branch is simulated, or why from the start."""
    from rerun.resume import resume_point

    for tick in ticks:
        with resume_point(session, tick) as (resume, why):
            begin = 0 if resume is None else resume.snapshot.tick
        if why:
            print(why)
        print(f"The branch at tick {tick} is simulated from tick {begin} on.")
