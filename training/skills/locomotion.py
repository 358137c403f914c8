"""Running and turning on command, locked to the body's own rhythm.

There is no clock. The phase of the gait is read off the body: it is the one whose actuator activations,
after the muscles' 40 ms lag, best explain the present ones. So a label depends on what the animal can
feel, and not on a hidden clock that it could never agree with.
"""

from __future__ import annotations

import numpy as np

from training.skills.gait import N_PHASES
from training.skills.steering import Steering

Array = np.ndarray

ACTIVATION_TIME_CONSTANT_S = 0.04
PHYSICS_TIMESTEP_S = 0.001
KEPT_PER_TICK = (1 - PHYSICS_TIMESTEP_S / ACTIVATION_TIME_CONSTANT_S) ** 20


class Locomotion:
    """A gait that takes commands of speed (1 is the gait's own) and yaw rate.

    Measured for the trot of `subjects/runner` at stock physics: speed 0 stands, 0.3 walks at 0.4 m/s, 0.6
    trots at 0.7, 1 runs at 0.95; yaw commands of +-3 rad/s give about +-0.7, +-1.7 and +-2 rad/s there, and
    at speed 0.6 commands of +-6 give +-2.5. At speed 1 commands beyond +-3 make it fall.
    """

    def __init__(self, steering: Steering, steady_speed: float = 1.0) -> None:
        self.steering = steering
        advance = float(steering.cycles_per_tick(np.array([steady_speed]))[0])
        # what the activations are in the steady gait when the next control is that of each phase:
        # past controls, one tick apart, each kept by a fixed part from tick to tick
        table, phases = steering.table, np.arange(N_PHASES) / N_PHASES
        lagged = np.zeros_like(table)
        for ticks_ago in range(1, 40):
            weight = (1 - KEPT_PER_TICK) * KEPT_PER_TICK ** (ticks_ago - 1)
            lagged += weight * _sample(table, phases - ticks_ago * advance)
        self._lagged = lagged

    def phase(self, activation: Array, speed: Array, yaw_rad_s: Array) -> Array:
        """The phases (n,) of the next control that best explain activations (n, actuators).

        Commanded `speed` and `yaw_rad_s` are (n,).
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
        # the vertex of the parabola through the three, so that labels do not jump between phases
        curvature = np.maximum(before - 2 * here + after, 1e-9)
        shift = np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)
        return ((best + shift) / N_PHASES) % 1.0

    def act(self, activation: Array, speed: Array, yaw_rad_s: Array) -> Array:
        """Actions (n, actuators) for activations (n, actuators) and commands, each (n,)."""
        return self.steering.control(self.phase(activation, speed, yaw_rad_s), speed, yaw_rad_s)


def _sample(table: Array, phase: Array) -> Array:
    place = (phase % 1.0) * N_PHASES
    low = place.astype(int) % N_PHASES
    part = (place - np.floor(place))[:, None]
    return table[low] * (1 - part) + table[(low + 1) % N_PHASES] * part
