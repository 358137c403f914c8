"""Scores as tables: a row for each metric, a column for each condition, and the goals beside them."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from evaluation.metrics import METRICS, MetricValue
from evaluation.scores import Score
from rig.terminal import console

HEADLINE = ("subject", "fast", "sampled")
"""Actor, rendering and action that are held against the goals: as in sessions. Where only experts are scored,
they are."""
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

    The last four columns are the 95 % interval of the headline condition, the two goals, and which of them
    that interval reaches; they are left out where the task has no goals.
    """
    own = [score for score in scores if score.condition.task == task]
    metrics = METRICS[task]
    subject = [s for s in own if s.condition.actor == "subject"]
    candidates = [s for s in subject if s.condition.key[1:] == HEADLINE] if subject else own
    headline = next((s for s in candidates if s.condition.actor in ("subject", "expert")), None)
    with_goals = any(m.minimum is not None or m.target is not None for m in metrics)
    headings = [["metric"]]
    for score in own:
        _, actor, rendering, action = score.condition.key
        how = [action, rendering] if actor == "subject" else []
        headings.append([actor, *how, f"{len(score.episodes)} ep."])
    if with_goals:
        headings += [["95 % interval"], ["minimum"], ["target"], ["reached"]]
    values = {id(score): score.metrics(scores) for score in own}
    table = []
    for metric in metrics:
        row = [metric.label, *(metric.text(values[id(s)][metric.key]) for s in own)]
        if with_goals:
            value = values[id(headline)][metric.key] if headline else MetricValue(float("nan"))
            reached = metric.reached(value)
            row += [
                metric.interval(value) if reached else "",
                metric.goal(metric.minimum),
                metric.goal(metric.target),
                reached,
            ]
        table.append(row)
    return headings, table


def time_limit_text(task: str, scores: Sequence[Score]) -> str:
    """How long an episode is."""
    limits = sorted({s.condition.time_limit_s for s in scores if s.condition.task == task})
    return " or ".join(f"{one:g}" for one in limits) + " s"


def shown(task: str, scores: Sequence[Score]) -> Table:
    """A task's table for the terminal."""
    headings, table = rows(task, scores)
    title = f"{TITLES[task]}: episodes of {time_limit_text(task, scores)} at stock physics"
    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in headings:
        drawn.add_column("\n".join(heading))
    for row in table:
        drawn.add_row(*row)
    return drawn


def show(tasks: Sequence[str], scores: Sequence[Score], notes: Sequence[str] = ()) -> None:
    """Print all tables, and what could not be measured.

    Args:
        tasks: a table each.
        scores: of all conditions.
        notes: printed below.
    """
    # a narrower terminal wraps the lines, which is better than numbers that are cut off
    wide = console(width=max(console().width, _WIDTH))
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
