"""What to do where the animal cannot be drawn: the remedy depends on which way of drawing was asked for."""

from __future__ import annotations

import os

from rig.errors import RunError

_INSTALL = {
    "egl": "install libegl1 and libgl1, or libosmesa6 and set MUJOCO_GL=osmesa",
    "osmesa": "install libosmesa6, or set MUJOCO_GL=egl",
}


def opengl_error(problem: Exception) -> RunError:
    """What is raised where MuJoCo could not be imported, for the want of OpenGL."""
    return RunError(
        f"The animal cannot see: OpenGL does not work here ({problem}); {remedy()}. `rodent-rig doctor` "
        "tells more."
    )


def remedy() -> str:
    """What to do, as the end of a sentence; it names the value of MUJOCO_GL where that is to blame."""
    value = os.environ.get("MUJOCO_GL", "").strip()
    known = _INSTALL.get(value.lower())
    if value and known is None:
        what = f"MUJOCO_GL is set to {value!r}, which does not work without a window"
        return f"{what}: set it to egl, or unset it"
    asked = f"MUJOCO_GL is {value!r}: " if value.lower() == "osmesa" else ""
    return asked + (known or _INSTALL["egl"])
