"""The pictures beside the card: power spectra, and what tasks share."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from agent.subject import write_bytes
from analysis.spectra import Spectrum
from evaluation.paper.check import PaperCheck

# Okabe and Ito's colours, which people with colour vision deficiencies distinguish
_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7")
SPECTRA, SHARING = "spectra.png", "sharing.png"


def draw(check: PaperCheck, folder: Path) -> list[str]:
    """Write the pictures into a folder; returns their file names."""
    names = []
    if check.layers:
        write_bytes(folder / SPECTRA, _spectra(check.features, check.layers))
        names.append(SPECTRA)
    if "overlap_across_tasks" in check.numbers:
        write_bytes(folder / SHARING, _sharing(check))
        names.append(SHARING)
    return names


def _spectra(features: Mapping[str, Spectrum], layers: Mapping[str, Spectrum]) -> bytes:
    figure = Figure(figsize=(7.2, 2.8), dpi=100, layout="constrained")
    behaviour, network = figure.subplots(1, 2, sharex=True)
    for axes, spectra in ((behaviour, features), (network, layers)):
        for colour, (name, one) in zip(_COLOURS, spectra.items(), strict=False):
            axes.loglog(one.hz, one.density, color=colour, label=name, linewidth=1.2)
        axes.axvspan(4, 5, color="0.9", zorder=0)  # where rats gallop
        axes.set_xlabel("frequency (Hz)")
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    behaviour.set_ylabel("share of power (1/Hz)")
    behaviour.set_title("movement", fontsize=9)
    network.set_title("cell states", fontsize=9)
    return _png(figure)


def _sharing(check: PaperCheck) -> bytes:
    figure = Figure(figsize=(7.2, 2.6), dpi=100, layout="constrained")
    movement, alike, distinct = figure.subplots(1, 3)
    overlap = check.numbers["overlap_across_tasks"]
    bars = (
        (movement, {name: one["mean"] for name, one in overlap.items()}, "overlap of tasks"),
        (alike, check.numbers["representation_across_tasks_cka"], "CKA across tasks"),
        (distinct, check.numbers["variance_between_tasks"], "variance between tasks"),
    )
    for axes, values, title in bars:
        measured = {name: value for name, value in values.items() if value is not None}
        names = [name.replace("policy_", "p") for name in measured]
        axes.bar(names, list(measured.values()), color=_COLOURS[2], width=0.6)
        axes.set_ylim(0, 1)
        axes.set_title(title if measured else f"{title}: not measured", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    made = io.BytesIO()
    # no date or version inside, so that the same numbers give the same file
    figure.savefig(made, format="png", metadata={"Software": None})
    return made.getvalue()
