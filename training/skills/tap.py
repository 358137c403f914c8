"""The tap: rear up, touch an orb 14 cm above the ground with the forepaws, withdraw, touch it again.

The tap has two parts, each a piecewise linear function of time for the limbs, both sides alike, and the
spine. The first begins on four feet and ends at the touch, however soon that comes; the second begins at the
touch, so that the time to the second touch is counted from the first. Both are linear in where the orb was
when the tap began: nearer or farther, to the left or right. Both forepaws reach together, which tolerates
errors to the sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from training.skills.gait import sided
from training.skills.search import read_arrays, write_arrays

Array = np.ndarray

LIMB = (
    "hip_extend", "knee", "ankle", "toe", "hip_abduct", "shoulder", "elbow", "scapula_extend",
    "scapula_abduct", "wrist",
)  # fmt: skip
SPINE = ("lumbar_extend", "cervical_extend", "caudal_extend")
"""Joints of the movement, of the limbs (both sides alike) and of the spine."""
BENDS = ("lumbar_bend", "cervical_bend", "lumbar_twist", "cervical_twist")
"""Joints that turn it to an orb on one side."""
N_SIGNALS = len(LIMB) + len(SPINE)

REACH_KNOTS = (0, 9, 18, 27)
"""Knots of the first part: ticks since the tap began."""
AGAIN_KNOTS = (0, 8, 16, 24, 32, 40, 50)
"""Knots of the second part: ticks since the first touch; the second is due at 40."""
DUE_TICK = 40
"""Ticks from the first to the second touch: 0.8 s, of which the task allows 5 more or less."""
LOOK_AGAIN_TICK = 16
"""Ticks since the first touch at which the animal is down again and looks anew where the orb is."""
LONGEST_REACH = 34
"""Ticks after which a reach that touched nothing is given up."""
N_KNOTS = len(REACH_KNOTS) + len(AGAIN_KNOTS)
N_PARAMETERS = N_KNOTS * N_SIGNALS + 3 * N_SIGNALS + 3 * len(BENDS) + 2
AHEAD_M, MORE_AHEAD_M = (0.06, 0.18), (0.0, 0.1)
"""Bounds of the orb's best distance ahead of the trunk, when the tap begins and at `LOOK_AGAIN_TICK`."""
AHEAD_SCALE_M, ASIDE_SCALE_M = 0.03, 0.03
"""Unit of the orb's distance from the best one, ahead and to the left."""
AHEAD_UNIT, ASIDE_UNIT = 0.3, 0.5
"""Control that a parameter of 1 adds per such unit."""
HELD = {"hip_supinate": 0.06, "scapula_supinate": 0.4, "shoulder_sup": 0.15, "finger": -0.49}
"""Control of the joints that the tap holds still; joints named nowhere here are at 0."""


@dataclass(frozen=True)
class Tap:
    """The tap: control signals at knots, and how the orb's place changes them. All arrays are float64.

    Attributes:
        reach: (len(REACH_KNOTS), actuators).
        again: (len(AGAIN_KNOTS), actuators).
        reach_ahead, again_ahead: (actuators,) added per `AHEAD_SCALE_M` that the orb is farther ahead.
        reach_aside, again_aside: (actuators,) added per `ASIDE_SCALE_M` that it is to the left.
        more_ahead, more_aside: as those, from `LOOK_AGAIN_TICK` on, for where it is then.
        ahead_m: how far ahead of the trunk the orb is best when the tap begins.
        more_ahead_m: how far ahead it is best at `LOOK_AGAIN_TICK`.
    """

    reach: Array
    again: Array
    reach_ahead: Array
    again_ahead: Array
    reach_aside: Array
    again_aside: Array
    more_ahead: Array
    more_aside: Array
    ahead_m: float
    more_ahead_m: float

    def reaching(self, tick: int, ahead_m: float, aside_m: float) -> Array:
        """Control (actuators,) in [-1, 1] in the first part.

        Args:
            tick: ticks since the tap began.
            ahead_m: how far ahead of the trunk the orb was then.
            aside_m: how far to its left.
        """
        part = _steer(self.reach_ahead, self.reach_aside, ahead_m - self.ahead_m, aside_m)
        return np.clip(_interpolate(self.reach, REACH_KNOTS, tick) + part, -1, 1)

    def touching_again(self, tick: int, ahead_m: float, aside_m: float) -> Array:
        """Control (actuators,) in [-1, 1] in the second part.

        Args:
            tick: ticks since the first touch.
            ahead_m: how far ahead of the trunk the orb was when the tap began; from `LOOK_AGAIN_TICK` on, how
                far it was at that tick.
            aside_m: how far to its left, likewise.
        """
        if tick < LOOK_AGAIN_TICK:
            part = _steer(self.again_ahead, self.again_aside, ahead_m - self.ahead_m, aside_m)
        else:
            part = _steer(self.more_ahead, self.more_aside, ahead_m - self.more_ahead_m, aside_m)
        return np.clip(_interpolate(self.again, AGAIN_KNOTS, tick) + part, -1, 1)

    def save(self, path: Path) -> None:
        """Write the tap; `load` reads it."""
        write_arrays(path, **{f.name: np.asarray(getattr(self, f.name)) for f in fields(self)})


def load(path: Path) -> Tap:
    """The tap that `Tap.save` wrote."""
    saved = read_arrays(path)
    numbers = ("ahead_m", "more_ahead_m")
    arrays = {f.name: saved[f.name] for f in fields(Tap) if f.name not in numbers}
    ahead_m, more_ahead_m = float(saved["ahead_m"]), float(saved["more_ahead_m"])
    return Tap(**arrays, ahead_m=ahead_m, more_ahead_m=more_ahead_m)


def _interpolate(knots: Array, ticks: tuple[int, ...], tick: int) -> Array:
    at = float(np.interp(tick, ticks, range(len(ticks))))
    low = min(int(at), len(ticks) - 2)
    return knots[low] + (at - low) * (knots[low + 1] - knots[low])


def _steer(ahead: Array, aside: Array, off_ahead_m: float, aside_m: float) -> Array:
    farther = np.clip(off_ahead_m / AHEAD_SCALE_M, -2, 2)
    return farther * ahead + np.clip(aside_m / ASIDE_SCALE_M, -2, 2) * aside


def tap_of(parameters: Array, actuators: Mapping[str, int]) -> Tap:
    """The tap of a candidate.

    Args:
        parameters: (N_PARAMETERS,) float64: control at the knots, then what the orb's place adds to it, in
            units of `AHEAD_UNIT` and `ASIDE_UNIT`, then the two distances at which the orb is best.
        actuators: index of each actuator by name.
    """

    def to_control(signals: Array) -> Array:
        control = np.zeros((len(signals), len(actuators)))
        for k, joint in enumerate(LIMB):
            for side in "LR":
                control[:, actuators[sided(joint, side)]] = signals[:, k]
        for k, joint in enumerate(SPINE):
            control[:, actuators[joint]] = signals[:, len(LIMB) + k]
        return control

    def to_trunk_control(bends: Array) -> Array:
        control = np.zeros(len(actuators))
        for joint, bend in zip(BENDS, bends, strict=True):
            control[actuators[joint]] = bend
        return control

    end = N_KNOTS * N_SIGNALS
    knots = to_control(parameters[:end].reshape(N_KNOTS, N_SIGNALS))
    for joint, held in HELD.items():
        for side in "LR":
            knots[:, actuators[sided(joint, side)]] = held
    farther = to_control(AHEAD_UNIT * parameters[end : end + 3 * N_SIGNALS].reshape(3, N_SIGNALS))
    end += 3 * N_SIGNALS
    aside = ASIDE_UNIT * parameters[end : end + 3 * len(BENDS)].reshape(3, len(BENDS))
    return Tap(
        reach=knots[: len(REACH_KNOTS)],
        again=knots[len(REACH_KNOTS) :],
        reach_ahead=farther[0],
        again_ahead=farther[1],
        more_ahead=farther[2],
        reach_aside=to_trunk_control(aside[0]),
        again_aside=to_trunk_control(aside[1]),
        more_aside=to_trunk_control(aside[2]),
        ahead_m=_between(AHEAD_M, parameters[-1]),
        more_ahead_m=_between(MORE_AHEAD_M, parameters[-2]),
    )


def _between(bounds: tuple[float, float], parameter: float) -> float:
    low, high = bounds
    return (low + high) / 2 + (high - low) / 2 * float(np.tanh(parameter))
