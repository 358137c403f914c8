"""What can be read from activity: values, classes, tasks, the time since a tap.

Ridge regression from z-scored units, each episode predicted from others. In the null each episode has the
targets of another one of its group (such as its task), or the activity of another one around its taps; for
the task, activity is dealt out anew among all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.classes import tell
from analysis.cluster_statistics import Estimate
from analysis.resampling import Null, bootstrap, exchanged, matched_lengths, null_of
from analysis.ridge import Products, predict_held_out, products_of
from analysis.sequences import events_of

Array = np.ndarray

SHUFFLES = 40
TAP_S = 0.8
"""Between the taps of two-tap: what is decoded is the time within it."""


@dataclass(frozen=True)
class Decoded:
    """How well something can be read: R² or balanced accuracy, over episodes, beside its null."""

    value: Estimate
    null: Null
    per_draw: Callable[[Sequence[int]], float]


def decode_values(
    xs: Sequence[Array],
    targets: dict[str, Sequence[Array]],
    groups: Sequence[Hashable] = (),
    shuffles: int = SHUFFLES,
) -> dict[str, Decoded]:
    """R² of each of several sets of targets, mean over its targets.

    Args:
        xs: activity of each episode (ticks, units).
        targets: by name, of each episode (ticks, targets).
        groups: of each episode what targets are exchanged within, such as its task; none for all.
        shuffles: for the null.
    """
    ys = [np.hstack(each) for each in zip(*targets.values(), strict=True)]
    ends = np.cumsum([each[0].shape[1] for each in targets.values()]).tolist()
    own = {
        name: slice(end - each[0].shape[1], end)
        for end, (name, each) in zip(ends, targets.items(), strict=True)
    }
    products = products_of(xs, ys)
    held = predict_held_out(products)
    random = np.random.default_rng(0)
    shuffled = []
    for _ in range(shuffles):
        other = products_of(xs, exchanged(ys, random, groups), products)
        made = predict_held_out(other, fixed=held.penalties)
        shuffled.append(made.r2(range(len(xs))))

    def of(columns: slice) -> Decoded:
        return _decoded(
            lambda some: float(np.nanmean(held.r2(some)[columns])),
            len(xs),
            [float(np.nanmean(each[columns])) for each in shuffled],
        )

    return {name: of(columns) for name, columns in own.items()}


def decode_classes(
    xs: Sequence[Array],
    labels: Sequence[Array],
    n_classes: int,
    groups: Sequence[Hashable] = (),
    shuffles: int = SHUFFLES,
) -> Decoded:
    """Balanced accuracy of classes that change within episodes.

    Args:
        xs: activity of each episode (ticks, units).
        labels: of each (ticks,) int; -1 where there is none.
        n_classes: how many.
        groups: of each episode what labels are exchanged within, such as its task; none for all.
        shuffles: for the null.
    """
    told = tell(xs, labels, n_classes)
    random = np.random.default_rng(0)
    every = range(len(xs))
    filled = [_filled(own) for own in labels]
    # one without any label keeps its place
    within = [
        group if own.max(initial=-1) >= 0 else ("none", k)
        for k, (group, own) in enumerate(zip(groups or [0] * len(xs), labels, strict=True))
    ]
    shuffled = []
    for _ in range(shuffles):
        other = exchanged(filled, random, within)
        made = [np.where(own < 0, -1, each) for own, each in zip(labels, other, strict=True)]
        shuffled.append(tell(xs, made, n_classes, told).accuracy(every))
    return _decoded(told.accuracy, len(xs), shuffled)


def _filled(labels: Array) -> Array:
    """Labels in which ticks without one have the last before, or else the first after, if there is any."""
    there = np.flatnonzero(labels >= 0)
    if not len(there):
        return labels
    last = np.searchsorted(there, np.arange(len(labels)), side="right") - 1
    return np.asarray(labels[there[np.maximum(last, 0)]])


def decode_tasks(
    xs: Sequence[Array], tasks: Sequence[int], n_classes: int, shuffles: int = SHUFFLES
) -> Decoded:
    """Balanced accuracy of a class that is one for a whole episode.

    Episodes are cut so that those of each task are as long (`matched_lengths`): where those of one are short,
    whatever changes with the time since an episode began would tell it. Activity is dealt out anew, not
    tasks, so that each fold keeps as many episodes of each task.

    Args:
        xs: activity of each episode (ticks, units).
        tasks: of each its number.
        n_classes: how many.
        shuffles: for the null.
    """
    lengths = matched_lengths([len(x) for x in xs], tasks)
    xs = [x[:n] for x, n in zip(xs, lengths, strict=True)]
    told = tell(xs, _throughout(xs, tasks), n_classes)
    random = np.random.default_rng(0)
    shuffled = []
    for _ in range(shuffles):
        order = random.permutation(len(xs))
        dealt = [xs[k] for k in order]
        sums = replace(told.products, xx=told.products.xx[order])
        before = replace(told, products=sums)
        made = tell(dealt, _throughout(dealt, tasks), n_classes, before)
        shuffled.append(made.accuracy(range(len(xs))))
    return _decoded(told.accuracy, len(xs), shuffled)


def _throughout(xs: Sequence[Array], tasks: Sequence[int]) -> list[Array]:
    return [np.full(len(x), task) for x, task in zip(xs, tasks, strict=True)]


def _decoded(
    per_draw: Callable[[Sequence[int]], float], n: int, shuffled: Sequence[float]
) -> Decoded:
    (value,) = bootstrap(lambda some: [per_draw(some)], [range(n)])
    return Decoded(value, null_of(value.value, shuffled), per_draw)


def decode_time(
    parts: Sequence[Array], rows: Sequence[Sequence[int]], tick_s: float, shuffles: int = SHUFFLES
) -> Decoded:
    """R² of the time since the first tap.

    Args:
        parts: of each episode (ticks, units); those without a tap are exchanged with the others.
        rows: of each the taps.
        tick_s: s from tick to tick.
        shuffles: for the null, in which each episode has the activity of another one.
    """
    n_ticks = round(TAP_S / tick_s)
    there = [k for k, own in enumerate(rows) if len(own)]
    times = [np.tile(np.arange(n_ticks) * tick_s, len(rows[k]))[:, None] for k in there]

    def around(parts: Sequence[Array]) -> Products:
        windows = events_of(parts, rows, 0, n_ticks)
        return products_of([windows[k].reshape(-1, windows[k].shape[2]) for k in there], times)

    held = predict_held_out(around(parts))
    random = np.random.default_rng(0)
    shuffled = []
    for _ in range(shuffles):
        made = predict_held_out(around(exchanged(parts, random)), fixed=held.penalties)
        shuffled.append(float(made.r2(range(len(there)))[0]))
    return _decoded(lambda some: float(held.r2(some)[0]), len(there), shuffled)
