"""The last minute of a session, kept so that it can be recorded after it has happened.

The supervisor's hub hears the session's stream anyway: what is kept here are the very bytes that came, so
that keeping them costs no tick anything. `cut` gives the ticks of a clip with what a recording begins with:
what the session is, the trial, and what was open and acting when the clip begins.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from typing import NamedTuple

import msgspec

from rig.bus.encoding import decode, encode
from rig.bus.external_inputs import armed_after
from rig.bus.history import Frames
from rig.bus.message_types import (
    TICK_S,
    Description,
    EngineReply,
    Episode,
    Event,
    Fault,
    Input,
    Message,
    Snapshot,
    Tick,
)
from rig.bus.open_intervals import OpenIntervals

LONGEST_S = 60.0
SLACK_TICKS = 200
"""So much more is kept, because who wants a clip is heard a moment after its last tick."""


class Cut(NamedTuple):
    """A clip's ticks, both included, and the stream that a recorder is given for them."""

    first: int
    last: int
    frames: list[Frames]


class _Kept(NamedTuple):
    tick: int
    topic: str
    frames: Frames
    events: tuple[Event, ...]
    """Of an answer."""
    inputs: tuple[Input, ...]
    """Of a tick."""


class ClipRing:
    """Keeps the stream of the last so many seconds of animal time; forgets what is older.

    `last_tick` is the newest tick that has its answer, -1 before the first.

    Args:
        seconds: how much; 0: nothing is kept.
    """

    def __init__(self, seconds: float = LONGEST_S) -> None:
        self.n_ticks = round(seconds / TICK_S)
        self.last_tick = -1
        self._kept: deque[_Kept] = deque()
        self._n = 0
        self._preamble: dict[str, Frames] = {}
        self._episode: Frames | None = None
        self._answer: Frames | None = None
        self._open_intervals = OpenIntervals()
        self._armed = True

    @property
    def n_bytes(self) -> int:
        """How much memory the kept messages take."""
        return sum(len(part) for each in self._kept for part in each.frames)

    @property
    def first_tick(self) -> int:
        """The oldest tick that is kept whole; -1 if there is none."""
        return next((each.tick for each in self._kept if each.topic == "tick"), -1)

    def keep(self, message: Message, frames: Frames) -> None:
        """Takes in a message of the stream, and forgets what has become too old."""
        if not self.n_ticks:
            return
        content = message.content
        if message.topic in ("description", "assets"):
            self._preamble[message.topic] = frames
            self._armed = content.armed if isinstance(content, Description) else self._armed
        elif isinstance(content, Tick | EngineReply | Episode | Snapshot | Fault):
            answers = isinstance(content, EngineReply)
            events = content.events if isinstance(content, EngineReply) else ()
            inputs = content.inputs if isinstance(content, Tick) else ()
            self._kept.append(_Kept(message.tick, message.topic, frames, events, inputs))
            self._n += isinstance(content, Tick)
            if answers:
                self.last_tick = message.tick
        while self._n > self.n_ticks + SLACK_TICKS:
            oldest = self._kept.popleft()
            self._n -= oldest.topic == "tick"
            self._fold(oldest)

    def cut(self, first: int, last: int) -> Cut | None:
        """A recording's stream of these ticks, both included, as far as they are kept.

        Description (whether the protocol is armed then), assets, the trial that goes on, an answer with the
        onsets of what is open and the interventions that act on the first tick; then everything as it came.
        None while the session has not described itself, or no tick of these is kept.
        """
        ring = ClipRing(1)  # what the ticks before the first leave behind
        ring._episode, ring._answer, ring._armed = self._episode, self._answer, self._armed
        ring._open_intervals.add_answered(self._open_intervals.answered)
        first = max(first, self.first_tick)  # of the tick before, its answer may be left
        chosen: list[_Kept] = []
        for each in self._kept:
            if each.tick < first:
                ring._fold(each)
            elif each.tick <= last:
                chosen.append(each)
        ticks = [each.tick for each in chosen if each.topic == "tick"]
        if len(self._preamble) < 2 or not ticks:
            return None
        found = [_described(self._preamble["description"], ring._armed), self._preamble["assets"]]
        begins = any(each.topic == "episode" and each.tick == ticks[0] for each in chosen)
        if ring._episode is not None and not begins:
            found.append(ring._episode)
        if ring._answer is not None:
            found.append(ring._lead())
        numbers = Counter[str]()
        for each in chosen:
            if each.topic == "fault":  # those of the supervisor have numbers of their own
                message = replace(decode(each.frames), sequence=numbers["fault"])
                numbers["fault"] += 1
                found.append(encode(message))
            else:
                found.append(each.frames)
        return Cut(ticks[0], ticks[-1], found)

    def _lead(self) -> Frames:
        """The last answer before a clip, with the onsets of all that is open in place of its own events."""
        assert self._answer is not None
        message = decode(self._answer)
        content = message.content
        assert isinstance(content, EngineReply)
        lead = EngineReply(self._open_intervals.events, content.interventions)
        return encode(replace(message, content=lead))

    def _fold(self, each: _Kept) -> None:
        """Keeps of what is forgotten what a clip must know: the trial, what is open, the last answer."""
        self._armed = armed_after(each.inputs, self._armed)
        if each.topic == "episode":
            self._episode = each.frames
        elif each.topic == "answer":
            self._open_intervals.add(each.events, each.tick)
            self._answer = each.frames


def _described(frames: Frames, armed: bool) -> Frames:
    """A description that says whether the protocol is armed."""
    message = decode(frames)
    assert isinstance(message.content, Description)
    content = msgspec.structs.replace(message.content, armed=armed)
    return encode(replace(message, content=content))
