"""The pictures beside the card: those of figures 9 and 6."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis import fig6, fig9
from analysis.look import drawn
from evaluation.paper.check import PaperCheck

SPECTRA, SHARING = "spectra.png", "sharing.png"


def draw(check: PaperCheck, folder: Path) -> Sequence[str]:
    """Write the pictures into a folder; returns their file names."""
    with drawn(folder / SPECTRA, fig9.HEIGHT_IN) as figure:
        fig9.picture(figure, check.timescales)
    with drawn(folder / SHARING, fig6.CARD_HEIGHT_IN) as figure:
        fig6.picture_of_card(figure, check.representation, check.distinctness)
    return (SPECTRA, SHARING)
