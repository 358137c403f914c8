"""Which targets are touched, found in one pass over the contacts instead of one pass per target.

dm_control lets each target scan all contacts in Python after each of the 20 substeps of a tick: 12.7 ms a
tick in the maze. Here the task looks once, with NumPy, and calls a target's own scan only where that target
is in a contact at all; what counts as a touch is still decided by dm_control's code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from dm_control.locomotion.props import target_sphere


class _Patient:
    """A target that looks at the contacts when it is asked to."""

    def after_substep(self, physics: Any, random_state: np.random.RandomState) -> None:
        """Nothing: the task calls `look` where there is a contact."""

    def look(self, physics: Any) -> None:
        """dm_control's own scan."""
        self._update_activation(physics)  # type: ignore[attr-defined]

    @property
    def geom_id(self) -> int:
        """The sphere's geom in the compiled model."""
        return int(self._geom_id)  # type: ignore[attr-defined]


class Target(_Patient, target_sphere.TargetSphere):
    """A sphere of the maze."""


class TwoTapTarget(_Patient, target_sphere.TargetSphereTwoTouch):
    """The orb of two-touch."""


def look_once(physics: Any, targets: Iterable[Target | TwoTapTarget]) -> None:
    """Let those targets look at the contacts that are in one."""
    pairs = physics.data.ptr.contact.geom
    touched = set(pairs.ravel().tolist())
    for target in targets:
        if target.geom_id in touched:
            target.look(physics)
