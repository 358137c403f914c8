"""Statistics of activity that are needed on line and off line: arrays in, arrays out.

Activity is (ticks, units). Spans and moments are rows of it, never seconds: whoever calls knows which rows
belong together. Sources: Merel & Aldarondo et al. (ICLR 2020), section 3.5 and figures 7, 10 and 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

Rows: TypeAlias = tuple[int, int]
"""From the first row up to, not including, the second."""


def z_scored(activity: Floats) -> Floats:
    """Each unit's activity (ticks, units) minus its mean, in its standard deviations, as float32.

    A unit that never changes is 0 throughout.
    """
    mean = activity.mean(0, dtype=np.float64)
    deviation = activity.std(0, dtype=np.float64)
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6)  # beyond what rounding leaves
    scale = np.divide(1.0, deviation, where=varies, out=np.zeros_like(deviation))
    return ((activity - mean) * scale).astype(np.float32)


def modulation(activity: Floats, spans: Sequence[Rows]) -> NDArray[np.float64]:
    """How strongly each unit is modulated during a behaviour: (units,), in standard deviations.

    The paper ranks units "according to the degree of modulation of their z-scored activity during the
    performance of these behaviors" (section 3.5), and shows modulation as "absolute averaged z-scored
    activity" at each time of a behaviour (figure 10; figure 7 alike). So: activity z-scored over all of
    `activity`, aligned at the beginning of each performance, averaged over performances at each tick
    since then, absolute; and of that the mean over the ticks of a performance of median duration (so
    that no tick rests on fewer than half of the performances). A unit that first rises and then falls
    is modulated, one that differs from performance to performance is not.

    Args:
        activity: (ticks, units), the behaviour and enough else to tell it from.
        spans: the rows of each performance; at least one, none empty.
    """
    z = z_scored(activity)
    starts = np.array([start for start, _ in spans])
    lengths = np.array([stop - start for start, stop in spans])
    ticks = int(np.median(lengths))
    total = np.zeros(activity.shape[1])
    for since in range(ticks):
        total += np.abs(z[starts[lengths > since] + since].mean(0, dtype=np.float64))
    return total / ticks


def ranking(modulated: Floats) -> NDArray[np.int64]:
    """The units from the most to the least modulated: (units,) int64. Equals keep their order."""
    return np.argsort(-modulated, kind="stable").astype(np.int64)


def mean_during(activity: Floats, spans: Sequence[Rows]) -> NDArray[np.float32]:
    """Each unit's mean over all ticks of these spans together: (units,); there is at least one tick.

    The paper inactivates units by clamping them "to the mean values between the first and second taps".
    """
    rows = np.unique(np.concatenate([np.arange(start, stop) for start, stop in spans]))
    return activity[rows].mean(0, dtype=np.float64).astype(np.float32)


def aligned(activity: Floats, moments: Sequence[int], before: int, after: int) -> Floats:
    """Activity around each moment: (moments, before + after, units).

    Row `before` of each window is the moment itself; every window lies within `activity`.
    """
    window = np.arange(-before, after)
    return activity[np.asarray(moments, np.int64)[:, None] + window]


def template(
    activity: Floats, moments: Sequence[int], before: int, after: int
) -> NDArray[np.float32]:
    """The average trajectory around these moments: (before + after, units), as `aligned` has them.

    The paper activates units by overwriting their cell state "with the average time-varying trajectory
    of neural activity measured during natural performance of a target behavior".
    """
    return aligned(activity, moments, before, after).mean(0, dtype=np.float64).astype(np.float32)
