"""The figures that `rodent-rig figure` draws, by name, in the order in which the report shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analysis import (
    decoding_figure,
    demixed,
    effect,
    encoding,
    fig4,
    fig5,
    fig6,
    fig7,
    fig8,
    fig9,
    fig10,
    fig11,
    fig12,
    spatial_tuning_figure,
    speed_axes,
    tangling,
)
from analysis.figure_result import FigureResult


@dataclass(frozen=True)
class Drawing:
    """A figure of the registry.

    Attributes:
        about: what it shows.
        draw: draws it from recordings into a file.
        files: those that `draw` writes: the picture first, then its numbers.
        source: section or figure of the paper; "" for what is no part of the report.
        subjects: whether its recordings have to be of one subject, or are of all that there are.
        experiments: whether it is about stimuli: in a report it takes the recordings whose protocols have
            some, and the others take the rest.
        clips: renders clips of what was drawn, for a person to look at, from the same recordings.
        given: what a person has written beside the picture for the next drawing, "" for nothing.
        annotate: draws, and writes what has a name beside the recordings, as annotations.
    """

    about: str
    draw: Callable[[Iterable[Path], Path], FigureResult]
    files: Callable[[Path], tuple[Path, ...]]
    source: str = ""
    subjects: Literal["one", "all"] = "one"
    experiments: bool = False
    clips: Callable[[Sequence[Path], Path, Callable[[int, int], None]], tuple[Path, ...]] | None = (
        None
    )
    given: Callable[[Path], str] | None = None
    annotate: Callable[[Iterable[Path], Path], FigureResult] | None = None


FIGURES: Mapping[str, Drawing] = {
    "fig4": Drawing(
        "a map of behaviour, what each task does of it, and what tasks share in movement",
        *(fig4.draw, fig4.files_of),
        source="3.1, figure 4",
        clips=fig4.clips,
        given=fig4.given_names,
        annotate=fig4.draw_and_annotate,
    ),
    "fig5": Drawing(
        "what the layers represent of movement, architectures beside each other",
        *(fig5.draw, fig5.files_of),
        source="3.2, figure 5",
        subjects="all",
    ),
    "fig6": Drawing(
        "what tasks share in the layers, architectures beside each other",
        *(fig6.draw, fig6.files_of),
        source="3.3, figure 6",
        subjects="all",
    ),
    "fig7": Drawing(
        "sequences of units around the second tap, sorted in half of the episodes and shown in the rest",
        *(fig7.draw, fig7.files_of),
        source="3.4, figure 7",
    ),
    "fig8": Drawing(
        "flow of activity, and its planes of rotation (jPCA) in every layer and task, against surrogates",
        *(fig8.draw, fig8.files_of),
        source="3.4, figure 8",
    ),
    "fig9": Drawing(
        "power spectra of movement and of the layers, of outputs and cell states",
        *(fig9.draw, fig9.files_of),
        source="3.2, A.3, figure 9",
    ),
    "fig10": Drawing(
        "the final policy layer around mid-stance of running, in each task sorted as in each other",
        *(fig10.draw, fig10.files_of),
        source="A.5, figure 10",
    ),
    "fig11": Drawing(
        "how much units differ from tap to tap, between the taps and around them",
        *(fig11.draw, fig11.files_of),
        source="A.6, figure 11",
    ),
    "fig12": Drawing(
        "two-tap with units inactivated, and movements elicited by activation (the paper's figure 12)",
        *(fig12.draw, fig12.files_of),
        source="3.5, figure 12",
        experiments=True,
    ),
    "encoding": Drawing(
        "how much of each unit is predicted by body, movement, touch, goal, task and value",
        *(encoding.draw, encoding.files_of),
        source="3.2",
    ),
    "decoding": Drawing(
        "what can be read from each layer: movement, behaviour, task, time since the first tap",
        *(decoding_figure.draw, decoding_figure.files_of),
        source="abstract, 3.2",
    ),
    "tangling": Drawing(
        "how tangled the trajectories of layers and of actions are, by task and by speed",
        *(tangling.draw, tangling.files_of),
        source="Rush et al. 2023",
    ),
    "speed_axes": Drawing(
        "axes along which mean activity differs most between forward, lateral and turning speeds",
        *(speed_axes.draw, speed_axes.files_of),
        source="Rush et al. 2023",
    ),
    "spatial_tuning": Drawing(
        "units tuned to place and to heading in the maze, against activity shifted and exchanged",
        *(spatial_tuning_figure.draw, spatial_tuning_figure.files_of),
        source="beyond the paper",
    ),
    "demixed": Drawing(
        "strides taken apart into what all tasks share, what sets tasks off, and what both do together",
        *(demixed.draw, demixed.files_of),
        source="beyond the paper",
    ),
    "effect": Drawing(
        "what a stimulus caused, per unit and per joint over time, from a session and its branches",
        *(effect.draw, effect.files_of),
    ),
}
