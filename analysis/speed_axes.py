"""The figure `speed_axes`: directions along which mean activity differs most between speeds (Rush 2023).

Ticks are put into eight conditions of one speed (forward, lateral, turning), as many ticks in each. The
axis is the first principal component of the conditions' mean activity, found in every other episode; in the
rest it is asked how much of the variance of condition means lies along it. Activity is taken from its task's
mean, so that tasks with other speeds do not make an axis. In the null each episode has the speed of another
one of its task.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d

from analysis.cluster_statistics import Estimate
from analysis.episodes import Episodes, activity, body, need_episodes, read_episodes, signals
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import COLOURS, MUTED, beside_null, drawn, layer_look, lettered
from analysis.resampling import Null, above, bootstrap, exchanged, null_of
from analysis.sequences import z_scored_together
from analysis.verdicts import Claim, judge

Array = np.ndarray

SPEEDS = {
    "forward": ("forward_speed", "m/s"),
    "lateral": ("lateral_speed", "m/s"),
    "turning": ("yaw_rate", "rad/s"),
}
CONDITIONS = 8
SMOOTHING_S = 0.24
"""A stride: the trunk turns and sways within it."""
SHUFFLES = 40
LEAST_EPISODES = 4
files_of = picture_and_numbers


@dataclass(frozen=True)
class SpeedAxis:
    """An axis of speed in one layer.

    Attributes:
        axis: (units,) of length 1; from slow to fast (from right to left).
        speed: (conditions,) their mean speeds.
        along: (conditions,) mean activity along the axis in the episodes that did not make it.
        share: of the variance of condition means along the axis there, over episodes.
        null: the same beside that of speeds of other episodes.
    """

    axis: Array
    speed: Array
    along: Array
    share: Estimate
    null: Null


def speed_axis(
    parts: Sequence[Array],
    speeds: Sequence[Array],
    groups: Sequence[Hashable] = (),
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> SpeedAxis:
    """The axis along which mean activity differs most between conditions of a speed.

    Args:
        parts: each episode (ticks, units).
        speeds: (ticks,) of each.
        groups: of each episode what speeds are exchanged within, such as its task; none for all.
        shuffles: for the null.
        seed: of the shuffles.
    """
    every = np.concatenate(speeds)
    edges = np.quantile(every, np.linspace(0, 1, CONDITIONS + 1)[1:-1])
    of = [np.digitize(speed, edges) for speed in speeds]
    counts = _counts(of)
    sums = np.stack([_sums(part, own) for part, own in zip(parts, of, strict=True)])
    first, second = list(range(0, len(parts), 2)), list(range(1, len(parts), 2))
    in_first = set(first)

    def along(chosen: Sequence[int], sums: Array, counts: Array) -> tuple[Array, Array, float]:
        """The axis, the other half's conditions along it, and their share of variance."""
        one = [k for k in chosen if k in in_first]
        other = [k for k in chosen if k not in in_first]
        axis = np.linalg.svd(_means(sums, counts, one), full_matrices=False)[2][0]
        means = _means(sums, counts, other)
        total = float((means**2).sum())
        return axis, means @ axis, float(((means @ axis) ** 2).sum() / total) if total else 0.0

    everyone = [*first, *second]
    (share,) = bootstrap(lambda some: [along(some, sums, counts)[2]], [first, second])
    random = np.random.default_rng(seed)
    shuffled = []
    for _ in range(shuffles):
        other = exchanged(of, random, groups)
        made = np.stack([_sums(part, own) for part, own in zip(parts, other, strict=True)])
        shuffled.append(along(everyone, made, _counts(other))[2])
    axis, projected, value = along(everyone, sums, counts)
    mean_speed = np.array([every[np.digitize(every, edges) == k].mean() for k in range(CONDITIONS)])
    sign = 1.0 if np.corrcoef(mean_speed, projected)[0, 1] >= 0 else -1.0
    return SpeedAxis(sign * axis, mean_speed, sign * projected, share, null_of(value, shuffled))


def _counts(of: Sequence[Array]) -> Array:
    return np.stack([np.bincount(own, minlength=CONDITIONS) for own in of])


def _sums(part: Array, of: Array) -> Array:
    member = (of == np.arange(CONDITIONS)[:, None]).astype(part.dtype)
    return member @ part


def _means(sums: Array, counts: Array, episodes: Sequence[int]) -> Array:
    """Mean activity in each condition, about the mean of the conditions, (conditions, units).

    A condition that these episodes do not have counts for nothing: it is 0.
    """
    weight = np.bincount(np.asarray(episodes, int), minlength=len(counts))
    n = (weight @ counts)[:, None]
    means = np.tensordot(weight, sums, 1) / np.maximum(n, 1)
    there = n > 0
    return np.where(there, means - means[there[:, 0]].mean(0), 0.0)


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of any tasks.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or there are fewer than four episodes.
    """
    found = read_episodes(files)
    need_episodes(found.episodes, LEAST_EPISODES, "An axis of speed that is found in half of them")
    names = [name for name, _ in SPEEDS.values()]
    speeds = [
        uniform_filter1d(each, round(SMOOTHING_S * found.rate_hz), axis=0)
        for each in signals(found.episodes, lambda r, one: body(r, one, *names))
    ]
    of = {}
    tasks = [one.task for one in found.episodes]
    for layer in found.layers:
        parts = _about_tasks(found, z_scored_together(activity(found.episodes, layer, "h")))
        for k, kind in enumerate(SPEEDS):
            of[layer, kind] = speed_axis(parts, [each[:, k] for each in speeds], tasks)
    claims = (_claim(found, of),)
    _picture(found, of, out)
    numbers = []
    for (layer, kind), one in of.items():
        measure = f"share of variance of condition means along the axis of {kind} speed"
        numbers.append(number(measure, one.share, one.null, layer=layer, state="h"))
    for layer in found.layers:
        for a, b in (("forward", "lateral"), ("forward", "turning"), ("lateral", "turning")):
            cosine = float(abs(of[layer, a].axis @ of[layer, b].axis))
            measure = f"angle between the axes of {a} and {b} speed (°)"
            angle = float(np.degrees(np.arccos(min(1.0, cosine))))
            numbers.append(number(measure, angle, layer=layer, state="h"))
    write_numbers(files_of(out)[1], numbers)
    return FigureResult(files_of(out), claims, found.notes())


def _about_tasks(found: Episodes, parts: list[Array]) -> list[Array]:
    """Activity less the mean of its task."""
    mean = {}
    for task in found.tasks:
        own = [part for part, one in zip(parts, found.episodes, strict=True) if one.task == task]
        mean[task] = sum(each.sum(0) for each in own) / sum(map(len, own))
    return [part - mean[one.task] for part, one in zip(parts, found.episodes, strict=True)]


def _claim(found: Episodes, of: dict[tuple[str, str], SpeedAxis]) -> Claim:
    layers = found.layers[1:] or found.layers
    margins = [
        above(of[layer, kind].share, of[layer, kind].null.level, len(layers) * len(SPEEDS))
        for layer in layers
        for kind in SPEEDS
    ]
    listed = "; ".join(
        f"{kind}: {', '.join(f'{layer} {of[layer, kind].null}' for layer in layers)}"
        for kind in SPEEDS
    )
    return Claim(
        "Rush et al. 2023 (h)",
        "we identify speed axes that maximizes variance of mean activity across different forward, lateral, "
        "and rotational speed conditions",
        "in every policy layer and for each of the three speeds an axis from half of the episodes carries "
        "more of the variance of condition means in the rest than in 95 % of exchanges, in which each "
        "episode has the speed of another one of its task",
        listed,
        judge(margins),
    )


def _picture(found: Episodes, of: dict[tuple[str, str], SpeedAxis], out: Path) -> None:
    title = (
        f"{found.episodes[0].subject}: mean activity (h) along axes of speed, in the half of "
        f"{len(found.episodes)} episodes that did not make them"
    )
    with drawn(out, 4.6, title) as figure:
        upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
        panels = upper.subplots(1, len(SPEEDS))
        for axes, (kind, (_, unit)) in zip(panels, SPEEDS.items(), strict=True):
            for layer in found.layers:
                one = of[layer, kind]
                axes.plot(one.speed, one.along, markersize=3.5, label=layer, **layer_look(layer))
            axes.axhline(0, color=MUTED, linewidth=0.4)
            axes.set_xlabel(f"{'to the left' if kind != 'forward' else kind} ({unit})")
            axes.set_title(f"{kind} speed")
        panels[0].set_ylabel("along the axis (sd of a unit)")
        panels[0].legend()
        shares, angles = lower.subplots(1, 2, width_ratios=(1.5, 1))
        for j, layer in enumerate(found.layers):
            for k, kind in enumerate(SPEEDS):
                one, x = of[layer, kind], k + 0.18 * (j - (len(found.layers) - 1) / 2)
                beside_null(shares, x, one.share, one.null.shuffled, 0.06, **layer_look(layer))
        shares.set_xticks(range(len(SPEEDS)), list(SPEEDS))
        shares.set_ylim(0, 1.05)
        shares.set_ylabel("share of the variance of\nmeans along the axis")
        shares.set_title("held-out episodes; grey: 95 % of speeds of others")
        pairs = (("forward", "lateral"), ("forward", "turning"), ("lateral", "turning"))
        for j, (a, b) in enumerate(pairs):
            cosine = [abs(of[layer, a].axis @ of[layer, b].axis) for layer in found.layers]
            angle = np.degrees(np.arccos(np.minimum(1, cosine)))
            angles.plot(angle, "osv"[j], color=COLOURS[j], markersize=4, label=f"{a}, {b}")
        angles.set_xticks(range(len(found.layers)), found.layers, rotation=20)
        angles.set_ylim(0, 130)
        angles.set_yticks((0, 30, 60, 90))
        angles.set_ylabel("angle (°)")
        angles.set_title("between axes")
        angles.legend(ncols=2, loc="upper left")
        lettered([*panels, shares, angles])
