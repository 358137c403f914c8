"""Getting up: when to make the movement of `training.skills.righting`, and which tick of it comes next."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from rig.body_quantities import FALLEN_BELOW_UP
from training.experts.pose import BodyReader
from training.skills.movement_follower import MovementFollower
from training.skills.search import read_arrays

Array = np.ndarray

STAND_TICKS = 10
"""How many ticks it stands when the movement is over: going straight into the gait, it stumbles."""
PACE_WEIGHT, JUMP_COST, MOST_BEHIND = 0.1, 1.5, 6
"""Of the movement (`MovementFollower`), which goes on for an animal that is half as strong as it is asked to
be: it would lie there in the middle of it for ever."""
BEGUN_TICK = 3
"""One that lies still gets no farther, and is asked for the beginning."""
STUCK_TICKS, UP_ABOVE = 15, 0.7
"""An animal that is up, and has not followed the movement for so long, has got up in another way."""
BEGUN_WITHIN = 0.02
"""Mean square difference of activations from those of the movement, below which an animal is in the middle of
it already."""
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

    It remembers on which side the animal lay when the movement began. The movement goes on as the body
    follows it, and begins in its middle with an animal that has begun by itself.

    Args:
        path: `righting.npz`.
        patience_ticks: how many ticks it has to lie before it gets up; for less it may be rearing, or rolling
            on.
    """

    def __init__(self, path: Path, patience_ticks: int = 0) -> None:
        control = read_arrays(path)["control"]
        self._control = np.concatenate([control, control[:, -1:].repeat(STAND_TICKS, 1)], 1)
        self._patience = patience_ticks
        self.begin()

    def begin(self) -> None:
        """Start an episode: no fall is remembered."""
        self._movement: MovementFollower | None = None
        self._wait, self._lain, self._stuck = 0, 0, 0

    def act(self, body: BodyReader) -> Array | None:
        """Action (actuators,) float64 in [-1, 1] that gets the animal up; None where it is up. Call once a
        tick.

        The animal is up where trunk and pelvis both are: the spine twists far enough for one alone.
        """
        trunk = body.matrix()[2]
        pelvis = body.data.xmat[body.model.body("walker/pelvis").id].reshape(3, 3)[2]
        up = min(trunk[2], pelvis[2])
        self._lain = self._lain + 1 if up <= FALLEN_BELOW_UP else 0
        self._wait = max(self._wait - 1, 0)
        if self._movement is not None:
            action = self._go_on(self._movement, body.activation(), float(trunk[2]), float(up))
            if action is not None:
                return action
            self._movement = None
        if up > FALLEN_BELOW_UP or self._lain <= self._patience:
            return None
        rest = np.asarray(self._control[0, -1])
        tumbling = np.linalg.norm(body.data.cvel[body.torso][:3]) > CALM_RAD_S
        if self._wait or tumbling:
            return rest
        control, activation = self._control[int(trunk[1] < 0)], body.activation()
        self._stuck = 0
        follower = partial(
            MovementFollower,
            control,
            pace_weight=PACE_WEIGHT,
            jump_cost=JUMP_COST,
            jumps_before=PROPPED_TICK,
            most_behind=MOST_BEHIND,
            clock_from=BEGUN_TICK,
        )
        self._movement = follower(rest)
        self._movement.find(activation, PROPPED_TICK, BEGUN_WITHIN)
        if self._movement.tick < 0:
            self._movement = follower(activation)
        return self._movement.next(activation)

    def _go_on(
        self, movement: MovementFollower, activation: Array, trunk_up: float, up: float
    ) -> Array | None:
        """The next action of the movement; None where it is over, or has failed."""
        before, ticks = movement.tick, self._control.shape[1]
        if before >= ticks - 1:
            if up <= FALLEN_BELOW_UP:
                self._wait = REST_TICKS
            return None
        action = movement.next(activation)
        if before < PROPPED_TICK <= movement.tick and trunk_up < PROPPED_ABOVE_UP:
            self._wait = REST_TICKS
            return None
        self._stuck = self._stuck + 1 if movement.tick <= before else 0
        if movement.tick < ticks // 3 and up > RISEN_ABOVE_UP:
            return None
        if self._stuck > STUCK_TICKS and up > UP_ABOVE:
            return None
        return action

    @property
    def busy(self) -> bool:
        """Whether the movement is under way, as of the last `act`."""
        return self._movement is not None
