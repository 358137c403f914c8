"""What a session said while it ran: everything that came over its bus, with the time at which it came."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rig.bus.message_types import (
    End,
    EngineReply,
    Episode,
    Fault,
    Message,
    RecorderReport,
    Status,
    Tick,
)


@dataclass
class Received:
    """The session's messages by kind. Times are seconds of `time.monotonic`."""

    ticks: dict[int, Message] = field(default_factory=dict)
    answers: dict[int, Message] = field(default_factory=dict)
    episodes: list[Message] = field(default_factory=list)
    statuses: list[tuple[float, Status]] = field(default_factory=list)
    faults: list[tuple[float, Fault]] = field(default_factory=list)
    end: tuple[float, End] | None = None
    last_tick: int = -1
    _clock_offset_s: float = float("inf")

    def take(self, messages: Iterable[Message]) -> None:
        """Takes in what has just come."""
        now = time.monotonic()
        for message in messages:
            content = message.content
            if isinstance(content, Tick):
                self.ticks[message.tick] = message
                self.last_tick = max(self.last_tick, message.tick)
                self._clock_offset_s = min(self._clock_offset_s, now - content.wall_s)
            elif isinstance(content, EngineReply):
                self.answers[message.tick] = message
            elif isinstance(content, Episode):
                self.episodes.append(message)
            elif isinstance(content, Status):
                self.statuses.append((now, content))
            elif isinstance(content, Fault):
                self.faults.append((now, content))
            elif isinstance(content, End):
                self.end = (now, content)

    def published_s(self, tick: int) -> float:
        """When a tick was sent: by the animal's own clock, set by the message that came soonest.

        So that a listener who gets to run late does not take ticks for later than they were.
        """
        content = self.ticks[tick].content
        assert isinstance(content, Tick)
        return content.wall_s + self._clock_offset_s

    def published_by(self, at_s: float) -> int:
        """How many ticks had been sent by then."""
        return 1 + max((tick for tick in self.ticks if self.published_s(tick) <= at_s), default=-1)

    def forget_arrays(self) -> None:
        """Lets go of what takes room, once it has been compared."""
        for kept in (self.ticks, self.answers):
            for tick, message in kept.items():
                kept[tick] = replace(message, arrays={})

    @property
    def reports(self) -> list[tuple[float, Status, RecorderReport]]:
        """What was said of the recording, each time that something was."""
        return [(at_s, said, said.recorder) for at_s, said in self.statuses if said.recorder]

    def acknowledged(self, by_s: float = float("inf")) -> int:
        """The most ticks that were called recorded, up to then."""
        return max(
            (report.ticks_on_disk for at, _, report in self.reports if at <= by_s), default=0
        )
