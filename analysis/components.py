"""Principal components of activity, at once or tick by tick: arrays in, arrays out.

Activity is (ticks, units), float32 or float64; a tick with a value that is not finite counts for nothing.
`fit` takes a whole recording. Where activity keeps coming, `RunningCovariance` takes it in as it comes and
gives components whenever they are asked for; `aligned_to` turns those of now so that their axes are as near
as can be to those of before: a trajectory that is drawn on them does not jump.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.core import Floats

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """Axes in the space of units, and how much of the variance lies along them.

    Attributes:
        mean: (units,), what activity is measured from.
        weight: (units,), what each unit's distance from its mean is multiplied by: 1, or 1 / standard
            deviation where activity is z-scored (0 for a unit that never changes).
        axes: (components, units), orthonormal rows; of principal components the first has most variance, and
            the greatest weight of each is positive.
        covariance: (components, components), of the activity along the axes: diagonal for principal
            components, not where they were turned.
        total_variance: of all units together.
        n_ticks: how much activity they rest on.
    """

    mean: Array
    weight: Array
    axes: Array
    covariance: Array
    total_variance: float
    n_ticks: float

    @property
    def explained(self) -> Array:
        """The share of the variance along each axis, (components,), 0 to 1."""
        return np.diag(self.covariance) / max(self.total_variance, 1e-300)

    def project(self, activity: Floats) -> Array:
        """Activity along the axes: (ticks, components); a tick that is not finite stays NaN."""
        return ((np.asarray(activity, np.float64) - self.mean) * self.weight) @ self.axes.T


class RunningCovariance:
    """Mean and covariance of all units over about the last `memory_ticks` ticks.

    What is older counts less and less, as soon as so many were seen; None: all counts alike for ever.

    >>> running = RunningCovariance(2)
    >>> running.add(np.array([[0.0, 0.0], [2.0, 1.0]]))
    >>> running.add(np.array([[4.0, 2.0]]))
    >>> running.components(1).explained.round(6).tolist()
    [1.0]
    """

    def __init__(self, n_units: int, memory_ticks: int | None = None) -> None:
        self.n = 0.0
        self.mean = np.zeros(n_units)
        self._memory_ticks = memory_ticks
        self._products = np.zeros((n_units, n_units))

    def add(self, activity: Floats) -> None:
        """Takes more activity in, (ticks, units)."""
        activity = np.asarray(activity, np.float64)
        activity = activity[np.isfinite(activity).all(axis=1)]
        n_new = len(activity)
        if n_new == 0:
            return
        if self._memory_ticks is not None and self.n + n_new > self._memory_ticks:
            keep = max(self._memory_ticks - n_new, 0) / max(self.n, 1.0)
            self._products *= keep
            self.n *= keep
        mean = activity.mean(axis=0)
        apart = activity - mean
        step = mean - self.mean
        total = self.n + n_new
        self._products += apart.T @ apart
        self._products += np.outer(step, step) * (self.n * n_new / total)
        self.mean = self.mean + step * (n_new / total)
        self.n = total

    @property
    def covariance(self) -> Array:
        """(units, units), of what was seen."""
        return self._products / max(self.n, 1.0)

    def components(self, n_components: int, z_scored: bool = False) -> Components:
        """The first principal components of what was seen.

        Args:
            n_components: how many, at most as many as there are units.
            z_scored: whether each unit is measured in its own standard deviations, so that all count alike.

        Raises:
            ValueError: there are not so many units, or fewer than two ticks were seen.
        """
        covariance, n_units = self.covariance, len(self.mean)
        if not 1 <= n_components <= n_units:
            raise ValueError(f"{n_units} units have 1 to {n_units} components, not {n_components}")
        if self.n < 2:
            raise ValueError("components need at least two ticks of activity")
        weight = np.ones(n_units)
        if z_scored:
            deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
            varies = deviation > 1e-6 * np.maximum(np.abs(self.mean), 1e-6)
            weight = np.divide(1.0, deviation, where=varies, out=np.zeros(n_units))
            covariance = covariance * np.outer(weight, weight)
        values, vectors = np.linalg.eigh(covariance)
        axes = vectors[:, ::-1][:, :n_components].T.copy()
        greatest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        axes *= np.where(greatest < 0, -1.0, 1.0)
        along = np.maximum(values[::-1][:n_components], 0.0)
        return Components(
            self.mean.copy(), weight, axes, np.diag(along), float(np.trace(covariance)), self.n
        )


def fit(activity: Floats, n_components: int, z_scored: bool = False) -> Components:
    """The first principal components of activity, (ticks, units).

    >>> along = np.linspace(-1.0, 1.0, 50)[:, None]
    >>> found = fit(along * [[3.0, 4.0]], 2)
    >>> found.axes[0].round(3).tolist(), found.explained.round(3).tolist()
    ([0.6, 0.8], [1.0, 0.0])

    Args:
        activity: at least two ticks that are finite.
        n_components: how many, at most as many as there are units.
        z_scored: whether each unit is measured in its own standard deviations, so that all count alike.

    Raises:
        ValueError: there are not so many units, or not two such ticks.
    """
    running = RunningCovariance(activity.shape[1])
    running.add(activity)
    return running.components(n_components, z_scored)


def aligned_to(components: Components, former: Components) -> Components:
    """The same space, its axes turned or mirrored to be as near as can be to former ones (Procrustes).

    The axes are no longer principal ones where they had to be turned; `explained` says what lies along them
    as they are, and its sum stays what it was.

    >>> one = fit(np.eye(3)[[0, 1, 2, 0]] * [4.0, 2.0, 1.0], 2)
    >>> flipped = replace(one, axes=-one.axes)
    >>> bool(np.allclose(aligned_to(flipped, one).axes, one.axes))
    True

    Args:
        components: those of now.
        former: those of before, of as many axes and units.

    Raises:
        ValueError: they have other numbers of axes or units.
    """
    if components.axes.shape != former.axes.shape:
        raise ValueError(
            f"axes of shape {components.axes.shape} cannot be aligned to axes of shape {former.axes.shape}"
        )
    left, _, right = np.linalg.svd(former.axes @ components.axes.T)
    turn = left @ right
    return replace(
        components, axes=turn @ components.axes, covariance=turn @ components.covariance @ turn.T
    )
