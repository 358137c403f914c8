"""Branches of a recorded session, made one after the other, each into a file of its own."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from rich.progress import BarColumn, Progress, TimeRemainingColumn

import recorder
from recorder.replay import ReplaySource
from recorder.writer import Writer
from rerun.comparison import Comparison
from rerun.in_process_transport import InProcessTransport
from rerun.protocol_sequence import Segment, taken_over_at
from rerun.recorded_session import RecordedSession, run_again
from rerun.resume import recorded_messages, resume_point
from rig.bus.external_inputs import armed_after
from rig.bus.message_types import (
    Assets,
    Description,
    End,
    EngineReply,
    Episode,
    Fault,
    Input,
    Message,
    Snapshot,
    Tick,
)
from rig.errors import UserError, ending_with
from rig.output_file import give_name
from rig.resume_point import ResumePoint, SnapshotError
from rig.terminal import console, text_column

FLUSH_TICKS = 100


@dataclass(frozen=True)
class Branch:
    """A branch to make: what it runs under, what it is, and the ticks that are recorded.

    `added` reaches it from outside at the tick that it leaves the session at, besides what the session has.
    """

    target: Path
    segments: Sequence[Segment]
    description: Description
    first_tick: int
    last_tick: int
    added: tuple[Input, ...] = ()

    @property
    def tick(self) -> int:
        """The one that it leaves the session at."""
        return self.segments[-1].first_tick


def progress_bar() -> Progress:
    """A line of progress on a terminal, with the time left."""
    return Progress(
        text_column("{task.description}"),
        BarColumn(),
        text_column("tick {task.completed:.0f} of {task.total:.0f}"),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def onsets(file: Path, every: str) -> list[int]:
    """The ticks at which events were found in a recording: "behaviour:rear", "task:first_tap".

    Raises `UserError` if there are none.
    """
    kind, _, name = every.partition(":")
    with recorder.open(file) as recording:
        if kind == "behaviour":
            known = recording.description.behaviours
            found = [
                each.onset_tick
                for each in recording.intervals("behaviours")
                if each.name == name and each.onset_tick >= 0
            ]
        elif kind == "task":
            known = recording.description.task_events
            found = [each.tick for each in recording.task_events if each.name == name]
        else:
            raise UserError(f"--every {every}: write behaviour:NAME or task:NAME.")
    if name not in known:
        raise UserError(f"{file} knows no {kind} {name!r}; it has {', '.join(known) or 'none'}.")
    if not found:
        raise UserError(f"{file} has no {name!r}: there is nothing to branch at.")
    return sorted(set(found))


def exists(target: Path, description: Description) -> bool:
    """Whether a branch was made before; raises `UserError` if its file is something else."""
    if not target.exists():
        return False
    with recorder.open(target) as recording:
        own = recording.description
        if own.branched == description.branched and own.protocol_text == description.protocol_text:
            return True
    raise UserError(
        f"{target} is not the branch that was to be made; remove it, or give --overwrite."
    )


def make(
    session: RecordedSession,
    branches: Sequence[Branch],
    overwrite: bool,
    camera: bool,
    report: Callable[[float], None] | None = None,
) -> None:
    """Makes branches of a session, with a line of progress; what is whole stays when it is interrupted.

    Each begins at the last snapshot before it, or at the session's start where that cannot be.

    Args:
        session: that is left.
        branches: to make.
        overwrite: whether they may replace files.
        camera: whether what the animal sees is recorded.
        report: is told how far it is, 0 to 1.

    Raises `RunError` when a file cannot be written.
    """
    with progress_bar() as bar, recorder.open(session.path) as recording:
        total = sum(each.last_tick + 1 for each in branches)
        task = bar.add_task("branching", total=total)
        seen = recording.has_camera
        done = 0
        for number, each in enumerate(branches, 1):
            bar.update(task, description=f"branch {number} of {len(branches)}")
            # what was not recorded is not there to be copied
            begin = each.tick if seen or not camera else min(each.tick, each.first_tick)

            def show_progress(tick: int, before: int = done) -> None:
                bar.update(task, completed=before + tick)
                if report is not None:
                    report((before + tick) / max(total, 1))

            with resume_point(session, begin) as (resume, why):
                if why and number == 1:
                    print(why)
                problem = ""
                try:
                    _make_one(session, each, overwrite, camera, show_progress, resume)
                except SnapshotError as reason:
                    problem = str(reason)
            if problem:
                print(f"{problem} {each.target.name} is made from the session's start.")
                _make_one(session, each, overwrite, camera, show_progress, None)
            done += each.last_tick + 1


def _make_one(
    session: RecordedSession,
    branch: Branch,
    overwrite: bool,
    camera: bool,
    show_progress: Callable[[int], None],
    resume: ResumePoint | None,
) -> None:
    """Raises `SnapshotError` where the resumed session is not the recorded one up to the branching."""
    begin = 0 if resume is None else resume.snapshot.tick
    first = max(begin, session.first_tick)
    if branch.added:
        inputs = (*session.inputs, *((branch.tick, each) for each in branch.added))
        session = replace(session, inputs=tuple(sorted(inputs, key=lambda given: given[0])))
    with (
        ReplaySource(session.path) as source,
        _BranchWriter(branch, overwrite, camera) as record,
    ):
        ticks = (
            _with_added(each, branch)
            for each in recorded_messages(source, first, branch.tick)
            if isinstance(each.content, Tick)
        )
        comparison = Comparison(ticks, first)

        def on_message(message: Message, transport: InProcessTransport) -> None:
            record.add(message)
            if isinstance(message.content, Tick):
                if message.tick <= branch.tick:
                    comparison.on_message(message)
                if comparison.difference is not None and resume is not None:
                    raise SnapshotError(
                        f"Resumed at tick {begin} it is another session at {comparison.difference}."
                    )
                if message.tick % 10 == 0:
                    show_progress(message.tick)

        run_again(
            session, branch.segments, branch.description, branch.last_tick, on_message, resume
        )
    if comparison.difference is not None:
        print(
            f"{session.path.name}, run again here, is not the recorded session: it differs at "
            f"{comparison.difference}. {branch.target.name} is no counterfactual of it."
        )


def _with_added(message: Message, branch: Branch) -> Message:
    """A recorded tick with what is added at it."""
    content = message.content
    if not branch.added or message.tick != branch.tick or not isinstance(content, Tick):
        return message
    inputs = (*content.inputs, *branch.added)
    return replace(message, content=msgspec.structs.replace(content, inputs=inputs))


class _BranchWriter:
    """Writes a branch; its file has its name when it is whole, and is removed if it never is."""

    def __init__(self, branch: Branch, overwrite: bool, camera: bool) -> None:
        self._branch = branch
        self._overwrite = overwrite
        self._camera = camera
        hidden = f".{branch.target.stem}.{secrets.token_hex(4)}.part.nwb"
        self._partial = branch.target.with_name(hidden)
        self._taken_over = taken_over_at(branch.segments)
        self._preamble: dict[str, Message] = {}
        self._armed = True
        """At the next tick that is heard before the recorded ones: whether the protocol is armed."""
        self._writer: Writer | None = None
        self._ended = False

    def add(self, message: Message) -> None:
        """Takes the next message of the stream."""
        content = message.content
        if isinstance(content, Description | Assets | Episode):
            self._preamble[message.topic] = message
        if self._writer is None and isinstance(content, Tick):
            if message.tick < self._branch.first_tick:
                self._armed = armed_after(
                    content.inputs, self._armed or message.tick in self._taken_over
                )
                return
            self._begin()
        elif self._writer is None or not isinstance(
            content, Tick | EngineReply | Episode | Snapshot | Fault | End
        ):
            return
        assert self._writer is not None
        self._writer.add(message)
        self._ended = isinstance(content, End)
        if isinstance(content, Tick) and message.tick % FLUSH_TICKS == 0:
            self._writer.flush(sync=False)

    def _begin(self) -> None:
        described = self._preamble["description"]
        assert isinstance(described.content, Description)
        self._writer = Writer(
            self._partial,
            msgspec.structs.replace(described.content, armed=self._armed),
            self._preamble["assets"].arrays,
            session=described.session,
            overwrite=True,
            camera=self._camera,
        )
        self._writer.add(self._preamble["episode"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is None:
            return
        with ending_with(self._remove_partial):
            try:
                self._writer.close()
                if self._ended and kind is None:
                    give_name(self._partial, self._branch.target, self._overwrite)
            except Exception:
                if kind is None:  # else it is the cause that is reported
                    raise

    def _remove_partial(self) -> None:
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)
