"""The figures that `rodent-rig figure` draws, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis import effect, fig12
from analysis.figure_result import FigureResult


@dataclass(frozen=True)
class Drawing:
    """A figure: what it shows, the function that draws it from recordings, and the files that it writes."""

    about: str
    draw: Callable[[Iterable[Path], Path], FigureResult]
    files: Callable[[Path], tuple[Path, ...]]


FIGURES: Mapping[str, Drawing] = {
    "fig12": Drawing(
        "two-tap with units inactivated, and movements elicited by activation (the paper's figure 12)",
        fig12.draw,
        fig12.files_of,
    ),
    "effect": Drawing(
        "what a stimulus caused, per unit and per joint over time, from a session and its branches",
        effect.draw,
        effect.files_of,
    ),
}
