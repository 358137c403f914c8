"""The interface of an expert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

Array = np.ndarray
Pose = tuple[float, float, float]
"""x and y (m) and heading (rad, from the x axis)."""


class TaskExpert(Protocol):
    """Gives the action to imitate in each state of one animal in one environment of its task.

    `begin` is called after every reset of the environment, `act` then once a tick, before the step, whether
    the expert's action is executed or another: an expert may remember what was in view, and must cope with
    the animal not having done what it said.

    Attributes:
        loss_weight: weight of the last action in the imitation loss: more than 1 for what is seldom done
            and matters.
    """

    loss_weight: float

    def begin(self, environment: Any) -> None:
        """A new episode: environment is a composer environment that was just reset (new physics)."""

    def act(self) -> Array:
        """The action for this state: (actuators,) float64 in [-1, 1]."""

    def auxiliary_targets(self) -> Mapping[str, float]:
        """Targets of the vision encoder in this state, by the names in `auxiliary_targets.TARGETS`."""

    def sample_pose(self, rng: np.random.Generator) -> Pose | None:
        """A random place and heading on level ground with something to see; None: this task has none."""
