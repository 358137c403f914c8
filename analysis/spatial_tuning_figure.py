"""The figure `spatial_tuning`: units tuned to place and to heading in the maze. Beyond the paper.

Of every fourth tick of each episode: what rates say of the cell of the maze that the animal is in, and how
much they point to one heading (`analysis.spatial_tuning`). The same of what is left of a unit when movement,
touch, the orb and task events have predicted it in held-out episodes: a unit that is active in turns looks
tuned to corners.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import FEWEST_CLUSTERS
from analysis.covariates import EVERY, covariates
from analysis.episodes import (
    Episodes,
    activity,
    body,
    need_episodes,
    read_episodes,
    signals,
)
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import BAND, COLOURS, MUTED, drawn, layer_look, lettered, whiskers
from analysis.ridge import predict_held_out, products_of
from analysis.sequences import z_scored_together
from analysis.spatial_tuning import (
    CELL_M,
    FALSE_DISCOVERIES,
    HEADINGS,
    TunedUnits,
    heading_bins,
    maps_of,
    mean_vector_length,
    measured,
    place_bins,
    rates_of,
    skaggs,
    tuned_units,
)

Array = np.ndarray

LEAST_S = 10.0
"""Shorter episodes are left out: all are cut to the shortest."""
SIGNALS = {"h": "h", "c": "c", "rest": "h beyond movement"}
KINDS = {
    "place": (skaggs, "information about place (bits)"),
    "heading": (mean_vector_length, "mean vector length of heading"),
}
EXPLAINING = ("posture", "joint speed", "forces", "body", "touch", "goal", "events")
"""Groups of `analysis.covariates` whose part is taken away for "beyond movement"."""
EXAMPLES = 4
files_of = picture_and_numbers


@dataclass(frozen=True)
class Forage:
    """Episodes in the maze.

    Attributes:
        found: the episodes.
        x: of each (ticks,) m, of every `EVERY`-th tick.
        y: likewise.
        bins: by kind, of each episode (ticks,).
        rates: by signal, of each episode (ticks, units of all layers), Hz.
    """

    found: Episodes
    x: list[Array]
    y: list[Array]
    bins: dict[str, list[Array]]
    rates: dict[str, list[Array]]


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of any tasks; those of maze forage count.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or fewer than six episodes last ten seconds.
    """
    known = _read(files)
    units = _units_of(known.found)
    of: dict[tuple[str, str, str], TunedUnits] = {}
    for kind, (measure, _) in KINDS.items():
        for signal in SIGNALS:
            rate_hz = known.found.rate_hz / EVERY
            one = measured(known.rates[signal], known.bins[kind], measure, rate_hz)
            for layer in known.found.layers:
                of[kind, signal, layer] = tuned_units(one.of_units(units[layer]))
    _picture(known, of, units, out)
    numbers = []
    for (kind, signal, layer), tuned in of.items():
        measures = (
            (f"share of units tuned to {kind}", tuned.share, tuned.null),
            (f"units tested for {kind}", float(len(tuned.p)), None),
            (f"{KINDS[kind][1]}, mean of units", float(tuned.value.mean()), None),
            (f"{KINDS[kind][1]}, mean of units, by chance", float(tuned.chance.mean()), None),
        )
        for words, value, null in measures:
            numbers.append(
                number(words, value, null, task="forage", layer=layer, state=SIGNALS[signal])
            )
    write_numbers(files_of(out)[1], numbers)
    return FigureResult(files_of(out), (), (*known.found.notes(), *_how(known)))


def _read(files: Iterable[Path]) -> Forage:
    found = read_episodes(files, ("forage",))
    short = [one for one in found.episodes if one.n_ticks * one.tick_s < LEAST_S]
    left_out = [
        f"{one.files[0]}: trial {one.trial} lasted less than {LEAST_S:g} s." for one in short
    ]
    found = Episodes(
        tuple(one for one in found.episodes if one not in short), (*found.left_out, *left_out)
    )
    need_episodes(found.episodes, FEWEST_CLUSTERS, "Tuning to place, held against exchanges of")
    names = ("torso_x", "torso_y", "yaw")
    rows = slice(None, None, EVERY)
    places = [each[rows] for each in signals(found.episodes, lambda r, one: body(r, one, *names))]
    x, y, yaw = ([each[:, k] for each in places] for k in range(3))
    bins = {
        "place": [place_bins(*each) for each in zip(x, y, strict=True)],
        "heading": [heading_bins(each) for each in yaw],
    }
    parts = {
        state: [part[rows] for part in activity(found.episodes, None, state)] for state in "hc"
    }
    groups = covariates(found.episodes)
    xs = [np.hstack([groups[name][k] for name in EXPLAINING]) for k in range(len(x))]
    parts["rest"] = beyond(xs, z_scored_together(parts["h"]))
    rates = {signal: rates_of(each) for signal, each in parts.items()}
    return Forage(found, x, y, bins, rates)


def beyond(xs: Sequence[Array], units: Sequence[Array]) -> list[Array]:
    """What is left of units when predictors have said theirs in held-out episodes (ridge regression).

    Args:
        xs: of each episode (ticks, predictors).
        units: of each episode (ticks, units), z-scored.
    """
    held = predict_held_out(products_of(xs, units))
    return [
        part - (x @ found[:-1] + found[-1])
        for x, part, found in zip(xs, units, held.coefficients, strict=True)
    ]


def _units_of(found: Episodes) -> dict[str, slice]:
    """The columns of each layer among the units of all."""
    (described,) = signals(found.episodes[:1], lambda recording, one: recording.description)
    ends = np.cumsum([layer.n_units for layer in described.layers]).tolist()
    return {
        layer.name: slice(end - layer.n_units, end)
        for layer, end in zip(described.layers, ends, strict=True)
    }


def _how(known: Forage) -> tuple[str, ...]:
    cells = np.mean([each.max() + 1 for each in known.bins["place"]])
    visits = np.mean([1 + np.count_nonzero(np.diff(each)) for each in known.bins["place"]])
    n = min(map(len, known.x))
    return (
        f"Every {EVERY}th tick; cells of {CELL_M:g} m, {HEADINGS} headings; episodes cut to "
        f"{n * EVERY / known.found.rate_hz:.0f} s, in which the animal is in {cells:.0f} cells and makes "
        f"{visits:.0f} visits: that it comes back is rare, and so is what could show that a unit is tuned.",
        "A unit is tuned if its mean over episodes stands out both from activity shifted in time and from "
        f"that of other episodes (larger p; at most {FALSE_DISCOVERIES:.0%} of a layer's tuned units false, "
        "Benjamini & Hochberg). Each episode has a maze of its own, and a unit a map of its own in each.",
        f"Beyond movement: less what {', '.join(EXPLAINING)} predict in held-out episodes, by ridge "
        "regression; what they say otherwise than linearly stays.",
    )


# --- the picture ------------------------------------------------------------------------------------


def _picture(
    known: Forage,
    of: dict[tuple[str, str, str], TunedUnits],
    units: dict[str, slice],
    out: Path,
) -> None:
    found = known.found
    sizes = dict.fromkeys(str(each.stop - each.start) for each in units.values())
    title = (
        f"{found.episodes[0].subject}: units tuned to place and heading in the maze (n = "
        f"{len(found.episodes)} episodes, {' or '.join(sizes)} units a layer)"
    )
    with drawn(out, 7.6, title) as figure:
        upper, lower = figure.subfigures(2, 1, height_ratios=(1.9, 1), squeeze=False)[:, 0]
        panels = upper.subplots(2, 2)
        for column, (kind, (_, words)) in enumerate(KINDS.items()):
            _shares(panels[0, column], found, of, kind)
            _excess(panels[1, column], found, of, kind, words)
        handles = panels[0, 0].get_legend_handles_labels()
        upper.legend(*handles, loc="outside lower center", ncols=4)
        below = lower.subplots(
            1, EXAMPLES + 1, gridspec_kw={"width_ratios": [1] * EXAMPLES + [1.5]}
        )
        _maps(below[:EXAMPLES], known, of, units)
        _headings(below[EXAMPLES], known, of, units)
        lettered([*panels.ravel(), below[0], below[EXAMPLES]])


def _shares(
    axes: Axes, found: Episodes, of: dict[tuple[str, str, str], TunedUnits], kind: str
) -> None:
    for j, signal in enumerate(SIGNALS):
        for i, layer in enumerate(found.layers):
            one, x = of[kind, signal, layer], i + 0.22 * (j - 1)
            axes.fill_between([x - 0.08, x + 0.08], 0, one.null.level, color=BAND, linewidth=0)
            look = {"color": COLOURS[j], "marker": ("o", "s", "^")[j]}
            whiskers(axes, [x], [one.share], SIGNALS[signal] if i == 0 else None, **look)
    axes.fill_between([], [], [], color=BAND, label="95 % of exchanges")
    axes.set_xticks(range(len(found.layers)), found.layers)
    axes.set_ylim(bottom=-0.004, top=max(0.1, axes.get_ylim()[1]))
    axes.set_ylabel("share of units")
    axes.set_title(f"tuned to {kind}")


def _excess(
    axes: Axes,
    found: Episodes,
    of: dict[tuple[str, str, str], TunedUnits],
    kind: str,
    words: str,
) -> None:
    for layer in found.layers:
        one = of[kind, "h", layer]
        excess = np.sort(one.value - one.chance)
        style = ("-", "--", "-.", ":")[found.layers.index(layer) % 4]
        share = np.arange(1, len(excess) + 1) / len(excess)
        axes.plot(excess, share, style, color=layer_look(layer)["color"], label=layer)
    axes.axvline(0, color=MUTED, linewidth=0.5)
    axes.set_xlabel(f"{words}, above chance")
    axes.set_ylabel("share of units")
    axes.set_title("cumulative, h")
    axes.legend(loc="lower right")


def _example(
    known: Forage, of: dict[tuple[str, str, str], TunedUnits], kind: str
) -> tuple[str, int, str]:
    """Layer and unit that stand out most from chance, and whether it is tuned, in words."""
    layer, unit = max(
        ((layer, int(np.argmax(_ratio(of[kind, "h", layer])))) for layer in known.found.layers),
        key=lambda each: _ratio(of[kind, "h", each[0]])[each[1]],
    )
    passes = bool(of[kind, "h", layer].passes[unit])
    return layer, unit, "" if passes else ", not tuned"


def _ratio(one: TunedUnits) -> Array:
    """How far units are above chance; those that are tuned come first."""
    ratio: Array = one.value / np.maximum(one.chance, 1e-3) + 1e3 * one.passes
    return ratio


def _maps(
    panels: Sequence[Axes],
    known: Forage,
    of: dict[tuple[str, str, str], TunedUnits],
    units: dict[str, slice],
) -> None:
    layer, unit, word = _example(known, of, "place")
    column = units[layer].start + unit
    low_hz, high_hz = _range(known, column)
    for k, axes in enumerate(panels):
        rates = known.rates["h"][k][:, column : column + 1]
        mean = maps_of(rates, known.bins["place"][k])[0][0, :, 0]
        cells = np.round(np.stack([known.x[k], known.y[k]], axis=1) / CELL_M).astype(int)
        low = np.array([-5, -5])
        image = np.full((11, 11), np.nan)
        at = np.clip(cells - low, 0, 10)
        image[at[:, 1], at[:, 0]] = mean[known.bins["place"][k]]
        edge = 5.5 * CELL_M
        shown = axes.imshow(
            image, origin="lower", extent=(-edge, edge, -edge, edge), cmap="viridis",
            vmin=low_hz, vmax=high_hz, interpolation="nearest", rasterized=True,
        )  # fmt: skip
        axes.plot(known.x[k], known.y[k], color="#cc3311", linewidth=0.4)
        axes.set_xlabel("x (m)")
        axes.set_title(f"seed {known.found.episodes[k].seed}")
    panels[0].set_ylabel("y (m)")
    panels[0].set_title(f"{layer} unit {unit}{word}")
    panels[0].figure.colorbar(shown, ax=panels, label="rate (Hz)", shrink=0.8, pad=0.02)


def _range(known: Forage, column: int) -> tuple[float, float]:
    """The lowest and the highest mean rate of a unit in a cell of the examples, Hz."""
    means = [
        maps_of(known.rates["h"][k][:, column : column + 1], known.bins["place"][k])[0]
        for k in range(EXAMPLES)
    ]
    return min(float(each.min()) for each in means), max(float(each.max()) for each in means)


def _headings(
    axes: Axes,
    known: Forage,
    of: dict[tuple[str, str, str], TunedUnits],
    units: dict[str, slice],
) -> None:
    layer, unit, word = _example(known, of, "heading")
    column = units[layer].start + unit
    degrees = 360 / HEADINGS * (np.arange(HEADINGS + 1))
    for k in range(EXAMPLES):
        rates = known.rates["h"][k][:, column : column + 1]
        mean, occupancy = maps_of(rates, known.bins["heading"][k])
        curve = np.full(HEADINGS, np.nan)
        curve[: len(occupancy)] = np.where(occupancy > 0, mean[0, :, 0], np.nan)
        seed = known.found.episodes[k].seed
        axes.plot(degrees, np.append(curve, curve[0]), color=COLOURS[k], label=f"seed {seed}")
    axes.set_xticks((0, 90, 180, 270, 360))
    axes.set_xlabel("heading (°)")
    axes.set_ylabel("rate (Hz)")
    low_hz, high_hz = axes.get_ylim()
    axes.set_ylim(low_hz, high_hz + 0.8 * (high_hz - low_hz))  # room for the legend
    axes.set_title(f"{layer} unit {unit}{word}")
    axes.legend(loc="upper center")
