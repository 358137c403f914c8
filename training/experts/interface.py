"""What an expert offers to whoever trains or scores with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

Array = np.ndarray
Place = tuple[float, float, float]
"""x and y in m, heading in rad."""


class TaskExpert(Protocol):
    """Labels the states of one animal in one environment of its task.

    `begin` is called after every reset of the environment, `act` then once a tick, before the step, whoever
    drives the animal: an expert may keep a memory of what it has seen, and must cope with the animal not
    having done what it said.

    Attributes:
        weight: how much what `act` said last counts in what the network learns: more than 1 for what is
            seldom done and matters.
    """

    weight: float

    def begin(self, environment: Any) -> None:
        """A new episode: environment is a composer environment that was just reset (new physics)."""

    def act(self) -> Array:
        """What the animal should do now: (actuators,) float64 in [-1, 1]."""

    def cues(self) -> Mapping[str, float]:
        """What the eyes should be able to tell in this state (named in `auxiliary_targets`)."""

    def somewhere(self, rng: np.random.Generator) -> Place | None:
        """A random place on level ground from which there is something to see; None: this task has none."""
