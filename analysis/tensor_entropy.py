"""Surrogates that keep means and covariances over time, variables and conditions (Elsayed & Cunningham 2017).

Of all distributions of a tensor (time, variables, conditions) whose three covariances are, on average, those
of the data, the one of maximum entropy: what a statistic is beyond these moments is not to be found in its
draws. It is Gaussian; along the products of the three covariances' eigenvectors its parts are independent,
with variances 1 / (a_i + b_j + c_k), where the multipliers a, b and c are such that the sums of variances
over two of the dimensions are the eigenvalues of the third's covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Array = np.ndarray

SMALLEST = 1e-8
"""Of the largest eigenvalue: what is smaller counts as no variance."""
TOLERANCE = 1e-6
ITERATIONS = 200


@dataclass(frozen=True)
class TensorEntropy:
    """The distribution of maximum entropy.

    Attributes:
        mean: (time, variables, conditions), the sum of the means along each dimension.
        axes: of each dimension (n, kept) the eigenvectors of its covariance.
        deviation: (kept, kept, kept) standard deviations along their products.
    """

    mean: Array
    axes: tuple[Array, Array, Array]
    deviation: Array

    def draw(self, random: np.random.Generator) -> Array:
        """A surrogate, (time, variables, conditions)."""
        made = self.deviation * random.standard_normal(self.deviation.shape)
        for k, axes in enumerate(self.axes):
            made = np.moveaxis(np.tensordot(axes, made, (1, k)), 0, k)
        return made + self.mean


def tensor_entropy(data: Array) -> TensorEntropy:
    """The distribution of maximum entropy with the moments of the data.

    Args:
        data: (time, variables, conditions).

    Raises:
        ValueError: nothing varies but the means.
    """
    data = np.asarray(data, np.float64)
    mean = sum(data.mean(others, keepdims=True) for others in ((1, 2), (0, 2), (0, 1)))
    apart = data - (mean - 2 * data.mean())
    axes, values = [], []
    for k in range(3):
        unfolded = np.moveaxis(apart, k, 0).reshape(data.shape[k], -1)
        value, vectors = np.linalg.eigh(unfolded @ unfolded.T)
        kept = value > SMALLEST * value[-1]
        if value[-1] <= 1e-12 * max(1.0, float((data**2).sum())):
            raise ValueError("a tensor in which nothing varies but the means")
        axes.append(vectors[:, kept])
        values.append(value[kept])
    total = values[0].sum()  # the same of all, but for what was left out
    variance = 1 / _summed(multipliers([each * (total / each.sum()) for each in values]))
    return TensorEntropy(data - apart, (axes[0], axes[1], axes[2]), np.sqrt(variance))


def multipliers(values: Sequence[Array]) -> list[Array]:
    """a, b and c with which 1 / (a_i + b_j + c_k) adds up to these eigenvalues: (kept,) of each dimension.

    They minimise sum(a * values) + … - sum(log(a_i + b_j + c_k)), which is convex: by Newton's method, with
    steps halved until they lead down.

    >>> found = multipliers([np.array([2.0, 1.0]), np.array([2.5, 0.5]), np.array([3.0])])
    >>> (1 / _summed(found)).sum((1, 2)).round(4).tolist()
    [2.0, 1.0]

    Args:
        values: the eigenvalues, all positive, of three covariances of the same trace.
    """
    sizes = [len(each) for each in values]
    count = int(np.prod(sizes))
    found = [count / size / each / 3 for size, each in zip(sizes, values, strict=True)]
    wanted = np.concatenate(values)
    ends = np.cumsum([0, *sizes])
    parts = [slice(a, b) for a, b in pairwise(ends)]
    for _ in range(ITERATIONS):
        variance = 1 / _summed(found)
        sums = [variance.sum(tuple({0, 1, 2} - {k})) for k in range(3)]
        gradient = wanted - np.concatenate(sums)
        if np.abs(gradient / wanted).max() < TOLERANCE:
            break
        square = variance**2
        hessian = np.zeros((ends[-1], ends[-1]))
        for k in range(3):
            hessian[parts[k], parts[k]] = np.diag(square.sum(tuple({0, 1, 2} - {k})))
            for m in range(k + 1, 3):
                both = square.sum(3 - k - m)
                hessian[parts[k], parts[m]] = both
                hessian[parts[m], parts[k]] = both.T
        # scaled, as variances differ by many orders; a constant may go from one dimension to another, which
        # the pseudo-inverse leaves as it is
        scale = 1 / np.sqrt(np.diag(hessian))
        step = (
            -scale
            * np.linalg.lstsq(hessian * np.outer(scale, scale), scale * gradient, rcond=1e-13)[0]
        )
        slope, before = float(gradient @ step), _objective(found, values)
        length = 1.0
        while True:
            tried = [each + length * step[part] for each, part in zip(found, parts, strict=True)]
            if _objective(tried, values) <= before + 0.1 * length * slope or length < 1e-9:
                break
            length /= 2
        found = tried
    return found


def _summed(found: Sequence[Array]) -> Array:
    """a_i + b_j + c_k of all three."""
    total: Array = found[0][:, None, None] + found[1][:, None] + found[2]
    return total


def _objective(found: Sequence[Array], values: Sequence[Array]) -> float:
    """What the multipliers minimise; infinite where a variance would be negative."""
    total = _summed(found)
    if total.min() <= 0:
        return float("inf")
    linear = sum(float(a @ value) for a, value in zip(found, values, strict=True))
    return linear - float(np.log(total).sum())
