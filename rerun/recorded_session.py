"""What a recorded session is run again with: everything that `rerun` and `branch` take from its file."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import agent
import recorder
from agent.errors import SubjectError
from agent.runtime import PACKAGES
from analysis.baseline import resolve, sha256_of
from recorder.reading import Recording
from rerun.in_process_transport import InProcessTransport
from rerun.protocol_sequence import (
    ProtocolSequence,
    Segment,
    check_same_detectors,
    joined,
    left_at,
)
from rerun.rerun import run_in_process
from rig.bus.message_types import Branching, Description, End, Input, Message
from rig.errors import UserError
from rig.resume_point import ResumePoint
from rig.session.directory import SessionSpec
from rig.versions import camera_of, runtime_of, task_events_of
from stim.protocol.model import Protocol
from stim.protocol.read import parse
from stim.protocol.script import execute, header_of


@dataclass(frozen=True)
class RecordedSession:
    """A recorded session: `inputs` came from outside, each at its tick; `last_tick` is its last.

    It is read from `files`, of which `path` is the first, and called `name`; `sources` are
    those before them, too.
    `engineless_tick` is the first tick that no engine answered, because it had died; None usually. What came
    from outside before `known_from` is not known: there the recording begins, or the first of its files.
    """

    path: Path
    files: tuple[Path, ...]
    name: str
    sha256: str
    session: str
    description: Description
    inputs: tuple[tuple[int, Input], ...]
    first_tick: int
    last_tick: int
    known_from: int
    engineless_tick: int | None
    end: End
    sources: tuple[Path, ...] = ()


def read(path: Path, parts: bool = False) -> RecordedSession:
    """A recording that is to be run again, together with its subject, which is there and unchanged.

    Args:
        path: its file.
        parts: all parts of the recording of which this is one, or that lie in this folder.

    Raises:
        UserError: it is none, goes on, has no end or no ticks; or its subject is missing, or another one, or
            what its network ran on is not installed.
    """
    with recorder.open(path, parts) as recording:
        session = _read(recording)
    description = session.description
    try:
        runtime = runtime_of(description.versions)
        camera_of(description.versions)
        task_events_of(description.versions)
        subject = agent.load(description.subject, runtime)
    except UserError as problem:
        raise UserError(f"{path} cannot be run again: {problem}.") from None
    except SubjectError as problem:
        raise UserError(
            f"{path} is of the subject {description.subject!r}, run on {PACKAGES[runtime]}: {problem}"
        ) from None
    if subject.sha256 != description.subject_sha256:
        raise UserError(
            f"{path} was recorded from the subject {description.subject!r} with the weights "
            f"{description.subject_sha256[:12]}…; the one that is here has {subject.sha256[:12]}… and "
            "would do something else: put the old one back, or name the folder that has it in "
            "RODENT_RIG_SUBJECTS."
        )
    return session


def _read(recording: Recording) -> RecordedSession:
    path = recording.path
    if recording.state == "live":
        raise UserError(f"{path} is still being recorded; wait for its end.")
    if recording.n_ticks == 0:
        raise UserError(f"{path} has no ticks; there is nothing to run again.")
    if recording.end is None and not recording.continues:
        raise UserError(
            f"{path} does not have the session's end (its recorder was killed, or stopped early); only a "
            "whole recording is run again."
        )
    inputs, engineless = recording.inputs, _engineless(recording)
    known_from = recording.first_tick
    sources = list(recording.files)
    # what a part follows from is also in the files before it
    for each in reversed(recording.parts[: recording.parts.index(path)]):
        with recorder.open(each) as before:
            if before.last_tick != known_from - 1:
                break
            sources.append(each)
            inputs, known_from = (*before.inputs, *inputs), before.first_tick
            engineless = _engineless(before) or engineless
    return RecordedSession(
        path,
        recording.files,
        recording.name,
        sha256_of(path),
        recording.session,
        recording.description,
        inputs,
        recording.first_tick,
        recording.last_tick,
        known_from,
        engineless[0] if engineless else None,
        recording.end or End("stopped", recording.last_tick + 1, 0),
        tuple(sources),
    )


def _engineless(recording: Recording) -> list[int]:
    """The ticks that no engine answered."""
    found: list[int] = recording.ticks[recording.values("answer") == 1].tolist()
    return found


def segments_of(session: RecordedSession, files: Path | None, allow_python: bool) -> list[Segment]:
    """The protocols that the session ran under: one, or several of a branch.

    Args:
        session: the recorded session.
        files: the folder from which its protocol names files; searched for if None.
        allow_python: whether a protocol's Python may be executed.

    Raises:
        UserError: a protocol's Python is not allowed, or a file that it names is missing or was changed.
    """
    description = session.description
    texts = [
        (each.protocol_name, each.protocol_text, each.baselines) for each in description.branched
    ]
    texts.append((description.protocol_name, description.protocol_text, description.baselines))
    firsts = [0, *(each.tick for each in description.branched)]
    segments = [
        _segment(session, *text, first, files, allow_python)
        for text, first in zip(texts, firsts, strict=True)
    ]
    if joined(segments, "behaviour_names") != description.behaviours:
        raise UserError(
            f"{session.path} was recorded by a version that detects other behaviours "
            f"({', '.join(description.behaviours)}); run it again with that version "
            f"({description.versions.get('rodent-rig', 'unknown')})."
        )
    return segments


def _segment(
    session: RecordedSession,
    name: str,
    text: str,
    baselines: Mapping[str, str],
    first_tick: int,
    files: Path | None,
    allow_python: bool,
) -> Segment:
    description = session.description
    if _is_python(text) and not allow_python:
        raise UserError(
            f"{session.path} ran under the Python protocol {name}, a program that could do anything you "
            "can: read it (the field `protocol` of the file), then give --allow-python."
        )
    layers = {layer.name: layer.n_units for layer in description.layers}
    problem: UserError | None = None
    for folder in _folders(session.path, files):
        path = folder / f"{name}{'.py' if _is_python(text) else '.yaml'}"
        try:
            script = execute(text, str(path)) if _is_python(text) else None
            protocol = parse(text, str(path), None, layers, script)
            _check_baselines(session.path, protocol, baselines)
            values = (
                resolve(
                    protocol.baselines,
                    protocol.baseline_requests,
                    description.subject_sha256,
                    layers,
                )[0]
                if protocol.baseline_requests
                else {}
            )
        except UserError as reason:
            problem = problem or reason
            continue
        return Segment(protocol, values, script, first_tick)
    assert problem is not None
    raise UserError(
        f"The protocol {name} of {session.path} cannot be run again: {problem} "
        "(--files FOLDER says from where it names files.)"
    )


def _check_baselines(path: Path, protocol: Protocol, recorded: Mapping[str, str]) -> None:
    for name, sha256 in recorded.items():
        file = protocol.baselines.get(name)
        if file is None or not os.path.exists(file.path):
            where = f" at {file.path}" if file else ""
            raise UserError(f"its baseline {name!r} (SHA-256 {sha256[:12]}…) is not there{where}.")
        if (found := sha256_of(file.path)) != sha256:
            raise UserError(
                f"its baseline {name!r}, {file.path}, has been changed: its SHA-256 was {sha256[:12]}…, "
                f"now it is {found[:12]}…."
            )


def _folders(recording: Path, files: Path | None) -> Iterable[Path]:
    """Where the files may be that a protocol names, as seen from its own folder."""
    if files is not None:
        return (files,)
    here = Path()
    return dict.fromkeys((recording.parent, here, here / "protocols"))


def _is_python(text: str) -> bool:
    try:
        header_of(text, "protocol.py")
    except UserError:
        return False
    return True


def branched(
    session: RecordedSession,
    segments: Sequence[Segment],
    after: Segment,
    baselines: Mapping[str, str],
) -> tuple[list[Segment], Description]:
    """The segments of a branch, and what its session is.

    Args:
        session: the one that is left.
        segments: what it ran under.
        after: what the branch goes on with, from its `first_tick` on.
        baselines: of `after`, by hash.

    Raises:
        UserError: the protocol is for another subject or task, or detects otherwise.
    """
    description, protocol = session.description, after.protocol
    for what, own, theirs in (
        ("subject", protocol.subject, description.subject),
        ("task", protocol.task, description.task),
    ):
        if own != theirs:
            raise UserError(
                f"The protocol {protocol.name} is for the {what} {own!r}, {session.path} is of "
                f"{theirs!r}; a branch goes on with the same {what}."
            )
    kept = [
        segments[0],
        *(segment for segment in segments[1:] if segment.first_tick < after.first_tick),
    ]
    check_same_detectors(kept[-1].protocol, protocol)
    n_before = len(kept) - 1
    left = description.branched[n_before] if n_before < len(description.branched) else description
    here = Branching(
        after.first_tick,
        left.protocol_name,
        left.protocol_text,
        session.session,
        session.sha256,
        left.baselines,
    )
    description = msgspec.structs.replace(
        description,
        protocol_name=protocol.name,
        protocol_text=protocol.text,
        baselines=dict(baselines),
        branched=(*description.branched[:n_before], here),
    )
    return [*kept, after], description


def run_again(
    session: RecordedSession,
    segments: Sequence[Segment],
    description: Description,
    last_tick: int,
    on_message: Callable[[Message, InProcessTransport], None],
    resume: ResumePoint | None = None,
) -> None:
    """Runs a session again up to a tick, in this process.

    Another protocol than the one that was recorded is armed, whatever became of that one.

    Args:
        session: whose inputs from outside come again.
        segments: what it runs under.
        description: what the session is: that of the recording, or of its branch.
        last_tick: its last tick.
        on_message: is given every message, and the transport, which it may stop.
        resume: where it is resumed; None: from its start.

    Raises:
        KeyboardInterrupt: it was interrupted (SIGINT, SIGTERM), between two messages.
        UserError, SnapshotError, RunError: as `run_in_process`.
    """
    name = f"{time.strftime('%m%d-%H%M%S-')}{secrets.token_hex(2)}"
    spec = SessionSpec(
        session=name,
        subject=description.subject,
        task=description.task,
        seed=description.seed,
        pace="max",
        duration_s=description.duration_s,
        trial_s=description.trial_s,
        trials=0,
        protocol_name=description.protocol_name,
        protocol_path="",
        protocol_text=description.protocol_text,
        behaviours=joined(segments, "behaviour_names"),
        stimuli=joined(segments, "stimulus_names"),
        conditions=joined(segments, "condition_names"),
        keys_used=joined(segments, "keys"),
        key_uses=tuple(
            dict.fromkeys(use for segment in segments for use in segment.protocol.key_uses)
        ),
        baselines=description.baselines,
        branched=description.branched,
        runtime=runtime_of(description.versions),
        camera_quality=camera_of(description.versions),
        task_events=task_events_of(description.versions),
        blinded=description.blinded,
        animal=description.animal,
        notes=description.notes,
    )
    interrupted: list[int] = []

    def pass_on(message: Message) -> None:
        if interrupted:
            raise KeyboardInterrupt
        on_message(message, transport)

    begin = 0 if resume is None else resume.snapshot.tick
    left = left_at(segments)
    transport = InProcessTransport(
        name,
        lambda described: ProtocolSequence(segments, described),
        [
            (tick, given)
            for tick, given in session.inputs
            if tick >= begin and (tick <= left or given.kind not in ("arm", "disarm"))
        ],
        last_tick + 1,
        session.end.reason if last_tick == session.last_tick else "stopped",
        pass_on,
    )
    previous = {
        number: signal.signal(number, lambda number, _: interrupted.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        run_in_process(spec, transport, resume)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
