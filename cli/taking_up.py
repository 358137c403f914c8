"""Where a recorded session is taken up again: at a snapshot, with the recorded ticks before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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

    The sentence says why there is none where there could have been one, else it is "". Raises `UserError`
    if the snapshot is damaged.
    """
    from recorder.replay import ReplaySource
    from recorder.snapshots import Snapshots

    with ReplaySource(session.path) as source:
        snapshots = Snapshots(source.recording)
        why = ""
        if session.first_tick > 0:
            why = "does not have its session's first ticks"
        elif source.n_ticks != session.last_tick + 1:
            why = "lacks ticks"
        elif not snapshots.ticks and session.last_tick >= SNAPSHOT_TICKS:
            why = "holds no snapshots, as recordings of earlier versions do not"
        snapshot = None if why else snapshots.before(tick)
        if snapshot is None:
            name = session.path.name
            yield None, f"{name} {why}: it is run again from its session's start." if why else ""
        else:
            yield Past(snapshot, _before(source, snapshots, snapshot.tick)), ""


def _before(source: ReplaySource, snapshots: Snapshots, tick: int) -> Iterator[Message]:
    for begin in range(0, tick, TICKS_AT_ONCE):
        last = min(begin + TICKS_AT_ONCE, tick) - 1
        beside = {each.tick: each for each in snapshots.between(begin, last)}
        for message in source.messages(begin, last):
            if isinstance(message.content, Tick) and message.tick in beside:
                yield beside[message.tick]
            if isinstance(message.content, Episode | Tick):
                yield message
    yield from (
        message for message in source.messages(tick, tick) if isinstance(message.content, Episode)
    )


def recorded(source: ReplaySource, first: int, last: int) -> Iterator[Message]:
    """The recorded stream of these ticks, both included, read a block at a time."""
    for begin in range(first, last + 1, TICKS_AT_ONCE):
        yield from source.messages(begin, min(begin + TICKS_AT_ONCE - 1, last))
