"""How far tasks lie apart in a layer's activity: the paper's figure 6A, in numbers instead of by eye.

The paper embeds population vectors of all tasks in a plane, by multidimensional scaling, and sees clouds that
overlap or do not. So the same is asked in such a plane: of the ten nearest points from other seeds, how many
are of the same task? Where clouds coincide that is chance (a quarter with four tasks), where they are apart
it is 1. The plane shows what dominates a population's activity, which is what the claim is about. In the
space of all units the same number is given beside it: there a layer can tell tasks apart by what takes up
little variance. A third number is the part of the variance that lies between the tasks' means: how far apart
the clouds' centres are for their width, and not whether they overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from analysis.cluster_statistics import Estimate, interval_of_mean
from analysis.loaded_episodes import LoadedEpisode, by_task, z_scored_activity
from analysis.over_seeds import (
    estimates_over_seeds,
    intervals_around,
    listed,
    margins_around,
    pseudo_values,
    with_margins,
)
from analysis.verdicts import Claim, by_another_rule, judge

Array = np.ndarray

NEIGHBOURS = 10
POINTS = 150
"""Of each task, evenly spread over its episodes."""
_QUOTE = (
    "3.3, figure 6A",
    "core neuron representations were highly distinct across all tasks, while policy layers "
    "contained more overlap",
    f"of the {NEIGHBOURS} nearest points from other seeds in a plane (multidimensional scaling) a greater "
    "part is of the same task in the core than in every policy layer",
)


@dataclass(frozen=True)
class Distinctness:
    """How far tasks lie apart in each layer.

    Attributes:
        same_task: by layer, the part of nearest neighbours in the plane in the same task, 0 to 1, over seeds.
        same_task_units: the same in the space of all units.
        variance: by layer, the part of the variance between the tasks' means, 0 to 1, over seeds.
        chance: what `same_task` is where tasks do not differ.
        planes: by layer, (points, 2) a plane that keeps distances as well as it can.
        tasks: (points,) index of each point's task in `names`.
        names: of the tasks.
        claim: of the paper.
    """

    same_task: dict[str, Estimate]
    same_task_units: dict[str, Estimate]
    variance: dict[str, Estimate]
    chance: float
    planes: dict[str, Array]
    tasks: Array
    names: tuple[str, ...]
    claim: Claim


def distinctness(episodes: Sequence[LoadedEpisode], state: str = "h") -> Distinctness:
    """How far tasks lie apart in each layer, of z-scored activity.

    Args:
        episodes: of one subject.
        state: "h" or "c".
    """
    activity = z_scored_activity(episodes, state)
    names = tuple(by_task(episodes))
    layers = episodes[0].layers
    if len(names) < 2:
        why = f"one task alone is not distinct from others: the recordings are of {names[0]}"
        return Distinctness(
            {}, {}, {}, 1.0, {}, np.zeros(0, int), names, Claim(*_QUOTE, why, "cannot tell")
        )
    points, tasks, seeds = _points(episodes, activity, names)
    own = sorted(set(seeds.tolist()))
    planes = {layer: plane(points[:, units]) for layer, units in layers.items()}

    def by_seed(space: Mapping[str, Array]) -> Array:
        hits = [same_task(each, tasks, seeds) for each in space.values()]
        return np.stack([[each[seeds == one].mean() for each in hits] for one in own])

    near = by_seed(planes)
    near_units = by_seed({layer: points[:, units] for layer, units in layers.items()})
    moments = _moments(episodes, activity, names)
    variances = _variances(moments, own, layers)
    variance = pseudo_values(lambda some: _variances(moments, some, layers), own)
    found = [
        dict(zip(layers, each, strict=True))
        for each in (
            [interval_of_mean(column) for column in near.T],
            [interval_of_mean(column) for column in near_units.T],
            intervals_around(variances, variance),
        )
    ]
    estimates = estimates_over_seeds(near[:, :1] - near[:, 1:])
    said = (listed({layer: 100 * one.value for layer, one in each.items()}, "%") for each in found)
    chance = 1 / len(names)
    text = "same task {}; in the space of all units {}; variance between tasks {}".format(*said)
    text = with_margins(f"{text}; chance {100 * chance:.0f} %", list(layers)[1:], estimates)
    of_variance = margins_around(variances[:1] - variances[1:], variance[:, :1] - variance[:, 1:])
    text += by_another_rule("a greater part of the variance between tasks", of_variance)
    in_units = estimates_over_seeds(near_units[:, :1] - near_units[:, 1:])
    text += f", and in the space of all units this rule says: {judge(in_units)}"
    claim = Claim(*_QUOTE, text, judge(estimates))
    return Distinctness(found[0], found[1], found[2], chance, planes, tasks, names, claim)


def _points(
    episodes: Sequence[LoadedEpisode], activity: Sequence[Array], names: tuple[str, ...]
) -> tuple[Array, Array, Array]:
    """As many population vectors of every task, spread evenly: (points, units), their tasks and seeds."""
    points, tasks, seeds = [], [], []
    for k, name in enumerate(names):
        members = [i for i, each in enumerate(episodes) if each.task == name]
        joined = np.concatenate([activity[i] for i in members])
        whose = np.concatenate([np.full(len(activity[i]), episodes[i].seed) for i in members])
        rows = np.linspace(0, len(joined) - 1, POINTS).round().astype(int)
        points.append(joined[rows])
        seeds.append(whose[rows])
        tasks.append(np.full(POINTS, k))
    return np.concatenate(points), np.concatenate(tasks), np.concatenate(seeds)


def same_task(points: Array, tasks: Array, seeds: Array) -> Array:
    """Of each point's nearest neighbours from other seeds, the part in the same task: (points,), 0 to 1.

    >>> x = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> same_task(x, np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2]))[:2].tolist()
    [0.5, 0.5]

    Args:
        points: (points, units).
        tasks: (points,) int.
        seeds: (points,) int.
    """
    found = np.full(len(points), np.nan)
    for seed in np.unique(seeds):
        others = np.flatnonzero(seeds != seed)
        if not len(others):
            continue
        n = min(NEIGHBOURS, len(others))
        mine = np.flatnonzero(seeds == seed)
        distances = cdist(points[mine], points[others])
        nearest = np.argpartition(distances, n - 1, axis=1)[:, :n]
        found[mine] = (tasks[others][nearest] == tasks[mine][:, None]).mean(1)
    return found


def plane(points: Array) -> Array:
    """A plane in which distances are kept as well as they can be, by metric multidimensional scaling."""
    from sklearn.manifold import smacof

    centred = points - points.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    start = centred @ axes[:2].T
    found, _ = smacof(cdist(points, points), n_components=2, init=start, n_init=1, random_state=0)
    return np.asarray(found)


def _moments(
    episodes: Sequence[LoadedEpisode], activity: Sequence[Array], names: tuple[str, ...]
) -> list[tuple[int, int, int, Array, Array]]:
    """Of every episode its seed, task, ticks, and sums of activity and of its square (units,)."""
    return [
        (
            each.seed,
            names.index(each.task),
            len(part),
            part.sum(0, dtype=float),
            (part.astype(float) ** 2).sum(0),
        )
        for each, part in zip(episodes, activity, strict=True)
    ]


def _variances(
    moments: list[tuple[int, int, int, Array, Array]],
    seeds: Sequence[int],
    layers: Mapping[str, slice],
) -> Array:
    """The part of each layer's variance between tasks, of some seeds; NaN where a task has none of them."""
    n_tasks = 1 + max(task for _, task, *_ in moments)
    means: list[Array] = []
    widths: list[Array] = []
    for task in range(n_tasks):
        own = [each for each in moments if each[0] in seeds and each[1] == task]
        if not own:
            return np.full(len(layers), np.nan)
        n = sum(each[2] for each in own)
        mean = np.sum([each[3] for each in own], axis=0) / n
        means.append(mean)
        widths.append(np.sum([each[4] for each in own], axis=0) / n - mean**2)
    between, within = np.var(means, axis=0), np.mean(widths, axis=0)
    return np.array(
        [
            between[units].sum() / (between[units].sum() + within[units].sum())
            for units in layers.values()
        ]
    )
