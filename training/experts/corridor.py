"""The expert of the plain corridor: run along its middle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.experts.interface import Pose
from training.experts.pose import BodyReader
from training.experts.view import View
from training.skills.library import Skills

Array = np.ndarray


class CorridorExpert:
    """Runs at full speed, and heads for the middle."""

    loss_weight = 1.0

    def __init__(self, skills: Skills) -> None:
        self._locomotion = skills.locomotion()

    def begin(self, environment: Any) -> None:
        """See `TaskExpert`."""
        self._body = BodyReader(environment)
        self._view = View(self._body, far_m=1.0)

    def act(self) -> Array:
        """See `TaskExpert`."""
        return run_along(self._locomotion, self._body, 1.0)

    def sample_pose(self, rng: np.random.Generator) -> Pose:
        """See `TaskExpert`."""
        x = float(self._body.data.qpos[0] + rng.uniform(0, 3))
        return x, float(rng.normal(0, 0.2)), float(rng.normal(0, 0.3))

    def auxiliary_targets(self) -> Mapping[str, float]:
        """See `TaskExpert`."""
        return {
            "corridor_heading": self._view.heading_rad(),
            "corridor_offset": self._body.place_m()[1],
        }


def run_along(
    locomotion: Any, body: BodyReader, speed: float, heading_rad: float | None = None
) -> Array:
    """Action (actuators,) that runs along a direction, or along the x axis and towards y = 0.

    A standing animal begins at half speed: from a standstill the full gait makes it stumble.
    """
    wanted = float(np.clip(-body.place_m()[1], -0.5, 0.5)) if heading_rad is None else heading_rad
    error = (wanted - body.heading_rad() + np.pi) % (2 * np.pi) - np.pi
    going = float(np.clip(body.forward_speed_m_s() / 0.5, 0, 1))
    command = min(speed, 0.5 + 0.5 * going)
    yaw = float(np.clip(3.0 * error, -1.6, 1.6))
    return locomotion.act(body.activation()[None], np.array([command]), np.array([yaw]))[0]
