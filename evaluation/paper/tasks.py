"""The part of the check against the paper that is about what tasks share (sections 3.1 and 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.behaviour_features import BANDS_HZ, behaviour, kinematics
from analysis.sharing import (
    overlap_across,
    partition,
    representation_across,
    used_by,
    variance_between,
)
from analysis.spectra import principal_components
from evaluation.paper.activity import Recorded
from evaluation.paper.claim import MARGIN, Statement, listed, verdict
from rig.arenas.tasks import CONTROL_TIMESTEP_S

Array = np.ndarray

RATE_HZ = 1 / CONTROL_TIMESTEP_S


def shared(
    usable: Mapping[str, Sequence[Recorded]], spans: Mapping[str, slice], numbers: dict[str, Any]
) -> list[Statement]:
    """The statements on what tasks share, in movement and in each layer.

    Args:
        usable: by task, its episodes.
        spans: by layer, its units; the core first.
        numbers: what the statements rest on is added to it.
    """
    quotes = _QUOTES
    if len(usable) < 2:
        why = "one task alone shares nothing: the subject was recorded in " + ", ".join(usable)
        return [Statement(*one, why, "cannot be told") for one in quotes]
    order = [(task, one) for task, episodes in usable.items() for one in episodes]
    angles, places = [one.angles for _, one in order], [one.places for _, one in order]

    def by_task(parts: Sequence[Array]) -> dict[str, list[Array]]:
        sorted_out: dict[str, list[Array]] = {task: [] for task in usable}
        for (task, _), part in zip(order, parts, strict=True):
            sorted_out[task].append(part)
        return sorted_out

    sets = {
        "forces": [one.forces / max(1e-9, float(np.std(one.forces))) for _, one in order],
        **{name: kinematics(angles, places, RATE_HZ, BANDS_HZ[name]) for name in ("fast", "slow")},
    }
    # as in figure 4C: in the plane of the first two principal components, here cut into k-means cells
    planes = {name: principal_components(parts, 2) for name, parts in sets.items()}
    told = {name: overlap_across(by_task(partition(parts))) for name, parts in planes.items()}
    mean = {name: float(np.mean(list(across.values()))) for name, (across, _) in told.items()}
    numbers["overlap_across_tasks"] = {
        name: {
            "mean": round(mean[name], 4),
            "within_a_task": _number(within),
            "pairs": {f"{a} and {b}": round(value, 4) for (a, b), value in across.items()},
        }
        for name, (across, within) in told.items()
    }
    clusters = by_task(partition(behaviour(angles, places, RATE_HZ)))
    tasks_of_each = used_by(clusters)
    used = tasks_of_each[tasks_of_each > 0]
    numbers["behaviours"] = {
        "used": len(used),
        "in_two_tasks_or_more": int((used > 1).sum()),
        "in_all_tasks": int((used == len(usable)).sum()),
    }
    cells = {task: np.concatenate([one.cells for one in own]) for task, own in usable.items()}
    joined = {task: np.concatenate(parts) for task, parts in clusters.items()}
    alike, distinct, n_pairs = {}, {}, 0
    for name, span in spans.items():
        own = {task: activity[:, span] for task, activity in cells.items()}
        pairs = representation_across(own, joined)
        n_pairs = len(pairs)
        alike[name] = float(np.mean(list(pairs.values()))) if pairs else float("nan")
        distinct[name] = variance_between(own)
    numbers["representation_across_tasks_cka"] = {n: _number(one) for n, one in alike.items()}
    numbers["variance_between_tasks"] = {name: round(value, 4) for name, value in distinct.items()}

    policies = list(spans)[1:]
    relative = {
        name: mean[name] / within if within > 0 else float("nan")
        for name, (_, within) in told.items()
    }
    fast, slow = relative["fast"], relative["slow"]
    withins = ", ".join(f"{name} {within:.2f}" for name, (_, within) in told.items())
    core_alike, least_alike = alike["core"], min(alike[name] for name in policies)
    most_distinct = max(distinct[name] for name in policies)
    several, everywhere = int((used > 1).sum()), int((used == len(usable)).sum())
    results = (
        (
            f"overlap {listed(mean)}; between episodes of one task {withins}; ratio "
            f"{listed(relative)}",
            verdict(fast >= slow + MARGIN if np.isfinite(fast + slow) else None, fast > slow),
        ),
        (
            f"of {len(used)} behaviours {several} occur in two tasks or more, {everywhere} in all "
            f"{len(usable)}",
            verdict(several >= len(used) / 2),
        ),
        (
            f"CKA {listed(alike)} in {n_pairs} of {len(told['fast'][0])} pairs of tasks",
            verdict(
                least_alike >= core_alike + MARGIN
                if np.isfinite(core_alike + least_alike)
                else None,
                least_alike > core_alike,
            ),
        ),
        (
            f"variance between tasks {listed({k: 100 * v for k, v in distinct.items()}, '%')}",
            verdict(distinct["core"] >= most_distinct + MARGIN, distinct["core"] > most_distinct),
        ),
    )
    return [
        Statement(*one, measured, word)
        for one, (measured, word) in zip(quotes, results, strict=True)
    ]


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


_QUOTES = (
    (
        "3.1, figure 4C",
        "behaviors are more shared across tasks at short, 5-25 Hz timescales (fast kinematics), "
        "but no longer 0.3-5 Hz timescales (slow kinematics)",
        "overlap of tasks, averaged over their pairs and as a part of that between episodes of one task, "
        "is greater by 0.05 or more for fast than for slow kinematics",
    ),
    (
        "3.1",
        "the network learned to adapt similar movements in a selective manner for different tasks",
        "half of the behaviours or more occur in two tasks or more",
    ),
    (
        "3.3, figure 6B",
        "policy layers tended to possess a relatively similar encoding of behavioral features "
        "[...] over tasks. [...] "
        "Core layer representations across almost all behavioral categories were more variable "
        "across tasks",
        "mean CKA over pairs of tasks is greater by 0.05 or more in every policy layer than in the core",
    ),
    (
        "3.3, figure 6A",
        "core neuron representations were highly distinct across all tasks, while policy layers "
        "contained more overlap",
        "a greater part of the variance, by 5 % or more, lies between tasks in the core than in every policy "
        "layer",
    ),
)
