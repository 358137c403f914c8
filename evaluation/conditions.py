"""What an evaluation measures: which tasks, who acts, how it is seen, and over how many episodes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import SubjectError
from agent.subject import Subject
from evaluation.actors import RandomActions, RandomWalk, Source, Student, Teacher
from rig.arenas.camera import Quality
from rig.arenas.names import TASKS

DURATION_S = {"corridor": 10.0, "gaps": 30.0, "forage": 30.0, "escape": 20.0, "two_tap": 30.0}
QUALITIES: tuple[Quality, ...] = ("fast", "stock")


@dataclass(frozen=True)
class Condition:
    """Episodes of one actor in one task under one rendering.

    Attributes:
        task: one of `rig.arenas.names.TASKS`.
        actor: "student", "expert", "random walk" or "random".
        source: makes the actor.
        quality: how the camera renders; None for an actor that does not look.
        sampled: with motor noise (or otherwise random), not the mean action.
        episodes: how many; episode k uses seed k.
        duration_s: of an episode, unless the task ends it.
    """

    task: str
    actor: str
    source: Source
    quality: Quality | None
    sampled: bool
    episodes: int
    duration_s: float

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Task, actor, rendering, action: what tells it from the others of an evaluation."""
        action = "sampled" if self.sampled else "mean"
        return (self.task, self.actor, self.quality or "none", action)

    @property
    def seeds(self) -> range:
        """One for each episode."""
        return range(1, self.episodes + 1)


def tasks_of(training: Mapping[str, Any], wanted: str | None = None) -> tuple[str, ...]:
    """The tasks to evaluate: those named in `wanted` ("gaps,forage"), or those of the subject's training.

    Raises:
        SubjectError: there is no such task, or none is named.
    """
    named: Any = wanted.replace(" ", "").split(",") if wanted is not None else None
    if named is None:
        one = training.get("task")
        named = training.get("tasks", [one] if one else None)
    if not isinstance(named, list) or not named or named == [""]:
        raise SubjectError(f"which tasks? name some with --tasks; there are {', '.join(TASKS)}")
    for name in named:
        if name not in TASKS:
            near = difflib.get_close_matches(str(name), TASKS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TASKS)}"
            raise SubjectError(f"there is no task {name!r}; {hint}")
    return tuple(dict.fromkeys(named))


def plan(
    subject: Subject,
    tasks: Sequence[str],
    episodes: int,
    stock_episodes: int,
    skills: Path | None,
    duration_s: float | None = None,
) -> tuple[list[Condition], list[str]]:
    """All conditions of a subject's score table, and a sentence for each that cannot be measured.

    Args:
        subject: the student.
        tasks: its tasks.
        episodes: of every condition under fast rendering, and of the blind ones.
        stock_episodes: under stock rendering, which takes several times as long; 0 leaves it out.
        skills: folder of the skills that experts and random walk are made of; None leaves both out.
        duration_s: of every episode, instead of each task's own.
    """
    conditions, notes = [], []
    for task in tasks:
        lasts = duration_s or DURATION_S[task]
        for quality in QUALITIES:
            count = episodes if quality == "fast" else stock_episodes
            for sampled in (True, False):
                student = Student(subject.folder, subject.sha256, sampled)
                if count:
                    conditions.append(
                        Condition(task, "student", student, quality, sampled, count, lasts)
                    )
    beside, missing = expert_conditions(tasks, episodes, skills, duration_s)
    notes += missing
    order = {task: index for index, task in enumerate(tasks)}
    return sorted([*conditions, *beside], key=lambda one: order[one.task]), notes


def expert_conditions(
    tasks: Sequence[str],
    episodes: int,
    skills: Path | None,
    duration_s: float | None = None,
) -> tuple[list[Condition], list[str]]:
    """Experts, random walk (in the maze) and random actions; arguments and result as of `plan`."""
    conditions: list[Condition] = []
    notes: list[str] = []

    def add(task: str, actor: str, source: Source, sampled: bool) -> None:
        try:
            source.make()  # here rather than in the middle of the evaluation
        except SubjectError as problem:
            notes.append(f"{task}: no {actor} beside the student: {problem}")
            return
        lasts = duration_s or DURATION_S[task]
        conditions.append(Condition(task, actor, source, None, sampled, episodes, lasts))

    for task in tasks:
        if skills is not None:
            add(task, "expert", Teacher(task, skills), False)
        else:
            notes.append(f"{task}: no expert beside the student: it has no folder of skills")
        if task == "forage" and skills is not None:
            add(task, "random walk", RandomWalk(skills), True)
        add(task, "random", RandomActions(), True)
    return conditions, notes
