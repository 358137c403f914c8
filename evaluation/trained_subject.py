"""Scores of a subject that was just trained, as its settings ask: the last stage of `rodent-rig train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.subject import Subject
from evaluation import card
from evaluation.conditions import plan, tasks_of
from evaluation.running import run
from training.settings import Settings


def score(
    subject: Subject,
    settings: Settings,
    work: Path,
    progress: Callable[[float, str], None],
) -> None:
    """Scores a subject beside its experts, and writes the table into its folder.

    Args:
        subject: what is scored.
        settings: episodes.
        work: finished episodes are kept in its `scores`; the experts' skills are in its `skills`.
        progress: called with the fraction done (0 to 1) and a line of text.
    """
    tasks, config = tasks_of(subject.training), settings.evaluation
    conditions, notes = plan(
        subject,
        tasks,
        config.episodes,
        config.stock_episodes,
        work / "skills",
        config.duration_s or None,
    )
    scores = run(conditions, work / "scores", on_progress=progress)
    card.write(subject, tasks, scores, notes)
