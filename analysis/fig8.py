"""Figure 8 of the paper: rotations in the activity of each layer, by task, of h and of c."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from analysis.cluster_statistics import FEWEST_CLUSTERS, Estimate
from analysis.episodes import TITLES
from analysis.fig8_picture import picture
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.layer_dynamics import STATES, AllDynamics, Rotations, all_dynamics, over_episodes
from analysis.resampling import above
from analysis.verdicts import Claim, by_another_rule, judge

PLANES = 3
LARGE = 0.10
"""Of the variance of all units: more than this is a large part for one plane, of which there are 64."""
files_of = picture_and_numbers


def claims_of(result: AllDynamics) -> tuple[Claim, ...]:
    """The paper's claims about rotations, of h and of c."""
    tasks, layers = result.found.tasks, result.found.layers
    claims = []
    for state in STATES:
        of = "outputs h" if state == "h" else "cell states c"

        def octaves(rotations: Rotations) -> list[float]:
            mean = [np.mean([rotations[task, layer].hz for task in tasks]) for layer in layers]
            return [float(np.log2(each / mean[0])) for each in mean[1:]]

        faster = [
            above(each, 0.0, len(layers) - 1) for each in over_episodes(result, state, octaves)
        ]
        listed = ", ".join(
            f"{layer} {np.mean([result.of[task, layer, state].rotation.hz for task in tasks]):.2f}"
            for layer in layers
        )
        claims.append(
            Claim(
                f"3.4, figure 8C ({state})",
                "jPC planes in the core have lower characteristic frequencies than those in policy layers "
                "across tasks",
                f"{of}: the mean frequency of the three planes, over tasks, is above the core's in every "
                "policy layer (in octaves)",
                f"{listed} Hz; margin {', '.join(each.with_interval() for each in faster)}",
                judge(faster),
            )
        )

        def least(rotations: Rotations) -> list[float]:
            return [
                float(np.mean([rotations[task, layer].variance.min() for task in tasks]))
                for layer in layers
            ]

        def mean_plane(rotations: Rotations) -> list[float]:
            return [
                float(np.mean([rotations[task, layer].variance.mean() for task in tasks]))
                for layer in layers
            ]

        variance = over_episodes(result, state, least)
        of_means = over_episodes(result, state, mean_plane)
        other = by_another_rule(
            f"the mean of the planes explains more than {LARGE:.0%}",
            [above(each, LARGE, len(layers)) for each in of_means],
        )
        claims.append(
            Claim(
                f"3.4, figure 8D ({state})",
                "The jPC planes also individually explained a large percentage of total neural variability",
                f"{of}: the plane with least of it explains more than {LARGE:.0%} in every layer, mean over "
                "tasks",
                ", ".join(
                    f"{layer} {each.with_interval('.1%')}"
                    for layer, each in zip(layers, variance, strict=True)
                )
                + other,
                judge([above(each, LARGE, len(layers)) for each in variance]),
            )
        )

        def explained(rotations: Rotations) -> list[float]:
            return [
                float(np.mean([rotations[task, layer].r2 for task in tasks])) for layer in layers
            ]

        r2 = over_episodes(result, state, explained)
        own = {layer: [result.of[task, layer, state] for task in tasks] for layer in layers}
        by_phases = [float(np.mean([one.null.level for one in own[each]])) for each in layers]
        by_entropy = [
            float(np.mean([one.entropy_null.level for one in own[each]])) for each in layers
        ]
        claims.append(
            Claim(
                f"3.4, figure 8A ({state})",
                "The vector fields showed strong signatures of rotational dynamics across all layers",
                f"{of}: a skew-symmetric matrix explains more of the changes than in 95 % of surrogates with "
                "the same covariance and spectra, and of those of maximum entropy with the same covariances "
                "over time, components and stretches, in every layer, mean over tasks",
                ", ".join(
                    f"{layer} {each.value:.2f} ({each.interval()}; drawn phases "
                    f"{phases:.2f}, maximum entropy {entropy:.2f})"
                    for layer, each, phases, entropy in zip(
                        layers, r2, by_phases, by_entropy, strict=True
                    )
                ),
                judge(
                    [
                        above(each, max(levels), len(layers))
                        for each, *levels in zip(r2, by_phases, by_entropy, strict=True)
                    ]
                ),
            )
        )
    return tuple(claims)


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of any tasks.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or have no episode.
    """
    result = all_dynamics(files)
    claims = claims_of(result)
    planes = {
        (state, task, layer): own
        for state in STATES
        for (task, layer), own in _by_plane(result, state).items()
    }
    picture(result, planes, out)
    numbers = []
    for (task, layer, state), one in result.of.items():
        hz, variance = planes[state, task, layer]
        measures = [(f"frequency of plane {k + 1} (Hz)", each) for k, each in enumerate(hz)]
        measures += [(f"variance in plane {k + 1}", each) for k, each in enumerate(variance)]
        for measure, value in measures:
            numbers.append(number(measure, value, task=task, layer=layer, state=state))
        r2 = one.rotation.r2
        for words, null in (
            ("beside drawn phases", one.null),
            ("beside maximum entropy", one.entropy_null),
        ):
            measure = f"changes explained by rotation, {words}"
            numbers.append(number(measure, r2, null, task=task, layer=layer, state=state))
        anything = one.rotation.r2_any
        numbers.append(
            number("changes explained by any matrix", anything, task=task, layer=layer, state=state)
        )
    write_numbers(files_of(out)[1], numbers)
    few = [
        f"{TITLES.get(task, task)} has {len(result.found.of(task))} episodes: no interval."
        for task in result.found.tasks
        if len(result.found.of(task)) < FEWEST_CLUSTERS
    ]
    how = (
        "Units z-scored within a task, changes slower than 10 s removed, six principal components; a "
        "plane's frequency is a lower bound where its orbit is no circle.",
    )
    return FigureResult(files_of(out), claims, (*result.found.notes(), *few, *how))


def _by_plane(
    result: AllDynamics, state: str
) -> dict[tuple[str, str], tuple[list[Estimate], list[Estimate]]]:
    """Frequency (Hz) and share of variance of each plane, by task and layer.

    With intervals over the task's own episodes.
    """
    keys = [(task, layer) for task in result.found.tasks for layer in result.found.layers]
    n = min(PLANES, *(len(result.of[task, layer, state].rotation.hz) for task, layer in keys))

    planes = {}
    for task in result.found.tasks:

        def numbers(rotations: Rotations, task: str = task) -> list[float]:
            return [
                float(each)
                for layer in result.found.layers
                for own in [rotations[task, layer]]
                for each in (*own.hz[:n], *own.variance[:n])
            ]

        found = over_episodes(result, state, numbers, (task,))
        for k, layer in enumerate(result.found.layers):
            own = found[2 * n * k : 2 * n * (k + 1)]
            planes[task, layer] = own[:n], own[n:]
    return planes
