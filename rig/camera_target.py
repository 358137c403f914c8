"""The point that a camera which follows the animal looks at."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FOLLOW_S = 0.25
"""Its time constant: the bounce of each stride is smoothed away, and it does not lag behind a steady run."""


class CameraTarget:
    """Follows an animal: it goes on at its own speed, and both are corrected (an alpha-beta filter).

    >>> target = CameraTarget()
    >>> for step in range(100):
    ...     looked_at = target.follow(np.array([0.02 * step, 0.0, 0.05]), past_s=0.02)
    >>> bool(abs(looked_at[0] - 0.02 * 99) < 0.001)  # m, at 1 m/s
    True
    """

    def __init__(self) -> None:
        self._place: NDArray[np.float64] | None = None
        self._velocity = np.zeros(3)

    def off(self, place: NDArray[np.float64]) -> float:
        """How far it is from a place, m; infinite where it has looked at nothing yet."""
        return math.inf if self._place is None else float(np.linalg.norm(place - self._place))

    def jump(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Looks there at once, (3,) m, as where a trial begins."""
        self._place, self._velocity = np.array(place), np.zeros(3)
        return self._place

    def follow(self, place: NDArray[np.float64], past_s: float) -> NDArray[np.float64]:
        """Where it looks now, (3,) m.

        Args:
            place: (3,) of the animal, m.
            past_s: the time since the call before.
        """
        if self._place is None:
            return self.jump(place)
        kept = math.exp(-past_s / FOLLOW_S)
        expected = self._place + self._velocity * past_s
        error = place - expected
        if past_s > 0:
            self._velocity += (1 - kept) ** 2 / past_s * error  # critically damped
        self._place = expected + (1 - kept**2) * error
        return self._place
