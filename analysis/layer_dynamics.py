"""Rotations in the activity of each layer, by task, of h and of c, and how sure they are.

Units are z-scored over the episodes of a task; what is slower than 10 s is removed from each episode before
components are taken (`analysis.spectra.without_drift`), as it would take them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from analysis.cluster_statistics import Estimate
from analysis.episodes import TITLES, Episodes, activity, read_episodes
from analysis.resampling import SHUFFLES, Null, bootstrap, null_of
from analysis.rotations import (
    FlowField,
    Moments,
    Rotation,
    entropy_r2,
    flow_field,
    moments_of,
    project,
    rotation_of,
    summed,
    surrogate_r2,
)
from analysis.sequences import z_scored_together
from analysis.spectra import without_drift
from rig.errors import UserError

Array = np.ndarray
Key = tuple[str, str, str]
"""Task, layer, state."""
Rotations = dict[tuple[str, str], Rotation]
"""By task and layer."""

STATES = ("h", "c")
SLOWEST_HZ = 0.1


@dataclass(frozen=True)
class Dynamics:
    """The dynamics of one layer in one task.

    Attributes:
        rotation: of all episodes.
        moments: of each.
        total_variance: of all units, per tick.
        null: how much of the changes the rotation explains, beside surrogates with drawn phases.
        entropy_null: the same beside surrogates of maximum entropy.
        fields: flow in the first two principal components, and in the two fastest planes.
    """

    rotation: Rotation
    moments: tuple[Moments, ...]
    total_variance: float
    null: Null
    entropy_null: Null
    fields: tuple[FlowField, ...]


@dataclass(frozen=True)
class AllDynamics:
    """Those of all layers in all tasks.

    Attributes:
        found: the episodes.
        of: by task, layer and state.
        drawn: rotations of drawn episodes, kept since several numbers are made from the same draws.
    """

    found: Episodes
    of: dict[Key, Dynamics]
    drawn: dict[tuple[tuple[str, ...], tuple[int, ...]], Rotations] = field(default_factory=dict)


def dynamics_of(parts: Sequence[Array], rate_hz: float, shuffles: int = SHUFFLES) -> Dynamics:
    """The dynamics of episodes.

    Args:
        parts: each (ticks, units).
        rate_hz: ticks per second.
        shuffles: how many surrogates.
    """
    steady = [without_drift(part, rate_hz, SLOWEST_HZ) for part in z_scored_together(parts)]
    components, scores = project(steady)
    moments = tuple(moments_of(part, rate_hz) for part in scores)
    total = summed(moments, range(len(moments)))
    rotation = rotation_of(total, rate_hz, components.total_variance)
    fields = [flow_field([part[:, :2] for part in scores], rate_hz)]
    fields += [
        flow_field([part @ plane for part in scores], rate_hz) for plane in rotation.planes[:2]
    ]
    null = null_of(rotation.r2, surrogate_r2(scores, rate_hz, shuffles))
    entropy_null = null_of(rotation.r2, entropy_r2(scores, rate_hz, shuffles))
    return Dynamics(rotation, moments, components.total_variance, null, entropy_null, tuple(fields))


def all_dynamics(files: Iterable[Path]) -> AllDynamics:
    """The dynamics of every layer in every task that there are recordings of.

    Raises `UserError` where the recordings are of different subjects, or have no episode, or a layer does not
    vary in a task.
    """
    found = read_episodes(files)
    of = {}
    for task in found.tasks:
        for layer in found.layers:
            for state in STATES:
                parts = activity(found.of(task), layer, state)
                try:
                    of[task, layer, state] = dynamics_of(parts, found.rate_hz)
                except ValueError as problem:
                    raise UserError(
                        f"{layer} of {found.episodes[0].subject} has no rotations in "
                        f"{TITLES.get(task, task)} ({state}: {problem}); give recordings in which it varies."
                    ) from None
    return AllDynamics(found, of)


def over_episodes(
    result: AllDynamics,
    state: str,
    statistic: Callable[[Rotations], Sequence[float]],
    of_tasks: Sequence[str] = (),
) -> list[Estimate]:
    """Numbers made from the rotations of tasks and layers, with intervals over the tasks' episodes.

    Args:
        result: the dynamics.
        state: "h" or "c".
        statistic: from rotations, by task and layer, to numbers.
        of_tasks: those that the numbers are made from; all if none is named.
    """
    tasks, layers = tuple(of_tasks) or result.found.tasks, result.found.layers
    groups: list[range] = []
    place: dict[int, tuple[str, int]] = {}
    n = 0
    for task in tasks:
        own = len(result.found.of(task))
        groups.append(range(n, n + own))
        place |= {n + k: (task, k) for k in range(own)}
        n += own

    def rotations_of(chosen: Sequence[int]) -> Rotations:
        rotations = {}
        for task in tasks:
            some = [k for each in chosen for where, k in [place[each]] if where == task]
            for layer in layers:
                one = result.of[task, layer, state]
                rotations[task, layer] = rotation_of(
                    summed(one.moments, some), result.found.rate_hz, one.total_variance
                )
        return rotations

    def numbers(chosen: Sequence[int]) -> Sequence[float]:
        key = (state, *tasks), tuple(chosen)
        if key not in result.drawn:
            result.drawn[key] = rotations_of(chosen)
        return statistic(result.drawn[key])

    return bootstrap(numbers, groups)
