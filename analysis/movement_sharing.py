"""What tasks share in movement: the paper's figure 4C, and how many behaviours serve several tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.cluster_statistics import Estimate
from analysis.loaded_episodes import FeatureSets, LoadedEpisode, by_task, sets_of
from analysis.over_seeds import (
    intervals_around,
    listed,
    margins_around,
    pseudo_values,
    with_margins,
)
from analysis.sharing import LEAST_SHARE, LEAST_TICKS, overlap_across, partition, used_by
from analysis.spectra import principal_components
from analysis.verdicts import Claim, by_another_rule, judge

Array = np.ndarray

COMPARED = {"actuator forces": "forces", "kinematics, fast": "fast", "kinematics, slow": "slow"}
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
        "more than half of the behaviours that a task spends 1 % of its time in or more are such in two "
        "tasks or more",
    ),
)


@dataclass(frozen=True)
class MovementSharing:
    """What tasks share in movement.

    Attributes:
        planes: by set of features ("forces", "fast", "slow"), of every episode the first two principal
            components (ticks, 2).
        relative: by set, overlap of tasks as a part of that between episodes of one task, over seeds.
        overlap: by set, the mean over pairs of tasks.
        within: by set, that between episodes of one task.
        pairs: by set and pair of tasks, their overlap.
        used: of the behaviours how many are used, by two tasks or more, and by all.
        claims: of the paper.
    """

    planes: Mapping[str, list[Array]]
    relative: Mapping[str, Estimate]
    overlap: Mapping[str, float]
    within: Mapping[str, float]
    pairs: Mapping[tuple[str, str, str], float]
    used: tuple[int, int, int]
    claims: tuple[Claim, ...]


def movement_sharing(
    episodes: Sequence[LoadedEpisode], sets: FeatureSets | None = None
) -> MovementSharing:
    """What tasks share in movement, with intervals over seeds.

    Args:
        episodes: of one subject.
        sets: their `sets_of`, where these were made already.
    """
    sets = sets or sets_of(episodes)
    planes = {short: principal_components(sets[name], 2) for name, short in COMPARED.items()}
    tasks = list(by_task(episodes))
    if len(tasks) < 2:
        why = f"one task alone shares nothing: the recordings are of {tasks[0]}"
        undecided = tuple(Claim(*quote, why, "cannot tell") for quote in _QUOTES)
        return MovementSharing(planes, {}, {}, {}, {}, (0, 0, 0), undecided)
    # as in figure 4C: in the plane of the first two principal components, here cut into k-means cells
    cells = {name: partition(parts) for name, parts in planes.items()}
    behaviours = partition(sets["behaviour"])
    seeds = sorted({each.seed for each in episodes})

    def some(labels: Sequence[Array], chosen: Sequence[int]) -> dict[str, list[Array]]:
        return {
            task: [
                part
                for part, each in zip(labels, episodes, strict=True)
                if each.task == task and each.seed in chosen
            ]
            for task in tasks
        }

    def halves(chosen: Sequence[int]) -> dict[str, list[int]]:
        return {
            task: [
                seeds.index(each.seed) % 2
                for each in episodes
                if each.task == task and each.seed in chosen
            ]
            for task in tasks
        }

    def numbers(chosen: list[int]) -> Array:
        """(5,): relative overlap of each set, the part of the used behaviours in two tasks or more, twice.

        Used behaviours are those of `LEAST_SHARE`, then all that a task enters.
        """
        if any(not own for own in some(behaviours, chosen).values()):
            return np.full(len(cells) + 2, np.nan)
        relative = []
        for labels in cells.values():
            across, within = overlap_across(some(labels, chosen), halves(chosen))
            relative.append(np.mean(list(across.values())) / within if within > 0 else np.nan)
        own = some(behaviours, chosen)
        shares = [_used(own, least) for least in (LEAST_SHARE, 0.0)]
        return np.array([*relative, *(several / max(1, used) for used, several, _ in shares)])

    whole = numbers(seeds)
    pseudo = pseudo_values(numbers, seeds)
    relative = dict(zip(cells, intervals_around(whole, pseudo), strict=False))
    found = {
        name: overlap_across(some(labels, seeds), halves(seeds)) for name, labels in cells.items()
    }
    overlap = {name: float(np.mean(list(across.values()))) for name, (across, _) in found.items()}
    within = {name: own for name, (_, own) in found.items()}
    used = _used(some(behaviours, seeds))
    names = list(cells)

    def margins_of(values: Array) -> Array:
        """(..., 3): fast less slow, then of each rule of use the part that several tasks share, less half."""
        faster = values[..., names.index("fast")] - values[..., names.index("slow")]
        return np.stack([faster, values[..., -2] - 0.5, values[..., -1] - 0.5], axis=-1)

    measured, per_seed = margins_of(whole), margins_of(pseudo)
    margins = [margins_around(measured[[k]], per_seed[:, [k]]) for k in range(3)]
    texts = (
        f"overlap {listed(overlap)}; between episodes of one task {listed(within)}; ratio "
        f"{listed({name: one.value for name, one in relative.items()})}",
        f"of {used[0]} behaviours {used[1]} are used in two tasks or more, {used[2]} in all {len(tasks)}",
    )
    entered = _used(some(behaviours, seeds), 0.0)
    other_rule = f"all that a task enters for {LEAST_TICKS} ticks ({entered[1]} of {entered[0]})"
    others = ("", by_another_rule(other_rule, margins[2]))
    claims = []
    for quote, text, estimates, other in zip(_QUOTES, texts, margins[:2], others, strict=True):
        said = with_margins(text, ("",), estimates) + other
        claims.append(Claim(*quote, said, judge(estimates)))
    pairs = {
        (name, *pair): one for name, (across, _) in found.items() for pair, one in across.items()
    }
    return MovementSharing(planes, relative, overlap, within, pairs, used, tuple(claims))


def _used(
    clusters: Mapping[str, Sequence[Array]], least_share: float = LEAST_SHARE
) -> tuple[int, int, int]:
    """How many clusters are used (`used_by`) by a task or more, by two or more, and by all."""
    tasks_of_each = used_by(clusters, least_share)
    return (
        int((tasks_of_each > 0).sum()),
        int((tasks_of_each > 1).sum()),
        int((tasks_of_each == len(clusters)).sum()),
    )
