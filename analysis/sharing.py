"""What tasks share: behaviours, and how a population represents them (Merel & Aldarondo et al. 2020, A.4)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.cluster.vq import kmeans2, vq

Array = np.ndarray

CLUSTERS = 50
FIT_TICKS = 6000
LEAST_TICKS = 10
"""A mean over fewer ticks (0.2 s) is not taken."""
LEAST_SHARE = 0.01
"""A task uses a behaviour when it spends this part of its time in it; of 50, 0.02 is the average."""


def partition(parts: Sequence[Array], clusters: int = CLUSTERS, seed: int = 0) -> list[Array]:
    """k-means: the cluster (ticks,) int of every tick of every part.

    >>> here, there = np.zeros((20, 2)), np.ones((20, 2))
    >>> one, other, same = partition([here, there, here], clusters=2)
    >>> bool((one == same).all()), bool((one == other).any())
    (True, False)

    Args:
        parts: each (ticks, features), one partition for all of them.
        clusters: how many, at most: no more than there are different ticks.
        seed: of the draws.
    """
    everything = np.concatenate(parts)
    rng = np.random.default_rng(seed)
    some = everything
    if len(some) > FIT_TICKS:
        some = everything[rng.choice(len(everything), FIT_TICKS, replace=False)]
    clusters = min(clusters, len(np.unique(some, axis=0)))  # each begins with a tick of its own
    with warnings.catch_warnings():
        # a cluster that lost all its ticks is one that nobody uses
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        centres, _ = kmeans2(some, clusters, iter=30, minit="++", rng=rng)
    return [vq(part, centres)[0] for part in parts]


def overlap(one: Array, other: Array) -> float:
    """The part of two sets of ticks that lies in the same clusters: 1 is all, 0 nothing shared.

    >>> overlap(np.array([0, 0, 1, 1]), np.array([1, 2]))
    0.5

    Args:
        one: (ticks,) int, the cluster of each.
        other: (other ticks,) int.
    """
    n = int(max(one.max(), other.max())) + 1
    a, b = (np.bincount(ticks, minlength=n) / len(ticks) for ticks in (one, other))
    return float(np.minimum(a, b).sum())


def overlap_across(
    clusters: Mapping[str, Sequence[Array]], halves: Mapping[str, Sequence[int]]
) -> tuple[dict[tuple[str, str], float], float]:
    """Overlap of every pair of tasks, and within tasks between halves of the episodes.

    Args:
        clusters: of every task, the clusters (ticks,) of each of its episodes.
        halves: of every task, in which half each of its episodes is, 0 or 1: the same one when others are
            left out, or a jackknife would take what another cut does for what an episode does.

    Returns:
        by pair, and the mean within a task: what episodes of the very same task share; NaN where no task has
        episodes in both halves.
    """
    joined = {task: np.concatenate(list(parts)) for task, parts in clusters.items()}
    across = {(a, b): overlap(joined[a], joined[b]) for a, b in combinations(joined, 2)}
    within = []
    for task, parts in clusters.items():
        one, other = (
            [part for part, own in zip(parts, halves[task], strict=True) if own == half]
            for half in (0, 1)
        )
        if one and other:
            within.append(overlap(np.concatenate(one), np.concatenate(other)))
    return across, float(np.mean(within)) if within else float("nan")


def used_by(clusters: Mapping[str, Sequence[Array]], least_share: float = LEAST_SHARE) -> Array:
    """How many tasks use each cluster, (clusters,) int.

    Args:
        clusters: of every task, the clusters (ticks,) of each of its episodes.
        least_share: a task uses those in which it spends this part of its time, and `LEAST_TICKS`.
    """
    joined = {task: np.concatenate(list(parts)) for task, parts in clusters.items()}
    n = max(int(ticks.max()) for ticks in joined.values()) + 1
    return np.sum(
        [
            np.bincount(ticks, minlength=n) >= max(LEAST_TICKS, least_share * len(ticks))
            for ticks in joined.values()
        ],
        axis=0,
    )


def cka(x: Array, y: Array) -> float:
    """Linear centred kernel alignment of two representations: 1 the same geometry, 0 none in common.

    >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> round(cka(x, 5 - 3 * x), 6)
    1.0

    Args:
        x: (items, units).
        y: (the same items, other units).
    """
    x, y = x - x.mean(0), y - y.mean(0)
    both = np.linalg.norm(x.T @ y) ** 2
    alone = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(both / alone) if alone > 0 else float("nan")
