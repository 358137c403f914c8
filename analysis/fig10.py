"""Figure 10 of the paper: the final policy layer during a stride of running, in each task.

Row r, column k of the panels: activity in the task of the column, units sorted by their peak in the task of
the row; on the diagonal sorted in every other episode and shown in the rest. Activity is z-scored over all
ticks of all tasks; an average over strides is absolute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import Estimate
from analysis.episodes import TITLES, Episodes, activity, read_episodes, signals
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import MUTED, drawn, layers_beside_nulls, rows_as_image
from analysis.resampling import Null, above, bootstrap, null_of
from analysis.sequences import (
    Totals,
    events_of,
    exchanged_totals,
    peak_times,
    totals_of,
    z_scored_together,
)
from analysis.strides import HALF_S, mid_stances, tasks_with_strides
from analysis.verdicts import Claim, by_another_rule, judge

Array = np.ndarray

STATES = ("h", "c")
SHUFFLES = 50
KEPT = 0.5
"""Of how alike halves of one task are: tasks that are at least so much alike share most of a sequence."""
files_of = picture_and_numbers


@dataclass(frozen=True)
class Strides:
    """One layer's activity in strides of several tasks.

    Attributes:
        totals: the strides of each episode, added up.
        groups: by task, the numbers of its episodes that have strides.
        across: correlation of tasks' patterns, mean of all pairs, over episodes.
        within: that of halves of one task, mean of tasks.
        kept: `across` less half of `within`.
        pairs: of each pair of tasks.
        null: `across` beside that of other episodes at the same times.
    """

    totals: Totals
    groups: dict[str, tuple[int, ...]]
    across: Estimate
    within: Estimate
    kept: Estimate
    pairs: dict[tuple[str, str], float]
    null: Null


def pattern(mean: Array) -> Array:
    """What a stride's average is about its units' own means, as one vector, (ticks × units,).

    The mean over the stride is left out: units that are always high would make any two tasks alike.
    """
    return (mean - mean.mean(0)).ravel()


def correlation(one: Array, other: Array) -> float:
    """Of two vectors without their means being taken off; 0 where one is 0 throughout."""
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / size) if size else 0.0


def strides_of(
    parts: Sequence[Array],
    rows: Sequence[Sequence[int]],
    tasks: Sequence[str],
    rate_hz: float,
    shuffles: int = SHUFFLES,
) -> Strides:
    """How alike the strides of several tasks are in one layer.

    Args:
        parts: each episode (ticks, units), z-scored.
        rows: its mid-stances.
        tasks: the task of each.
        rate_hz: ticks per second.
        shuffles: for the null.

    Raises:
        UserError: fewer than two tasks have enough strides.
    """
    half = round(HALF_S * rate_hz)
    totals = totals_of(events_of(parts, rows, half, half + 1))
    groups = tasks_with_strides(totals.counts, tasks)

    def alike(chosen: Sequence[int], of: Totals = totals) -> list[float]:
        means, reliable = {}, []
        for task, own in groups.items():
            some = [k for k in chosen if k in own]
            means[task] = pattern(of.average(some))
            first = set(own[::2])
            one, other = [k for k in some if k in first], [k for k in some if k not in first]
            if one and other:
                r = correlation(pattern(of.average(one)), pattern(of.average(other)))
                reliable.append(2 * r / (1 + r) if r > 0 else r)  # of both halves (Spearman, Brown)
        across = np.mean([correlation(means[a], means[b]) for a, b in combinations(means, 2)])
        within = np.mean(reliable) if reliable else np.nan
        return [float(across), float(within), float(across - KEPT * within)]

    across, within, kept = bootstrap(alike, list(groups.values()))
    random = np.random.default_rng(0)
    every = [k for own in groups.values() for k in own]
    others = islice(exchanged_totals(parts, rows, half, half + 1, random, tasks), shuffles)
    shuffled = [alike(every, other)[0] for other in others]
    means = {task: pattern(totals.average(own)) for task, own in groups.items()}
    pairs = {(a, b): correlation(means[a], means[b]) for a, b in combinations(means, 2)}
    return Strides(totals, groups, across, within, kept, pairs, null_of(across.value, shuffled))


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of two tasks or more.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or fewer than two tasks have enough strides.
    """
    found = read_episodes(files)
    rows = signals(found.episodes, mid_stances)
    tasks = [each.task for each in found.episodes]
    of = {}
    for layer in found.layers:
        for state in STATES:
            parts = z_scored_together(activity(found.episodes, layer, state))
            of[layer, state] = strides_of(parts, rows, tasks, found.rate_hz)
    claims = tuple(_claim(found, of, state) for state in STATES)
    _picture(found, of, out)
    numbers = []
    for (layer, state), one in of.items():
        for measure, value, null in (
            ("correlation of strides between tasks", one.across, one.null),
            ("correlation of strides within a task", one.within, None),
            ("between less half of within", one.kept, None),
        ):
            numbers.append(number(measure, value, null, layer=layer, state=state))
        for (a, b), r in one.pairs.items():
            measure = "correlation of strides between two tasks"
            numbers.append(number(measure, r, task=f"{a}, {b}", layer=layer, state=state))
    write_numbers(files_of(out)[1], numbers)
    few = [
        f"{TITLES.get(task, task)} has too few strides and is left out."
        for task in found.tasks
        if task not in next(iter(of.values())).groups
    ]
    return FigureResult(files_of(out), claims, (*found.notes(), *few))


def _claim(found: Episodes, of: dict[tuple[str, str], Strides], state: str) -> Claim:
    policies = found.layers[1:] or found.layers
    listed = "; ".join(
        f"{layer} between tasks {of[layer, state].across.value:.2f} ({of[layer, state].across.interval()}; "
        f"exchanged: 95 % below {of[layer, state].null.level:.2f}), "
        f"within {of[layer, state].within.value:.2f}"
        for layer in policies
    )
    of_pairs = ", ".join(
        f"{TITLES.get(a, a)} and {TITLES.get(b, b)} {r:.2f}"
        for (a, b), r in of[found.layers[-1], state].pairs.items()
    )
    margins = [
        above(each, 0.0, 2 * len(policies))
        for layer in policies
        for each in (
            of[layer, state].kept,
            above(of[layer, state].across, of[layer, state].null.level),
        )
    ]
    n = len(policies)
    beyond_null = [
        above(of[layer, state].across, of[layer, state].null.level, n) for layer in policies
    ]
    other = by_another_rule("by more than in 95 % of exchanges alone", beyond_null)
    return Claim(
        f"3.4, A.5, figure 10 ({state})",
        "including during running where, consistent with policy networks encoding short-timescale kinematic "
        "features in a task-invariant manner, neural activity sequences were largely conserved across tasks",
        f"{'outputs h' if state == 'h' else 'cell states c'}: in every policy layer the pattern of a stride "
        "correlates between tasks by more than half of what it does within one, and by more than in "
        "95 % of exchanges, in which each episode has the activity of another one of its task",
        f"{listed}; pairs in {found.layers[-1]}: {of_pairs}{other}",
        judge(margins),
    )


def _picture(found: Episodes, of: dict[tuple[str, str], Strides], out: Path) -> None:
    layer = found.layers[-1]
    last = of[layer, "h"]
    tasks = list(last.groups)
    half = round(HALF_S * found.rate_hz)
    edge_ms = 1000 * (half + 0.5) / found.rate_hz
    counts = {task: int(last.totals.counts[list(own)].sum()) for task, own in last.groups.items()}
    title = (
        f"{found.episodes[0].subject}: {layer} (h) around mid-stance; rows sorted by the peak in the task at "
        "the left"
    )
    shown = {}
    for task, own in last.groups.items():
        mean = last.totals.average
        shown[task] = mean(own), mean(own[::2]), mean(own[1::2])
    with drawn(out, 1.5 + 1.55 * len(tasks) + 1.6, title) as figure:
        upper, lower = figure.subfigures(
            2, 1, height_ratios=(1 + 1.55 * len(tasks), 1.6), squeeze=False
        )[:, 0]
        grid = upper.subplots(len(tasks), len(tasks), squeeze=False, sharex=True, sharey=True)
        for r, sorting in enumerate(tasks):
            for k, task in enumerate(tasks):
                by = shown[sorting][1] if r == k else shown[sorting][0]
                order = np.argsort(peak_times(by), kind="stable")
                image = np.abs(shown[task][2] if r == k else shown[task][0]).T[order]
                axes: Axes = grid[r, k]
                made = rows_as_image(
                    axes, image, (-edge_ms, edge_ms, len(order), 0), vmin=0, vmax=1.5
                )
                axes.axvline(0, color="white", linewidth=0.8, linestyle="--")
                if r == 0:
                    axes.set_title(f"{TITLES.get(task, task)}\nn = {counts[task]} strides")
            grid[r, 0].set_ylabel(f"sorted by\n{TITLES.get(sorting, sorting)}")
        upper.supxlabel("time from mid-stance of the left hind foot (ms)", fontsize=8)
        upper.colorbar(made, ax=grid, pad=0.01, shrink=0.5, extend="max").set_label(
            "|mean z-score|"
        )
        _alike(lower.subplots(), found, of)


def _alike(axes: Axes, found: Episodes, of: dict[tuple[str, str], Strides]) -> None:
    by_state = [[of[layer, state] for layer in found.layers] for state in STATES]
    x = layers_beside_nulls(
        axes, found.layers, [[(one.across, one.null.shuffled) for one in own] for own in by_state]
    )
    for own, places in zip(by_state, x, strict=True):
        axes.plot(places, [one.within.value for one in own], "_", color=MUTED, markersize=12)
    axes.axhline(0, color=MUTED, linewidth=0.5)
    axes.set_ylim(top=1.05)
    axes.set_ylabel("correlation of strides\nbetween tasks")
    axes.set_title(
        "filled h, open c; bars: halves of one task; grey: 95 % of other episodes at these times"
    )
