"""The expert of the bowl: get up, then run outwards, and get up again after every fall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from agent.training.experts.corridor import run_along
from agent.training.experts.pose import BodyReader
from agent.training.experts.righting import Righting
from agent.training.experts.skills import Skills

Array = np.ndarray

ANY_WAY_M = 1.0
"""Nearer to the centre than this the ground is about level: every direction leads out, and none is seen."""


class EscapeExpert:
    """Rights itself, keeps its heading near the centre, and turns outwards where the slope shows the way."""

    def __init__(self, skills: Skills) -> None:
        self._righting = Righting(skills.path("righting"))
        self._locomotion = skills.locomotion()

    def begin(self, environment: Any) -> None:
        """See `TaskExpert`."""
        self._body = BodyReader(environment)
        self._righting.begin()

    def act(self) -> Array:
        """See `TaskExpert`."""
        up = self._righting.act(self._body)
        if up is not None:
            return up
        heading = self._out_rad() if self._distance_m() > ANY_WAY_M else self._body.heading_rad()
        return run_along(self._locomotion, self._body, 1.0, heading)

    def cues(self) -> Mapping[str, float]:
        """See `TaskExpert`."""
        distance = self._distance_m()
        if distance <= ANY_WAY_M or self._righting.busy:
            return {"out_distance": distance}
        bearing = self._out_rad() - self._body.heading_rad()
        bearing = float((bearing + np.pi) % (2 * np.pi) - np.pi)
        return {"out_bearing": bearing, "out_distance": distance}

    def _distance_m(self) -> float:
        return float(np.hypot(*self._body.place_m()[:2]))

    def _out_rad(self) -> float:
        x, y = self._body.place_m()[:2]
        return float(np.arctan2(y, x))
