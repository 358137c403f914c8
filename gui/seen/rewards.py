"""Which rewards are events: those that are given at a moment, among those that flow all the time.

Tasks pay in two ways: for going on (the speed in a corridor, being near an orb), every tick and never more
than 1; and for something done (25 for a tap, 50 for an orb), in one tick.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.bus.message_types import Tick

STEP = 1.0
"""A reward that is so much more than that of the tick before was given at that moment."""


@dataclass(frozen=True)
class Reward:
    """A reward that was given at a tick, and how large it was."""

    tick: int
    size: float

    @property
    def words(self) -> str:
        """Such as "+25"."""
        return f"+{self.size:.3g}"


class RewardWatch:
    """Finds rewards that are given at a moment, tick by tick."""

    def __init__(self) -> None:
        self._before = 0.0

    def begin(self) -> None:
        """What comes next does not follow what was seen."""
        self._before = 0.0

    def see(self, tick: int, content: Tick) -> Reward | None:
        """The reward that a tick brings; None where it brings none, or goes on paying as before."""
        step = content.reward - self._before
        self._before = content.reward
        return Reward(tick, step) if step >= STEP else None
