"""Resume a recorded session at a snapshot, with the recorded ticks before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rig.bus.message_types import Episode, Message, Tick
from rig.errors import UserError
from rig.resume_point import SNAPSHOT_TICKS, ResumePoint

if TYPE_CHECKING:
    from recorder.replay import ReplaySource
    from recorder.snapshots import Snapshots
    from rerun.recorded_session import RecordedSession

TICKS_AT_ONCE = 100


@contextmanager
def resume_point(session: RecordedSession, tick: int) -> Iterator[tuple[ResumePoint | None, str]]:
    """The last snapshot at or before a tick, with what was before it; None: the session's start.

    What was before may be in the recording's files before this one. The sentence says why there is no
    snapshot where there could have been one, else it is "". Raises `UserError` if it is damaged.
    """
    from recorder.snapshots import Snapshots

    with ExitStack() as stack:
        source = _source(session, stack)
        kept = None if source is None else Snapshots(source.recording)
        snapshot = None if kept is None else kept.before(tick)
        why = ""
        if kept is None:
            why = "does not have all of its session's ticks from the first on"
        elif not kept.ticks and session.last_tick >= SNAPSHOT_TICKS:
            why = "holds no snapshots, as recordings of earlier versions do not"
        if source is None or kept is None or snapshot is None:
            again = "it is run again from its session's start."
            yield None, f"{session.name} {why}: {again}" if why else ""
        else:
            yield ResumePoint(snapshot, _before(source, kept, snapshot.tick)), ""


def _source(session: RecordedSession, stack: ExitStack) -> ReplaySource | None:
    """The recording's files up to this one; None if they do not have every tick from 0 on."""
    import recorder
    from recorder.replay import ReplaySource

    files = session.files
    if session.first_tick:
        with recorder.open(session.path) as own:
            files = own.parts[: own.parts.index(session.path) + 1]
    try:
        source = stack.enter_context(ReplaySource(files))
    except UserError:
        return None  # one of them is missing
    whole = (source.first_tick, source.n_ticks) == (0, source.last_tick + 1)
    return source if whole else None


def _before(source: ReplaySource, kept: Snapshots, tick: int) -> Iterator[Message]:
    for begin in range(0, tick, TICKS_AT_ONCE):
        last = min(begin + TICKS_AT_ONCE - 1, tick - 1)
        beside = {each.tick: each for each in kept.between(begin, last)}
        for message in source.messages(begin, last):
            if isinstance(message.content, Tick) and message.tick in beside:
                yield beside[message.tick]
            if isinstance(message.content, Tick | Episode):
                yield message
    for message in source.messages(tick, tick):
        if isinstance(message.content, Episode):
            yield message


def recorded_messages(source: ReplaySource, first: int, last: int) -> Iterator[Message]:
    """The recorded stream of these ticks, both included, read a block at a time."""
    for begin in range(first, last + 1, TICKS_AT_ONCE):
        yield from source.messages(begin, min(begin + TICKS_AT_ONCE - 1, last))
