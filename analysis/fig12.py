"""Figure 12 of the paper: what happens when units are inactivated, and when they are activated.

    A  success of two-tap against the number of inactivated units, a line per layer (12A)
    B  how attempts end, at one number of units (where the paper shows single trials: 12B, C)
    C  the share of activations that elicit a spin, per layer, shams beside it (12D)
    D  how far the animal turns after an activation (where the paper shows a single trial: 12E)

Units are inactivated by clamping them to their mean, activated by overwriting them with the average time
course of a spin. Success is a first tap followed by a second at the right time, as the task itself decides,
among all first taps that were decided. Attempts without stimulus, with a sham or with 0 units are the
unperturbed level. Intervals of shares are Wilson's at 95 %, with the number of events reduced by the design
effect of sessions with the same seed; contrasts have intervals over seeds (`analysis.cluster_statistics`),
and what they say of the paper's claims follows the rule in `analysis.verdicts`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from analysis.cluster_statistics import Share, share
from analysis.fig12_groups import (
    Activation,
    Inactivation,
    Key,
    activation_of,
    elicited,
    inactivation_of,
)
from analysis.fig12_paper import activation_claims, inactivation_claims
from analysis.fig12_picture import picture
from analysis.figure_result import FigureResult
from analysis.perturbations import OUTCOMES, Session, of_kind, read_sessions
from rig.errors import UserError
from rig.output_file import replacing

BEHAVIOUR = "spin"


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draw the figure into `out` (.png, .pdf or .svg), and its numbers into CSV files beside it.

    Args:
        files: recordings of the inactivation, the activation, or both.
        out: the picture; `NAME.csv` gets every share, `NAME-paper.csv` the paper's claims beside them.

    Raises:
        UserError: the recordings are of several subjects, or nothing in them is of use here.
    """
    read = read_sessions(files, BEHAVIOUR)
    inactivation, activation = inactivation_of(read.sessions), activation_of(read.sessions)
    if not inactivation.by and not activation.by:
        why = f" ({read.left_out[0].rstrip('.')})" if read.left_out else ""
        raise UserError(
            "Nothing to draw: in none of the recordings were units inactivated between a first and a second "
            f"tap, or activated with a time course{why}; see docs/sweeps.md."
        )
    claims = (
        *(inactivation_claims(inactivation) if inactivation.by else ()),
        *(activation_claims(activation) if activation.by else ()),
    )
    _, numbers, paper = files_of(out)
    with replacing(out) as partial:
        picture(inactivation, activation, claims, partial)
    _write(numbers, _rows(inactivation, activation))
    header = ("source", "quote", "rule", "measured", "verdict")
    _write(paper, [header, *(tuple(claim.as_json().values()) for claim in claims)])
    return FigureResult(files_of(out), claims, tuple(_notes(read.sessions, read.left_out)))


def files_of(out: Path) -> tuple[Path, ...]:
    """What `draw` writes: the picture, its numbers, and the paper's claims beside them."""
    return out, out.with_suffix(".csv"), out.with_name(f"{out.stem}-paper.csv")


def _rows(inactivation: Inactivation, activation: Activation) -> list[tuple[object, ...]]:
    """Every share as a row of a table, its header first."""
    rows: list[tuple[object, ...]] = [
        ("measure", "layer", "units", "stimulus", "hits", "of", "seeds", "share", "low95", "high95")
    ]

    def add(measure: str, key: Key, stimulus: str, found: Share) -> None:
        if found.n:
            numbers = (f"{x:.4f}" for x in (found.value, found.low, found.high))
            rows.append((measure, *key, stimulus, found.hits, found.n, found.clusters, *numbers))

    for outcome in OUTCOMES:
        for key, attempts in (
            (("", 0), inactivation.control),
            *sorted(inactivation.by.items(), key=lambda item: item[0]),
        ):
            hits = [each.outcome == outcome for each in attempts]
            seeds = [each.seed for each in attempts]
            add(outcome, key, "inactivated" if key[1] else "none", share(hits, seeds))
    for stimulus, several in (("activated", activation.by), ("sham", activation.shams)):
        for key, stimulations in sorted(several.items()):
            add(f"{BEHAVIOUR} elicited", key, stimulus, share(*elicited(stimulations)))
    return rows


def _notes(sessions: Sequence[Session], left_out: Sequence[str]) -> list[str]:
    undecided = sum(each.undecided for each in of_kind(sessions, "inactivated"))
    during = sum(each.during_behaviour for each in of_kind(sessions, "activated"))
    notes = [f"left out: {each}" for each in left_out]
    if undecided:
        notes.append(
            f"{undecided} first taps were left out that were undecided when their trial ended"
        )
    if during:
        notes.append(
            f"{during} stimulations and shams were left out that came when the animal was spinning"
        )
    return notes


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
