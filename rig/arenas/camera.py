"""What the animal sees: the 64x64 camera between its eyes, from MuJoCo's renderer.

`stock` quality is dm_control's picture, pixel for pixel. `fast` leaves out shadows, reflections and
antialiasing, which take nineteen twentieths of the time under software rendering; in the corridor the
picture differs by about one grey level on average. `soft` keeps shadows, from a small shadow map: nearly
the stock picture at a quarter of its time, for training. `unculled` is `fast` as MuJoCo alone draws it, all
of a height field every time; `fast` draws only what can be seen of one (`rig.arenas.culling`). Their
pictures are the same but for a pixel in about a million, so a session's record says which it had, and those
from before culling are run again with `unculled`. None changes the model: what a rendering context needs of
it is set while the context is made and put back at once.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from rig.arenas.culling import CulledHeightField
from rig.arenas.names import CAMERA_QUALITIES, CameraQuality
from rig.opengl import remedy

Array = np.ndarray
Quality = CameraQuality

SIZE = 64
SOFT_SHADOW_MAP = 256
CAMERA = "walker/egocentric"
_PLAIN: tuple[Quality, ...] = ("fast", "unculled")
"""Without shadows, reflections and antialiasing."""
_HIDDEN_GROUPS = (1, 2)
"""The animal's own cosmetic and collision geoms, which it does not see (as in dm_control)."""


class CameraUnavailableError(RuntimeError):
    """This machine cannot render: one sentence that says so and what to do."""


def _context(model: mujoco.MjModel, quality: Quality) -> tuple[Any, mujoco.MjrContext]:
    """A rendering context; the model is as it was when this returns."""
    visual, quality_of = model.vis.global_, model.vis.quality
    kept = (visual.offwidth, visual.offheight, quality_of.offsamples, quality_of.shadowsize)
    try:
        if quality != "stock":
            visual.offwidth = visual.offheight = SIZE
            quality_of.offsamples = 0
            quality_of.shadowsize = 0 if quality in _PLAIN else SOFT_SHADOW_MAP
        window = mujoco.GLContext(visual.offwidth, visual.offheight)
        window.make_current()
        return window, mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150)
    except Exception as error:  # every back end has error types of its own
        raise CameraUnavailableError(
            "this machine cannot render the animal's view (OpenGL: "
            f"{type(error).__name__}: {error}); {remedy()}"
        ) from error
    finally:
        visual.offwidth, visual.offheight, quality_of.offsamples, quality_of.shadowsize = kept


class EgocentricCamera:
    """The animal's view of one compiled model.

    Args:
        model: the compiled model.
        data: its state; read at each `render`.
        quality: "fast", "unculled", "stock" or "soft".

    Raises:
        CameraUnavailableError: there is no OpenGL here.
        ValueError: the quality is not known.
    """

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, quality: Quality = "fast"
    ) -> None:
        if quality not in CAMERA_QUALITIES:
            known = ", ".join(CAMERA_QUALITIES)
            raise ValueError(f"camera quality is one of {known}, not {quality!r}")
        self._model, self.data = model, data
        self._window, self._renderer = _context(model, quality)
        self._scene = mujoco.MjvScene(model, maxgeom=2000)
        self._options = mujoco.MjvOption()
        self._options.flags[mujoco.mjtVisFlag.mjVIS_RANGEFINDER] = 0
        for group in _HIDDEN_GROUPS:
            self._options.geomgroup[group] = 0
        self._perturb = mujoco.MjvPerturb()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = model.camera(CAMERA).id
        if quality in _PLAIN:
            self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
            self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        # shadow maps show a field to the lights as well: only without them the view alone decides
        fields = range(model.nhfield) if quality == "fast" else ()
        self._fields = [CulledHeightField(model, self._renderer, field) for field in fields]
        self._view = mujoco.MjrRect(0, 0, SIZE, SIZE)
        self._pixels = np.empty((SIZE, SIZE, 3), np.uint8)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._renderer)

    def render(self, data: mujoco.MjData | None = None) -> Array:
        """The view now, (64, 64, 3) uint8, of `data` or of the data given at first."""
        self._window.make_current()
        mujoco.mjv_updateScene(
            self._model,
            self.data if data is None else data,
            self._options,
            self._perturb,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        if self._fields:
            self._cull()
        mujoco.mjr_render(self._view, self._scene, self._renderer)
        mujoco.mjr_readPixels(self._pixels, None, self._view, self._renderer)
        return self._pixels[::-1].copy()

    def _cull(self) -> None:
        """Leave the parts of height fields that this picture will not show out of it."""
        geoms = [self._scene.geoms[number] for number in range(self._scene.ngeom)]
        geoms = [geom for geom in geoms if geom.type == mujoco.mjtGeom.mjGEOM_HFIELD]
        for field, drawn in enumerate(self._fields):
            drawn.cull(self._scene, [geom for geom in geoms if geom.dataid == field])

    def close(self) -> None:
        """Give the rendering context back."""
        # OpenGL frees by number in whichever context is current: another camera's would lose its own
        self._window.make_current()
        self._renderer.free()
        self._window.free()
