"""Puts the animal of a composer environment somewhere else, as it stands."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from training.experts.pose import BodyReader


def place_animal(environment: Any, x_m: float, y_m: float, heading_rad: float) -> None:
    """Move the animal, right after a reset, keeping its posture.

    Args:
        environment: a composer environment.
        x_m: of the body's root.
        y_m: of the body's root.
        heading_rad: from the x axis.
    """
    physics = environment.physics
    half = (heading_rad - BodyReader(environment).heading_rad()) / 2
    with physics.reset_context():
        qpos = physics.data.qpos
        qpos[:2] = x_m, y_m
        turned = np.zeros(4)
        about = np.array([np.cos(half), 0.0, 0.0, np.sin(half)])
        mujoco.mju_mulQuat(turned, about, np.array(qpos[3:7]))
        qpos[3:7] = turned
