"""Scores as tables: a row for each figure, a column for each condition, and the goals beside them."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.scores import FIGURES, Score

JUDGED = ("student", "fast", "sampled")
"""Actor, rendering and action that are held against the goals: as it acts in sessions. Where experts are
scored alone, they are."""
TITLES = {
    "corridor": "corridor",
    "gaps": "gaps",
    "forage": "forage",
    "escape": "escape",
    "two_tap": "two-tap",
}
_WIDTH = 118


def rows(task: str, scores: Sequence[Score]) -> tuple[list[list[str]], list[list[str]]]:
    """Headings (each a few words) and rows of a task's table.

    The last three columns are the two goals and which of them the judged condition reaches; they are left out
    where the task has no goals.
    """
    own = [score for score in scores if score.condition.task == task]
    figures = FIGURES[task]
    student = [s for s in own if s.condition.actor == "student"]
    candidates = [s for s in student if s.condition.key[1:] == JUDGED] if student else own
    judged = next((s for s in candidates if s.condition.actor in ("student", "expert")), None)
    with_goals = any(f.at_least is not None or f.aim is not None for f in figures)
    headings = [["figure"]]
    for score in own:
        _, actor, rendering, action = score.condition.key
        how = [action, rendering] if actor == "student" else []
        headings.append([actor, *how, f"{len(score.episodes)} ep."])
    if with_goals:
        headings += [["at least"], ["aim"], ["reached"]]
    estimates = {id(score): score.estimates(scores) for score in own}
    table = []
    for figure in figures:
        row = [figure.label, *(figure.text(estimates[id(s)][figure.key]) for s in own)]
        if with_goals:
            value = estimates[id(judged)][figure.key].value if judged else float("nan")
            row += [
                figure.goal(figure.at_least),
                figure.goal(figure.aim),
                figure.verdict(value),
            ]
        table.append(row)
    return headings, table


def duration_text(task: str, scores: Sequence[Score]) -> str:
    """How long an episode is."""
    lasts = sorted({s.condition.duration_s for s in scores if s.condition.task == task})
    return " or ".join(f"{one:g}" for one in lasts) + " s"


def shown(task: str, scores: Sequence[Score]) -> Table:
    """A task's table for the terminal."""
    headings, table = rows(task, scores)
    title = f"{TITLES[task]}: episodes of {duration_text(task, scores)} at stock physics"
    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in headings:
        drawn.add_column("\n".join(heading))
    for row in table:
        drawn.add_row(*row)
    return drawn


def show(tasks: Sequence[str], scores: Sequence[Score], notes: Sequence[str] = ()) -> None:
    """Print all tables, and what could not be measured."""
    terminal = Console()
    # a narrower terminal wraps the lines, which is better than figures that are cut off
    wide = Console(width=max(terminal.width, _WIDTH), highlight=False)
    for task in tasks:
        wide.print(shown(task, scores))
    for note in notes:
        wide.print(note)


def markdown(task: str, scores: Sequence[Score]) -> list[str]:
    """A task's table as lines of Markdown."""
    headings, table = rows(task, scores)
    lines = [
        " | ".join(" ".join(heading) for heading in headings),
        "|".join([" --- "] * len(headings)),
    ]
    lines += [" | ".join(row) for row in table]
    return [f"| {line} |" for line in lines]
