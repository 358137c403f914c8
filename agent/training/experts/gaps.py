"""The expert of the gaps: run along the corridor, leap over every gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from agent.training import leaping
from agent.training.experts.corridor import run_along
from agent.training.experts.pose import BodyReader
from agent.training.experts.skills import Skills

Array = np.ndarray

SEEN_WITHIN_M = 0.8
"""A gap further off is less than a pixel high to eyes 7 cm above the ground."""


class GapsExpert:
    """Runs along the middle of the corridor, and leaps where the ground ends."""

    def __init__(self, skills: Skills) -> None:
        self._locomotion = skills.locomotion()
        self._leap = leaping.load(skills.path("leaping"))

    def begin(self, environment: Any) -> None:
        """See `TaskExpert`."""
        self._body = BodyReader(environment)
        self._near, self._far = gaps_of(self._body.model, self._body.data)

    def act(self) -> Array:
        """See `TaskExpert`."""
        gait = run_along(self._locomotion, self._body, 1.0)
        # the body's root, by which the leap was searched, is below the trunk: it differs when it pitches
        x = float(self._body.data.qpos[0])
        # the gap that the animal is before or in, or has just left: leaps do not overlap
        begun = np.flatnonzero(x - self._near >= self._leap.from_m)
        if not len(begun):
            return gait
        return self._leap.act(gait[None], np.array([x - self._near[begun[-1]]]))[0]

    def cues(self) -> Mapping[str, float]:
        """See `TaskExpert`."""
        x, y = self._body.place_m()[:2]
        cues = {"corridor_heading": self._body.heading_rad(), "corridor_offset": float(y)}
        ahead = np.flatnonzero(self._far > x)[:2]
        for prefix, gap in zip(("", "next_"), ahead, strict=False):
            if self._near[gap] - x < SEEN_WITHIN_M:
                cues[f"{prefix}gap_near"] = float(self._near[gap] - x)
                cues[f"{prefix}gap_far"] = float(self._far[gap] - x)
        return cues


def gaps_of(model: mujoco.MjModel, data: mujoco.MjData) -> tuple[Array, Array]:
    """Where the gaps of a corridor begin and end, (n,) each, in m along the corridor, in order.

    The arena's first "gap" has no width, and is left out.
    """
    floors = [
        i
        for i in range(model.ngeom)
        if model.geom(i).name.split("/")[-1].startswith(("start_floor", "floor_"))
    ]
    begin = np.array([data.geom_xpos[i, 0] - model.geom_size[i, 0] for i in floors])
    end = np.array([data.geom_xpos[i, 0] + model.geom_size[i, 0] for i in floors])
    order = begin.argsort()
    near, far = end[order][:-1], begin[order][1:]
    wide = far - near > 0.001
    return near[wide], far[wide]
