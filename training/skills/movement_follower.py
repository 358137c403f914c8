"""A movement's actions, in step with the body: it advances as the activations do.

An animal that does not follow gets the same action again, instead of one by a clock that the network could
not observe: labels by a clock contradict each other as soon as a network begins earlier or later. But an
animal that answers at half strength stays nearest to one tick, and would be asked for that one for ever: it
is hurried on (`most_behind`).
"""

from __future__ import annotations

import numpy as np

from training.skills.locomotion import KEPT_PER_TICK

Array = np.ndarray

FASTEST_TICKS = 3
"""A tick of the animal advances the movement by so many of its own at most."""


def lagged(controls: Array, before: Array) -> Array:
    """Activations (ticks, actuators) that an animal has when the control of each tick comes.

    Args:
        controls: (ticks, actuators) one after the other.
        before: (actuators,) activations at the first.
    """
    found = np.empty_like(controls)
    activation = before
    for tick, control in enumerate(controls):
        found[tick] = activation
        activation = KEPT_PER_TICK * activation + (1 - KEPT_PER_TICK) * control
    return found


class MovementFollower:
    """The actions of a movement, in step with the body.

    Where the activations of some ticks are alike, because the movement holds a posture, it advances by one.

    >>> control = np.linspace(0.0, 1.0, 11)[:, None]
    >>> follower = MovementFollower(control, np.zeros(1), pace_weight=0.02)
    >>> still = [float(follower.next(np.zeros(1))[0].round(1)) for _ in range(20)]
    >>> still[0], still[-1]  # an animal that does not move is asked for the same
    (0.0, 0.3)

    Args:
        control: (ticks, actuators), the movement.
        activation: (actuators,) of the animal as it begins.
        pace_weight: cost of not advancing by exactly one tick, beside the square misfit of activations: the
            greater, the farther the action is ahead of an animal that does not follow.
        jump_cost: cost of going on at any other tick, for an animal that has its own pace or begins again,
        jumps_before: out of those before this one.
        most_behind: ticks that it stays behind the clock at most: a movement that cannot wait, as a leap out
            of the run, goes on for an animal that is slower.
        clock_from: tick of the movement at which the clock starts, for an animal that may take its time to
            begin.

    Attributes:
        tick: that of the last action; -1 before the first.
        clock: ticks since the clock started.
    """

    def __init__(
        self,
        control: Array,
        activation: Array,
        pace_weight: float,
        jump_cost: float = np.inf,
        jumps_before: int = 0,
        most_behind: int | None = None,
        clock_from: int = 0,
    ) -> None:
        self._control = control
        self._expected = lagged(control, activation)
        self._pace_weight = pace_weight
        self._jump_cost = np.where(np.arange(len(control)) < jumps_before, jump_cost, np.inf)
        self._most_behind = len(control) if most_behind is None else most_behind
        self._clock_from = clock_from
        self.clock = 0
        self.tick = -1

    def find(self, activation: Array, before: int | None = None, within: float = np.inf) -> None:
        """Go to the tick whose expected activations are the present ones: the animal has begun by itself.

        Args:
            activation: (actuators,) present ones.
            before: only ticks before this one; None: all.
            within: greatest mean square difference of an activation; beyond it, nothing changes.
        """
        misfit = ((self._expected[:before] - activation) ** 2).mean(1)
        if misfit.min() <= within:
            self.tick = int(misfit.argmin()) - 1
            self.clock = max(self.clock, self.tick + 1)

    def next(self, activation: Array) -> Array:
        """Control (actuators,) in [-1, 1] for activations (actuators,); call once a tick."""
        ticks = np.arange(len(self._control))
        first = max(self.tick, min(self.clock - self._most_behind, len(ticks) - 1))
        near = (ticks >= first) & (ticks <= first + FASTEST_TICKS)
        misfit = ((self._expected - activation) ** 2).sum(1)
        # one that is hurried on is not taken back to where it was slow
        jump = self._jump_cost if self.clock - self._most_behind < self.tick else np.inf
        pace = self._pace_weight * (ticks - self.tick - 1) ** 2
        self.tick = int((misfit + np.where(near, pace, jump)).argmin())
        if not near[self.tick]:
            self.clock = self.tick
        if self.tick >= self._clock_from:
            self.clock += 1
        return self._control[self.tick]
