"""Figure 12, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.cluster_statistics import Share, share
from analysis.fig12_groups import Activation, Inactivation, elicited, success
from analysis.fig12_paper import PAPER_UNITS
from analysis.perturbations import OUTCOMES, SUCCESS, TRACE_S
from analysis.verdicts import Claim

_INK, _MUTED, _BAND = "#222222", "#666666", "#bbbbbb"
# Okabe and Ito's colours, which people with colour vision deficiencies tell apart; markers as well
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_NAMES = {
    SUCCESS: "second tap in time",
    "tap_too_soon": "too soon",
    "tap_missed": "no second tap",
}


def picture(
    inactivation: Inactivation, activation: Activation, claims: Sequence[Claim], out: Path
) -> None:
    """Draw what there is: A and B of the inactivation, C and D of the activation.

    Args:
        inactivation: attempts at two-tap.
        activation: stimulations and shams.
        claims: written below the panels that they are about.
        out: the file, .png, .pdf or .svg.
    """
    # text stays text in vector formats, so that it can be edited
    editable = {"pdf.fonttype": 42, "svg.fonttype": "none", "font.size": 8, "axes.linewidth": 0.6}
    with matplotlib.rc_context(editable | {"text.parse_math": False}):
        _draw(inactivation, activation, claims, out)


def _draw(
    inactivation: Inactivation, activation: Activation, claims: Sequence[Claim], out: Path
) -> None:
    rows = [
        name
        for name, there in (("inactivation", inactivation.by), ("activation", activation.by))
        if there
    ]
    figure = Figure(figsize=(7.2, 3.6 * len(rows)), dpi=200, facecolor="white")
    FigureCanvasAgg(figure)
    # a layer looks the same in every figure, whichever others are there
    known = ("core", "policy_0", "policy_1", "policy_2")
    layers = [*known, *sorted({*inactivation.layers, *activation.layers} - set(known))]
    look = {
        layer: (_COLOURS[k % len(_COLOURS)], _MARKERS[k % len(_MARKERS)])
        for k, layer in enumerate(layers)
    }
    for strip, name in zip(figure.subfigures(len(rows), 1, squeeze=False)[:, 0], rows, strict=True):
        grid = strip.add_gridspec(
            1, 2, width_ratios=(3, 2), left=0.1, right=0.985, top=0.91, bottom=0.32, wspace=0.36
        )
        left, right = (strip.add_subplot(each) for each in grid)
        if name == "inactivation":
            _draw_success(left, inactivation, look)
            _draw_outcomes(right, inactivation)
        else:
            _draw_elicited(left, activation, look)
            _draw_turning(right, activation, look)
        letters = "AB" if name == "inactivation" else "CD"
        for axes, letter in zip((left, right), letters, strict=True):
            axes.set_title(
                f"{letter}  {axes.get_title('left')}", loc="left", fontsize=9, color=_INK
            )
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(width=0.6, length=2.5)
        said = [
            f"{claim.verdict}: “{claim.quote}”"
            for claim in claims
            if claim.source.startswith(f"figure 12{letters[0]}")
        ]
        heading = (
            "The paper's claims, and whether these recordings agree:"
            if said
            else "There is too little here to hold against the paper's claims."
        )
        strip.text(
            *(0.02, 0.015),
            "\n".join([heading, *said]),
            fontsize=6,
            color=_MUTED,
            verticalalignment="bottom",
        )
    figure.savefig(out, bbox_inches="tight", pad_inches=0.1)


def _errors(shares: Sequence[Share]) -> list[list[float]]:
    # of no hits at all the lower bound can be off 0 by rounding
    below = [max(0.0, each.value - each.low) for each in shares]
    return [below, [max(0.0, each.high - each.value) for each in shares]]


def _draw_success(axes: Axes, inactivation: Inactivation, look: dict[str, tuple[str, str]]) -> None:
    control = share(*success(inactivation.control))
    if control.n:
        axes.axhspan(control.low, control.high, color=_BAND, alpha=0.45, linewidth=0)
        axes.axhline(control.value, color=_MUTED, linewidth=0.8)
        axes.annotate(
            f"unperturbed, n = {control.n}",
            (0.01, control.value),
            xycoords=("axes fraction", "data"),
            verticalalignment="bottom",
            fontsize=6,
            color=_MUTED,
        )
    levels = inactivation.levels
    place = {n: float(k) for k, n in enumerate([0, *levels])}
    for j, layer in enumerate(inactivation.layers):
        own = [n for n in levels if (layer, n) in inactivation.by]
        shares = [share(*success(inactivation.by[layer, n])) for n in own]
        shift = 0.08 * (j - (len(inactivation.layers) - 1) / 2)
        x = [place[n] + shift for n in own]
        colour, marker = look[layer]
        axes.errorbar(
            x,
            [each.value for each in shares],
            _errors(shares),
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.2,
            elinewidth=0.8,
            capsize=1.5,
            label=layer,
        )
    axes.set_xticks(list(place.values()), [str(n) for n in place])
    axes.set_xlim(-0.4, len(levels) + 0.4)
    axes.set_ylim(-0.02, 1.18)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel("inactivated units")
    axes.set_ylabel("second tap in time,\nshare of first taps")
    axes.set_title("success of two-tap", loc="left")
    axes.legend(frameon=False, fontsize=6, loc="upper right", ncols=2)


def _draw_outcomes(axes: Axes, inactivation: Inactivation) -> None:
    level = min(inactivation.levels, key=lambda n: abs(n - PAPER_UNITS))
    groups = {"unperturbed": inactivation.control} | {
        layer: inactivation.by[layer, level]
        for layer in inactivation.layers
        if (layer, level) in inactivation.by
    }
    groups = {name: attempts for name, attempts in groups.items() if attempts}
    names = [f"{name}\nn = {len(attempts)}" for name, attempts in groups.items()]
    bottom = np.zeros(len(groups))
    fills = (("#009e73", ""), ("#f0e442", "///"), ("#999999", "..."))
    for outcome, (colour, hatch) in zip(OUTCOMES, fills, strict=True):
        part = np.array(
            [
                sum(each.outcome == outcome for each in attempts) / len(attempts)
                for attempts in groups.values()
            ]
        )
        axes.barh(
            names,
            part,
            0.65,
            left=bottom,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.5,
            label=_NAMES[outcome],
        )
        bottom += part
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", labelsize=6)
    axes.set_xlabel("share of first taps")
    axes.set_title(f"how attempts end, {level} units inactivated", loc="left")
    axes.legend(frameon=False, fontsize=6, loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=3)


def _draw_elicited(axes: Axes, activation: Activation, look: dict[str, tuple[str, str]]) -> None:
    keys = sorted(activation.by)
    several = len({n for _, n in keys}) > 1
    for k, key in enumerate(keys):
        colour, marker = look[key[0]]
        for at, stimulations, filled in (
            (k - 0.13, activation.by[key], True),
            (k + 0.13, activation.shams.get(key) or activation.all_shams, False),
        ):
            found = share(*elicited(stimulations))
            if not found.n:
                continue
            axes.errorbar(
                [at],
                [found.value],
                _errors([found]),
                color=colour if filled else _MUTED,
                marker=marker,
                markersize=5,
                markerfacecolor=colour if filled else "white",
                elinewidth=1.0,
                capsize=2,
                linestyle="none",
            )
            axes.annotate(
                f"{found.hits}/{found.n}",
                (at, found.high),
                textcoords="offset points",
                xytext=(0, 2),
                horizontalalignment="center",
                fontsize=5.5,
                color=_MUTED,
            )
    axes.plot([], [], "o", color=_INK, markersize=4, label="stimulated")
    axes.plot(
        [],
        [],
        "o",
        color=_MUTED,
        markerfacecolor="white",
        markersize=4,
        label="sham",
    )
    labels = [f"{layer}\n{n} units" if several else layer for layer, n in keys]
    axes.set_xticks(range(len(keys)), labels)
    axes.set_xlim(-0.5, len(keys) - 0.5)
    axes.set_ylim(-0.02, 1.18)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("spin elicited,\nshare of stimulations")
    units = "" if several else f", {keys[0][1]} units"
    axes.set_title(f"activation{units}", loc="left")
    axes.legend(frameon=False, fontsize=6, loc="upper right", ncols=2)


def _draw_turning(axes: Axes, activation: Activation, look: dict[str, tuple[str, str]]) -> None:
    groups = [
        *(
            (layer, activation.by[key], look[layer][0], "-")
            for layer, key in activation.most_units.items()
        ),
        ("sham", activation.all_shams, _MUTED, "--"),
    ]
    for name, stimulations, colour, style in groups:
        traces = np.array([each.turned for each in stimulations])
        if not len(traces):
            continue
        there = np.isfinite(traces).sum(0)
        n = int(np.argmin(there > 1)) if (there <= 1).any() else len(there)
        if not n:
            continue
        degrees = np.degrees(traces[:, :n])
        seconds = np.arange(1, n + 1) * TRACE_S / traces.shape[1]
        mean = np.nanmean(degrees, axis=0)
        error = np.nanstd(degrees, axis=0, ddof=1) / np.sqrt(there[:n])
        axes.fill_between(seconds, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        axes.plot(seconds, mean, style, color=colour, linewidth=1.2, label=name)
    axes.axhline(0, color=_BAND, linewidth=0.6, zorder=0)
    axes.set_xlim(0, TRACE_S)
    axes.set_xlabel("time since the onset (s)")
    axes.set_ylabel("turned to the left (°),\nmean ± s.e.")
    axes.set_title("turning", loc="left")
    axes.legend(frameon=False, fontsize=6)
