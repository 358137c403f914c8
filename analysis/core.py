"""Statistics of activity that are needed on line and off line: arrays in, arrays out.

Activity is (ticks, units), float32 or float64. Spans and moments are rows of it, never seconds: whoever calls
knows which rows belong together. Sources: Merel & Aldarondo et al. (ICLR 2020), section 3.5 and figures 7, 10
and 12.
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
    """Each unit's activity minus its mean, in its standard deviations: (ticks, units) float32.

    A unit that never changes is 0 throughout.

    >>> z_scored(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    mean = activity.mean(0, dtype=np.float64)
    deviation = activity.std(0, dtype=np.float64)
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6)  # beyond what rounding leaves
    scale = np.divide(1.0, deviation, where=varies, out=np.zeros_like(deviation))
    return ((activity - mean) * scale).astype(np.float32)


def modulation(activity: Floats, spans: Sequence[Rows]) -> NDArray[np.float64]:
    """How strongly each unit is modulated during a behaviour: (units,) float64, in standard deviations.

    The paper ranks units "according to the degree of modulation of their z-scored activity during the
    performance of these behaviors" (section 3.5), and shows modulation as "absolute averaged z-scored
    activity" at each time of a behaviour (figure 10; figure 7 alike). So: activity z-scored over all of
    `activity`, aligned at the beginning of each performance, averaged over performances at each tick
    since then, absolute; and of that the mean over the ticks of a performance of median duration (so
    that no tick rests on fewer than half of the performances). A unit that first rises and then falls
    is modulated, one that differs from performance to performance is not.

    >>> activity = np.zeros((40, 2))
    >>> activity[10:14, 0] = activity[30:34, 0] = 1.0
    >>> modulation(activity, [(10, 14), (30, 34)]).round(2).tolist()
    [2.0, 0.0]

    Args:
        activity: (ticks, units), the behaviour and enough else to compare it with.
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
    """The units from the most to the least modulated: (units,) int64. Equals keep their order.

    >>> ranking(np.array([0.5, 2.0, 0.5, 3.0])).tolist()
    [3, 1, 0, 2]
    """
    return np.argsort(-modulated, kind="stable").astype(np.int64)


def mean_during(activity: Floats, spans: Sequence[Rows]) -> NDArray[np.float32]:
    """Each unit's mean over all ticks of these spans together: (units,) float32; at least one tick.

    The paper inactivates units by clamping them "to the mean values between the first and second taps".

    >>> mean_during(np.array([[1.0], [2.0], [9.0], [3.0]]), [(0, 2), (1, 2), (3, 4)]).tolist()
    [2.0]
    """
    rows = np.unique(np.concatenate([np.arange(start, stop) for start, stop in spans]))
    return activity[rows].mean(0, dtype=np.float64).astype(np.float32)


def aligned(activity: Floats, moments: Sequence[int], before: int, after: int) -> Floats:
    """Activity around each moment: (moments, before + after, units), of the dtype of `activity`.

    >>> activity = np.arange(10.0)[:, None]
    >>> aligned(activity, [3, 7], before=1, after=2)[..., 0].tolist()
    [[2.0, 3.0, 4.0], [6.0, 7.0, 8.0]]

    Args:
        activity: (ticks, units).
        moments: rows of it; every window lies within it.
        before: ticks ahead of each moment; the moment itself is in row `before` of its window.
        after: ticks from the moment on.
    """
    window = np.arange(-before, after)
    return activity[np.asarray(moments, np.int64)[:, None] + window]


def template(
    activity: Floats, moments: Sequence[int], before: int, after: int
) -> NDArray[np.float32]:
    """The average trajectory around these moments: (before + after, units) float32.

    The paper activates units by overwriting their cell state "with the average time-varying trajectory
    of neural activity measured during natural performance of a target behavior".

    >>> template(np.arange(10.0)[:, None], [3, 7], before=1, after=2)[:, 0].tolist()
    [4.0, 5.0, 6.0]

    Args:
        activity: (ticks, units).
        moments: rows of it; every window lies within it.
        before: ticks ahead of each moment.
        after: ticks from the moment on.
    """
    return aligned(activity, moments, before, after).mean(0, dtype=np.float64).astype(np.float32)
