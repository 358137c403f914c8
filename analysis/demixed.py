"""The figure `demixed`: strides by phase and by task, in demixed components (Kobak et al. 2016).

The mean stride of each task (tasks, ticks, units) is a sum: what all tasks share at a tick of the stride
(phase), what a task has throughout (task), and the rest (task × phase). How much of the variance each makes
is the product of two halves of the episodes, in which noise has no part. A demixed component tells one of
the three from all units at once: that part is regressed on the units of single episodes, and the first
principal component of what is predicted is kept. It is found in one half and shown in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import Estimate
from analysis.episodes import TITLES, Episodes, activity, read_episodes, signals
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import COLOURS, MUTED, drawn, lettered, task_look, whiskers
from analysis.resampling import bootstrap
from analysis.sequences import Totals, events_of, totals_of, z_scored_together
from analysis.strides import HALF_S, mid_stances, tasks_with_strides

Array = np.ndarray

KINDS = ("phase", "task", "task × phase")
STATES = ("h", "c")
files_of = picture_and_numbers


@dataclass(frozen=True)
class Demixed:
    """Strides of one layer taken apart.

    Attributes:
        tasks: in the order of `shown`.
        shares: of the variance of mean strides, by kind, over episodes; they add up to 1.
        shown: by kind, the first demixed component in the episodes that did not make it, (tasks, ticks).
        own: by kind, the share of that component's variance that is of its kind, over those episodes.
        strides: how many there are.
    """

    tasks: tuple[str, ...]
    shares: dict[str, Estimate]
    shown: dict[str, Array]
    own: dict[str, Estimate]
    strides: int


def parts_of(mean: Array) -> dict[str, Array]:
    """Mean strides taken apart, by kind, each of their shape.

    >>> parts = parts_of(np.array([[[1.0], [3.0]], [[5.0], [7.0]]]))
    >>> parts["phase"][0, :, 0].tolist(), parts["task"][:, 0, 0].tolist()
    ([-1.0, 1.0], [-2.0, 2.0])

    Args:
        mean: (tasks, ticks, n).
    """
    centred = mean - mean.mean((0, 1))
    phase = np.broadcast_to(centred.mean(0), mean.shape)
    task = np.broadcast_to(centred.mean(1, keepdims=True), mean.shape)
    return dict(zip(KINDS, (phase, task, centred - phase - task), strict=True))


def demixed_of(totals: Totals, groups: Mapping[str, Sequence[int]]) -> Demixed:
    """Strides of several tasks taken apart.

    Args:
        totals: the strides of each episode, added up.
        groups: by task, its episodes, two or more.
    """
    halves = [{task: own[k::2] for task, own in groups.items()} for k in (0, 1)]
    first = {k for own in halves[0].values() for k in own}

    def means(half: Mapping[str, Sequence[int]], chosen: Sequence[int]) -> Array:
        """The mean stride of each task in the chosen ones of a half's episodes."""
        return np.stack([totals.average([k for k in chosen if k in own]) for own in half.values()])

    def shares(chosen: Sequence[int]) -> list[float]:
        one, other = (parts_of(means(half, chosen)) for half in halves)
        common = [float((one[kind] * other[kind]).sum()) for kind in KINDS]
        return [each / sum(common) for each in common]

    every = [tuple(own) for half in halves for own in half.values()]
    decoders = _decoders(totals, halves[0], parts_of(means(halves[0], sorted(first))))
    seen = [tuple(own) for own in halves[1].values()]

    def own(chosen: Sequence[int]) -> list[float]:
        mean = means(halves[1], chosen)
        found = []
        for kind in KINDS:
            sizes = {k: float((v**2).sum()) for k, v in parts_of(mean @ decoders[kind]).items()}
            found.append(sizes[kind] / max(sum(sizes.values()), 1e-300))
        return found

    mean = means(halves[1], [k for each in seen for k in each])
    mean = mean - mean.mean((0, 1))
    return Demixed(
        tuple(groups),
        dict(zip(KINDS, bootstrap(shares, every), strict=True)),
        {kind: (mean @ decoders[kind])[..., 0] for kind in KINDS},
        {kind: _bounded(each) for kind, each in zip(KINDS, bootstrap(own, seen), strict=True)},
        int(totals.counts[[k for each in every for k in each]].sum()),
    )


def _bounded(found: Estimate) -> Estimate:
    """A share, its interval cut to 0 to 1."""
    if not found.bounded:
        return found
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def _decoders(
    totals: Totals, half: Mapping[str, Sequence[int]], wanted: Mapping[str, Array]
) -> dict[str, Array]:
    """By kind, the weights of units in its first component, (units, 1)."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge

    n_ticks, n_units = totals.sums.shape[1:]
    single = [totals.average([k]) for own in half.values() for k in own]
    of = [row for row, own in enumerate(half.values()) for _ in own]
    x = np.concatenate(single)
    found = {}
    for kind in KINDS:
        y = wanted[kind][of].reshape(len(of) * n_ticks, n_units)
        fitted = Ridge(alpha=len(x) / 100).fit(x, y)
        axis = PCA(1).fit(fitted.predict(x)).components_
        found[kind] = (axis @ fitted.coef_).T
    return found


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
    half = round(HALF_S * found.rate_hz)
    tasks = [each.task for each in found.episodes]
    of = {}
    for layer in found.layers:
        for state in STATES:
            parts = z_scored_together(activity(found.episodes, layer, state))
            totals = totals_of(events_of(parts, rows, half, half + 1))
            of[layer, state] = demixed_of(totals, tasks_with_strides(totals.counts, tasks))
    _picture(found, of, half, out)
    numbers = []
    for (layer, state), one in of.items():
        for kind in KINDS:
            told = (
                (f"share of variance of mean strides: {kind}", one.shares[kind]),
                (f"share of the {kind} component that is of {kind}", one.own[kind]),
            )
            for words, value in told:
                numbers.append(number(words, value, layer=layer, state=state))
    write_numbers(files_of(out)[1], numbers)
    used = next(iter(of.values()))
    how = (
        f"{used.strides} strides of {len(used.tasks)} tasks, {2 * HALF_S * 1000:g} ms around mid-stance of "
        "the left hind foot, units z-scored over all tasks; components are found in every other episode and "
        "shown in the rest.",
    )
    few = [
        f"{TITLES.get(task, task)} has too few strides and is left out."
        for task in found.tasks
        if task not in used.tasks
    ]
    return FigureResult(files_of(out), (), (*found.notes(), *few, *how))


def _picture(found: Episodes, of: dict[tuple[str, str], Demixed], half: int, out: Path) -> None:
    used = next(iter(of.values()))
    title = (
        f"{found.episodes[0].subject}: strides by phase and task (n = {used.strides} strides of "
        f"{len(used.tasks)} tasks)"
    )
    with drawn(out, 6.2, title) as figure:
        upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.7), squeeze=False)[:, 0]
        above = upper.subplots(1, 2)
        for j, kind in enumerate(KINDS):
            look = {"color": COLOURS[j], "marker": ("o", "s", "^")[j]}
            for i, state in enumerate(STATES):
                x = [k + 0.2 * (j - 1) + 0.08 * i for k in range(len(found.layers))]
                filled = (look["color"], "white")[i]
                label = kind if i == 0 else None
                shares = [of[layer, state].shares[kind] for layer in found.layers]
                whiskers(above[0], x, shares, label, markerfacecolor=filled, **look)
                own = [of[layer, state].own[kind] for layer in found.layers]
                whiskers(above[1], x, own, label, markerfacecolor=filled, **look)
        above[0].set_title("variance of mean strides; filled h, open c")
        above[1].set_title("how much of a component is of its kind")
        for axes in above:
            axes.set_xticks(range(len(found.layers)), found.layers)
            axes.set_ylim(min(0, axes.get_ylim()[0]), 1.05)
            axes.set_ylabel("share of variance")
        upper.legend(
            *above[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(KINDS)
        )
        layers = (found.layers[0], found.layers[-1])
        below = lower.subplots(2, len(KINDS), squeeze=False, sharex=True)
        time_ms = 1000 * np.arange(-half, half + 1) / found.rate_hz
        for row, layer in zip(below, layers, strict=True):
            for axes, kind in zip(row, KINDS, strict=True):
                _component(axes, of[layer, "h"], kind, time_ms)
                axes.set_title(f"{layer} (h), {kind}")
            row[0].set_ylabel("component (a.u.)")
        below[-1, 1].set_xlabel("time from mid-stance of the left hind foot (ms)")
        lower.legend(*below[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        lettered([*above, *below.ravel()])


def _component(axes: Axes, one: Demixed, kind: str, time_ms: Array) -> None:
    for task, course in zip(one.tasks, one.shown[kind], strict=True):
        look = task_look(task) | {"markersize": 2.5}
        axes.plot(time_ms, course, label=TITLES.get(task, task), **look)
    axes.axvline(0, color=MUTED, linewidth=0.5, linestyle="--")
