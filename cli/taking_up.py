"""Where a recorded session is taken up again: at a snapshot, with the recorded ticks before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rig.messages import Episode, Message, Tick
from rig.past import SNAPSHOT_TICKS, Past

if TYPE_CHECKING:
    from cli.recorded_session import RecordedSession
    from recorder.replay import ReplaySource
    from recorder.snapshots import Snapshots

TICKS_AT_ONCE = 100


@contextmanager
def taken_up(session: RecordedSession, tick: int) -> Iterator[tuple[Past | None, str]]:
    """The last snapshot at or before a tick, with what was before it; None: the session's start.

    What was before may be in the recording's files before this one. The sentence says why there is no
    snapshot where there could have been one, else it is "". Raises `UserError` if it is damaged.
    """
    from recorder.snapshots import Snapshots

    with ExitStack() as stack:
        sources = _sources(session, stack)
        kept = [Snapshots(each.recording) for each in sources]
        found = [each.before(tick) for each in kept]
        snapshot = next((each for each in reversed(found) if each is not None), None)
        why = ""
        if not sources:
            why = "does not have all of its session's ticks from the first on"
        elif not any(each.ticks for each in kept) and session.last_tick >= SNAPSHOT_TICKS:
            why = "holds no snapshots, as recordings of earlier versions do not"
        if snapshot is None:
            name = session.path.name
            yield None, f"{name} {why}: it is run again from its session's start." if why else ""
        else:
            yield Past(snapshot, _before(sources, kept, snapshot.tick)), ""


def _sources(session: RecordedSession, stack: ExitStack) -> list[ReplaySource]:
    """The recording's files up to this one; none if they do not have every tick from 0 on."""
    from recorder.replay import ReplaySource

    own = stack.enter_context(ReplaySource(session.path))
    parts = own.recording.parts
    before = parts[: parts.index(own.recording.path)] if own.first_tick else ()
    sources = [*(stack.enter_context(ReplaySource(each)) for each in before), own]
    expected = 0
    for each in sources:
        if (each.first_tick, each.n_ticks) != (expected, each.last_tick + 1 - expected):
            return []
        expected = each.last_tick + 1
    return sources


def _before(
    sources: Sequence[ReplaySource], kept: Sequence[Snapshots], tick: int
) -> Iterator[Message]:
    for source, snapshots in zip(sources, kept, strict=True):
        end = min(source.last_tick, tick - 1)
        for begin in range(source.first_tick, end + 1, TICKS_AT_ONCE):
            last = min(begin + TICKS_AT_ONCE - 1, end)
            beside = {each.tick: each for each in snapshots.between(begin, last)}
            for message in source.messages(begin, last):
                if isinstance(message.content, Tick):
                    if message.tick in beside:
                        yield beside[message.tick]
                    yield message
                # a further file begins with the trial that goes on, again
                elif isinstance(message.content, Episode) and message.tick >= source.first_tick:
                    yield message
    for source in sources:
        for message in source.messages(tick, tick):
            if isinstance(message.content, Episode) and message.tick == tick:
                yield message


def recorded(source: ReplaySource, first: int, last: int) -> Iterator[Message]:
    """The recorded stream of these ticks, both included, read a block at a time."""
    for begin in range(first, last + 1, TICKS_AT_ONCE):
        yield from source.messages(begin, min(begin + TICKS_AT_ONCE - 1, last))
