"""What a session keeps for those who join it late, or who missed some of it: the last ten seconds."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Protocol

from rig.bus.encoding import decode, encode
from rig.bus.message_types import EngineReply, Episode, Message, Tick
from rig.bus.open_intervals import OpenIntervals

HISTORY_TICKS = 500

Frames = list[bytes]


class History(Protocol):
    """Where the hub finds what clients request; all of it encoded, oldest first."""

    def join(self) -> list[Frames] | None:
        """Description, assets, the episode, an answer with the intervals that are open, the kept ticks.

        None while description or assets have not come yet.
        """

    def between(self, first: int, last: int) -> list[Frames]:
        """What is kept of these ticks, both included."""


class _Kept(NamedTuple):
    tick: int
    topic: str
    frames: Frames


class RecentHistory:
    """The `History` of a running session: keeps the stream as it comes by."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._kept: deque[_Kept] = deque()
        self._ticks_kept = 0
        self._open_intervals = OpenIntervals()
        self._preamble: dict[str, Frames] = {}

    def keep(self, message: Message, frames: Frames) -> None:
        """Takes in a message, and forgets what has become too old."""
        content = message.content
        if message.topic in ("description", "assets"):
            self._preamble[message.topic] = frames
        elif isinstance(content, Episode | Tick | EngineReply):
            self._kept.append(_Kept(message.tick, message.topic, frames))
            self._ticks_kept += isinstance(content, Tick)
        while self._ticks_kept > HISTORY_TICKS:
            oldest = self._kept.popleft()
            self._ticks_kept -= oldest.topic == "tick"
            if oldest.topic == "episode":
                self._preamble["episode"] = oldest.frames
            elif oldest.topic == "answer":
                self._forget(decode(oldest.frames))

    def join(self) -> list[Frames] | None:
        """As `History` says."""
        if not {"description", "assets"} <= self._preamble.keys():  # they come by different sockets
            return None
        topics = ("description", "assets", "episode", "answer")
        found = [self._preamble[topic] for topic in topics if topic in self._preamble]
        return found + [kept.frames for kept in self._kept]

    def between(self, first: int, last: int) -> list[Frames]:
        """As `History` says."""
        return [kept.frames for kept in self._kept if first <= kept.tick <= last]

    def _forget(self, answer: Message) -> None:
        """Keeps of an answer that leaves the history what a late joiner must know: the open intervals."""
        assert isinstance(answer.content, EngineReply)
        self._open_intervals.add(answer.content.events)
        open_intervals = EngineReply(self._open_intervals.events)
        self._preamble["answer"] = encode(
            Message(open_intervals, self._session, answer.tick, answer.sequence)
        )
