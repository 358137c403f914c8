"""Figure 11 of the paper: units differ less from tap to tap between the taps than around them.

Activity of a unit is z-scored over all ticks of two-tap; its standard deviation over second taps is taken at
each moment, and averaged over units. Beside it stands the same of other episodes at these moments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import Estimate
from analysis.episodes import TITLES, Episodes, activity, need_episodes, read_episodes
from analysis.fig7 import BETWEEN_TAPS_S, LEAST_EPISODES, STATES, TASK, second_taps
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import BAND, COLOURS, MUTED, drawn, layers_beside_nulls, lettered
from analysis.resampling import SHUFFLES, Null, bootstrap, exchanged, null_of
from analysis.sequences import events_of, z_scored_together
from analysis.variability import squares_of
from analysis.verdicts import Claim, judge_beside_null

Array = np.ndarray

BEFORE_S, AFTER_S = 2.0, 1.0
AROUND_S = ((-2.0, -1.0), (0.2, 1.0))
"""Before the first tap and after the second, with room for what leads to one and follows the other."""
EXAMPLES = 10
BAND_OF_UNITS = (0.2, 0.8)
files_of = picture_and_numbers


@dataclass(frozen=True)
class Variability:
    """Of one layer, around second taps.

    Attributes:
        taps: how many there are with their whole window in an episode.
        examples: (10, ticks, 3) of drawn units the 20th percentile, mean and 80th percentile over taps.
        deviation: (ticks, units) standard deviation over taps, in z-scores.
        reduction: how much lower it is between the taps than around them, over episodes.
        null: the same beside that of other episodes at the same moments.
        moved: (2, ticks) the middle 95 % of the mean deviation there.
    """

    taps: int
    examples: Array
    deviation: Array
    reduction: Estimate
    null: Null
    moved: Array


def variability(
    parts: Sequence[Array], rows: Sequence[Sequence[int]], tick_s: float, shuffles: int = SHUFFLES
) -> Variability:
    """The variability of units around second taps.

    Args:
        parts: each (ticks, units), z-scored.
        rows: the second taps of each, rows of it.
        tick_s: s from tick to tick.
        shuffles: for the null.
    """
    before, after = round(BEFORE_S / tick_s), round(AFTER_S / tick_s)
    windows = events_of(parts, rows, before, after)
    squares = squares_of(windows)
    t = (np.arange(before + after) - before) * tick_s
    between = (t >= -BETWEEN_TAPS_S) & (t <= 0)
    around = np.any([(t >= start) & (t < stop) for start, stop in AROUND_S], axis=0)
    with_events = [k for k, each in enumerate(windows) if len(each)]

    def reduction(deviation: Array) -> float:
        mean = deviation.mean(1)
        return float(mean[around].mean() - mean[between].mean())

    (found,) = bootstrap(lambda some: [reduction(squares.deviation(some))], [with_events])
    random = np.random.default_rng(0)
    shuffled, profiles = [], []
    for _ in range(shuffles):
        moved = squares_of(events_of(exchanged(parts, random), rows, before, after))
        deviation = moved.deviation(range(len(parts)))
        shuffled.append(reduction(deviation))
        profiles.append(deviation.mean(1))
    all_windows = np.concatenate(windows)
    units = np.sort(
        random.choice(parts[0].shape[1], min(EXAMPLES, parts[0].shape[1]), replace=False)
    )
    own = all_windows[:, :, units]
    low, high = np.quantile(own, BAND_OF_UNITS, axis=0)
    return Variability(
        int(squares.counts.sum()),
        np.stack([low, own.mean(0), high], axis=-1).transpose(1, 0, 2),
        squares.deviation(with_events),
        found,
        null_of(found.value, shuffled),
        np.quantile(profiles, (0.025, 0.975), axis=0),
    )


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of two-tap; others are passed over.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or have too few second taps.
    """
    found = read_episodes(files, (TASK,))
    need_episodes(found.episodes, LEAST_EPISODES, "Variability from tap to tap")
    rows = second_taps(found, BEFORE_S, AFTER_S)
    of = {}
    for layer in found.layers:
        for state in STATES:
            parts = z_scored_together(activity(found.episodes, layer, state))
            of[layer, state] = variability(parts, rows, found.episodes[0].tick_s)
    claims = tuple(_claim(found, of, state) for state in STATES)
    _picture(found, of, out)
    write_numbers(
        files_of(out)[1],
        [
            number(
                "standard deviation over taps: around less between (z)",
                one.reduction,
                one.null,
                task=TASK,
                layer=layer,
                state=state,
            )
            for (layer, state), one in of.items()
        ],
    )
    return FigureResult(files_of(out), claims, found.notes())


def _claim(found: Episodes, of: dict[tuple[str, str], Variability], state: str) -> Claim:
    last = of[found.layers[-1], state]
    return Claim(
        f"A.6, figure 11 ({state})",
        "During the execution of stereotyped behaviors, neural variability was reduced [...] Observe that "
        "variability is reduced during the two-tap interval",
        f"{'outputs h' if state == 'h' else 'cell states c'}: in the final policy layer the standard "
        "deviation over taps, mean over units, is lower between the taps than before the first (2 to 1 s "
        "before the second) and after the second (0.2 to 1 s), and by more than in 95 % of "
        "exchanges, in which each episode has the activity of another one",
        f"{last.reduction.value:+.3f} ({last.reduction.interval('+.3f')}; "
        f"exchanged: 95 % below {last.null.level:+.3f}, p = {last.null.p:.3f}); {last.taps} taps",
        judge_beside_null(last.reduction, last.null.p),
    )


def _picture(found: Episodes, of: dict[tuple[str, str], Variability], out: Path) -> None:
    layer, tick_s = found.layers[-1], found.episodes[0].tick_s
    last = of[layer, "h"]
    t = np.arange(len(last.deviation)) * tick_s - BEFORE_S
    title = (
        f"{found.episodes[0].subject}: from tap to tap in {TITLES[TASK]}; n = {last.taps} second taps in "
        f"{len(found.episodes)} episodes"
    )
    with drawn(out, 5.4, title) as figure:
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.2), squeeze=False)[0]
        examples = left.subplots()
        for k, unit in enumerate(last.examples):
            scale = 4.0
            low, mean, high = (unit[:, j] + scale * (len(last.examples) - k) for j in range(3))
            colour = COLOURS[k % 2]
            examples.fill_between(t, low, high, color=colour, alpha=0.3, linewidth=0)
            examples.plot(t, mean, color=colour, linewidth=0.9)
        examples.plot([-1.95, -1.95], [0.5, 2.5], color="#222222", linewidth=1.5)
        examples.text(-1.9, 0.7, "2 sd", fontsize=6.5)
        examples.set_yticks([])
        examples.spines["left"].set_visible(False)
        examples.set_title(f"ten units of {layer} (h): mean, 20 to 80 %")
        examples.set_xlabel("time from the second tap (s)")
        over_time, over_layers = right.subplots(2, 1, height_ratios=(1.4, 1))
        low, high = np.quantile(last.deviation, BAND_OF_UNITS, axis=1)
        over_time.fill_between(
            t, low, high, color=COLOURS[0], alpha=0.2, linewidth=0, label="20 to 80 % of units"
        )
        over_time.fill_between(
            t, *last.moved, color=BAND, alpha=0.6, linewidth=0, label="mean of other episodes, 95 %"
        )
        over_time.plot(t, last.deviation.mean(1), color=COLOURS[0], label="mean over units")
        over_time.set_ylim(0, 1.45 * float(high.max()))
        over_time.set_ylabel("sd over taps (z)")
        over_time.set_xlabel("time from the second tap (s)")
        over_time.set_title(f"all units of {layer} (h)")
        over_time.legend(loc="upper left", ncols=2)
        for axes in (examples, over_time):
            for tap_s in (-BETWEEN_TAPS_S, 0.0):
                axes.axvline(tap_s, color=MUTED, linewidth=0.8, linestyle="--")
        _over_layers(over_layers, found, of)
        lettered([examples, over_time, over_layers])


def _over_layers(axes: Axes, found: Episodes, of: dict[tuple[str, str], Variability]) -> None:
    by_state = [[of[layer, state] for layer in found.layers] for state in STATES]
    layers_beside_nulls(
        axes,
        found.layers,
        [[(one.reduction, one.null.shuffled) for one in own] for own in by_state],
    )
    axes.axhline(0, color=MUTED, linewidth=0.5)
    axes.set_ylabel("around less between\nthe taps (z)")
    axes.set_title("reduction; filled h, open c; grey: other episodes")
