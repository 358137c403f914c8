"""Getting up: when to make the movement of `training.skills.righting`, and which tick of it comes next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rig.body_quantities import FALLEN_BELOW_UP
from training.experts.pose import BodyReader

Array = np.ndarray

STAND_TICKS = 10
"""How many ticks it stands when the movement is over: going straight into the gait, it stumbles."""
PROPPED_TICK, PROPPED_ABOVE_UP = 39, 0.3
"""By then the trunk has to be this upright, ahead of the pelvis, or the movement begins anew."""
REST_TICKS = 8
"""How many ticks it relaxes to the standing posture after a failure, so that the next attempt starts from
rest."""
CALM_RAD_S = 5.0
"""While the trunk turns faster than this, it is still tumbling, and waits in the standing posture."""
RISEN_ABOVE_UP = 0.9
"""So upright before a third of the movement, the animal got up in another way, and need not make it."""


class Righting:
    """Actions of one animal while it is fallen.

    It remembers on which side the animal lay when the movement began, and how many ticks ago that was.
    Progress cannot be read off the activations, as `Locomotion` does it: where the movement holds a posture,
    successive ticks have the same activations.

    Args:
        path: `righting.npz`.
        patience_ticks: how many ticks it has to lie before it gets up; for less it may be rearing, or rolling
            on.
    """

    def __init__(self, path: Path, patience_ticks: int = 0) -> None:
        with np.load(path, allow_pickle=False) as saved:
            control = saved["control"]
        self._control = np.concatenate([control, control[:, -1:].repeat(STAND_TICKS, 1)], 1)
        self._patience = patience_ticks
        self.begin()

    def begin(self) -> None:
        """Start an episode: no fall is remembered."""
        self._tick, self._side, self._wait, self._lain = -1, 0, 0, 0

    def act(self, body: BodyReader) -> Array | None:
        """Action (actuators,) float64 in [-1, 1] that gets the animal up; None where it is up. Call once a
        tick.

        The animal is up where trunk and pelvis both are: the spine twists far enough for one alone.
        """
        trunk = body.matrix()[2]
        pelvis = body.data.xmat[body.model.body("walker/pelvis").id].reshape(3, 3)[2]
        up = min(trunk[2], pelvis[2])
        ticks = self._control.shape[1]
        self._lain = self._lain + 1 if up <= FALLEN_BELOW_UP else 0
        self._tick = self._tick + 1 if self._tick >= 0 else -1
        self._wait = max(self._wait - 1, 0)
        risen_early = 0 < self._tick < ticks // 3 and up > RISEN_ABOVE_UP
        failed = self._tick == PROPPED_TICK and trunk[2] < PROPPED_ABOVE_UP
        if failed or (self._tick >= ticks and up <= FALLEN_BELOW_UP):
            self._wait = REST_TICKS
        if self._tick < 0 or self._tick >= ticks or risen_early or failed:
            self._tick = -1
            if up > FALLEN_BELOW_UP or self._lain <= self._patience:
                return None
            tumbling = np.linalg.norm(body.data.cvel[body.torso][:3]) > CALM_RAD_S
            if self._wait or tumbling:
                return np.asarray(self._control[0, -1])
            self._side, self._tick = int(trunk[1] < 0), 0
        return np.asarray(self._control[self._side, self._tick])

    @property
    def busy(self) -> bool:
        """Whether the movement is under way, as of the last `act`."""
        return self._tick >= 0
