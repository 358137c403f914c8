"""Figure 7 of the paper: sequences of units in the two-tap sequence, layer by layer, of h and of c.

Rows of a panel are units, sorted by the time of their peak in every other episode and shown in the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import Estimate
from analysis.episodes import (
    TITLES,
    Episodes,
    activity,
    need_episodes,
    read_episodes,
    signals,
    task_event_rows,
)
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import BAND, INK, drawn, layer_look, layers_beside_nulls, lettered, rows_as_image
from analysis.resampling import above, bootstrap
from analysis.sequences import (
    TILES,
    Totals,
    UnitSequence,
    events_of,
    least_share,
    peak_times,
    sequence_of,
    totals_of,
    z_scored_together,
)
from analysis.verdicts import Claim, judge
from rig.errors import UserError

TASK = "two_tap"
BEFORE_S, AFTER_S = 1.5, 0.5
BETWEEN_TAPS_S = 0.8
STATES = ("h", "c")
LEAST_EPISODES = 2
LEAST_EVENTS = 10
files_of = picture_and_numbers


@dataclass(frozen=True)
class TapSequences:
    """The sequences of every layer around second taps.

    Attributes:
        found: the episodes.
        sequences: by layer and state.
        tiles: by layer and state, the share of units in the emptiest eighth of the time between taps.
        tick_s: s from tick to tick.
    """

    found: Episodes
    sequences: dict[tuple[str, str], UnitSequence]
    tiles: dict[tuple[str, str], Estimate]
    tick_s: float


def second_taps(found: Episodes, before_s: float, after_s: float) -> list[list[int]]:
    """The rows of the second taps of every episode.

    Args:
        found: the episodes.
        before_s: how much of an episode is looked at before each tap.
        after_s: and after it.

    Raises:
        UserError: there are too few, or fewer than two have so much of their episode around them.
    """
    rows = signals(found.episodes, lambda r, one: task_event_rows(r, one, "second_tap"))
    n = sum(map(len, rows))
    if n < LEAST_EVENTS or sum(bool(each) for each in rows) < LEAST_EPISODES:
        raise UserError(
            f"Sequences need {LEAST_EVENTS} second taps in {LEAST_EPISODES} episodes of two-tap, and there "
            f"{'is 1' if n == 1 else f'are {n}'}; record more with: rodent-rig dataset SUBJECT --episodes 25 "
            "--out DIR."
        )
    whole = n_whole(found, rows, before_s, after_s)
    if whole < 2:
        raise UserError(
            f"Of {n} second taps {whole or 'none'} {'has' if whole == 1 else 'have'} {before_s:g} s before "
            f"and {after_s:g} s after in their episodes (less the first second); record longer ones with: "
            "rodent-rig dataset SUBJECT --episodes 25 --out DIR."
        )
    return rows


def n_whole(found: Episodes, rows: Sequence[Sequence[int]], before_s: float, after_s: float) -> int:
    """How many events have so much of their episode around them.

    Args:
        found: the episodes.
        rows: of the events of every episode.
        before_s: what is looked at before each event.
        after_s: and after it.
    """
    before, after = (round(each / found.episodes[0].tick_s) for each in (before_s, after_s))
    return sum(
        before <= row <= one.n_ticks - after
        for one, own in zip(found.episodes, rows, strict=True)
        for row in own
    )


def tap_sequences(files: Iterable[Path]) -> TapSequences:
    """The sequences around second taps in recordings of two-tap.

    Raises `UserError` where the recordings are of different subjects, or have too few second taps.
    """
    found = read_episodes(files, (TASK,))
    need_episodes(
        found.episodes, LEAST_EPISODES, "A sequence sorted in one half and shown in another"
    )
    rows = second_taps(found, BEFORE_S, AFTER_S)
    tick_s = found.episodes[0].tick_s
    before, after = round(BEFORE_S / tick_s), round(AFTER_S / tick_s)
    between = (before - round(BETWEEN_TAPS_S / tick_s), before)
    sequences, tiles = {}, {}
    for layer in found.layers:
        for state in STATES:
            parts = z_scored_together(activity(found.episodes, layer, state))
            sequences[layer, state] = sequence_of(parts, rows, before, after)
            totals = totals_of(events_of(parts, rows, before, after))

            def emptiest(some: Sequence[int], own: Totals = totals) -> list[float]:
                return [least_share(peak_times(own.average(some)), *between)]

            (tiles[layer, state],) = bootstrap(emptiest, [totals.with_events])
    return TapSequences(found, sequences, tiles, tick_s)


def claims_of(result: TapSequences) -> tuple[Claim, ...]:
    """The paper's claims about sequences in two-tap, of h and of c."""
    layers = result.found.layers
    claims = []
    for state in STATES:
        of = "outputs h" if state == "h" else "cell states c"
        margins = [
            above(one.similarity, one.null.level, len(layers))
            for one in (result.sequences[layer, state] for layer in layers)
        ]
        shown = ", ".join(f"{layer} {result.sequences[layer, state].null}" for layer in layers)
        n = result.sequences[layers[0], state].events
        claims.append(
            Claim(
                f"3.4, figure 7 ({state})",
                "Activity patterns in the two-tap task showed peak activity in core and policy units that "
                "was sequentially organized",
                f"{of}: in every layer the rank correlation of units' peak times between halves of the "
                "episodes is above the 95th percentile of activity of other episodes at these times",
                f"{shown}; {n} second taps",
                judge(margins),
            )
        )
        even = 1 / (4 * TILES)
        tiles = [above(result.tiles[layer, state], even, len(layers)) for layer in layers]
        listed = ", ".join(f"{layer} {result.tiles[layer, state].value:.1%}" for layer in layers)
        claims.append(
            Claim(
                f"3.4, figure 7 ({state})",
                "uniformly tiling time between both taps of the two-tap sequence",
                f"{of}: of the units that peak between the taps, the emptiest eighth of the time holds more "
                "than a quarter of an even share (3.1 %) in every layer",
                f"emptiest eighth: {listed}",
                judge(tiles),
            )
        )
    return tuple(claims)


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of two-tap; others are passed over.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or have too few second taps.
    """
    result = tap_sequences(files)
    claims = claims_of(result)
    picture(result, out)
    numbers = []
    for (layer, state), one in result.sequences.items():
        for measure, value, null in (
            ("rank correlation of peak times between halves", one.similarity, one.null),
            ("share in the emptiest eighth between taps", result.tiles[layer, state], None),
            ("second taps", float(one.events), None),
        ):
            numbers.append(number(measure, value, null, task=TASK, layer=layer, state=state))
    write_numbers(files_of(out)[1], numbers)
    return FigureResult(files_of(out), claims, result.found.notes())


def picture(result: TapSequences, out: Path) -> None:
    """Draws sequences of every layer, and how alike they are in both halves."""
    layers, tick_s = result.found.layers, result.tick_s
    any_one = next(iter(result.sequences.values()))
    n_ticks = any_one.shown.shape[1]
    start_s = -BEFORE_S
    title = (
        f"{result.found.episodes[0].subject}: units around the second tap of {TITLES[TASK]}, sorted in half "
        f"of {len(result.found.episodes)} episodes and shown in the rest; n = {any_one.events} taps"
    )
    with drawn(out, 6.6, title) as figure:
        above_it, below = figure.subfigures(2, 1, height_ratios=(3, 1), squeeze=False)[:, 0]
        grid = above_it.subplots(len(STATES), len(layers), squeeze=False, sharex=True, sharey=True)
        for r, state in enumerate(STATES):
            for axes, layer in zip(grid[r], layers, strict=True):
                one = result.sequences[layer, state]
                extent = (start_s, start_s + n_ticks * tick_s, len(one.shown), 0)
                image = rows_as_image(axes, one.shown, extent, vmin=0, vmax=1.5)
                for tap_s in (-BETWEEN_TAPS_S, 0.0):
                    axes.axvline(tap_s, color="white", linewidth=0.8, linestyle="--")
                axes.set_title(f"{layer}, {state}")
            grid[r, 0].set_ylabel("unit, sorted by its peak")
            bar = above_it.colorbar(image, ax=grid[r], pad=0.01, extend="max")
            bar.set_label("|mean z-score|")
        above_it.supxlabel("time from the second tap (s); dashed: the taps", fontsize=8)
        alike, tiled = below.subplots(1, 2)
        _similarity(alike, result)
        _tiling(tiled, result)
        lettered([*grid.ravel(), alike, tiled])


def _similarity(axes: Axes, result: TapSequences) -> None:
    layers = result.found.layers
    by_state = [[result.sequences[layer, state] for layer in layers] for state in STATES]
    layers_beside_nulls(
        axes, layers, [[(one.similarity, one.null.shuffled) for one in own] for own in by_state]
    )
    axes.plot([], [], "o", color=INK, markersize=4, label="h")
    axes.plot([], [], "s", color=INK, markersize=4, markerfacecolor="white", label="c")
    axes.fill_between([], [], [], color=BAND, label="95 % of shuffles")
    axes.axhline(0, color=INK, linewidth=0.4)
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_ylim(top=1.45)
    axes.set_ylabel("rank correlation of\npeak times")
    axes.set_title("halves of the episodes agree")
    axes.legend(ncols=3, loc="upper left")


def _tiling(axes: Axes, result: TapSequences) -> None:
    edges = np.linspace(-BETWEEN_TAPS_S, 0, TILES + 1)
    for k, layer in enumerate(result.found.layers):
        one = result.sequences[layer, "h"]
        times = -BEFORE_S + one.peaks * result.tick_s
        counts = np.histogram(times, edges)[0] / len(times)
        axes.step(edges, [*counts, counts[-1]], where="post", color=layer_look(layer)["color"],
                  linestyle=("-", "--", "-.", ":")[k % 4], label=layer)  # fmt: skip
    axes.set_xlabel("time from second tap (s)")
    axes.set_ylabel("share of units")
    axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
    axes.set_title("when units peak between the taps (h)")
    axes.legend(ncols=2)
