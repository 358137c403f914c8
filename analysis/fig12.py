"""Figure 12 of the paper: what happens when units are held still, and when a movement is played to them.

    A  success of two-tap against the number of units held, a line per layer (12A)
    B  how attempts end, at one number of units (where the paper shows single trials: 12B, C)
    C  the share of stimulations that elicit a spin, per layer, shams beside it (12D)
    D  how far the animal turns after a stimulation (where the paper shows a single trial: 12E)

Success is a first tap followed by a second at the right time, as the task itself decides, among all first
taps that were decided. Attempts without stimulus, with a sham or with 0 units are the unperturbed level.
Intervals are Wilson's at 95 %, with the number of events reduced by the design effect of sessions with
the same seed; comparisons are bootstrapped over seeds (`analysis.cluster_statistics`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.cluster_statistics import Share, share
from analysis.fig12_groups import Held, Played, elicited, held_in, played_in
from analysis.fig12_paper import of_held, of_played
from analysis.fig12_picture import picture
from analysis.perturbations import OUTCOMES, Session, of_kind, read_sessions
from analysis.verdicts import Verdict
from rig.errors import UserError

BEHAVIOUR = "spin"


@dataclass(frozen=True)
class Drawn:
    """What was drawn: files written, the paper beside it, and what has to be said about the data."""

    files: tuple[Path, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]


def draw(files: Iterable[Path], out: Path) -> Drawn:
    """Draws the figure into `out` (.png, .pdf or .svg), and its numbers into CSV files beside it.

    Args:
        files: recordings of the inactivation, the activation, or both.
        out: the picture; `NAME.csv` gets every share, `NAME-paper.csv` the paper beside them.

    Raises:
        UserError: the recordings are of several subjects, or nothing in them is of use here.
    """
    read = read_sessions(files, BEHAVIOUR)
    held, played = held_in(read.sessions), played_in(read.sessions)
    if not held.by and not played.by:
        why = f" ({read.left_out[0].rstrip('.')})" if read.left_out else ""
        raise UserError(
            "Nothing to draw: in none of the recordings were units held between a first and a second tap, "
            f"or a time course played to them{why}; see docs/sweeps.md."
        )
    verdicts = (*(of_held(held) if held.by else ()), *(of_played(played) if played.by else ()))
    picture(held, played, verdicts, out)
    numbers, paper = out.with_suffix(".csv"), out.with_name(f"{out.stem}-paper.csv")
    _write(numbers, _rows(held, played))
    _write(
        paper,
        [
            ("panel", "paper", "rule", "measured", "verdict"),
            *((v.panel, v.paper, v.rule, v.measured, v.verdict) for v in verdicts),
        ],
    )
    return Drawn((out, numbers, paper), verdicts, tuple(_notes(read.sessions, read.left_out)))


def _rows(held: Held, played: Played) -> list[tuple[object, ...]]:
    """Every share as a row of a table, its header first."""
    rows: list[tuple[object, ...]] = [
        ("measure", "layer", "units", "stimulus", "hits", "of", "seeds", "share", "low95", "high95")
    ]

    def add(measure: str, key: tuple[str, int], stimulus: str, found: Share) -> None:
        if found.n:
            numbers = (f"{x:.4f}" for x in (found.value, found.low, found.high))
            rows.append((measure, *key, stimulus, found.hits, found.n, found.clusters, *numbers))

    for outcome in OUTCOMES:
        for key, attempts in (
            (("", 0), held.control),
            *sorted(held.by.items(), key=lambda item: item[0]),
        ):
            hits = [each.outcome == outcome for each in attempts]
            seeds = [each.seed for each in attempts]
            add(outcome, key, "held" if key[1] else "none", share(hits, seeds))
    for stimulus, several in (("played", played.by), ("sham", played.shams)):
        for key, stimulations in sorted(several.items()):
            add(f"{BEHAVIOUR} elicited", key, stimulus, share(*elicited(stimulations)))
    return rows


def _notes(sessions: Sequence[Session], left_out: Sequence[str]) -> list[str]:
    undecided = sum(each.undecided for each in of_kind(sessions, "held"))
    during = sum(each.during_behaviour for each in of_kind(sessions, "played"))
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
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
