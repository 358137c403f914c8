"""One gap before an animal: the plain corridor, its second floor moved away."""

from __future__ import annotations

import copy

import mujoco
import numpy as np

from training.skills.body import SPEC, Bodies
from training.skills.steering import Steering

Array = np.ndarray

PAWS = ("hand", "foot")
"""Bodies of the paws that are tracked, on both sides."""


class Platforms:
    """Models of an animal before one gap, at stock physics.

    Args:
        base: the gait, whose mean is the stand.

    Attributes:
        bodies: the copies of the animal.
        edge_m: x of the gap's near edge.
        stand: (actuators,) control of the standing posture.
    """

    def __init__(self, base: Steering) -> None:
        self.bodies = Bodies(coarse=False, threads=1)
        model = self.bodies.model
        names = [model.geom(i).name for i in range(model.ngeom)]
        start = next(i for i, n in enumerate(names) if n.split("/")[-1] == "start_floor")
        self._floor = next(i for i, n in enumerate(names) if n.split("/")[-1] == "floor_0")
        self.edge_m = float(model.geom_pos[start, 0] + model.geom_size[start, 0])
        self.stand = base.table.mean(0)
        self._scratch = mujoco.MjData(model)
        self._paws = [model.body(f"walker/{paw}_{side}").id for paw in PAWS for side in "LR"]
        self._models: dict[float, mujoco.MjModel] = {}

    def with_gap(self, width_m: float) -> mujoco.MjModel:
        """The model with a gap of a width, to the millimetre."""
        width_m = round(width_m, 3)
        if width_m not in self._models:
            model = copy.copy(self.bodies.model)
            model.geom_pos[self._floor, 0] = self.edge_m + width_m + model.geom_size[self._floor, 0]
            self._models[width_m] = model
        return self._models[width_m]

    def paws(self, states: Array) -> Array:
        """How far past the near edge and how high (m) the paws are: (..., 4, 2), in states (..., state)."""
        found = np.zeros((*states.shape[:-1], 4, 2))
        for index in np.ndindex(*states.shape[:-1]):
            mujoco.mj_setState(self.bodies.model, self._scratch, states[index], SPEC)
            mujoco.mj_kinematics(self.bodies.model, self._scratch)
            found[index] = self._scratch.xpos[self._paws][:, [0, 2]] - [self.edge_m, 0]
        return found
