"""Where a replay is, and what it shows next: speed, step, seek and loop, in ticks, without clock or file.

The window's replay and the one on the bus both go by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.bus.message_types import TICK_S

MIN_SPEED, MAX_SPEED = 0.1, 20.0

LONGEST_LEAP_S = 0.25
"""Who asks late is given so much at most: a replay that was held up goes on, and does not leap."""

LONGEST_STEP = 500
"""A step on by more ticks is a jump: what lies between is not shown."""


@dataclass(frozen=True)
class Stretch:
    """Ticks to show one after the other, both included.

    `jumped`: they do not follow what was shown before.
    """

    first: int
    last: int
    jumped: bool = False


class Playback:
    """The position in a recording of ticks `first` to `last`: the newest tick that is shown.

    It begins at `first`, which is shown already. What is to be shown next is returned as stretches.
    """

    def __init__(self, first: int, last: int, speed: float = 1.0) -> None:
        self.first, self.last = first, last
        self.position = first
        self.playing = False
        self.speed = speed
        self.loop: tuple[int, int] | None = None
        self._owed = 0.0

    @property
    def at_end(self) -> bool:
        """Whether there is nothing to play after the position."""
        return self.loop is None and self.position >= self.last

    def play(self) -> Stretch | None:
        """Plays from here on; from the end, over again."""
        jump = None
        if not self.playing and self.at_end:
            jump = self.seek(self.first)
        self.playing = True
        return jump

    def pause(self) -> None:
        """Stays here."""
        self.playing = False
        self._owed = 0.0

    def seek(self, tick: int) -> Stretch | None:
        """Goes to a tick, the nearest there is; a loop that does not have it ends."""
        tick = min(max(tick, self.first), self.last)
        if self.loop is not None and not self.loop[0] <= tick <= self.loop[1]:
            self.loop = None
        self._owed = 0.0
        if tick == self.position:
            return None
        self.position = tick
        return Stretch(tick, tick, jumped=True)

    def step(self, ticks: int) -> Stretch | None:
        """Pauses, and goes so many ticks on, or back."""
        self.pause()
        here = self.position
        jump = self.seek(here + ticks)
        if 0 < self.position - here <= LONGEST_STEP:
            return Stretch(here + 1, self.position)
        return jump

    def repeat(self, first: int, last: int) -> Stretch | None:
        """Plays these ticks over and over from now on; goes to the first unless it is among them.

        Raises ValueError where they are not at least two ticks of the recording.
        """
        first, last = max(first, self.first), min(last, self.last)
        if not first < last:
            raise ValueError("a loop has at least two ticks of the recording")
        self.loop = (first, last)
        return None if first <= self.position <= last else self.seek(first)

    def clear_loop(self) -> None:
        """Plays on beyond the end of the loop."""
        self.loop = None

    def advance(self, elapsed_s: float) -> list[Stretch]:
        """What is due after this time; pauses at the end of the recording."""
        if not self.playing:
            return []
        self._owed += min(elapsed_s, LONGEST_LEAP_S) * self.speed / TICK_S
        due = int(self._owed)
        self._owed -= due
        found = []
        while due > 0:
            end = self.last if self.loop is None else self.loop[1]
            start, jumped = self.position + 1, False
            if self.position >= end:
                if self.loop is None:
                    self.pause()
                    break
                start, jumped = self.loop[0], True
            stop = min(start + due - 1, end)
            found.append(Stretch(start, stop, jumped))
            due -= stop - start + 1
            self.position = stop
        return found
