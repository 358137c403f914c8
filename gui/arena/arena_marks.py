"""What the arena shows beside the animal: where it has been, and where and when it was rewarded.

Kept tick by tick from what streams by; numbers alone, no picture. What a picture needs of it, `Marks`, goes
with the posture to the thread that draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gui.seen.rewards import Reward, RewardWatch
from rig.bus.message_types import TICK_S, Description, Message, Tick

TRAIL_CHOICES_S = (0, 5, 30)
"""How much of the way may be shown, in seconds; 0: nothing."""
MOST_POINTS, LEAST_STEP = 50, 8
"""Of the trail: how many points, and how many ticks apart."""
FLASH_S = 1.2
"""How long a reward stays."""
LOST_TICKS = 50
"""After a gap of so many ticks the way does not go on."""
_TRUNK = ("torso_x", "torso_y", "torso_z", "torso_height")
_KEPT = round(TRAIL_CHOICES_S[-1] / TICK_S) + 1


@dataclass(frozen=True)
class RewardMark:
    """A reward that is shown: where the animal was (m, world axes), its size, and its age (s)."""

    place: tuple[float, float, float]
    words: str
    age_s: float


@dataclass(frozen=True)
class Marks:
    """What is drawn with the posture of a tick.

    Attributes:
        tick: of the posture.
        trail: (points, 3) float64, the ground below the trunk, the oldest first; no points: no trail.
        rewards: those of the last `FLASH_S`.
        contacts: whether to mark where paws bear.
        colour: of the trail, red, green and blue, 0 to 1.
    """

    tick: int
    trail: NDArray[np.float64]
    rewards: tuple[RewardMark, ...] = ()
    contacts: bool = True
    colour: tuple[float, float, float] = (0.35, 0.65, 0.84)


class ArenaHistory:
    """The way of the animal in this trial, and its rewards. `trail_s` is how much of the way is shown."""

    def __init__(self) -> None:
        self.trail_s = 5.0
        self.contacts = True
        self.colour = (0.35, 0.65, 0.84)
        self._columns: tuple[int, ...] = ()
        self._places = np.zeros((_KEPT, 3))
        self._ticks = np.full(_KEPT, -1, np.int64)
        self._last = -1
        self._begun = 0
        self._watch = RewardWatch()
        self._rewards: list[tuple[int, tuple[float, float, float], Reward]] = []

    def describe(self, description: Description) -> None:
        """Another session: finds the trunk's place and height above the ground in its body state."""
        names = description.body_state
        self._columns = tuple(names.index(name) for name in _TRUNK if name in names)
        self._last = -1
        self._rewards.clear()

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in ticks; one that does not follow the last, or begins a trial, begins the way anew."""
        for message in ticks:
            tick, content = message.tick, message.content
            assert isinstance(content, Tick)
            if content.first or not self._last < tick <= self._last + LOST_TICKS:
                self._begun = tick
                self._rewards.clear()
                self._watch.begin()
            self._last = tick
            body = message.arrays.get("body")
            reward = self._watch.see(tick, content)
            if body is None or len(self._columns) != len(_TRUNK) or len(body) <= max(self._columns):
                continue
            x, y, z, height = (float(body[column]) for column in self._columns)
            place = tick % _KEPT
            self._places[place] = x, y, z - height
            self._ticks[place] = tick
            if reward is not None:
                self._rewards.append((tick, (x, y, z), reward))
        oldest = self._last - FLASH_S / TICK_S
        self._rewards = [each for each in self._rewards if each[0] > oldest]

    def marks(self) -> Marks:
        """What to draw with the newest posture."""
        rewards = tuple(
            RewardMark(place, reward.words, (self._last - tick) * TICK_S)
            for tick, place, reward in self._rewards
        )
        return Marks(self._last, self._trail(), rewards, self.contacts, self.colour)

    def _trail(self) -> NDArray[np.float64]:
        n_ticks = round(self.trail_s / TICK_S)
        if n_ticks == 0 or self._last < 0:
            return np.zeros((0, 3))
        # every so many ticks of the session's clock: points stand still while the way grows
        every = max(LEAST_STEP, n_ticks // MOST_POINTS)
        first = max(self._last - n_ticks + 1, self._begun, 0)
        between = np.arange(first + (-first) % every, self._last, every)
        wanted = np.unique([first, *between, self._last])
        places = wanted % _KEPT
        return self._places[places[self._ticks[places] == wanted]]
