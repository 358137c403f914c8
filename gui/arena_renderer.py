"""Draws the arena from streamed state, in a thread of its own, without ever being in anybody's way.

The model of an episode comes as text with its meshes and textures, the animal's posture as `qpos`; MuJoCo
turns them into a picture offscreen (EGL). The thread runs at low priority, draws only the newest posture,
at most `MAX_RATE_HZ` times a second and for at most a part of the time, and draws smaller where the
machine is slow: the same machine runs the animal.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QImage

MAX_RATE_HZ = 15.0
MAX_DUTY = 0.34 if (os.cpu_count() or 1) <= 4 else 0.6
SLOW_FRAME_S = 0.045
FAST_FRAME_S = 0.03
SCALES = (1.0, 0.75, 0.55, 0.4)
FOLLOW_S = 0.25
"""Time constant with which the camera follows the animal; smooths the bounce of each stride away."""


@dataclass(frozen=True)
class View:
    """Where the camera is, seen from the animal: degrees and metres, and the picture's size in pixels."""

    azimuth: float = 128.0
    elevation: float = -22.0
    distance: float = 0.62
    width: int = 480
    height: int = 360


class ArenaRenderer(QObject):
    """The thread. `rendered` carries a `QImage`; `unavailable` one sentence, after which it has ended."""

    rendered = pyqtSignal(QImage)
    unavailable = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self._change = threading.Condition()
        self._assets: dict[str, bytes] | None = None
        self._xml: str | None = None
        self._qpos: NDArray[np.float64] | None = None
        self._view = View()
        self._wanted = False
        self._dirty = False
        self._jump = True
        self._closing = False
        self._shown = threading.Event()
        self._shown.set()
        self.frame_s = 0.0
        self.scale = SCALES[0]
        self._thread = threading.Thread(target=self._work, name="arena renderer", daemon=True)

    def start(self) -> None:
        """Begins to wait for something to draw."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and waits for it."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._shown.set()
        if self._thread.is_alive():
            self._thread.join(3.0)

    def set_assets(self, arrays: Mapping[str, NDArray[np.uint8]]) -> None:
        """The files that the models of this session are compiled from."""
        self._set(_assets={name: bytes(array) for name, array in arrays.items()})

    def set_episode(self, xml: str) -> None:
        """The model of the present episode."""
        self._set(_xml=xml, _jump=True)

    def set_posture(self, qpos: NDArray[np.float64]) -> None:
        """The newest state; one that was not drawn yet is forgotten."""
        self._set(_qpos=qpos)

    def set_view(self, view: View) -> None:
        """Where to look from, how large."""
        self._set(_view=view)

    def set_wanted(self, wanted: bool) -> None:
        """Whether anybody can see the picture; nothing is drawn otherwise."""
        self._set(_wanted=wanted)

    def picture_shown(self) -> None:
        """To be called when a picture has been taken over: only then the next one is drawn."""
        self._shown.set()

    def _set(self, **values: Any) -> None:
        with self._change:
            for name, value in values.items():
                setattr(self, name, value)
            self._dirty = True
            self._change.notify()

    def _work(self) -> None:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 12)
        scene: _Scene | None = None
        try:
            while self._wait():
                self._shown.clear()
                started = time.monotonic()
                with self._change:
                    assets, xml, qpos, view = self._assets, self._xml, self._qpos, self._view
                    jump, self._jump, self._dirty = self._jump, False, False
                if assets is None or xml is None or qpos is None:
                    self._shown.set()
                    continue
                if scene is None or scene.xml is not xml:
                    if scene is not None:
                        scene.close()
                    scene = _Scene(xml, assets)
                if not scene.pose(qpos, jump):
                    self._shown.set()
                    continue
                # The thread's own time: how busy the machine is with other things must not blur the picture.
                scene.fit(view, self.scale)
                drawing = time.thread_time()
                image = scene.draw(view)
                self._adapt(time.thread_time() - drawing)
                self.rendered.emit(image)
                busy = time.monotonic() - started
                pause = max(1.0 / MAX_RATE_HZ - busy, busy * (1.0 / MAX_DUTY - 1.0))
                time.sleep(min(pause, 1.0))
        except Exception as problem:  # whatever GL says: the rest of the window goes on without it
            self.unavailable.emit(
                "The arena cannot be drawn here, because OpenGL (EGL) is not available: "
                f"{type(problem).__name__}: {problem}. `rodent-rig doctor` says what to install; "
                "everything else in this window works without it."
            )
        finally:
            if scene is not None:
                scene.close()

    def _wait(self) -> bool:
        """Waits until there is something to draw and somebody to see it; False when it is all over."""
        self._shown.wait()
        with self._change:
            self._change.wait_for(lambda: self._closing or (self._wanted and self._dirty))
            return not self._closing

    def _adapt(self, frame_s: float) -> None:
        """Chooses the resolution by what pictures cost here, slowly."""
        self.frame_s += (frame_s - self.frame_s) * (0.15 if self.frame_s else 1.0)
        level = SCALES.index(self.scale)
        if self.frame_s > SLOW_FRAME_S and level + 1 < len(SCALES):
            self._rescale(SCALES[level + 1])
        elif level > 0 and self.frame_s * (SCALES[level - 1] / self.scale) ** 2 < FAST_FRAME_S:
            self._rescale(SCALES[level - 1])

    def _rescale(self, scale: float) -> None:
        self.frame_s *= (scale / self.scale) ** 2
        self.scale = scale


class _Scene:
    """A compiled episode with its GL context; lives and dies in the renderer's thread."""

    def __init__(self, xml: str, assets: dict[str, bytes]) -> None:
        import mujoco  # here, because without GL libraries the import itself fails

        self.xml = xml
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

    def pose(self, qpos: NDArray[np.float64], jump: bool) -> bool:
        """Puts the animal there; False if the state belongs to another model."""
        if len(qpos) != self._model.nq:
            return False
        self._data.qpos[:] = qpos
        self._mujoco.mj_kinematics(self._model, self._data)
        self._mujoco.mj_comPos(self._model, self._data)
        self._mujoco.mj_camlight(self._model, self._data)
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
        pixels = self._renderer.render()
        height, width, _ = pixels.shape
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        return image.convertToFormat(QImage.Format.Format_RGB32)

    def close(self) -> None:
        """Frees the GL context."""
        if self._renderer is not None:
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
