"""Rules: which stimulus follows which trigger, how soon, for how long and how surely.

Times are rounded to ticks (`ticks_of`: to the nearest, halfway up). What is decided at a tick acts at the
next one at the soonest: a delay of 0 or of 20 ms both mean the next tick.
"""

from __future__ import annotations

from dataclasses import dataclass

from stim.detectors import ticks_of
from stim.stimuli import Stimulus


@dataclass(frozen=True)
class Trigger:
    """What starts a stimulus.

    `event` is "onset" or "offset" of `behaviour`; "start" of a trial; or "time", `time_ms` after it.
    """

    event: str
    behaviour: str = ""
    time_ms: float = 0.0

    @property
    def time_ticks(self) -> int:
        """Ticks from a trial's first tick to this trigger."""
        return ticks_of(self.time_ms)


@dataclass(frozen=True)
class Rule:
    """A stimulus that follows a trigger.

    `number` counts the file's rules from 1. `for_ms` None means as long as an overwrite's course, or
    until the trial ends. `sham` says whether a stimulus that the draw withholds is a sham or nothing.
    """

    number: int
    on: Trigger
    do: Stimulus
    after_ms: float = 0.0
    for_ms: float | None = None
    probability: float = 1.0
    sham: bool = False
    refractory_ms: float = 0.0
    max_count: int | None = None

    @property
    def delay_ticks(self) -> int:
        """From the tick of the trigger to the first tick of the stimulus; at least 1."""
        return max(1, ticks_of(self.after_ms))

    @property
    def duration_ticks(self) -> int | None:
        """How many ticks the stimulus lasts, at least 1; None until the trial ends."""
        if self.for_ms is not None:
            return max(1, ticks_of(self.for_ms))
        return self.do.course_ticks or None

    @property
    def refractory_ticks(self) -> int:
        """For how many ticks from a trigger the rule ignores further ones."""
        return ticks_of(self.refractory_ms)
