"""Where the gaps of a corridor are, read off its compiled model."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray


def gaps_of(
    model: mujoco.MjModel, data: mujoco.MjData
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the gaps begin and end, (n,) each, in m along the corridor, in order.

    The arena's first "gap" has no width, and is left out.
    """
    floors = [
        i
        for i in range(model.ngeom)
        if model.geom(i).name.split("/")[-1].startswith(("start_floor", "floor_"))
    ]
    begin = np.array([data.geom_xpos[i, 0] - model.geom_size[i, 0] for i in floors])
    end = np.array([data.geom_xpos[i, 0] + model.geom_size[i, 0] for i in floors])
    order = begin.argsort()
    near, far = end[order][:-1], begin[order][1:]
    wide = far - near > 0.001
    return near[wide], far[wide]
