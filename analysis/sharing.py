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
"""A task uses a behaviour when it spends this many ticks in it (0.2 s)."""


def partition(parts: Sequence[Array], clusters: int = CLUSTERS, seed: int = 0) -> list[Array]:
    """k-means: the cluster (ticks,) int of every tick of every part.

    >>> here, there = np.zeros((20, 2)), np.ones((20, 2))
    >>> one, other, same = partition([here, there, here], clusters=2)
    >>> bool((one == same).all()), bool((one == other).any())
    (True, False)

    Args:
        parts: each (ticks, features), one partition for all of them.
        clusters: how many, at most.
        seed: of the draws.
    """
    everything = np.concatenate(parts)
    rng = np.random.default_rng(seed)
    some = everything
    if len(some) > FIT_TICKS:
        some = everything[rng.choice(len(everything), FIT_TICKS, replace=False)]
    with warnings.catch_warnings():
        # a cluster that lost all its ticks is one that nobody uses
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        centres, _ = kmeans2(some, min(clusters, len(some)), iter=30, minit="++", rng=rng)
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
    clusters: Mapping[str, Sequence[Array]],
) -> tuple[dict[tuple[str, str], float], float]:
    """Overlap of every pair of tasks, and within tasks between the odd and the even episodes.

    Args:
        clusters: of every task, the clusters (ticks,) of each of its episodes.

    Returns:
        by pair, and the mean within a task: what episodes of the very same task share; NaN where every task
        has one episode.
    """
    joined = {task: np.concatenate(list(parts)) for task, parts in clusters.items()}
    across = {(a, b): overlap(joined[a], joined[b]) for a, b in combinations(joined, 2)}
    within = [
        overlap(np.concatenate(list(parts[::2])), np.concatenate(list(parts[1::2])))
        for parts in clusters.values()
        if len(parts) > 1
    ]
    return across, float(np.mean(within)) if within else float("nan")


def used_by(clusters: Mapping[str, Sequence[Array]]) -> Array:
    """Into how many tasks each cluster enters, (clusters,) int."""
    joined = {task: np.concatenate(list(parts)) for task, parts in clusters.items()}
    n = max(int(ticks.max()) for ticks in joined.values()) + 1
    counts = [np.bincount(ticks, minlength=n) >= LEAST_TICKS for ticks in joined.values()]
    return np.sum(counts, axis=0)


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


def representation_across(
    activity: Mapping[str, Array], clusters: Mapping[str, Array]
) -> dict[tuple[str, str], float]:
    """How alike a population represents the behaviours that two tasks share (the paper's equation 4).

    Args:
        activity: of every task, (ticks, units).
        clusters: of every task, the behaviour (ticks,) at each tick.

    Returns:
        CKA by pair of tasks, of mean population vectors; pairs that share fewer than four behaviours are
        left out.
    """
    found = {}
    for a, b in combinations(activity, 2):
        n = int(max(clusters[a].max(), clusters[b].max())) + 1
        enough = [np.bincount(clusters[task], minlength=n) >= LEAST_TICKS for task in (a, b)]
        shared = np.flatnonzero(enough[0] & enough[1])
        if len(shared) < 4:
            continue
        means = [
            np.stack([activity[task][clusters[task] == one].mean(0) for one in shared])
            for task in (a, b)
        ]
        found[a, b] = cka(*means)
    return found


def variance_between(activity: Mapping[str, Array]) -> float:
    """The part of a population's variance that lies between the tasks' means, every task counted alike.

    >>> variance_between({"gaps": np.array([[-1.0], [1.0]]), "forage": np.array([[1.0], [3.0]])})
    0.5

    Args:
        activity: of every task, (ticks, units).
    """
    means = np.stack([part.mean(0) for part in activity.values()])
    within = float(np.mean([part.var(0).sum() for part in activity.values()]))
    between = float(means.var(0).sum())
    return between / (between + within) if between + within > 0 else float("nan")
