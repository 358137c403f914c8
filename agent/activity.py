"""Activity of a network's units at one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

NAMES = ("c_natural", "h_natural", "c_applied", "h_applied")
"""Its arrays, in order: as the network computed them, and after interventions."""


@dataclass(frozen=True)
class Activity:
    """Activity of all units at one step, layers one after the other; each (units,) float32."""

    c_natural: Array
    h_natural: Array
    c_applied: Array
    h_applied: Array

    def arrays(self) -> dict[str, Array]:
        """The arrays by name, in the order of `NAMES`."""
        return {name: getattr(self, name) for name in NAMES}
