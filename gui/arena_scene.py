"""A compiled episode that can be drawn: the animal in its arena, seen by a camera that follows it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QImage

from rig.props import show

FOLLOW_S = 0.25
"""Time constant with which the camera follows the animal; smooths the bounce of each stride away."""


_STEP_M = 0.04
_GROUND_STEPS = np.array([[0.0, 0.0, 0.0], [_STEP_M, 0.0, 0.0], [0.0, _STEP_M, 0.0]])
_TRUNK_M = 0.03
"""The middle of the trunk lies so far behind the body that the camera follows."""
_SHADOW = ((1.15, 0.2), (0.95, 0.22), (0.8, 0.24), (0.65, 0.26), (0.5, 0.26))
"""The spot's layers: how large, how dark."""


@dataclass(frozen=True)
class View:
    """Where the camera is, seen from the animal: degrees and metres, and the picture's size in pixels."""

    azimuth: float = 128.0
    elevation: float = -22.0
    distance: float = 0.62
    width: int = 480
    height: int = 360


class Scene:
    """A compiled episode with its GL context; lives and dies in the renderer's thread.

    Args:
        xml, assets: its model, and the files that it names.
        props: the geoms of `rig.bus.message_types.Episode.props`.
    """

    def __init__(self, xml: str, assets: dict[str, bytes], props: tuple[str, ...] = ()) -> None:
        import mujoco  # here, because without GL libraries the import itself fails

        self.xml = xml
        self._props = props
        self._mujoco = mujoco
        self._model = mujoco.MjModel.from_xml_string(xml, assets)
        self._model.vis.quality.offsamples = 0 if (os.cpu_count() or 1) <= 4 else 4
        self._model.vis.quality.shadowsize = 1
        self._data = mujoco.MjData(self._model)
        self._renderer: Any = None
        self._size = (0, 0)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[1:3] = 0  # collision shapes under the skin
        self._options.sitegroup[:] = 0
        self._animal = self._find_animal()
        self._target: NDArray[np.float64] | None = None
        self._posed_at = 0.0

    def _find_animal(self) -> int:
        """The body to follow: the torso, or the first that moves freely."""
        mujoco, model = self._mujoco, self._model
        torso = int(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, "walker/torso"))
        if torso >= 0:
            return torso
        free = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE)
        return int(model.jnt_bodyid[free[0]]) if len(free) else min(1, model.nbody - 1)

    def pose(
        self, qpos: NDArray[np.float64], props: NDArray[np.float64] | None, jump: bool
    ) -> bool:
        """Puts the animal and the props there; False if the state belongs to another model."""
        if len(qpos) != self._model.nq:
            return False
        self._data.qpos[:] = qpos
        self._mujoco.mj_kinematics(self._model, self._data)
        self._mujoco.mj_comPos(self._model, self._data)
        self._mujoco.mj_camlight(self._model, self._data)
        if props is not None:
            show(self._model, self._data, self._props, props)
        place = np.array(self._data.xpos[self._animal])
        now = time.monotonic()
        if self._target is None or jump or np.linalg.norm(place - self._target) > 0.6:
            self._target = place
        else:
            self._target += (place - self._target) * (
                1.0 - np.exp((self._posed_at - now) / FOLLOW_S)
            )
        self._posed_at = now
        return True

    def fit(self, view: View, scale: float) -> None:
        """Makes pictures `scale` times as large as the view asks for, from now on."""
        size = (max(64, int(view.width * scale)), max(48, int(view.height * scale)))
        if size != self._size:
            self._resize(*size)

    def draw(self, view: View) -> QImage:
        """The picture."""
        mujoco = self._mujoco
        camera = mujoco.MjvCamera()
        camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        camera.azimuth, camera.elevation = view.azimuth, view.elevation
        camera.distance = view.distance
        camera.lookat[:] = self._target
        self._renderer.update_scene(self._data, camera, self._options)
        self._add_shadow()
        pixels = self._renderer.render()
        height, width, _ = pixels.shape
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        return image.convertToFormat(QImage.Format.Format_RGB32)

    def _add_shadow(self) -> None:
        """A soft dark spot on the ground below the trunk: without it the animal seems to float."""
        mujoco, scene = self._mujoco, self._renderer.scene
        place = np.array(self._data.xpos[self._animal])
        ground = [self._below(place + step) for step in _GROUND_STEPS]
        if ground[0] is None or scene.ngeom + len(_SHADOW) > scene.maxgeom:
            return
        height = max(place[2] - ground[0], 0.0)
        slopes = [
            0.0 if level is None or abs(level - ground[0]) > 0.05 else (level - ground[0]) / _STEP_M
            for level in ground[1:]
        ]
        up = np.array([-slopes[0], -slopes[1], 1.0])
        up /= np.linalg.norm(up)
        along = np.array(self._data.xmat[self._animal]).reshape(3, 3)[:, 0]
        along = along - up * (along @ up)
        length = np.linalg.norm(along)
        along = along / length if length > 0.1 else np.array([1.0, 0.0, 0.0])
        turn = np.stack([along, np.cross(up, along), up], axis=1)
        middle = np.array([place[0], place[1], ground[0]]) - _TRUNK_M * along
        for layer, (size, darkness) in enumerate(_SHADOW):
            darkness *= float(np.exp(-max(height - 0.05, 0.0) / 0.1))
            mujoco.mjv_initGeom(
                scene.geoms[scene.ngeom],
                mujoco.mjtGeom.mjGEOM_ELLIPSOID,
                np.array([0.11 * size, 0.05 * size, 0.0004]),
                middle + up * (0.001 + 0.0005 * layer),
                turn.flatten(),
                np.array([0.0, 0.0, 0.0, darkness], np.float32),
            )
            scene.ngeom += 1

    def _below(self, place: NDArray[np.float64]) -> float | None:
        """The height of the arena below a place; None where there is nothing."""
        mujoco = self._mujoco
        hit = np.zeros(1, np.int32)
        groups = np.array([1, 0, 0, 0, 0, 0], np.uint8)  # the arena's own; the animal's are others
        down = np.array([0.0, 0.0, -1.0])
        depth = mujoco.mj_ray(self._model, self._data, place, down, groups, 1, self._animal, hit)
        return None if depth < 0 else float(place[2] - depth)

    def close(self) -> None:
        """Frees the GL context."""
        if self._renderer is not None:
            # makes its GL context the current one; another scene would lose its picture otherwise
            self._renderer.render()
            self._renderer.close()
            self._renderer = None

    def _resize(self, width: int, height: int) -> None:
        self.close()
        self._model.vis.global_.offwidth = width
        self._model.vis.global_.offheight = height
        self._renderer = self._mujoco.Renderer(self._model, height, width)
        flags = self._mujoco.mjtRndFlag
        self._renderer.scene.flags[flags.mjRND_SHADOW] = 0
        self._renderer.scene.flags[flags.mjRND_REFLECTION] = 0
        self._size = (width, height)
