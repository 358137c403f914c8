"""Rules: which stimulus follows which trigger, how soon, for how long, how surely, in which trials.

Times are rounded to ticks (`ticks_of`: to the nearest, halfway up). What is decided at a tick acts at the
next one at the soonest: a delay of 0 or of 20 ms both mean the next tick.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.random_streams import generator
from stim.stimuli.stimuli import Stimulus
from stim.ticks import ticks_of
from stim.triggers import Condition, Trigger


@dataclass(frozen=True)
class Rule:
    """A stimulus that follows a trigger.

    Attributes:
        number: its place in the file, from 1.
        on: the trigger.
        do: the stimulus.
        after_ms: the delay from trigger to stimulus.
        for_ms: how long the stimulus is on; None: as long as it lasts by itself, else until the trial ends.
        probability: that it is delivered.
        sham: whether one that the draw withholds is a sham (timed and recorded), or nothing at all.
        refractory_ms: how long after a trigger the next one is ignored.
        max_count: how many stimuli and shams there are at most in a session; None: any number.
        condition: has to hold at the tick of the trigger.
        until: an event that ends the stimulus, at the tick after it.
        trial_conditions: of trials in which the rule holds; none: in all.
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
    condition: Condition | None = None
    until: Trigger | None = None
    trial_conditions: tuple[str, ...] = ()

    def delay_ticks(self, late_ms: float = 0.0) -> int:
        """From the tick of the trigger to the first tick of the stimulus, so much late; at least 1."""
        return max(1, ticks_of(self.after_ms + late_ms))

    @property
    def duration_ticks(self) -> int | None:
        """How many ticks the stimulus lasts, at least 1; None until the trial ends."""
        if self.for_ms is not None:
            return max(1, ticks_of(self.for_ms))
        return self.do.own_duration_ticks or None

    @property
    def refractory_ticks(self) -> int:
        """For how many ticks from a trigger the rule ignores further ones."""
        return ticks_of(self.refractory_ms)


@dataclass(frozen=True)
class Latency:
    """How late stimuli are, as those of a real rig: `mean_ms` and standard deviation `sd_ms`, never < 0."""

    mean_ms: float = 0.0
    sd_ms: float = 0.0

    def draw_ms(self, seed: int, rule: int, tick: int) -> float:
        """The latency (ms) of a rule that was triggered at a tick.

        Args:
            seed: of the session.
            rule: its number.
            tick: of the trigger; seed, rule and tick alone decide what is drawn.
        """
        if not self.sd_ms:
            return self.mean_ms
        drawn = generator(seed, f"latency {rule}", tick).normal(self.mean_ms, self.sd_ms)
        return max(0.0, float(drawn))


@dataclass(frozen=True)
class Block:
    """So many `trials` of some `conditions`, in an `order`: "shuffled", "alternating" or "random"."""

    conditions: tuple[str, ...]
    trials: int
    order: str = "shuffled"


def condition_of(blocks: tuple[Block, ...], seed: int, trial: int) -> str:
    """The condition of a trial, "" where there are no blocks; after the last block comes the first again.

    In a shuffled block every round of as many trials as there are conditions has each of them once, so that
    they are balanced against time.

    Args:
        blocks: in the order of the file.
        seed: of the session.
        trial: its number, from 0; seed and number alone decide what is drawn.
    """
    if not blocks:
        return ""
    turn, left = divmod(trial, sum(block.trials for block in blocks))
    number = 0
    while left >= blocks[number].trials:
        left -= blocks[number].trials
        number += 1
    block = blocks[number]
    count = len(block.conditions)
    if block.order == "alternating":
        return block.conditions[left % count]
    if block.order == "random":
        return block.conditions[int(generator(seed, "condition", trial).integers(count))]
    chapter, place = divmod(left, count)
    order = generator(seed, f"conditions {turn} {number}", chapter).permutation(count)
    return block.conditions[int(order[place])]
