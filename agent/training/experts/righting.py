"""Getting up: the movement of `agent.training.righting`, locked to the animal's own progress in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent.training import righting
from agent.training.experts.locomotion import _KEPT_PER_TICK as KEPT_PER_TICK
from agent.training.experts.pose import BodyReader

Array = np.ndarray

SLACK_TICKS = 3
"""How far the animal's progress, as its muscles show it, may correct the count of ticks at each tick."""
RISEN = 0.9
"""So upright before a third of the movement, the animal got up in another way, and need not make it."""


class Righting:
    """What to do while fallen, for one animal.

    It remembers on which side the animal fell and about how long ago: as much as the animal can. How far the
    movement has come is then read off the muscles: of the ticks about where it should be, the one whose
    activations, after their 40 ms lag, are most like the present ones. So an animal that hesitates
    is told to begin, and not to go on in the middle.

    Args:
        path: `righting.npz`.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as saved:
            self._control = saved["control"]
        lagged = np.zeros_like(self._control)
        for tick in range(1, lagged.shape[1]):
            before, said = lagged[:, tick - 1], self._control[:, tick - 1]
            lagged[:, tick] = KEPT_PER_TICK * before + (1 - KEPT_PER_TICK) * said
        self._lagged = lagged
        self.begin()

    def begin(self) -> None:
        """A new episode: no fall is remembered."""
        self._tick, self._side = -1, 0

    def act(self, body: BodyReader) -> Array | None:
        """Action (actuators,) that gets the animal up; None where it is up. Once a tick."""
        up = body.matrix()[2]
        ticks = self._control.shape[1]
        risen_early = self._tick < ticks // 3 and up[2] > RISEN
        if self._tick < 0 or self._tick >= ticks - 1 or risen_early:
            self._tick = -1
            if up[2] > righting.FALLEN:
                return None
            self._side = int(up[1] < 0)
            self._tick = 0
        else:
            self._tick += 1
            low = max(self._tick - SLACK_TICKS, 0)
            near = self._lagged[self._side, low : self._tick + SLACK_TICKS + 1]
            misfit = ((near - body.activation()) ** 2).sum(1)
            self._tick = min(low + int(misfit.argmin()), ticks - 1)
        return self._control[self._side, self._tick]

    @property
    def busy(self) -> bool:
        """Whether the movement is under way, as of the last `act`."""
        return self._tick >= 0
