"""A leap out of the run, as a table: what is added to the gait, tick by tick, from a phase of the stride on.

Left and right do the same. At every knot the table says how far each joint is moved from the stand and how
much of the gait is left on, hind and fore: a trot that goes on sets a hind paw down every half stride, about
7 cm, and no wider gap is crossed without leaving it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.skills.gait import sided
from training.skills.search import read_arrays, write_arrays

Array = np.ndarray

JOINTS = (
    "hip_extend", "knee", "ankle", "shoulder", "elbow", "wrist", "scapula_extend",
    "lumbar_extend", "cervical_extend",
)  # fmt: skip
"""What moves; limb joints on both sides alike."""
N_KNOTS, TICKS_PER_KNOT = 9, 3
LEAP_TICKS = (N_KNOTS - 1) * TICKS_PER_KNOT
N_PARAMETERS = N_KNOTS * (len(JOINTS) + 2) + 1
"""Per knot the joints, the gait's share behind and in front; and how far before the edge the leap begins."""
BEFORE_M = (0.02, 0.32)
FORELIMB = ("scapula", "shoulder", "elbow", "wrist", "finger")


@dataclass(frozen=True)
class RunningLeap:
    """A leap from one stride to the next.

    Attributes:
        added: (LEAP_TICKS, actuators) added to the control signals.
        share: (LEAP_TICKS, actuators) of the gait that is left on, 0 to 1; the rest is the stand.
        before_m: how far before the near edge the animal's root is at the first tick.
    """

    added: Array
    share: Array
    before_m: float

    def control(self, tick: int, gait: Array, stand: Array) -> Array:
        """Control signals (actuators,) at a tick of the leap.

        Args:
            tick: 0 to LEAP_TICKS - 1.
            gait: (actuators,) what the gait would do.
            stand: (actuators,) the gait's mean.
        """
        kept = self.share[tick]
        return np.asarray(np.clip(kept * gait + (1 - kept) * stand + self.added[tick], -1, 1))

    def save(self, path: Path, **more: Array) -> None:
        """Write the leap, and `more` arrays beside it; `load` reads the leap."""
        write_arrays(
            path, added=self.added, share=self.share, before_m=np.array(self.before_m), **more
        )


def load(path: Path) -> RunningLeap:
    """The leap that `RunningLeap.save` wrote."""
    saved = read_arrays(path)
    return RunningLeap(saved["added"], saved["share"], float(saved["before_m"]))


def leap_of(parameters: Array, actuators: Mapping[str, int]) -> RunningLeap:
    """The leap that one candidate (N_PARAMETERS,) stands for; `actuators` maps names to indices."""
    values = parameters[:-1].reshape(N_KNOTS, len(JOINTS) + 2)
    time, knots = np.arange(LEAP_TICKS) / TICKS_PER_KNOT, np.arange(N_KNOTS)
    added, share = (np.zeros((LEAP_TICKS, len(actuators))) for _ in range(2))
    for joint, column in zip(JOINTS, values.T, strict=False):
        for name in (joint,) if joint in actuators else (sided(joint, side) for side in "LR"):
            added[:, actuators[name]] += np.interp(time, knots, column)
    hind, fore = (np.clip(np.interp(time, knots, column), 0, 1) for column in values.T[-2:])
    for name, index in actuators.items():
        share[:, index] = fore if name.startswith(FORELIMB) else hind
    before = float(np.clip(0.13 + 0.08 * parameters[-1], *BEFORE_M))
    return RunningLeap(added, share, before)
