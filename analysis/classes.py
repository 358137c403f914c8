"""Classes of ticks (which task, which behaviour) told from activity, by ridge regression of indicators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.ridge import Held, Products, predict_held_out, products_of

Array = np.ndarray


@dataclass(frozen=True)
class Told:
    """Which class was said and which it was.

    Attributes:
        counts: (episodes, classes, classes) ticks, by the true class and the one that was said.
        penalties: of each fold.
        products: the sums that it was told from.
    """

    counts: Array
    penalties: tuple[float, ...]
    products: Products

    def accuracy(self, episodes: Sequence[int]) -> float:
        """The share of ticks told rightly, each class counting alike; chance is 1 / classes."""
        counts = self.counts[np.asarray(episodes, int)].sum(0)
        seen = counts.sum(1) > 0
        return float((np.diag(counts)[seen] / counts.sum(1)[seen]).mean())


def tell(
    xs: Sequence[Array], labels: Sequence[Array], n_classes: int, before: Told | None = None
) -> Told:
    """Tells the class of each tick of each episode, from what other episodes were like.

    Args:
        xs: activity of each (ticks, units), about scaled to variance 1.
        labels: of each (ticks,) int; -1 where there is none.
        n_classes: how many classes.
        before: classes told from the same activity, -1 at the same ticks, which spares most of the work.
    """
    kept = [own >= 0 for own in labels]
    xs = [x[keep] for x, keep in zip(xs, kept, strict=True)]
    labels = [own[keep] for own, keep in zip(labels, kept, strict=True)]
    every = np.concatenate(labels)
    share = np.maximum(np.bincount(every, minlength=n_classes) / max(1, len(every)), 1e-9)
    # an indicator of this height varies as much for a rare class as for a common one
    height = 1 / np.sqrt(share)
    eye = np.eye(n_classes)
    ys = [eye[own] * height for own in labels]
    products = products_of(xs, ys, before.products if before else None)
    held = predict_held_out(products, fixed=before.penalties if before else ())
    counts = np.stack(
        [_counts(held, k, x, own) for k, (x, own) in enumerate(zip(xs, labels, strict=True))]
    )
    return Told(counts, held.penalties, products)


def _counts(held: Held, k: int, x: Array, labels: Array) -> Array:
    n = len(held.means[k])
    predicted = x @ held.coefficients[k][:-1] + held.coefficients[k][-1]
    # how far each indicator is above what it was on average where the coefficients come from
    said = (predicted - held.means[k]).argmax(1)
    return np.bincount(labels * n + said, minlength=n * n).reshape(n, n)
