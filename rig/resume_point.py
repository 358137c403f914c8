"""A snapshot at which a session is resumed, with the session before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rig.bus.message_types import Message, Snapshot
from rig.errors import RunError

SNAPSHOT_TICKS = 50
"""A session sends a snapshot before every tick whose number is a multiple of this."""


class SnapshotError(RunError):
    """The session cannot be resumed there; from its start it can be."""


@dataclass(frozen=True)
class ResumePoint:
    """A snapshot, and the session before it, as it was recorded.

    Detectors, triggers, stimuli and a protocol's Python are not in a snapshot: the engine is given the
    recorded ticks instead. That takes a hundredth of the time that simulating them would, needs nothing to be
    stored and works for a generator, too; and what it answers can be compared with what was recorded.

    `messages`: episodes, snapshots and ticks from tick 0 up to the snapshot, the episode that begins with its
    tick included.
    """

    snapshot: Message
    messages: Iterable[Message]

    @property
    def content(self) -> Snapshot:
        """The snapshot's content."""
        assert isinstance(self.snapshot.content, Snapshot)
        return self.snapshot.content
