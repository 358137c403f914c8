"""Ridge regression across episodes: predictions for each from the others, and how good they are.

What a fit needs of an episode are sums of products; so folds, penalties, groups left out and shuffles take
the time of small matrices, and one episode at a time is in memory. For the same penalty the coefficients are
those of scikit-learn's `Ridge`; it is chosen anew in each fold, by folds of its training episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

FOLDS = 5
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Times the number of ticks: the weight of coefficients of variables with variance 1."""


@dataclass(frozen=True)
class Products:
    """Sums of products of predictors and targets of each episode; a constant is the last predictor.

    Attributes:
        xx: (episodes, predictors, predictors).
        xy: (episodes, predictors, targets).
        yy: (episodes, targets) of squares of the targets.
        y: (episodes, targets) of the targets.
        n: (episodes,) ticks.
    """

    xx: Array
    xy: Array
    yy: Array
    y: Array
    n: Array

    def only(self, predictors: Sequence[int]) -> Products:
        """The same with some of the predictors; the constant stays."""
        own = np.array([*predictors, self.xx.shape[1] - 1])
        return Products(self.xx[:, own[:, None], own], self.xy[:, own], self.yy, self.y, self.n)


def products_of(
    xs: Sequence[Array], ys: Sequence[Array], same_xs: Products | None = None
) -> Products:
    """The sums of episodes.

    Args:
        xs: predictors of each, (ticks, predictors), about scaled to variance 1.
        ys: targets of each, (ticks, targets).
        same_xs: sums of the same predictors with other targets, which spares most of the work.
    """
    xx, xy, yy, y = [], [], [], []
    for k, (x, target) in enumerate(zip(xs, ys, strict=True)):
        own = np.asarray(target, np.float64)
        sums = own.sum(0)
        if same_xs is None:
            whole = np.hstack([x, np.ones((len(x), 1))]).astype(np.float64)
            xx.append(whole.T @ whole)
        else:
            xx.append(same_xs.xx[k])
        xy.append(np.vstack([np.asarray(x, np.float64).T @ own, sums]))
        yy.append((own**2).sum(0))
        y.append(sums)
    n = np.array([len(x) for x in xs])
    return Products(np.stack(xx), np.stack(xy), np.stack(yy), np.stack(y), n)


def fit(products: Products, episodes: Sequence[int], penalty: float) -> Array:
    """Coefficients (predictors + 1, targets); the last is the constant, which is not penalised.

    Args:
        products: the sums.
        episodes: which to fit.
        penalty: times the number of ticks.
    """
    own = np.asarray(episodes, int)
    xx = products.xx[own].sum(0)
    weight = np.full(len(xx), penalty * products.n[own].sum())
    weight[-1] = 1e-9
    solved: Array = np.linalg.solve(xx + np.diag(weight), products.xy[own].sum(0))
    return solved


def errors(products: Products, coefficients: Array, episodes: Sequence[int]) -> Array:
    """Sums of squared errors, (episodes, targets)."""
    own = np.asarray(episodes, int)
    predicted = products.xx[own] @ coefficients
    square = (predicted * coefficients).sum(1)
    return np.maximum(products.yy[own] - 2 * (products.xy[own] * coefficients).sum(1) + square, 0)


@dataclass(frozen=True)
class Held:
    """How episodes were predicted from others.

    Attributes:
        error: (episodes, targets) sums of squared errors.
        total: (episodes, targets) of squared distances from the mean of the training episodes.
        coefficients: of each episode those that predicted it, (predictors + 1, targets).
        means: of each episode the mean of those that predicted it, (targets,).
        penalties: of each fold.
    """

    error: Array
    total: Array
    coefficients: tuple[Array, ...]
    means: tuple[Array, ...]
    penalties: tuple[float, ...]

    def r2(self, episodes: Sequence[int]) -> Array:
        """The share of variance that is predicted, of each target over some episodes: (targets,)."""
        own = np.asarray(episodes, int)
        total = self.total[own].sum(0)
        safe = np.where(total > 0, total, 1.0)
        return np.where(total > 0, 1 - self.error[own].sum(0) / safe, np.nan)


def folds_of(episodes: Sequence[int], n: int = FOLDS) -> list[list[int]]:
    """Episodes in `n` groups, every n-th of them together, so that tasks are in all of them."""
    found = [list(episodes[k::n]) for k in range(min(n, len(episodes)))]
    return [each for each in found if each]


def predict_held_out(
    products: Products, penalties: Sequence[float] = PENALTIES, fixed: Sequence[float] = ()
) -> Held:
    """Predicts each episode from those of other folds.

    Args:
        products: the sums of two episodes or more.
        penalties: those to choose from.
        fixed: the penalty of each fold, where it was chosen before.
    """
    n = len(products.n)
    error, total = np.zeros_like(products.yy), np.zeros_like(products.yy)
    coefficients: list[Array] = [np.zeros(0)] * n
    means: list[Array] = [np.zeros(0)] * n
    used = []
    for k, held in enumerate(folds_of(range(n))):
        rest = [one for one in range(n) if one not in held]
        penalty = fixed[k] if fixed else _best(products, rest, penalties)
        used.append(penalty)
        found = fit(products, rest, penalty)
        error[held] = errors(products, found, held)
        mean = products.y[rest].sum(0) / products.n[rest].sum()
        total[held] = (
            products.yy[held] - 2 * mean * products.y[held] + products.n[held][:, None] * mean**2
        )
        for one in held:
            coefficients[one], means[one] = found, mean
    return Held(error, total, tuple(coefficients), tuple(means), tuple(used))


def _best(products: Products, episodes: Sequence[int], penalties: Sequence[float]) -> float:
    """The penalty with the least error, each target counted in its variance, in folds of these episodes."""
    if len(penalties) == 1 or len(episodes) < 2:
        return penalties[0]
    scale = np.maximum(products.yy[list(episodes)].sum(0), 1e-12)
    found = []
    for penalty in penalties:
        error = 0.0
        for held in folds_of(episodes, 3):
            rest = [one for one in episodes if one not in held]
            error += float((errors(products, fit(products, rest, penalty), held) / scale).sum())
        found.append(error)
    return float(penalties[int(np.argmin(found))])
