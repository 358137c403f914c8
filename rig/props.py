"""The props of an arena: what its task moves, or lets look otherwise, during a trial; to read and to show.

`qpos` is the animal's alone. Two-tap's orb gets another texture with each touch and another place after the
second, an orb of the maze is transparent once it was collected: fields of the compiled model, which follow
neither from the episode's model as text nor from `qpos`. They travel with every tick (`Tick`, array
`props`), whole, so that a display that has lost ticks, or comes late, is right with the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS: tuple[str, ...] = ("x", "y", "z", "texture", "alpha")
"""A prop's place (m, world axes), the number of the texture that its material shows (in the order of the
episode's XML, from 0; -1: none), and how opaque that is (0 cannot be seen, 1 is solid)."""

_RGB = (
    1  # mujoco.mjtTextureRole.mjTEXROLE_RGB, without importing it: that fails without GL libraries
)


class Props:
    """Reads the props of a compiled model; made anew whenever the model is.

    `names` are those of their geoms, in the order in which they are read.
    """

    def __init__(self, model: Any, geoms: Sequence[int]) -> None:
        self.names: tuple[str, ...] = tuple(str(model.geom(geom).name) for geom in geoms)
        self._model = model
        self._geoms = np.array(geoms, np.int64)
        self._materials = model.geom_matid[self._geoms]

    def read(self, data: Any) -> NDArray[np.float64]:
        """How they are now: float64, (props, `COLUMNS`)."""
        found = np.empty((len(self._geoms), len(COLUMNS)))
        if len(found):
            found[:, :3] = data.geom_xpos[self._geoms]
            found[:, 3] = self._model.mat_texid[self._materials, _RGB]
            found[:, 4] = self._model.mat_rgba[self._materials, 3]
        return found


def show(model: Any, data: Any, names: Sequence[str], values: NDArray[np.float64]) -> None:
    """Lets the props of a model that is drawn be as they were read; to be called after its kinematics.

    What does not fit the model is passed over: a message or a file may claim anything.
    """
    if values.shape != (len(names), len(COLUMNS)):
        return
    for name, (x, y, z, texture, alpha) in zip(names, values.tolist(), strict=True):
        try:
            geom = model.geom(name).id
        except KeyError:
            continue
        data.geom_xpos[geom] = x, y, z
        material = model.geom_matid[geom]
        if material >= 0:
            model.mat_rgba[material, 3] = alpha
            if -1 <= texture < model.ntex:
                model.mat_texid[material, _RGB] = int(texture)
