"""The figure `effect`: what a stimulus caused, from counterfactual pairs, per unit and per joint over time.

The effect on a signal is the branch's value minus the session's, tick by tick from the branching on; over
pairs it has a mean and a spread. Branches of one session share its past, so that they say less than as many
of different ones: intervals and standard errors are over sessions. Where there is one alone they are over its
branches, and hold for it only.

Beside them stands what the same precision would have taken without pairs: comparing as many stimulated
trials with as many others has the variance of both between trials, where a pair has only that of its
difference.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.cluster_statistics import FEWEST_CLUSTERS, Estimate
from analysis.figure_result import FigureResult
from analysis.pairs import Floats, Pairs, read_pairs
from analysis.resampling import bootstrap
from rig.output_file import replacing

LEAST_PAIRS = 2
SHOWN_JOINTS = 6
SHOWN_QUANTITY = "forward_speed"
REPORTED_S = (0.04, 0.1, 0.5)
"""The moments after the branching that the notes are about."""
_INK, _MUTED = "#222222", "#666666"
# Okabe and Ito's colours, which people with colour vision deficiencies tell apart
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: sessions and their branches (`rodent-rig branch`).
        out: the picture; `NAME.csv` gets mean and spread of every signal at every tick.

    Raises:
        UserError: there is no pair.
    """
    pairs = read_pairs(files)
    _, numbers = files_of(out)
    with replacing(numbers) as partial:
        _write(partial, pairs)
    look = {"pdf.fonttype": 42, "svg.fonttype": "none", "font.size": 8, "axes.linewidth": 0.6}
    with matplotlib.rc_context(look | {"text.parse_math": False}), replacing(out) as partial:
        _draw(pairs, partial)
    return FigureResult(files_of(out), (), tuple(_notes(pairs)))


def files_of(out: Path) -> tuple[Path, ...]:
    """What `draw` writes: the picture, and its numbers beside it."""
    return out, out.with_suffix(".csv")


# --- numbers ----------------------------------------------------------------------------------------


def mean_of(values: Floats) -> Floats:
    """The mean over pairs, the first axis; NaN where there are none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        mean: Floats = np.nanmean(values, axis=0)
    return mean


def spread_of(values: Floats) -> Floats:
    """The standard deviation over pairs, the first axis; NaN where there are fewer than two."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Degrees of freedom")
        spread: Floats = np.nanstd(values, axis=0, ddof=1)
    return spread


def sessions_of(values: Floats, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """From how many sessions there are values: (pairs, ...) with the seed of each pair to (...)."""
    there = ~np.isnan(values)
    counts = [there[seeds == seed].any(axis=0) for seed in np.unique(seeds)]
    found: NDArray[np.int64] = np.sum(counts, axis=0, dtype=np.int64)
    return found


def standard_error_of(values: Floats, seeds: NDArray[np.int64]) -> Floats:
    """The standard error of the mean over pairs, from what sessions add up to; NaN of a single pair.

    Of one session it is over its pairs. Ten pairs that are alike say no more than one:

    >>> alike = np.repeat([[0.0], [1.0], [2.0]], 10, axis=0)
    >>> standard_error_of(alike, np.repeat([7, 8, 9], 10)).round(3).tolist()  # 1 / sqrt(3)
    [0.577]
    >>> standard_error_of(alike, np.arange(30)).round(3).tolist()
    [0.152]

    Args:
        values: (pairs, ...), NaN where there is nothing.
        seeds: (pairs,) of the session of each.
    """
    n = (~np.isnan(values)).sum(axis=0)
    apart = np.nan_to_num(values - mean_of(values))
    squares = np.sum([apart[seeds == seed].sum(axis=0) ** 2 for seed in np.unique(seeds)], axis=0)
    sessions = sessions_of(values, seeds)
    with np.errstate(divide="ignore", invalid="ignore"):
        over_sessions = np.sqrt(squares * sessions / (sessions - 1)) / n
        over_pairs = spread_of(values) / np.sqrt(n)
    error: Floats = np.where(sessions > 1, over_sessions, over_pairs)
    return error


def mean_with_interval(values: Floats, seeds: NDArray[np.int64]) -> Estimate:
    """The mean over pairs, with its 95 % interval from drawing sessions; of fewer than six it has none.

    Args:
        values: (pairs,), NaN where there is nothing; there is one value or more.
        seeds: (pairs,) of the session of each.
    """
    there = ~np.isnan(values)
    own = [values[there & (seeds == seed)] for seed in np.unique(seeds[there])]
    (found,) = bootstrap(
        lambda some: [np.concatenate([own[k] for k in some]).mean()], [range(len(own))]
    )
    return found


def relative_efficiency(with_it: Floats, without: Floats) -> Floats:
    """How many trials of each sort, stimulated and not, are as precise as one pair.

    The mean difference of n stimulated and n other trials has the variance (v₁ + v₀) / n, that of n pairs
    v(difference) / n. Their ratio, NaN where pairs do not differ at all.

    >>> without = np.array([[1.0], [2.0], [4.0]])
    >>> with_it = without + [[0.9], [1.0], [1.1]]
    >>> relative_efficiency(with_it, without).round().tolist()
    [498.0]

    Args:
        with_it: (pairs, ...) the branches, NaN where there is nothing.
        without: (pairs, ...) the sessions that they left.
    """
    both = ~np.isnan(with_it) & ~np.isnan(without)
    one, other = np.where(both, with_it, np.nan), np.where(both, without, np.nan)
    between = spread_of(one) ** 2 + spread_of(other) ** 2
    within = spread_of(one - other) ** 2
    ratio: Floats = np.divide(between, within, out=np.full(within.shape, np.nan), where=within > 0)
    return ratio


def _write(path: Path, pairs: Pairs) -> None:
    effect = pairs.effect
    n, sessions = (~np.isnan(effect)).sum(axis=0), sessions_of(effect, pairs.seeds)
    columns = (
        mean_of(effect),
        spread_of(effect),
        standard_error_of(effect, pairs.seeds),
        spread_of(pairs.without),
        relative_efficiency(pairs.with_it, pairs.without),
    )
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                *("kind", "name", "offset_ticks", "offset_s", "pairs", "sessions", "mean", "sd"),
                *("standard_error", "sd_of_trials", "relative_efficiency"),
            ]
        )
        for k, signal in enumerate(pairs.signals):
            for t, offset in enumerate(pairs.offsets.tolist()):
                writer.writerow(
                    [
                        *(signal.kind, signal.name, offset, f"{offset * pairs.tick_s:.2f}"),
                        *(int(n[t, k]), int(sessions[t, k])),
                        *(f"{float(each[t, k]):.6g}" for each in columns),
                    ]
                )


def _notes(pairs: Pairs) -> Iterable[str]:
    yield (
        f"{pairs.n} pairs from {pairs.sessions} session{'s' * (pairs.sessions != 1)}, branched into "
        f"{', '.join(pairs.protocols)}; effect = branch minus session."
    )
    if pairs.unstimulated:
        yield f"In {pairs.unstimulated} of them the branch had no stimulus (a sham, or no trigger)."
    if pairs.n < LEAST_PAIRS:
        yield "One pair has no spread: make more of them (`rodent-rig branch --every`)."
    else:
        ratio = relative_efficiency(pairs.with_it, pairs.without)
        found = [k for k, each in enumerate(pairs.signals) if each.name == SHOWN_QUANTITY]
        for after_s in REPORTED_S:
            at = int(np.searchsorted(pairs.offsets, round(after_s / pairs.tick_s)))
            if found:
                yield from _precision(pairs, ratio, after_s, at, found[0])
            yield from _worth(pairs, ratio, after_s, at)
    yield from pairs.left_out


def _precision(pairs: Pairs, ratio: Floats, after_s: float, at: int, place: int) -> Iterable[str]:
    """The effect on one quantity, and what the same precision takes without pairs."""
    effect = pairs.effect[:, at, place]
    n, error = int((~np.isnan(effect)).sum()), float(standard_error_of(effect, pairs.seeds))
    if n < LEAST_PAIRS or not np.isfinite(ratio[at, place]) or error == 0:
        return
    found = mean_with_interval(effect, pairs.seeds)
    if found.clusters == 1:
        over = f"over {n} branches of one session only: it says nothing of others"
    elif found.bounded:
        over = f"over {found.clusters} sessions, {n} pairs; 95 % {found.interval('+.4g')}"
    else:
        over = f"over {found.clusters} sessions, {n} pairs; fewer than {FEWEST_CLUSTERS} have no interval"
    trials = int(np.ceil(ratio[at, place] * (spread_of(effect) / error) ** 2))
    yield (
        f"{pairs.signals[place].name} {after_s:g} s after: {found.value:+.4g} ± {error:.2g} (standard error "
        f"{over}); without pairs the same precision takes {trials} trials with the stimulus and {trials} "
        "without."
    )


def _worth(pairs: Pairs, ratio: Floats, after_s: float, at: int) -> Iterable[str]:
    """What a pair is worth, over all units and all joints."""
    words = []
    for kind in ("unit", "joint"):
        found = ratio[at, pairs.of_kind(kind)]
        found = found[np.isfinite(found)]
        if len(found):
            low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
            words.append(f"{middle:.1f} for {kind}s (quartiles {low:.1f} and {high:.1f})")
    if words:
        yield (
            f"{after_s:g} s after, a pair is worth so many trials of each sort: {', '.join(words)}."
        )


# --- the picture ------------------------------------------------------------------------------------


def _draw(pairs: Pairs, out: Path) -> None:
    figure = Figure(figsize=(7.2, 7.6), dpi=200, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        3, 2, height_ratios=(1.1, 2, 1.3), left=0.11, right=0.94, top=0.93, bottom=0.07
    )
    grid.update(hspace=0.34, wspace=0.38)
    times_s: Floats = (pairs.offsets * pairs.tick_s).astype(np.float64)
    figure.suptitle(
        f"{', '.join(pairs.protocols)}: {pairs.n} counterfactual pairs", color=_INK, fontsize=9
    )
    layers = _layers(pairs)
    _sizes(figure.add_subplot(grid[0, 0]), pairs, times_s, layers)
    _sizes(figure.add_subplot(grid[0, 1]), pairs, times_s, {"joints": pairs.of_kind("joint")})
    _map(figure.add_subplot(grid[1, 0]), pairs, times_s, layers, "change of c")
    _map(
        figure.add_subplot(grid[1, 1]),
        pairs,
        times_s,
        {"joints": pairs.of_kind("joint")},
        "change (rad or m)",
    )
    _largest(figure.add_subplot(grid[2, :]), pairs, times_s)
    figure.savefig(out, facecolor="white")


def _layers(pairs: Pairs) -> dict[str, NDArray[np.int64]]:
    found: dict[str, list[int]] = {}
    for k in pairs.of_kind("unit").tolist():
        found.setdefault(pairs.signals[k].name.partition("/")[0], []).append(k)
    return {name: np.array(places) for name, places in found.items()}


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=2, colors=_MUTED)
    axes.axvline(0, color=_MUTED, linewidth=0.6, linestyle=":")


def _sizes(
    axes: Axes,
    pairs: Pairs,
    times_s: Floats,
    groups: dict[str, NDArray[np.int64]],
) -> None:
    """The size of the effect over a group of signals (root mean square), median and quartiles of pairs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        warnings.filterwarnings("ignore", "All-NaN slice")
        for k, (name, places) in enumerate(groups.items()):
            size = np.sqrt(np.nanmean(pairs.effect[:, :, places] ** 2, axis=2))
            low, middle, high = np.nanquantile(size, (0.25, 0.5, 0.75), axis=0)
            colour = _COLOURS[k % len(_COLOURS)]
            axes.plot(times_s, middle, color=colour, linewidth=1.2, label=name)
            axes.fill_between(times_s, low, high, color=colour, alpha=0.2, linewidth=0)
    _plain(axes)
    axes.set_ylabel("size of the effect (rms)", color=_INK)
    axes.legend(frameon=False, fontsize=6)


def _map(
    axes: Axes,
    pairs: Pairs,
    times_s: Floats,
    groups: dict[str, NDArray[np.int64]],
    what: str,
) -> None:
    places = np.concatenate(list(groups.values()))
    mean = mean_of(pairs.effect[:, :, places]).T
    largest = float(np.nanquantile(np.abs(mean), 0.99)) or 1.0
    image = axes.imshow(
        mean,
        aspect="auto",
        interpolation="nearest",
        cmap="RdBu_r",
        vmin=-largest,
        vmax=largest,
        extent=(times_s[0], times_s[-1] + pairs.tick_s, len(places), 0),
    )
    edges = np.cumsum([0, *(len(each) for each in groups.values())])
    axes.set_yticks((edges[:-1] + edges[1:]) / 2, list(groups), rotation=90, va="center")
    for edge in edges[1:-1]:
        axes.axhline(edge, color=_INK, linewidth=0.5)
    axes.axvline(0, color=_MUTED, linewidth=0.6, linestyle=":")
    axes.tick_params(length=2, colors=_MUTED)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.03)
    bar.set_label(f"{what}, mean of pairs", fontsize=7)
    bar.ax.tick_params(labelsize=6)


def _largest(axes: Axes, pairs: Pairs, times_s: Floats) -> None:
    """The joints that change most on average, each with mean and standard deviation over pairs."""
    places = pairs.of_kind("joint")
    mean, spread = mean_of(pairs.effect[:, :, places]), spread_of(pairs.effect[:, :, places])
    largest = np.max(np.nan_to_num(np.abs(mean)), axis=0)
    for k, place in enumerate(np.argsort(-largest)[:SHOWN_JOINTS].tolist()):
        colour = _COLOURS[k % len(_COLOURS)]
        name = pairs.signals[places[place]].name
        axes.plot(times_s, mean[:, place], color=colour, linewidth=1.2, label=name)
        axes.fill_between(
            times_s,
            mean[:, place] - spread[:, place],
            mean[:, place] + spread[:, place],
            color=colour,
            alpha=0.12,
            linewidth=0,
        )
    _plain(axes)
    axes.axhline(0, color=_MUTED, linewidth=0.5)
    axes.set_xlabel("time after the branching (s)", color=_INK)
    axes.set_ylabel("change of angle (rad)\nmean ± sd of pairs", color=_INK)
    axes.legend(frameon=False, fontsize=6, ncols=3)
