"""Running and turning on command, locked to the body's own rhythm.

There is no clock. The phase of the gait is the one whose actuator activations, after the muscles' 40 ms lag,
best explain the present ones. So the expert's action depends on proprioception alone, and not on a hidden
clock that the network could not observe.
"""

from __future__ import annotations

import numpy as np

from training.skills.gait import N_PHASES
from training.skills.steering import Steering

Array = np.ndarray

ACTIVATION_TIME_CONSTANT_S = 0.04
PHYSICS_TIMESTEP_S = 0.001
KEPT_PER_TICK = (1 - PHYSICS_TIMESTEP_S / ACTIVATION_TIME_CONSTANT_S) ** 20
"""Fraction of an activation that is left after a tick; the rest is the control's."""


class Locomotion:
    """A gait that takes commands: speed (0 stands, 1 is the gait's own) and yaw rate (rad/s, left positive).

    At speed 1, yaw commands beyond +-3 rad/s make the trot of `subjects/runner` fall; see
    `docs/notes/training.md` for the speeds and yaw rates that commands give.

    Args:
        steering: gait and control law of turning.
        steady_speed: speed command of the steady gait from which the expected activations are computed.
    """

    def __init__(self, steering: Steering, steady_speed: float = 1.0) -> None:
        self.steering = steering
        advance = float(steering.cycles_per_tick(np.array([steady_speed]))[0])
        # the activations in the steady gait when the next control is that of each phase: past controls, one
        # tick apart, each decaying by a fixed fraction from tick to tick
        table, phases = steering.table, np.arange(N_PHASES) / N_PHASES
        lagged = np.zeros_like(table)
        for ticks_ago in range(1, 40):
            weight = (1 - KEPT_PER_TICK) * KEPT_PER_TICK ** (ticks_ago - 1)
            lagged += weight * _sample(table, phases - ticks_ago * advance)
        self._lagged = lagged

    def phase(self, activation: Array, speed: Array, yaw_rad_s: Array) -> Array:
        """The phases of the next control that best explain the present activations.

        Args:
            activation: (n, actuators) float64 in [-1, 1].
            speed: (n,) commands.
            yaw_rad_s: (n,) commands.

        Returns:
            (n,) float64 phases in cycles, in [0, 1).
        """
        n = len(activation)
        grid = np.tile(np.arange(N_PHASES) / N_PHASES, n)
        expected = self.steering.unclipped(
            self._lagged,
            grid,
            np.repeat(speed, N_PHASES),
            np.repeat(yaw_rad_s, N_PHASES),
        ).clip(-1, 1)
        misfit = ((expected.reshape(n, N_PHASES, -1) - activation[:, None]) ** 2).sum(2)
        best = misfit.argmin(1)
        rows = np.arange(n)
        before, here, after = (misfit[rows, (best + k) % N_PHASES] for k in (-1, 0, 1))
        # the vertex of the parabola through the three, so that actions do not jump between phases
        curvature = np.maximum(before - 2 * here + after, 1e-9)
        shift = np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)
        return ((best + shift) / N_PHASES) % 1.0

    def act(self, activation: Array, speed: Array, yaw_rad_s: Array) -> Array:
        """The actions for the present activations, at commands.

        Args:
            activation: (n, actuators) float64 in [-1, 1].
            speed: (n,) commands.
            yaw_rad_s: (n,) commands.

        Returns:
            (n, actuators) float64 in [-1, 1].
        """
        return self.steering.control(self.phase(activation, speed, yaw_rad_s), speed, yaw_rad_s)


def _sample(table: Array, phase: Array) -> Array:
    place = (phase % 1.0) * N_PHASES
    low = place.astype(int) % N_PHASES
    part = (place - np.floor(place))[:, None]
    return table[low] * (1 - part) + table[(low + 1) % N_PHASES] * part
