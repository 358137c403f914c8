"""The body state that detectors read: a vector of named quantities, derived from the physics each tick.

Detectors need no MuJoCo: positions, velocities and orientation of torso, head and paws travel on the bus
with every tick (`Tick`, array `body`), in the order of `NAMES`. Units are metres, seconds and radians;
x, y and z are world axes, forward and lateral are along the animal's heading.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

_PAWS = ("hand_L", "hand_R", "foot_L", "foot_R")
_TOUCH = ("palm_L", "palm_R", "sole_L", "sole_R")

NAMES: tuple[str, ...] = (
    *("torso_x", "torso_y", "torso_z"),
    *("torso_vx", "torso_vy", "torso_vz"),
    *("body_vx", "body_vy", "body_vz"),
    *("forward_speed", "lateral_speed"),
    *("yaw", "yaw_rate", "pitch", "roll", "up"),
    *("head_x", "head_y", "head_z", "head_pitch"),
    *(f"{paw}_{axis}" for paw in _PAWS for axis in "xyz"),
    *(f"touch_{pad}" for pad in _TOUCH),
    "n_contacts",
)
"""`torso_v*` is the velocity of the torso, which swings forth and back within a stride; `body_v*` that
of the whole body's centre of mass, which hardly does, and `forward_speed` and `lateral_speed` are its
parts along and across the animal's heading. `up` is the vertical part of the torso's own vertical axis: 1
upright, 0 on the side, -1 on the back. `touch_*` is the force on a paw's pad (N); `n_contacts` counts all
contacts in the arena."""


class BodyState:
    """Reads `NAMES` from a compiled model's data; made anew whenever the model is."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._torso = model.body("walker/torso").id
        self._head = model.body("walker/skull").id
        self._paws = np.array([model.body(f"walker/{paw}").id for paw in _PAWS])
        self._touch = np.array([model.sensor(f"walker/{pad}").adr[0] for pad in _TOUCH])
        of_body = int(
            model.sensor("walker/torso").adr[0]
        )  # subtreelinvel of the torso: the whole rat
        self._body_velocity = slice(of_body, of_body + 3)
        joint = int(model.body_jntadr[model.body_rootid[self._torso]])
        self._root_velocity = int(model.jnt_dofadr[joint])

    def read(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """The vector at the present state: float64, (len(NAMES),)."""
        frame = data.xmat[self._torso].reshape(3, 3)
        root = self._root_velocity
        body_velocity = data.sensordata[self._body_velocity]
        yaw_rate = float(frame[2] @ data.qvel[root + 3 : root + 6])
        yaw = float(np.arctan2(frame[1, 0], frame[0, 0]))
        ahead = np.array([np.cos(yaw), np.sin(yaw)])
        head = data.xmat[self._head].reshape(3, 3)
        return np.concatenate(
            [
                data.xpos[self._torso],
                data.qvel[root : root + 3],
                body_velocity,
                [
                    ahead @ body_velocity[:2],
                    ahead[0] * body_velocity[1] - ahead[1] * body_velocity[0],
                ],
                [
                    yaw,
                    yaw_rate,
                    np.arcsin(np.clip(frame[2, 0], -1.0, 1.0)),
                    np.arctan2(frame[2, 1], frame[2, 2]),
                    frame[2, 2],
                ],
                data.xpos[self._head],
                [np.arcsin(np.clip(head[2, 0], -1.0, 1.0))],
                data.xpos[self._paws].reshape(-1),
                data.sensordata[self._touch],
                [data.ncon],
            ]
        )
