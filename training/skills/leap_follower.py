"""Which tick of a leap the body is in, read off its activations.

A leap's actions must not run ahead of a network that is slow to follow them: the tick that counts is that
one, of those about the expected one, whose activations, after the muscles' lag, best explain the present
ones.
"""

from __future__ import annotations

import numpy as np

from training.skills.locomotion import KEPT_PER_TICK

Array = np.ndarray


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


def tick_of(expected: Array, activation: Array, about: int, returns_before: int) -> int:
    """The tick whose expected activations are nearest to the present ones.

    Args:
        expected: (ticks, actuators) as `lagged` gives them.
        activation: (actuators,) present ones.
        about: the tick that would be next; those beside it are looked at too.
        returns_before: before this tick an animal may begin again.
    """
    last = len(expected) - 1
    near = {int(np.clip(about + step, 0, last)) for step in (-1, 0, 1)}
    if about < returns_before:
        near.add(0)
    return min(near, key=lambda k: float(((expected[k] - activation) ** 2).sum()))
