"""The part of the check against the paper that is about what tasks share (sections 3.1 and 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from analysis.behaviour_features import BANDS_HZ, behaviour, kinematics
from analysis.cluster_statistics import Floats
from analysis.over_seeds import estimates_over_seeds, listed, pseudo_values, with_margins
from analysis.sharing import (
    overlap_across,
    partition,
    representation_across,
    used_by,
    variance_between,
)
from analysis.spectra import principal_components
from analysis.verdicts import Claim, judge
from evaluation.paper.activity import RATE_HZ, RecordedEpisode

Array = np.ndarray

EpisodesBySeed: TypeAlias = Mapping[str, Mapping[int, RecordedEpisode]]
"""By task and seed."""
_Clusters: TypeAlias = Mapping[str, Mapping[int, Array]]
"""By task and seed, the cluster (ticks,) of every tick."""


def shared(
    usable: EpisodesBySeed, slices: Mapping[str, slice], numbers: dict[str, Any]
) -> list[Claim]:
    """The claims on what tasks share, in movement and in each layer.

    Args:
        usable: the episodes.
        slices: by layer, its units; the core first.
        numbers: what the claims rest on is added to it.
    """
    if len(usable) < 2:
        why = "one task alone shares nothing: the subject was recorded in " + ", ".join(usable)
        return [Claim(*one, why, "cannot tell") for one in _QUOTES]
    order = [(task, seed) for task, episodes in usable.items() for seed in episodes]
    own = [usable[task][seed] for task, seed in order]
    angles = [one.joint_angles for one in own]
    positions = [one.body_positions for one in own]

    def by_task(parts: Sequence[Array]) -> dict[str, dict[int, Array]]:
        sorted_out: dict[str, dict[int, Array]] = {task: {} for task in usable}
        for (task, seed), part in zip(order, parts, strict=True):
            sorted_out[task][seed] = part
        return sorted_out

    sets = {
        "forces": [one.forces / max(1e-9, float(np.std(one.forces))) for one in own],
        **{
            name: kinematics(angles, positions, RATE_HZ, BANDS_HZ[name])
            for name in ("fast", "slow")
        },
    }
    # as in figure 4C: in the plane of the first two principal components, here cut into k-means cells
    cells = {
        name: by_task(partition(principal_components(parts, 2))) for name, parts in sets.items()
    }
    clusters = by_task(partition(behaviour(angles, positions, RATE_HZ)))
    states = by_task([one.cell_states for one in own])
    seeds = sorted({seed for episodes in usable.values() for seed in episodes})
    whole = _statistics(seeds, cells, clusters, states, slices)
    numbers.update(whole.numbers)

    def margins(some: list[int]) -> Floats:
        return _statistics(some, cells, clusters, states, slices).margins

    pseudo = pseudo_values(margins, seeds)
    policies = list(slices)[1:]
    n = len(policies)
    columns = (slice(0, 1), slice(1, 2), slice(2, 2 + n), slice(2 + n, 2 + 2 * n))
    names = (("",), ("",), policies, policies)
    found = []
    for quote, text, column, of in zip(_QUOTES, whole.texts, columns, names, strict=True):
        estimates = estimates_over_seeds(pseudo[:, column])
        found.append(Claim(*quote, with_margins(text, of, estimates), judge(estimates)))
    return found


class _Statistics:
    """What some of the seeds share between tasks.

    Attributes:
        margins: (2 + 2 policy layers,), one or more for each claim, above 0 where it holds.
        texts: what was measured, for each claim.
        numbers: the same for `scores.json`.
    """

    def __init__(self, margins: Floats, texts: Sequence[str], numbers: Mapping[str, Any]) -> None:
        self.margins, self.texts, self.numbers = margins, tuple(texts), numbers


def _statistics(
    seeds: Sequence[int],
    cells: Mapping[str, _Clusters],
    clusters: _Clusters,
    states: _Clusters,
    slices: Mapping[str, slice],
) -> _Statistics:
    """Of some of the seeds.

    Args:
        seeds: which.
        cells: by set of features, the k-means cells in the plane of its first two principal components.
        clusters: the behaviours.
        states: the cell states, (ticks, units) by task and seed.
        slices: by layer, its units; the core first.
    """
    policies = list(slices)[1:]

    def some(parts: _Clusters) -> dict[str, list[Array]]:
        return {task: [own[s] for s in seeds if s in own] for task, own in parts.items()}

    if any(not parts for parts in some(clusters).values()):
        return _Statistics(np.full(2 + 2 * len(policies), np.nan), ("",) * 4, {})
    overlaps = {name: overlap_across(some(parts)) for name, parts in cells.items()}
    mean = {name: float(np.mean(list(across.values()))) for name, (across, _) in overlaps.items()}
    relative = {
        name: mean[name] / within if within > 0 else float("nan")
        for name, (_, within) in overlaps.items()
    }
    tasks_of_each = used_by(some(clusters))
    used = tasks_of_each[tasks_of_each > 0]
    several, everywhere = int((used > 1).sum()), int((used == len(clusters)).sum())
    joined = {task: np.concatenate(parts) for task, parts in some(clusters).items()}
    activity = {task: np.concatenate(parts) for task, parts in some(states).items()}
    alike, distinct, n_pairs = {}, {}, 0
    for name, units in slices.items():
        layer = {task: values[:, units] for task, values in activity.items()}
        pairs = representation_across(layer, joined)
        n_pairs = len(pairs)
        alike[name] = float(np.mean(list(pairs.values()))) if pairs else float("nan")
        distinct[name] = variance_between(layer)
    withins = ", ".join(f"{name} {within:.2f}" for name, (_, within) in overlaps.items())
    n_all_pairs = len(overlaps["fast"][0])
    return _Statistics(
        np.array(
            [
                relative["fast"] - relative["slow"],
                several / len(used) - 0.5,
                *(alike[name] - alike["core"] for name in policies),
                *(distinct["core"] - distinct[name] for name in policies),
            ]
        ),
        (
            f"overlap {listed(mean)}; between episodes of one task {withins}; ratio "
            f"{listed(relative)}",
            f"of {len(used)} behaviours {several} occur in two tasks or more, {everywhere} in all "
            f"{len(clusters)}",
            f"CKA {listed(alike)} in {n_pairs} of {n_all_pairs} pairs of tasks",
            f"variance between tasks {listed({k: 100 * v for k, v in distinct.items()}, '%')}",
        ),
        {
            "overlap_across_tasks": {
                name: {
                    "mean": round(mean[name], 4),
                    "within_a_task": _number(within),
                    "pairs": {f"{a} and {b}": round(value, 4) for (a, b), value in across.items()},
                }
                for name, (across, within) in overlaps.items()
            },
            "behaviours": {
                "used": len(used),
                "in_two_tasks_or_more": several,
                "in_all_tasks": everywhere,
            },
            "representation_across_tasks_cka": {n: _number(one) for n, one in alike.items()},
            "variance_between_tasks": {name: round(value, 4) for name, value in distinct.items()},
        },
    )


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


_QUOTES = (
    (
        "3.1, figure 4C",
        "behaviors are more shared across tasks at short, 5-25 Hz timescales (fast kinematics), "
        "but no longer 0.3-5 Hz timescales (slow kinematics)",
        "overlap of tasks, averaged over their pairs and as a part of that between episodes of one task, "
        "is greater for fast than for slow kinematics",
    ),
    (
        "3.1",
        "the network learned to adapt similar movements in a selective manner for different tasks",
        "more than half of the behaviours occur in two tasks or more",
    ),
    (
        "3.3, figure 6B",
        "policy layers tended to possess a relatively similar encoding of behavioral features "
        "[...] over tasks. [...] "
        "Core layer representations across almost all behavioral categories were more variable "
        "across tasks",
        "mean CKA over pairs of tasks is greater in every policy layer than in the core",
    ),
    (
        "3.3, figure 6A",
        "core neuron representations were highly distinct across all tasks, while policy layers "
        "contained more overlap",
        "a greater part of the variance lies between tasks in the core than in every policy layer",
    ),
)
