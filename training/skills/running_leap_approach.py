"""How fast to run so that the stride's phase and the place before an edge fall together for a running leap.

A leap begins where the phase passes 0 or one half, `RunningLeap.before_m` before the edge. Hits come every
half stride; over the strides that are left the length of the stride is chosen, by the commanded speed, so
that one of them falls there. Phase and distance are what the animal feels and sees: nothing is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.skills.running_leap_table import RunningLeap
from training.skills.running_leap_trials import HEAD_DOWN_NEAR, Runway

Array = np.ndarray

STRIDE_M, STRIDE_SLOPE = 0.14, 0.62
"""Length of a stride of `stepping` at commanded speed 1, and its relative change per unit of speed, at stock
physics with motor noise."""
SPEEDS = (0.6, 1.15)
NEAR_M = 0.25
"""Within so much of the edge the head is held lower."""
BEARS_M = 0.035
"""How far from its own place a leap is begun all the same: half of the distance between hits."""


def approach_speed(phase: Array, left_m: Array) -> Array:
    """Commanded speeds (n,) at which a hit falls at the leap's place.

    Args:
        phase: (n,) of the gait, in cycles.
        left_m: (n,) to the leap's place; behind it, full speed.
    """
    to_hit = 0.5 - np.asarray(phase) % 0.5
    hits = to_hit[:, None] + 0.5 * np.arange(40)
    stride = np.maximum(left_m, 0.0)[:, None] / hits
    speeds = 1 + (stride / STRIDE_M - 1) / STRIDE_SLOPE
    chosen = np.abs(speeds - 1).argmin(1)
    speed = np.clip(speeds[np.arange(len(hits)), chosen], *SPEEDS)
    return np.where(left_m > 0, speed, 1.0)


@dataclass(frozen=True)
class Arrivals:
    """How animals came to the leap's place: arrays are (n,), `states` (n, state).

    `offset_m` is how much farther from the edge than the leap asks for the hit fell that was nearest;
    `begun` whether a leap began there, within `BEARS_M`.
    """

    states: Array
    offset_m: Array
    begun: Array


def arrive(
    runway: Runway,
    leap: RunningLeap,
    starts: Array,
    before_m: Array,
    action_noise: float,
    rng: np.random.Generator,
    steered: bool = True,
) -> Arrivals:
    """Run up to an edge until a leap begins.

    Args:
        runway: where.
        leap: which says where it begins.
        starts: (n, state) running animals.
        before_m: (n,) how far before the edge they are put.
        action_noise: standard deviation of what is added to the actions.
        rng: draws it.
        steered: choose the speed; otherwise full speed all the way.
    """
    states, n = starts.copy(), len(starts)
    qpos = runway.bodies.split(states)[0]
    qpos[:, 0] = runway.platforms.edge_m - before_m
    models = [runway.platforms.with_gap(0.0)] * n
    offset, begun, last = np.full(n, np.inf), np.zeros(n, bool), np.zeros(n)
    full = np.ones(n)
    for _ in range(200):
        before = runway.platforms.edge_m - runway.bodies.split(states)[0][:, 0]
        left = before - leap.before_m
        i = np.flatnonzero(~begun & (left > -BEARS_M))
        if not len(i):
            break
        # the phase hardly depends on the command, but the command on the phase
        _, phase = runway.gait(states[i], full[i])
        speed = approach_speed(phase, left[i]) if steered else full[i]
        far, phase = runway.gait(states[i], speed)
        near, _ = runway.gait(states[i], speed, HEAD_DOWN_NEAR)
        actions = np.where((before[i] < NEAR_M)[:, None], near, far)
        half = (2 * phase) % 1.0
        hit = half < last[i] - 0.5
        nearest = hit & (np.abs(left[i]) < np.abs(offset[i]))
        offset[i[nearest]] = left[i[nearest]]
        begun[i] = hit & (np.abs(left[i]) <= BEARS_M)
        last[i] = half
        on = i[~begun[i]]
        if len(on):
            moves = actions[~begun[i]] + rng.normal(0, action_noise, (len(on), actions.shape[1]))
            states[on] = runway.step(states[on], moves, [models[k] for k in on])
    return Arrivals(states, offset, begun)
