"""The newest bouts of every behaviour, and how the animal stood at their beginning, middle and end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gui.seen.markers import Extent
from rig.bus.message_types import EngineReply, Episode, Event, Message

MOST_BOUTS = 12
"""Of each behaviour the newest."""
KEPT_POSTURES = 1500
"""Of the newest ticks: a longer bout has no middle and no end nearer to its beginning than that."""
KEPT_TRIALS = 4
"""Arenas are large: pictures can be made of the newest trials only."""
PLACES = ("onset", "middle", "offset")


@dataclass(frozen=True)
class Posture:
    """How the animal and its arena's props were at a tick, and the arena."""

    tick: int
    qpos: NDArray[np.float64]
    props: NDArray[np.float64] | None
    episode: Episode


@dataclass(frozen=True)
class Bout:
    """A behaviour from its first tick up to and with its last.

    `postures` are those of `PLACES`; none where they are to be read from a recording.
    """

    name: str
    number: int
    first_tick: int
    last_tick: int
    postures: tuple[Posture | None, ...] = ()

    @property
    def ticks(self) -> tuple[int, int, int]:
        """Onset, middle and offset."""
        return self.first_tick, (self.first_tick + self.last_tick) // 2, self.last_tick


class PostureHistory:
    """Follows a session, and keeps the bouts that are over, `MOST_BOUTS` of each behaviour."""

    def __init__(self) -> None:
        self._postures: deque[Posture] = deque(maxlen=KEPT_POSTURES)
        self._episode: Episode | None = None
        self._trials: deque[Episode] = deque(maxlen=KEPT_TRIALS)
        self._open: dict[tuple[str, int], tuple[int, Posture | None]] = {}
        self._bouts: dict[str, deque[Bout]] = {}

    def forget_ticks(self) -> None:
        """What comes next does not follow what was seen; bouts that are over stay."""
        self._postures.clear()
        self._open.clear()

    def add(
        self, episodes: Sequence[Message], ticks: Sequence[Message], answers: Sequence[Message]
    ) -> None:
        """Takes in arenas, postures, and what was found in them."""
        arenas = {message.tick: message.content for message in episodes}
        starts = sorted(arenas)
        for message in ticks:
            while starts and starts[0] <= message.tick:
                self._begin_trial(arenas[starts.pop(0)])
            qpos = message.arrays.get("qpos")
            if qpos is not None and self._episode is not None:
                self._postures.append(
                    Posture(message.tick, qpos.copy(), self._props(message), self._episode)
                )
        for start in starts:
            self._begin_trial(arenas[start])
        for message in answers:
            if isinstance(message.content, EngineReply):
                for event in message.content.events:
                    if event.kind == "behaviour":
                        self._add_event(event)

    def bouts(self, name: str) -> list[Bout]:
        """Those of a behaviour that are over, the newest first."""
        return list(reversed(self._bouts.get(name, ())))

    def _begin_trial(self, episode: object) -> None:
        if not isinstance(episode, Episode) or episode == self._episode:
            return
        self._episode = episode
        self._trials.append(episode)
        for listed in self._bouts.values():
            while listed and not self._has_arena(listed[0]):
                listed.popleft()

    def _has_arena(self, bout: Bout) -> bool:
        return any(
            posture is not None and any(posture.episode is each for each in self._trials)
            for posture in bout.postures
        )

    def _props(self, message: Message) -> NDArray[np.float64] | None:
        """A copy of the props, or the one of the tick before where they have not changed."""
        props = message.arrays.get("props")
        if props is None:
            return None
        before = self._postures[-1].props if self._postures else None
        return before if before is not None and np.array_equal(before, props) else props.copy()

    def _add_event(self, event: Event) -> None:
        key = (event.name, event.number)
        if event.phase == "onset":
            self._open[key] = (event.began_tick, self._at(event.began_tick))
        elif key in self._open:
            first, onset = self._open.pop(key)
            last = max(event.tick - 1, first)
            bout = Bout(event.name, event.number, first, last)
            _, middle, offset = bout.ticks
            postures = (onset, self._at(middle), self._at(offset))
            listed = self._bouts.setdefault(event.name, deque(maxlen=MOST_BOUTS))
            listed.append(Bout(event.name, event.number, first, last, postures))

    def _at(self, tick: int) -> Posture | None:
        """The posture of the first tick from this one on that was seen; None where it is long ago."""
        postures = self._postures
        if not postures or tick < postures[0].tick - 1:
            return None
        low, high = 0, len(postures) - 1
        while low < high:  # a deque cannot be given to bisect with a key
            middle = (low + high) // 2
            if postures[middle].tick < tick:
                low = middle + 1
            else:
                high = middle
        return postures[low]


def bouts_of(extent: Extent, name: str) -> list[Bout]:
    """The newest `MOST_BOUTS` of a behaviour in a recording, the newest first."""
    ends = {
        event.number: event.tick - 1
        for event in extent.events
        if (event.kind, event.name, event.phase) == ("behaviour", name, "offset")
    }
    return _newest(
        Bout(
            name,
            event.number,
            max(event.began_tick, extent.first_tick),
            max(ends.get(event.number, extent.last_tick), event.began_tick),
        )
        for event in extent.events
        if (event.kind, event.name, event.phase) == ("behaviour", name, "onset")
    )


def _newest(bouts: Iterable[Bout]) -> list[Bout]:
    return sorted(bouts, key=lambda bout: -bout.first_tick)[:MOST_BOUTS]
