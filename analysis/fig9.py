"""Figure 9 of the paper: power spectra of movement and of the layers' activity, of h and of c."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.episodes import TITLES, read_episodes
from analysis.figure_numbers import Number, number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.loaded_episodes import load_episodes
from analysis.look import BAND, COLOURS, drawn, layer_look, lettered, whiskers
from analysis.spectra import OVERLAP_S, WINDOW_S, Spectrum
from analysis.timescales import (
    ALL_TASKS,
    DECIDES,
    FAST_FROM_HZ,
    SIGNALS,
    Signal,
    Timescales,
    timescales,
)

files_of = picture_and_numbers
HEIGHT_IN = 5.4
_STRIDES_HZ = (4, 5)


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draw the figure into `out`, and its numbers as CSV beside it.

    Args:
        files: undisturbed recordings of one subject, such as `rodent-rig dataset` makes.
        out: the picture, .png, .pdf or .svg.

    Raises:
        UserError: the recordings are of several subjects, or there is no episode in them.
    """
    found = read_episodes(files)
    measured = timescales(load_episodes(found.episodes))
    with drawn(out, HEIGHT_IN) as figure:
        picture(figure, measured)
    write_numbers(out.with_suffix(".csv"), _numbers(measured))
    return FigureResult(files_of(out), measured.claims, (*found.notes(), *_notes(measured)))


def picture(figure: Figure, measured: Timescales) -> None:
    """Draw into an empty figure: spectra of movement and layers above, medians and fast power below."""
    strips: Any = figure.subfigures(2, 1, height_ratios=(1, 1))
    top, bottom = strips
    movement, outputs, cells = top.subplots(1, 3, sharex=True, sharey=True)
    styles = ("-", "--", "-.", ":")
    for (name, one), colour, style in zip(measured.movement.items(), COLOURS, styles, strict=False):
        movement.loglog(one.hz, one.density, color=colour, linestyle=style, label=name)
    movement.set_title("movement")
    for axes, signal in ((outputs, DECIDES), (cells, Signal("c", True))):
        _layers(axes, measured.spectra[signal].get(ALL_TASKS, {}), str(signal))
    for axes in (movement, outputs, cells):
        axes.axvspan(*_STRIDES_HZ, color=BAND, alpha=0.4, linewidth=0)
        axes.set_xlabel("frequency (Hz)")
        axes.set_xlim(0.1, 25)
        axes.set_ylim(1e-5, 10)
        axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
        axes.set_yticks([1e-5, 1e-3, 0.1, 10], ["0.00001", "0.001", "0.1", "10"])
        axes.minorticks_off()
        if axes.lines:  # no layer has a spectrum where no unit varies
            axes.legend(loc="lower left", handlelength=1.6)
    movement.set_ylabel("power, as a share (1/Hz)")
    medians, fast = bottom.subplots(1, 2)
    _medians(medians, measured)
    _fast(fast, measured)
    handles = medians.get_legend_handles_labels()
    bottom.legend(*handles, loc="outside lower center", ncols=len(measured.layers))
    lettered([movement, outputs, cells, medians, fast])


def _layers(axes: Axes, spectra: Mapping[str, Spectrum], title: str) -> None:
    for name, one in spectra.items():
        axes.loglog(one.hz, one.density, color=layer_look(name)["color"], label=name)
    axes.set_title(title)


def _medians(axes: Axes, measured: Timescales) -> None:
    scopes = measured.table[DECIDES]
    for k, layer in enumerate(measured.layers):
        places = [n for n, own in enumerate(scopes.values()) if layer in own]
        estimates = [own[layer].median_hz for own in scopes.values() if layer in own]
        x = [place + 0.15 * (k - (len(measured.layers) - 1) / 2) for place in places]
        whiskers(axes, x, estimates, label=layer, **layer_look(layer))
    axes.set_yscale("log")
    axes.set_yticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_xticks(
        range(len(scopes)),
        [
            f"{TITLES.get(scope, scope)}\nn = {sum(measured.episodes.values()) if scope == ALL_TASKS else n}"
            for scope, n in zip(scopes, (0, *measured.episodes.values()), strict=True)
        ],
        fontsize=6.5,
    )
    axes.set_ylabel("median frequency (Hz)")
    axes.set_title(f"median frequency of {DECIDES}")


def _fast(axes: Axes, measured: Timescales) -> None:
    for k, layer in enumerate(measured.layers):
        estimates, x = [], []
        for n, signal in enumerate(SIGNALS):
            own = measured.table[signal].get(ALL_TASKS, {})
            if layer in own:
                estimates.append(own[layer].fast)
                x.append(n + 0.15 * (k - (len(measured.layers) - 1) / 2))
        whiskers(axes, x, estimates, label=layer, **layer_look(layer))
    axes.set_ylim(0, 1)
    axes.set_xticks(
        range(len(SIGNALS)), [str(each).replace(", ", "\n") for each in SIGNALS], fontsize=6.5
    )
    axes.set_ylabel(f"share of power from {FAST_FROM_HZ:g} Hz on")
    axes.set_title("fast power of four signals, all tasks")


def _numbers(measured: Timescales) -> list[Number]:
    rows = []
    for signal, scopes in measured.table.items():
        scaled = "z-scored" if signal.scaled else "unscaled"
        for scope, layers in scopes.items():
            for layer, one in layers.items():
                rows += [
                    number(
                        f"median frequency, {scaled} (Hz)",
                        one.median_hz,
                        task=scope,
                        layer=layer,
                        state=signal.state,
                    ),
                    number(
                        f"power from {FAST_FROM_HZ:g} Hz on, {scaled} (share)",
                        one.fast,
                        task=scope,
                        layer=layer,
                        state=signal.state,
                    ),
                ]
                if scope == ALL_TASKS:
                    rows.append(
                        number(
                            f"removed drift, {scaled} (share)",
                            one.drift,
                            task=scope,
                            layer=layer,
                            state=signal.state,
                        )
                    )
    return rows


def _notes(measured: Timescales) -> list[str]:
    counts = ", ".join(f"{TITLES.get(k, k)} {n}" for k, n in measured.episodes.items())
    drift = "; ".join(
        f"{signal}: " + ", ".join(f"{layer} {one.drift:.0%}" for layer, one in own.items())
        for signal in SIGNALS
        if (own := measured.table[signal].get(ALL_TASKS))
    )
    unresolved = sorted(
        {
            layer
            for scopes in measured.table[DECIDES].values()
            for layer, one in scopes.items()
            if not one.resolved
        }
    )
    notes = [
        f"Welch's method, {WINDOW_S:g} s windows, {OVERLAP_S:g} s overlap, top ten principal components; "
        f"episodes of {WINDOW_S:g} s or more: {counts}; intervals: 95 %, over seeds (ten or more).",
        f"Slow drift was removed first; it is this part of the variance: {drift}.",
    ]
    if unresolved:
        notes.append(f"In the lowest bin lies a median of {', '.join(unresolved)}.")
    return notes
