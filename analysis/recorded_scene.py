"""A recorded trial that can be drawn: its arena, and the animal in the postures that it had."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.reading import Recording
from recorder.tables import Trial
from rig.camera_sight import Sight
from rig.camera_target import CameraTarget
from rig.errors import RunError
from rig.opengl import remedy
from rig.props import show

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""


class RecordedScene:
    """The compiled model of a trial, and a camera in it that follows the animal.

    Args:
        recording: which has the arena.
        trial: whose arena it is.
        size: of the pictures: width and height, pixels.
        view: the camera's azimuth and elevation in degrees, and its distance, m.

    Raises:
        RunError: there is no OpenGL here.
    """

    def __init__(
        self,
        recording: Recording,
        trial: Trial,
        size: tuple[int, int],
        view: tuple[float, float, float] = (128.0, -22.0, 0.62),
    ) -> None:
        width, height = size
        self._view = view
        if sys.platform == "linux":
            os.environ.setdefault("MUJOCO_GL", "egl")
        files = {name: content.tobytes() for name, content in recording.assets.items()}
        try:
            import mujoco

            self._mujoco = mujoco
            self._model = mujoco.MjModel.from_xml_string(recording.model_xml(trial), files)
            self._data = mujoco.MjData(self._model)
            screen = self._model.vis.global_
            screen.offwidth, screen.offheight = width, height
            self._renderer: Any = mujoco.Renderer(self._model, height, width)
        except Exception as problem:  # MuJoCo raises many kinds where there is no GL
            reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise RunError(
                f"The animal cannot be drawn on this machine ({reason}); {remedy()}."
            ) from None
        self._options = mujoco.MjvOption()
        self._options.geomgroup[1:3] = 0  # collision shapes under the skin
        self._options.sitegroup[:] = 0
        self._props = recording.model_props(trial)
        kind = mujoco.mjtObj.mjOBJ_BODY
        self._animal = max(1, mujoco.mj_name2id(self._model, kind, "walker/torso"))
        self._target = CameraTarget()
        self._sight = Sight(mujoco, self._model)
        self._then_s = 0.0

    def draw(
        self,
        qpos: NDArray[np.float64],
        props: NDArray[np.float64] | None,
        now_s: float,
        height_m: float | None = None,
    ) -> Picture:
        """The animal in this posture, orbs and the like as they were.

        The camera comes after it smoothly; with `height_m` it looks straight at it, always at
        this height.
        """
        mujoco = self._mujoco
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        if props is not None:
            show(self._model, self._data, self._props, props)
        place = np.array(self._data.xpos[self._animal])
        if height_m is None:
            looked_at = self._target.follow(place, now_s - self._then_s)
        else:
            looked_at = np.array([place[0], place[1], height_m])
        self._then_s = now_s
        camera = mujoco.MjvCamera()
        camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        camera.azimuth, camera.elevation, camera.distance = self._view
        camera.lookat[:] = looked_at
        camera.elevation, camera.distance = self._sight.clear_view(self._data, place, camera, now_s)
        self._renderer.update_scene(self._data, camera, self._options)
        picture: Picture = self._renderer.render()
        return picture

    def close(self) -> None:
        """Frees the GL context."""
        self._renderer.close()
