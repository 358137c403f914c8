"""Keeps a camera that follows the animal out of walls and hills, and the animal in its sight.

Where what stands in the arena lies between animal and camera, the camera rises and comes nearer, as little as
can be. It does so at once, and goes back slowly when the sight is clear again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

BACK_S = 0.4
"""Time constant with which the camera goes back to where it was asked to be."""
MARGIN_M = 0.06
"""Where a camera is put, it is so far from walls."""
LEAST_MARGIN_M = 0.015
"""Where it is already, it may come so near to them."""
STEEPEST = -85.0
_NEARER = (1.0, 0.8, 0.6, 0.45)
_RISES = 10
_DEARER = 1.2
"""How much coming nearer is worse than rising."""


class Sight:
    """What stands in an arena, and how a camera has to stand for the animal to be seen.

    Args:
        mujoco: the module.
        model: the compiled model.
    """

    def __init__(self, mujoco: Any, model: Any) -> None:
        self._mujoco = mujoco
        self._model = model
        standing = (model.body_weldid[model.geom_bodyid] == 0) & (model.geom_rgba[:, 3] > 0)
        self._boxes = np.flatnonzero(standing & (model.geom_type == mujoco.mjtGeom.mjGEOM_BOX))
        hills = standing & (model.geom_type == mujoco.mjtGeom.mjGEOM_HFIELD)
        self._hills = [int(each) for each in np.flatnonzero(hills)]
        self._rise, self._nearer = 0.0, 1.0
        self._at_s: float | None = None

    def forget(self) -> None:
        """The animal is elsewhere: the next camera does not come from where the last one was."""
        self._at_s = None

    def clear_view(
        self, data: Any, animal: NDArray[np.float64], camera: Any, now_s: float
    ) -> tuple[float, float]:
        """The elevation (degrees) and distance (m) at which a free camera sees the animal.

        Args:
            data: MuJoCo's, with places computed.
            animal: (3,) where it is, in metres.
            camera: MuJoCo's, where it was asked to be.
            now_s: the time, for what takes its time.
        """
        asked = float(camera.elevation)
        if not len(self._boxes) and not self._hills:
            return asked, float(camera.distance)
        if self._at_s is None:
            self._rise, self._nearer = 0.0, 1.0
            share = 1.0
        else:
            share = 1.0 - math.exp(-max(now_s - self._at_s, 0.0) / BACK_S)
        self._at_s = now_s
        rises = np.linspace(0.0, min(STEEPEST - asked, 0.0), _RISES)
        ways = sorted(
            ((rise, nearer) for rise in rises for nearer in _NEARER),
            key=lambda way: abs(way[0]) / 60 + _DEARER * (1 - way[1]),
        )
        clear = self._clear(data, animal, camera, ways, MARGIN_M)
        rise, nearer = ways[int(np.argmax(clear))] if clear.any() else (float(rises[-1]), 1.0)
        self._rise += share * (rise - self._rise)
        self._nearer += share * (nearer - self._nearer)
        now = [(self._rise, self._nearer)]
        if not self._clear(data, animal, camera, now, LEAST_MARGIN_M)[0]:
            self._rise, self._nearer = rise, nearer
        return asked + self._rise, float(camera.distance) * self._nearer

    def _clear(
        self,
        data: Any,
        animal: NDArray[np.float64],
        camera: Any,
        ways: list[tuple[float, float]],
        margin_m: float,
    ) -> NDArray[np.bool_]:
        """(ways,) whether nothing lies between the animal and the camera; the first that is True is.

        Args:
            data, animal, camera: as of `clear_view`.
            ways: by how much the camera is higher (degrees) and nearer (a factor) than it was asked to be.
            margin_m: how near the straight line between them may come to a wall.
        """
        rises, nearer = np.array(ways).T
        down, turn = np.radians(camera.elevation + rises), math.radians(camera.azimuth)
        away = -np.stack(
            [np.cos(down) * math.cos(turn), np.cos(down) * math.sin(turn), np.sin(down)], axis=-1
        )
        ends = camera.lookat + camera.distance * nearer[:, None] * away
        farthest = margin_m + float(np.linalg.norm(ends - animal, axis=-1).max())
        clear = np.ones(len(ways), bool)
        for box in self._boxes:
            axes = np.asarray(data.geom_xmat[box]).reshape(3, 3)
            centre, half = data.geom_xpos[box], self._model.geom_size[box]
            start = (animal - centre) @ axes
            if (abs(start) > half + farthest).any():
                continue
            if (abs(start) < half).all():
                continue  # in it: a floor that an animal sinks into a little
            if (abs(start) >= half + margin_m).any():
                half = half + margin_m
            steps = (ends - animal) @ axes
            steps = np.where(abs(steps) < 1e-9, 1e-9, steps)
            reach = np.stack([(-half - start) / steps, (half - start) / steps])
            enters, leaves = reach.min(axis=0).max(axis=-1), reach.max(axis=0).min(axis=-1)
            clear &= (enters > leaves) | (enters > 1.0) | (leaves < 0.0)
        # rays through hills take longer: the first way that is clear is enough
        for k in np.flatnonzero(clear) if self._hills else ():
            clear[k] = not any(
                0 <= self._to_hill(data, hill, animal, ends[k]) <= 1.0 for hill in self._hills
            )
            if clear[k]:
                break
        return clear

    def _to_hill(
        self, data: Any, hill: int, start: NDArray[np.float64], end: NDArray[np.float64]
    ) -> float:
        """After which part of the way from `start` to `end` (m) there is ground; negative: none."""
        return float(self._mujoco.mj_rayHfield(self._model, data, hill, start, end - start))
