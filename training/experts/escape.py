"""The expert of the bowl: get up, then follow the gentlest way out, and get up again after every fall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.experts.pose import BodyReader
from training.experts.righting import Righting
from training.skills import climbing
from training.skills.library import Skills
from training.skills.locomotion import Locomotion
from training.skills.terrain import WayOut

Array = np.ndarray

ANY_WAY_M = 1.0
"""Nearer to the centre the ground is about level: every direction leads out, and the image shows none."""
FIRST_M = 0.4
"""Nearer to the centre it keeps its heading, whatever that is."""
FASTEST_YAW_RAD_S = 3.0
"""Greatest yaw rate command. It does not turn on the spot: a change of gait costs more than a wide turn."""
RIGHTING_WEIGHT = 2.0
"""Loss weight of getting up (`TaskExpert.loss_weight`): it is vigorous, and seldom done."""


class EscapeExpert:
    """Rights itself, keeps its heading near the centre, and then goes round what is steep."""

    loss_weight = 1.0

    def __init__(self, skills: Skills) -> None:
        self._righting = Righting(skills.path("righting"))
        skill = climbing.load(skills.path("climbing"))
        self._locomotion, self._lean = Locomotion(skill.steering), skill.lean

    def begin(self, environment: Any) -> None:
        """Start an episode in a composer environment that was just reset."""
        self._body = BodyReader(environment)
        self._way = WayOut(self._body.model)
        self._righting.begin()

    def act(self) -> Array:
        """Action (actuators,) float64 in [-1, 1] for this tick."""
        up = self._righting.act(self._body)
        self.loss_weight = 1.0 if up is None else RIGHTING_WEIGHT
        if up is not None:
            return up
        body, error = self._body, self._bearing_rad() if self._distance_m() > FIRST_M else 0.0
        activation = body.activation()[None]
        # as in `run_along`: from a standstill the full gait makes it stumble
        speed = 0.5 + 0.5 * np.clip([body.forward_speed_m_s() / 0.5], 0, 1)
        action = self._locomotion.act(
            activation, speed, np.clip([3 * error], -FASTEST_YAW_RAD_S, FASTEST_YAW_RAD_S)
        )[0]
        return np.clip(action + self._lean * body.matrix()[2, 0], -1, 1)

    def sample_pose(self, rng: np.random.Generator) -> None:
        """None: there is no level ground on which to place the animal."""

    def auxiliary_targets(self) -> Mapping[str, float]:
        """Distance from the centre (m) and, where the slope shows it, the bearing (rad) of the way out."""
        distance = self._distance_m()
        if distance <= ANY_WAY_M or self._righting.busy:
            return {"out_distance": distance}
        return {"out_bearing": self._bearing_rad(), "out_distance": distance}

    def _distance_m(self) -> float:
        return float(np.hypot(*self._body.place_m()[:2]))

    def _bearing_rad(self) -> float:
        x, y = self._body.place_m()[:2]
        bearing = self._way.heading_rad(x, y) - self._body.heading_rad()
        return float((bearing + np.pi) % (2 * np.pi) - np.pi)
