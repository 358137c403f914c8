"""Tangling of trajectories (Russo et al. 2018): whether like states are followed by unlike changes.

Q of a moment is the largest, over all other moments, of the squared difference of the changes over that of
the states plus a constant: it is high where trajectories cross or reverse, which a population that made them
by its own dynamics alone could not do. States are the first eight principal components, smoothed with a
Gaussian of 40 ms: differences from tick to tick of a noisy signal are mostly noise. Q is in 1/s².
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from analysis.rotations import project, rates_of_change

Array = np.ndarray

COMPONENTS = 8
SMOOTHING_S = 0.04
SOFTENING = 0.1
"""The constant, as a part of the mean squared size of the states."""
MOMENTS = 400
"""Of an episode, evenly spaced: all pairs of them are compared."""


def tangling(states: Array, changes: Array) -> Array:
    """Q of every moment, (moments,).

    On a circle like states have like changes; where a figure eight crosses itself they do not.

    >>> t = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    >>> circle, eight = np.stack([np.cos(t), np.sin(t)], 1), np.stack([np.cos(t), np.sin(2 * t)], 1)
    >>> q = [tangling(x, np.gradient(x, t, axis=0)).max() for x in (circle, eight)]
    >>> bool(q[1] > 10 * q[0])
    True

    Args:
        states: (moments, components).
        changes: (moments, components) per second.
    """
    softening = SOFTENING * float((states**2).sum(1).mean())
    return (_squared_distances(changes) / (_squared_distances(states) + softening)).max(1)


def _squared_distances(points: Array) -> Array:
    size = (points**2).sum(1)
    return np.maximum(size[:, None] + size - 2 * points @ points.T, 0)


def tangling_of(parts: Sequence[Array], rate_hz: float) -> list[tuple[Array, Array]]:
    """The rows at which Q was taken, and Q at each, of every episode.

    Args:
        parts: each (ticks, variables), in units that are alike (z-scores).
        rate_hz: ticks per second.
    """
    smooth = [
        gaussian_filter1d(np.asarray(part, np.float64), SMOOTHING_S * rate_hz, axis=0)
        for part in parts
    ]
    _, scores = project(smooth, COMPONENTS)
    found = []
    for part in scores:
        rows = np.unique(np.linspace(0, len(part) - 3, min(MOMENTS, len(part) - 2)).round())
        rows = rows.astype(np.int64)
        found.append((rows + 1, tangling(part[rows + 1], rates_of_change(part, rate_hz)[rows])))
    return found
