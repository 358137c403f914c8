"""The expert that the network imitates: gait and steering law, locked to the body's own rhythm.

The expert has no clock of its own. The phase of the gait is read off the body: it is the one whose
actuator activations, after the muscles' 40 ms lag, best explain the present ones. So a label depends on
what the animal can feel, and not on a hidden clock that it could never agree with.

What the animal can *see* the expert is simply told: heading and distance from the corridor's middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.training.flock import Poses
from agent.training.gait import N_PHASES
from agent.training.steering import Steering

Array = np.ndarray

ACTIVATION_TIME_CONSTANT_S = 0.04
PHYSICS_TIMESTEP_S = 0.001
_KEPT_PER_TICK = (1 - PHYSICS_TIMESTEP_S / ACTIVATION_TIME_CONSTANT_S) ** 20


@dataclass(frozen=True)
class Guidance:
    """How the expert steers along a corridor.

    It heads for the middle: the wanted heading is `-toward_middle_rad_m` times the offset, at most
    `most_heading_rad`; the yaw rate is `turn_1_s` times the error of heading, at most `most_yaw_rad_s`.
    An animal that stands begins with `standing_speed` (1 is the gait's own amplitude) and is asked for all
    of `speed` once it runs at `running_from_m_s`: from a standstill the full gait makes it stumble.
    """

    speed: float = 1.0
    standing_speed: float = 0.7
    running_from_m_s: float = 0.5
    toward_middle_rad_m: float = 1.0
    most_heading_rad: float = 0.5
    turn_1_s: float = 4.0
    most_yaw_rad_s: float = 2.5

    def speed_command(self, speed_m_s: Array) -> Array:
        """Commanded speed, 1 being the gait's own, from the speed along the corridor, both (n,)."""
        running = np.clip(speed_m_s / self.running_from_m_s, 0.0, 1.0)
        return self.standing_speed + (self.speed - self.standing_speed) * running

    def yaw_command(self, heading_rad: Array, offset_m: Array) -> Array:
        """Commanded yaw rate in rad/s from heading and offset to the left, all (n,)."""
        limit = self.most_heading_rad
        wanted = np.clip(-self.toward_middle_rad_m * offset_m, -limit, limit)
        error = (wanted - heading_rad + np.pi) % (2 * np.pi) - np.pi
        return np.clip(self.turn_1_s * error, -self.most_yaw_rad_s, self.most_yaw_rad_s)


class Expert:
    """Labels states with the action that gait and steering ask for."""

    def __init__(self, steering: Steering, guidance: Guidance) -> None:
        self.steering, self.guidance = steering, guidance
        advance = float(steering.cycles_per_tick(np.array([guidance.speed]))[0])
        # what the activations are in the steady gait when the next control is that of each phase:
        # past controls, one tick apart, each kept by a fixed part from tick to tick
        table, phases = steering.table, np.arange(N_PHASES) / N_PHASES
        lagged = np.zeros_like(table)
        for ticks_ago in range(1, 40):
            weight = (1 - _KEPT_PER_TICK) * _KEPT_PER_TICK ** (ticks_ago - 1)
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

    def act(self, activation: Array, where: Poses) -> Array:
        """Actions (n, actuators) for activations (n, actuators) of animals in these poses."""
        yaw = self.guidance.yaw_command(where.heading_rad, where.offset_m)
        speed = self.guidance.speed_command(where.speed_m_s)
        return self.steering.control(self.phase(activation, speed, yaw), speed, yaw)


def _sample(table: Array, phase: Array) -> Array:
    place = (phase % 1.0) * N_PHASES
    low = place.astype(int) % N_PHASES
    part = (place - np.floor(place))[:, None]
    return table[low] * (1 - part) + table[(low + 1) % N_PHASES] * part
