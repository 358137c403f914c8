"""A compiled episode that can be drawn: the animal in its arena, seen by a camera that follows it."""

from __future__ import annotations

import cmath
import math
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QImage

from gui.arena.arena_drawing import Paws, add_shadow, add_trail, words_in
from gui.arena.arena_marks import Marks
from rig.camera_sight import Sight
from rig.camera_target import CameraTarget
from rig.props import show

TURN_S = 0.5
"""Time constant with which the camera behind the animal turns with it."""
EYE = "walker/egocentric"
"""The camera of the animal's eye."""
MODES = ("orbit", "follow", "top", "eye")
"""Ways of looking: from a fixed side, from behind, from above, and as the animal does."""


@dataclass(frozen=True)
class View:
    """Where the camera is, seen from the animal: degrees and metres, and the picture's size in pixels.

    `mode` is one of `MODES`. Where it follows, `azimuth` counts from the animal's heading; in the animal's
    eye only the size matters.
    """

    azimuth: float = 128.0
    elevation: float = -22.0
    distance: float = 0.62
    width: int = 480
    height: int = 360
    mode: str = "orbit"


FIRST_VIEWS = {
    "orbit": View(),
    "follow": View(azimuth=0.0, elevation=-18.0, distance=0.55, mode="follow"),
    "top": View(azimuth=90.0, elevation=-89.0, distance=1.1, mode="top"),
    "eye": View(mode="eye"),
}
"""How each way of looking begins."""


class ModelError(Exception):
    """The model of an episode cannot be compiled; another one may be."""


class Scene:
    """A compiled episode with its GL context; lives and dies in the renderer's thread.

    Args:
        xml, assets: its model, and the files that it names.
        props: the geoms of `rig.bus.message_types.Episode.props`.

    Raises:
        ModelError: it cannot be compiled.
    """

    def __init__(self, xml: str, assets: dict[str, bytes], props: tuple[str, ...] = ()) -> None:
        import mujoco  # here, because without GL libraries the import itself fails

        self.xml = xml
        self._props = props
        self._mujoco = mujoco
        try:
            self._model = mujoco.MjModel.from_xml_string(xml, assets)
        except Exception as problem:  # a recording may hold anything as its model
            said = " ".join(str(problem).split())
            raise ModelError(f"its model cannot be compiled: {said}") from problem
        self._model.vis.quality.offsamples = 0 if (os.cpu_count() or 1) <= 4 else 4
        self._model.vis.quality.shadowsize = 1
        self._data = mujoco.MjData(self._model)
        self._renderer: Any = None
        self._size = (0, 0)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[1:3] = 0  # collision shapes under the skin
        self._options.sitegroup[:] = 0
        self._animal = self._find_animal()
        self._eye = int(mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_CAMERA, EYE))
        self._paws = Paws(mujoco, self._model)
        self._sight = Sight(mujoco, self._model)
        self._target = CameraTarget()
        self._looked_at = np.zeros(3)
        self._heading = 0j
        self._posed_at = 0.0
        self.words: tuple[tuple[float, float, str, float], ...] = ()
        """What is to be written over the picture that was drawn last, as `arena_drawing.words_in` has it."""

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
        if jump or self._target.off(place) > 0.6:
            self._looked_at = self._target.jump(place)
            self._heading = self._ahead()
            self._paws.forget()
            self._sight.forget()
        else:
            past_s = now - self._posed_at
            self._looked_at = self._target.follow(place, past_s)
            self._heading += (self._ahead() - self._heading) * (1.0 - np.exp(-past_s / TURN_S))
        self._posed_at = now
        return True

    def _ahead(self) -> complex:
        """Where the animal points, on the ground: the longer the more level it is."""
        forward = self._data.xmat[self._animal]
        return complex(forward[0], forward[3])

    def fit(self, view: View, scale: float) -> None:
        """Makes pictures `scale` times as large as the view asks for, from now on."""
        size = (max(64, int(view.width * scale)), max(48, int(view.height * scale)))
        if size != self._size:
            self._resize(*size)

    def draw(self, view: View, marks: Marks | None = None) -> QImage:
        """The picture, with these marks in it; in the animal's eye there are none, and no shadow."""
        mujoco = self._mujoco
        camera = mujoco.MjvCamera()
        seen = view.mode == "eye" and self._eye >= 0
        if seen:
            camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
            camera.fixedcamid = self._eye
        else:
            turn = math.degrees(cmath.phase(self._heading)) if view.mode == "follow" else 0.0
            camera.type = mujoco.mjtCamera.mjCAMERA_FREE
            camera.azimuth, camera.elevation = view.azimuth + turn, view.elevation
            # a camera's angle is that of its height: in a picture higher than wide the animal would not fit
            camera.distance = view.distance * max(1.0, self._size[1] / self._size[0])
            camera.lookat[:] = self._looked_at
            place = np.array(self._data.xpos[self._animal])
            camera.elevation, camera.distance = self._sight.clear_view(
                self._data, place, camera, self._posed_at
            )
        self._renderer.update_scene(self._data, camera, self._options)
        scene = self._renderer.scene
        self.words = ()
        if not seen:
            add_shadow(mujoco, scene, self._model, self._data, self._animal)
            if marks is not None:
                add_trail(mujoco, scene, marks)
                if marks.contacts:
                    self._paws.add_to(scene, self._model, self._data, marks.tick)
                self.words = words_in(scene, marks, self._size[0] / self._size[1])
        pixels = self._renderer.render()
        height, width, _ = pixels.shape
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        return image.convertToFormat(QImage.Format.Format_RGB32)

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
