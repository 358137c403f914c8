"""The body state that detectors read: a vector of named quantities, derived from the physics each tick.

Detectors need no MuJoCo: positions, velocities and orientation of trunk, head and paws, their heights above
the ground, and where the nearest orb is, travel on the bus with every tick (`Tick`, array `body`), in the
order of `NAMES`, which `rig.body_quantities` explains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rig.arenas.tasks import TwoTap, orbs_of
from rig.body_quantities import NAMES as NAMES
from rig.body_quantities import PADS, PAWS

_SLOPE_REACH_M = 0.08


class BodyState:
    """Reads `NAMES` from a compiled model's data; made anew whenever the model is.

    Args:
        model: the trial's.
        task: the trial's dm_control task, for its orbs; None where there are none to look for.
    """

    def __init__(self, model: mujoco.MjModel, task: Any = None) -> None:
        self._torso = model.body("walker/torso").id
        self._head = model.body("walker/skull").id
        self._pelvis = model.body("walker/pelvis").id
        self._paws = np.array([model.body(f"walker/{paw}").id for paw in PAWS])
        self._touch = np.array([model.sensor(f"walker/{pad}").adr[0] for pad in PADS])
        of_body = int(
            model.sensor("walker/torso").adr[0]
        )  # subtreelinvel of the torso: the whole rat
        self._body_velocity = slice(of_body, of_body + 3)
        joint = int(model.body_jntadr[model.body_rootid[self._torso]])
        self._root_velocity = int(model.jnt_dofadr[joint])
        self._ground = _terrain(model) if model.nhfield else None
        self._orbs = orbs_of(task)
        self._stays = isinstance(task, TwoTap)
        self._orb_geoms = np.array([orb.geom_id for orb in self._orbs], np.int64)
        self._orb_radius = float(model.geom_size[self._orb_geoms[0], 0]) if self._orbs else 0.0

    def ground(self, x: float, y: float) -> float:
        """The height (m) of the ground at a place."""
        return self._ground(x, y) if self._ground is not None else 0.0

    def read(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """The vector at the present state: float64, (len(NAMES),)."""
        # Plain Python from here on: for so few numbers it is several times faster than NumPy.
        xx, _, _, yx, _, _, zx, zy, zz = data.xmat[self._torso].tolist()
        x, y, z = torso = data.xpos[self._torso].tolist()
        root = self._root_velocity
        velocity = data.qvel[root : root + 6].tolist()
        body_velocity = data.sensordata[self._body_velocity].tolist()
        vx, vy, _ = body_velocity
        along = math.hypot(xx, yx) or 1.0
        cos, sin = xx / along, yx / along
        head = data.xpos[self._head].tolist()
        paws = data.xpos[self._paws].tolist()
        heights = [z, head[2], *(paw[2] for paw in paws)]
        slope = 0.0
        if (ground := self._ground) is not None:
            under = [ground(x, y), ground(head[0], head[1]), *(ground(p[0], p[1]) for p in paws)]
            heights = [height - below for height, below in zip(heights, under, strict=True)]
            dx, dy = _SLOPE_REACH_M * cos, _SLOPE_REACH_M * sin
            slope = (ground(x + dx, y + dy) - ground(x - dx, y - dy)) / (2 * _SLOPE_REACH_M)
        return np.array(
            [
                *torso,
                *velocity[:3],
                *body_velocity,
                cos * vx + sin * vy,
                cos * vy - sin * vx,
                math.atan2(yx, xx),
                zx * velocity[3] + zy * velocity[4] + zz * velocity[5],
                math.asin(max(-1.0, min(1.0, zx))),
                math.atan2(zy, zz),
                zz,
                *head,
                math.asin(max(-1.0, min(1.0, float(data.xmat[self._head, 6])))),
                *paws[0],
                *paws[1],
                *paws[2],
                *paws[3],
                *data.sensordata[self._touch].tolist(),
                data.ncon,
                data.xmat[self._pelvis, 8],
                *heights,
                slope,
                *self._orb(data, torso, cos, sin, paws),
            ]
        )

    def _orb(
        self,
        data: mujoco.MjData,
        torso: list[float],
        cos: float,
        sin: float,
        paws: list[list[float]],
    ) -> tuple[float, float, float, float, float]:
        """Distance, bearing and height of the nearest orb from the torso, and both hands' distances."""
        x, y, z = torso
        nearest, least = None, math.inf
        places = data.geom_xpos[self._orb_geoms].tolist() if self._orbs else ()
        for orb, place in zip(self._orbs, places, strict=True):
            if self._stays or not orb.activated:
                distance = math.hypot(place[0] - x, place[1] - y)
                if distance < least:
                    nearest, least = place, distance
        if nearest is None:
            return math.nan, math.nan, math.nan, math.nan, math.nan
        dx, dy = nearest[0] - x, nearest[1] - y
        bearing = math.atan2(cos * dy - sin * dx, cos * dx + sin * dy)
        left, right = (math.dist(paw, nearest) - self._orb_radius for paw in paws[:2])
        return least, bearing, nearest[2] - z, left, right


def _terrain(model: mujoco.MjModel) -> Callable[[float, float], float]:
    """The height (m) of the ground at x, y: the bowl's height field, and the plane that it lies on."""
    rows, columns = int(model.hfield_nrow[0]), int(model.hfield_ncol[0])
    half_x, half_y, scale, _ = (float(size) for size in model.hfield_size[0])
    geom = int(np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_HFIELD)[0])
    base = float(model.geom_pos[geom, 2])
    field: list[list[float]] = (
        base + scale * np.asarray(model.hfield_data[: rows * columns]).reshape(rows, columns)
    ).tolist()
    per_x, per_y = (columns - 1) / (2 * half_x), (rows - 1) / (2 * half_y)

    def height(x: float, y: float) -> float:
        column, row = (x + half_x) * per_x, (y + half_y) * per_y
        if not (0 <= column < columns - 1 and 0 <= row < rows - 1):  # beyond it, or not a number
            return 0.0
        j, i = int(column), int(row)
        a, b = column - j, row - i
        low, high = field[i], field[i + 1]
        between = (1 - b) * ((1 - a) * low[j] + a * low[j + 1])
        between += b * ((1 - a) * high[j] + a * high[j + 1])
        return max(between, 0.0)

    return height
