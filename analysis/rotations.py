"""Rotations in the activity of a population: flow fields, and jPCA (Churchland et al. 2012).

jPCA looks in the first six principal components for the planes in which activity turns most steadily: of all
skew-symmetric matrices M it takes the one with which x M is nearest to the change of x per second, by least
squares. The eigenvalues of M are pairs ±iω; each pair is a plane and its frequency, ω / 2π.

The frequency is exact where orbits are circles. In an ellipse it is lower than that of the revolutions, as a
skew matrix knows circles only; so is that of activity which rests between its turns.

Of surrogates there are two kinds. In one the principal components' phases are drawn anew, each by itself:
covariance and power spectra stay, and what makes a rotation, that one component follows another, is gone.
The other keeps means and covariances over time, components and stretches of 4 s, and is otherwise as random
as can be (`analysis.tensor_entropy`): so Elsayed and Cunningham (2017) ask whether a rotation is a finding
of its own. A rotation is held against both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_sylvester

from analysis.components import Components, RunningCovariance
from analysis.resampling import phase_randomised
from analysis.tensor_entropy import tensor_entropy

Array = np.ndarray

COMPONENTS = 6
STRETCH_S = 4.0
"""Of the surrogates of maximum entropy: a turn or more of all that is faster than a quarter Hz."""


@dataclass(frozen=True)
class Moments:
    """What jPCA needs of an episode: sums over its ticks.

    Attributes:
        state: (n, n), of products of the components.
        change: (n, n), of products of the components with their change per second.
        change_size: of squared changes.
        ticks: how many.
    """

    state: Array
    change: Array
    change_size: float
    ticks: int

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.state + other.state,
            self.change + other.change,
            self.change_size + other.change_size,
            self.ticks + other.ticks,
        )


@dataclass(frozen=True)
class Rotation:
    """Planes of rotation, the fastest first.

    Attributes:
        planes: (planes, n, 2), two orthonormal axes of each in the space of the components; it turns from
            the first to the second.
        hz: (planes,) revolutions per second.
        variance: (planes,) share of the variance of all units that lies in each, 0 to 1.
        r2: the share of the changes that the skew-symmetric matrix explains, 0 to 1.
        r2_any: the same of any matrix.
    """

    planes: Array
    hz: Array
    variance: Array
    r2: float
    r2_any: float


def rates_of_change(part: Array, rate_hz: float) -> Array:
    """The change per second at every tick but the first and last, (ticks - 2, ...), from both neighbours."""
    return (part[2:] - part[:-2]) * (rate_hz / 2)


def project(parts: Sequence[Array], n: int = COMPONENTS) -> tuple[Components, list[Array]]:
    """The first principal components of episodes (ticks, units), and each episode along them."""
    running = RunningCovariance(parts[0].shape[1])
    for part in parts:
        running.add(part)
    components = running.components(min(n, parts[0].shape[1]))
    return components, [components.project(part) for part in parts]


def moments_of(scores: Array, rate_hz: float) -> Moments:
    """The sums of one episode.

    Args:
        scores: (ticks, components).
        rate_hz: ticks per second.
    """
    change, state = rates_of_change(scores, rate_hz), scores[1:-1]
    return Moments(state.T @ state, state.T @ change, float((change**2).sum()), len(state))


def rotation_of(moments: Moments, rate_hz: float, total_variance: float) -> Rotation:
    """jPCA of the sums of episodes.

    Args:
        moments: of all of them.
        rate_hz: ticks per second.
        total_variance: of all units together, per tick.

    Raises:
        ValueError: the components do not vary.
    """
    a, b = moments.state, moments.change
    if moments.change_size <= 0:
        raise ValueError("rotations of something that does not vary")
    a = a + 1e-9 * np.trace(a) / len(a) * np.eye(len(a))
    skew = solve_sylvester(a, a, b - b.T)
    skew = (skew - skew.T) / 2
    values, vectors = np.linalg.eig(skew.T)
    order = [k for k in np.argsort(-values.imag) if values[k].imag > 0][: len(a) // 2]
    planes, hz, variance = [], [], []
    for k in order:
        first, second = vectors[:, k].imag, vectors[:, k].real
        first = first / max(np.linalg.norm(first), 1e-300)
        second = second - first * (first @ second)
        second = second / max(np.linalg.norm(second), 1e-300)
        axes = np.stack([first, second], axis=1)
        planes.append(axes)
        # differences of neighbours see sin(ω dt) / dt
        turned = np.arcsin(min(1.0, values[k].imag / rate_hz)) * rate_hz
        hz.append(turned / (2 * np.pi))
        variance.append(np.trace(axes.T @ moments.state @ axes) / moments.ticks / total_variance)
    anything = np.linalg.solve(a, b)
    return Rotation(
        np.array(planes),
        np.array(hz),
        np.array(variance),
        _explained(skew, a, b, moments.change_size),
        _explained(anything, a, b, moments.change_size),
    )


def _explained(matrix: Array, a: Array, b: Array, size: float) -> float:
    return float((2 * np.trace(matrix.T @ b) - np.trace(matrix.T @ a @ matrix)) / size)


def summed(moments: Sequence[Moments], chosen: Sequence[int]) -> Moments:
    """The sums of some episodes, each as often as it is named."""
    total = moments[chosen[0]]
    for k in chosen[1:]:
        total = total + moments[k]
    return total


def surrogate_r2(
    scores: Sequence[Array], rate_hz: float, shuffles: int, seed: int = 0
) -> list[float]:
    """`Rotation.r2` of surrogates in which no component follows another.

    Args:
        scores: of each episode (ticks, components), principal components.
        rate_hz: ticks per second.
        shuffles: how many.
        seed: of the phases.
    """
    random = np.random.default_rng(seed)
    found = []
    for _ in range(shuffles):
        made = [moments_of(phase_randomised(part, random), rate_hz) for part in scores]
        found.append(rotation_of(summed(made, range(len(made))), rate_hz, 1.0).r2)
    return found


def stretches(scores: Sequence[Array], rate_hz: float) -> Array:
    """Episodes (ticks, components) in stretches of 4 s: (ticks, components, stretches).

    What is over is left out. Where no episode is so long, each is one, cut to the shortest.
    """
    lengths = [len(part) for part in scores]
    n = round(STRETCH_S * rate_hz)
    if max(lengths) < n:
        n = min(lengths)
    found = [part[k : k + n] for part in scores for k in range(0, len(part) - n + 1, n)]
    return np.stack(found, axis=2)


def entropy_r2(
    scores: Sequence[Array], rate_hz: float, shuffles: int, seed: int = 0
) -> list[float]:
    """`Rotation.r2` of surrogates of maximum entropy, with the means and covariances of the data.

    Args:
        scores: of each episode (ticks, components), principal components.
        rate_hz: ticks per second.
        shuffles: how many.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    distribution = tensor_entropy(stretches(scores, rate_hz))
    found = []
    for _ in range(shuffles):
        made = distribution.draw(random)
        n = made.shape[1]
        state = np.moveaxis(made[1:-1], 1, -1).reshape(-1, n)
        change = np.moveaxis(rates_of_change(made, rate_hz), 1, -1).reshape(-1, n)
        sums = Moments(state.T @ state, state.T @ change, float((change**2).sum()), len(state))
        found.append(rotation_of(sums, rate_hz, 1.0).r2)
    return found


@dataclass(frozen=True)
class FlowField:
    """Mean change per second over a plane, in bins.

    Attributes:
        x: (bins,) their centres.
        y: (bins,) their centres.
        change: (bins y, bins x, 2) per second; NaN where there were too few ticks.
        ticks: (bins y, bins x) how many there were.
    """

    x: Array
    y: Array
    change: Array
    ticks: Array


def flow_field(
    parts: Sequence[Array], rate_hz: float, bins: int = 14, least_ticks: int = 10
) -> FlowField:
    """The flow field of trajectories in a plane, over the inner 98 % of each axis.

    >>> t = np.arange(3000) / 50
    >>> circle = np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=1)
    >>> field = flow_field([circle], 50, bins=3)
    >>> field.change[1, 2].round().tolist()  # at the right it goes up
    [-0.0, 6.0]

    Args:
        parts: of each episode (ticks, 2).
        rate_hz: ticks per second.
        bins: along each axis.
        least_ticks: bins with fewer are left out.
    """
    place = np.concatenate([part[1:-1] for part in parts])
    change = np.concatenate([rates_of_change(part, rate_hz) for part in parts])
    low, high = np.quantile(place, (0.01, 0.99), axis=0)
    edges = [np.linspace(low[k], high[k], bins + 1) for k in (0, 1)]
    at = np.stack([np.digitize(place[:, k], edges[k]) - 1 for k in (0, 1)], axis=1)
    inside = ((at >= 0) & (at < bins)).all(1)
    flat = at[inside, 1] * bins + at[inside, 0]
    ticks = np.bincount(flat, minlength=bins * bins)
    total = np.stack(
        [np.bincount(flat, change[inside, k], minlength=bins * bins) for k in (0, 1)], axis=1
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(ticks[:, None] >= least_ticks, total / ticks[:, None], np.nan)
    centres = [(each[1:] + each[:-1]) / 2 for each in edges]
    return FlowField(centres[0], centres[1], mean.reshape(bins, bins, 2), ticks.reshape(bins, bins))
