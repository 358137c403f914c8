"""The animal's body as experts read it, out of one environment's physics."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


REARING = 0.6
"""Upward part of the trunk's forward axis above which an animal rears."""


class BodyReader:
    """Reads the rodent of a composer environment out of MuJoCo's memory.

    Make a new one after every reset, because the model is compiled anew. Arrays are views, float64.

    Args:
        environment: a composer environment that was just reset.

    Attributes:
        model, data: MuJoCo's.
        torso, head: body numbers.
        actuators: index of each actuator in an action, by name.
    """

    def __init__(self, environment: Any) -> None:
        physics = environment.physics
        self.model, self.data = physics.model.ptr, physics.data.ptr
        self.torso = self.model.body("walker/torso").id
        self.head = self.model.body("walker/skull").id
        self._act = np.asarray(self.model.actuator_actadr)
        self.actuators = {
            self.model.actuator(i).name.split("/")[1]: i for i in range(self.model.nu)
        }

    def activation(self) -> Array:
        """Activations (actuators,) of the muscles, in [-1, 1]."""
        return self.data.act[self._act]

    def place_m(self) -> Array:
        """Position (3,) of the trunk."""
        return self.data.xpos[self.torso]

    def matrix(self) -> Array:
        """Orientation (3, 3) of the trunk: its forward, left and up axes in the world, as columns."""
        return self.data.xmat[self.torso].reshape(3, 3)

    def heading_rad(self) -> float:
        """Heading of the trunk in the horizontal plane, from the x axis."""
        matrix = self.matrix()
        return float(np.arctan2(matrix[1, 0], matrix[0, 0]))

    def upright(self) -> float:
        """Upward part of the trunk's own up axis: 1 upright, 0 on a side, -1 on its back."""
        return float(self.matrix()[2, 2])

    def forward_speed_m_s(self) -> float:
        """Speed of the centre of mass along the heading; negative backwards."""
        velocity = self.data.subtree_linvel[self.torso]
        heading = self.heading_rad()
        return float(velocity[0] * np.cos(heading) + velocity[1] * np.sin(heading))

    def bearing_rad(self, point: Array) -> float:
        """Direction of a point (its x and y in m first) from the heading, left positive, within +-pi."""
        there = point[:2] - self.place_m()[:2]
        angle = np.arctan2(there[1], there[0]) - self.heading_rad()
        return float((angle + np.pi) % (2 * np.pi) - np.pi)
