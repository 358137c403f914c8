"""The expert of the plain corridor: run along its middle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.experts.interface import Pose
from training.experts.pose import BodyReader
from training.experts.view import View
from training.skills.library import Skills
from training.skills.locomotion import Locomotion

Array = np.ndarray


class CorridorExpert:
    """Runs at full speed, and heads for the middle."""

    loss_weight = 1.0

    def __init__(self, skills: Skills) -> None:
        self._locomotion = skills.locomotion()

    def begin(self, environment: Any) -> None:
        """Start an episode in a composer environment that was just reset."""
        self._body = BodyReader(environment)
        self._view = View(self._body, far_m=1.0)

    def act(self) -> Array:
        """Action (actuators,) float64 in [-1, 1] for this tick."""
        return run_along(self._locomotion, self._body, 1.0)

    def sample_pose(self, rng: np.random.Generator) -> Pose:
        """A random pose up to 3 m ahead, heading along the corridor more or less."""
        x = float(self._body.data.qpos[0] + rng.uniform(0, 3))
        return x, float(rng.normal(0, 0.2)), float(rng.normal(0, 0.3))

    def auxiliary_targets(self) -> Mapping[str, float]:
        """The camera's heading (rad), and how far left of the corridor's middle the trunk is (m)."""
        return {
            "corridor_heading": self._view.heading_rad(),
            "corridor_offset": self._body.place_m()[1],
        }


def run_along(locomotion: Locomotion, body: BodyReader, speed: float) -> Array:
    """Action that runs along the x axis and towards y = 0.

    A standing animal begins at half speed: from a standstill the full gait makes it stumble.

    Args:
        locomotion: the gait.
        body: of the animal.
        speed: speed command; 1 is the gait's own.

    Returns:
        (actuators,) float64 in [-1, 1].
    """
    target = float(np.clip(-body.place_m()[1], -0.5, 0.5))
    error = (target - body.heading_rad() + np.pi) % (2 * np.pi) - np.pi
    running = float(np.clip(body.forward_speed_m_s() / 0.5, 0, 1))
    command = min(speed, 0.5 + 0.5 * running)
    yaw = float(np.clip(3.0 * error, -1.6, 1.6))
    return locomotion.act(body.activation()[None], np.array([command]), np.array([yaw]))[0]
