"""The animal's body as experts read it, out of one environment's physics."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


REARING = 0.6
"""The upward part of the trunk's forward axis from which an animal rears."""


class BodyReader:
    """Reads the rodent in a composer environment that has just been reset.

    Views into MuJoCo's memory: make a new one after every reset, because the model is compiled anew.
    """

    def __init__(self, environment: Any) -> None:
        physics = environment.physics
        self.model, self.data = physics.model.ptr, physics.data.ptr
        self.torso = self.model.body("walker/torso").id
        self.head = self.model.body("walker/skull").id
        self.hands = [self.model.body(f"walker/hand_{side}").id for side in "LR"]
        self._act = np.asarray(self.model.actuator_actadr)
        self.actuators = {
            self.model.actuator(i).name.split("/")[1]: i for i in range(self.model.nu)
        }

    def activation(self) -> Array:
        """(actuators,) activations."""
        return self.data.act[self._act]

    def place_m(self) -> Array:
        """(3,) the trunk's position."""
        return self.data.xpos[self.torso]

    def matrix(self) -> Array:
        """(3, 3) the trunk's orientation: columns are its forward, left and up axes in the world."""
        return self.data.xmat[self.torso].reshape(3, 3)

    def heading_rad(self) -> float:
        """Where the trunk points in the horizontal plane."""
        matrix = self.matrix()
        return float(np.arctan2(matrix[1, 0], matrix[0, 0]))

    def upright(self) -> float:
        """The upward part of the trunk's own upward axis: 1 upright, -1 on its back."""
        return float(self.matrix()[2, 2])

    def forward_speed_m_s(self) -> float:
        """Speed of the centre of mass along the heading."""
        velocity = self.data.subtree_linvel[self.torso]
        heading = self.heading_rad()
        return float(velocity[0] * np.cos(heading) + velocity[1] * np.sin(heading))

    def bearing_rad(self, point: Array) -> float:
        """Direction (n >= 2 numbers: x, y) relative to the heading, to the left positive, in +-pi."""
        there = point[:2] - self.place_m()[:2]
        angle = np.arctan2(there[1], there[0]) - self.heading_rad()
        return float((angle + np.pi) % (2 * np.pi) - np.pi)
