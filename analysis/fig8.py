"""Figure 8 of the paper: rotations in the activity of each layer, by task, of h and of c.

Units are z-scored over the episodes of a task; what is slower than 10 s is removed from each episode before
components are taken (`analysis.spectra.without_drift`), as it would take them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import FEWEST_CLUSTERS, Estimate
from analysis.episodes import TITLES, Episodes, activity, read_episodes
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import BAND, INK, MUTED, drawn, lettered, task_look, whiskers
from analysis.resampling import SHUFFLES, Null, above, bootstrap, null_of
from analysis.rotations import (
    FlowField,
    Moments,
    Rotation,
    flow_field,
    moments_of,
    project,
    rotation_of,
    summed,
    surrogate_r2,
)
from analysis.sequences import z_scored_together
from analysis.spectra import without_drift
from analysis.verdicts import Claim, judge

Array = np.ndarray
Key = tuple[str, str, str]
"""Task, layer, state."""
Rotations = dict[tuple[str, str], Rotation]
"""By task and layer."""

STATES = ("h", "c")
PLANES = 3
SLOWEST_HZ = 0.1
LARGE = 0.10
"""Of the variance of all units: more than this is a large part for one plane, of which there are 64."""
SHOWN_TASK = "two_tap"
SHOWN_HZ = (0.1, 0.3, 1.0, 3.0, 10.0)
files_of = picture_and_numbers


@dataclass(frozen=True)
class Dynamics:
    """The dynamics of one layer in one task.

    Attributes:
        rotation: of all episodes.
        moments: of each.
        total_variance: of all units, per tick.
        null: how much of the changes the rotation explains, beside surrogates.
        fields: flow in the first two principal components, and in the two fastest planes.
    """

    rotation: Rotation
    moments: tuple[Moments, ...]
    total_variance: float
    null: Null
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
    drawn: dict[tuple[str, tuple[int, ...]], Rotations] = field(default_factory=dict)


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
    return Dynamics(rotation, moments, components.total_variance, null, tuple(fields))


def all_dynamics(files: Iterable[Path]) -> AllDynamics:
    """The dynamics of every layer in every task that there are recordings of.

    Raises `UserError` where the recordings are of different subjects, or have no episode.
    """
    found = read_episodes(files)
    of = {}
    for task in found.tasks:
        for layer in found.layers:
            for state in STATES:
                parts = activity(found.of(task), layer, state)
                of[task, layer, state] = dynamics_of(parts, found.rate_hz)
    return AllDynamics(found, of)


def over_episodes(
    result: AllDynamics,
    state: str,
    statistic: Callable[[Rotations], Sequence[float]],
) -> list[Estimate]:
    """Numbers made from the rotations of all tasks and layers, with intervals over episodes.

    Args:
        result: the dynamics.
        state: "h" or "c".
        statistic: from rotations, by task and layer, to numbers.
    """
    tasks, layers = result.found.tasks, result.found.layers
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
        key = state, tuple(chosen)
        if key not in result.drawn:
            result.drawn[key] = rotations_of(chosen)
        return statistic(result.drawn[key])

    return bootstrap(numbers, groups)


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
                f"{listed} Hz; margin {', '.join(map(_octaves, faster))}",
                judge(faster),
            )
        )

        def least(rotations: Rotations) -> list[float]:
            return [
                float(np.mean([rotations[task, layer].variance.min() for task in tasks]))
                for layer in layers
            ]

        variance = over_episodes(result, state, least)
        claims.append(
            Claim(
                f"3.4, figure 8D ({state})",
                "The jPC planes also individually explained a large percentage of total neural variability",
                f"{of}: the plane with least of it explains more than {LARGE:.0%} in every layer, mean over "
                "tasks",
                ", ".join(
                    f"{layer} {each.value:.1%} ({each.low:.1%} to {each.high:.1%})"
                    for layer, each in zip(layers, variance, strict=True)
                ),
                judge([above(each, LARGE, len(layers)) for each in variance]),
            )
        )

        def explained(rotations: Rotations) -> list[float]:
            return [
                float(np.mean([rotations[task, layer].r2 for task in tasks])) for layer in layers
            ]

        r2 = over_episodes(result, state, explained)
        levels = [
            float(np.mean([result.of[task, layer, state].null.level for task in tasks]))
            for layer in layers
        ]
        claims.append(
            Claim(
                f"3.4, figure 8A ({state})",
                "The vector fields showed strong signatures of rotational dynamics across all layers",
                f"{of}: a skew-symmetric matrix explains more of the changes than in 95 % of surrogates with "
                "the same covariance and spectra, in every layer, mean over tasks",
                ", ".join(
                    f"{layer} {each.value:.2f} ({each.low:.2f} to {each.high:.2f}; surrogates {level:.2f})"
                    for layer, each, level in zip(layers, r2, levels, strict=True)
                ),
                judge(
                    [
                        above(each, level, len(layers))
                        for each, level in zip(r2, levels, strict=True)
                    ]
                ),
            )
        )
    return tuple(claims)


def _octaves(found: Estimate) -> str:
    if not found.bounded:
        return f"{found.value:+.2f} (no interval)"
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


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
        numbers.append(
            number(
                "changes explained by rotation", r2, one.null, task=task, layer=layer, state=state
            )
        )
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
    """Frequency (Hz) and share of variance of each plane with intervals, by task and layer."""
    keys = [(task, layer) for task in result.found.tasks for layer in result.found.layers]
    n = min(PLANES, *(len(result.of[task, layer, state].rotation.hz) for task, layer in keys))

    def numbers(rotations: Rotations) -> list[float]:
        return [
            float(each)
            for key in keys
            for each in (*rotations[key].hz[:n], *rotations[key].variance[:n])
        ]

    found = over_episodes(result, state, numbers)
    return {
        key: (found[2 * n * k : 2 * n * k + n], found[2 * n * k + n : 2 * n * (k + 1)])
        for k, key in enumerate(keys)
    }


# --- the picture ------------------------------------------------------------------------------------


def picture(
    result: AllDynamics,
    planes: dict[tuple[str, str, str], tuple[list[Estimate], list[Estimate]]],
    out: Path,
) -> None:
    """Draws flow fields of one task, and the planes of all.

    Args:
        result: the dynamics.
        planes: frequency and variance by state, task and layer.
        out: the file.
    """
    found = result.found
    task = SHOWN_TASK if SHOWN_TASK in found.tasks else found.tasks[0]
    title = (
        f"{found.episodes[0].subject}: flow of activity in {TITLES.get(task, task)} "
        f"(n = {len(found.of(task))} episodes), and rotations in all tasks (n = {len(found.episodes)})"
    )
    with drawn(out, 8.8, title) as figure:
        upper, lower = figure.subfigures(2, 1, height_ratios=(1.15, 1), squeeze=False)[:, 0]
        shown = (found.layers[0], found.layers[-1]) if len(found.layers) > 1 else found.layers
        panels = upper.subplots(len(shown), 3, squeeze=False)
        for row, layer in zip(panels, shown, strict=True):
            one = result.of[task, layer, "h"]
            names = ("PC 1", "PC 2"), ("jPC 1", "jPC 2"), ("jPC 3", "jPC 4")
            for k, (axes, field, name) in enumerate(zip(row, one.fields, names, strict=False)):
                _flow(axes, field, name)
                what = "components" if k == 0 else f"plane {k}, {one.rotation.hz[k - 1]:.2f} Hz"
                axes.set_title(f"{layer} (h), {what}")
        below = lower.subplots(2, 2)
        for k, state in enumerate(STATES):
            _planes(below[0, k], result, planes, state, 0, "frequency (Hz)")
            below[0, k].set_title(f"frequency of the three planes, {state}")
            below[0, k].set_yscale("log")
            below[0, k].set_ylim(0.05, 12)
            below[0, k].set_yticks(SHOWN_HZ, [f"{each:g}" for each in SHOWN_HZ])
            below[0, k].minorticks_off()
        _planes(below[1, 0], result, planes, "h", 1, "share of variance")
        below[1, 0].set_title("variance in each plane, h")
        below[1, 0].set_ylim(bottom=0)
        _explained_panel(below[1, 1], result)
        handles = below[0, 1].get_legend_handles_labels()
        lower.legend(*handles, loc="outside lower center", ncols=4)
        lettered([*panels.ravel(), *below.ravel()])


def _flow(axes: Axes, field: FlowField, names: tuple[str, str]) -> None:
    step_x, step_y = field.x[1] - field.x[0], field.y[1] - field.y[0]
    extent = (
        field.x[0] - step_x / 2,
        field.x[-1] + step_x / 2,
        field.y[0] - step_y / 2,
        field.y[-1] + step_y / 2,
    )
    axes.imshow(
        np.log10(1 + field.ticks), origin="lower", extent=extent, aspect="auto", cmap="Greys",
        vmin=0, vmax=6, rasterized=True,
    )  # fmt: skip
    # a few long arrows of bins that are rarely visited would make all others short
    size = np.linalg.norm(field.change, axis=-1, keepdims=True)
    change = field.change * np.minimum(1, np.nanquantile(size, 0.95) / np.maximum(size, 1e-12))
    axes.quiver(
        field.x, field.y, change[..., 0], change[..., 1],
        angles="xy", color="#0072b2", width=0.006, pivot="middle",
    )  # fmt: skip
    axes.set_xlabel(f"{names[0]} (sd of a unit)")
    axes.set_ylabel(names[1])


def _planes(
    axes: Axes,
    result: AllDynamics,
    planes: dict[tuple[str, str, str], tuple[list[Estimate], list[Estimate]]],
    state: str,
    which: int,
    label: str,
) -> None:
    """Three points a layer and task: the planes, the fastest first."""
    tasks, layers = result.found.tasks, result.found.layers
    for j, task in enumerate(tasks):
        for i, layer in enumerate(layers):
            values = planes[state, task, layer][which]
            x = [
                i + 0.18 * (j - (len(tasks) - 1) / 2) + 0.045 * (k - 1) for k in range(len(values))
            ]
            look = task_look(task)
            whiskers(axes, x, values, TITLES.get(task, task) if i == 0 else None, **look)
            axes.plot(x, [each.value for each in values], color=look["color"], linewidth=0.7)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_ylabel(label)


def _explained_panel(axes: Axes, result: AllDynamics) -> None:
    tasks, layers = result.found.tasks, result.found.layers
    for j, task in enumerate(tasks):
        for i, layer in enumerate(layers):
            one = result.of[task, layer, "h"]
            x = i + 0.18 * (j - (len(tasks) - 1) / 2)
            low, high = np.quantile(one.null.shuffled, (0.025, 0.975))
            axes.fill_between([x - 0.06, x + 0.06], low, high, color=BAND, linewidth=0)
            look = task_look(task)
            axes.plot(x, one.rotation.r2, linestyle="none", markersize=4, **look)
            axes.plot(x, one.rotation.r2_any, "_", color=MUTED, markersize=6)
    axes.plot([], [], "o", color=INK, markersize=4, label="rotation")
    axes.plot([], [], "_", color=MUTED, label="any matrix")
    axes.fill_between([], [], [], color=BAND, label="95 % of surrogates")
    axes.set_ylim(0, 1.2)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_ylabel("share of changes explained")
    axes.set_title("rotation against surrogates, h")
    axes.legend(ncols=3, loc="upper left")
