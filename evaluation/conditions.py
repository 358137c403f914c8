"""What an evaluation measures: which tasks, who acts, how it is seen, and over how many episodes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import SubjectError
from agent.subject import Subject
from evaluation.actors import (
    ExpertSpec,
    PolicySpec,
    RandomActionsSpec,
    RandomWalkSpec,
    SubjectSpec,
)
from rig.arenas.camera import Quality
from rig.arenas.names import TASKS

TIME_LIMIT_S = {"corridor": 10.0, "gaps": 30.0, "forage": 30.0, "escape": 20.0, "two_tap": 30.0}
QUALITIES: tuple[Quality, ...] = ("fast", "stock")


@dataclass(frozen=True)
class EvaluationCondition:
    """Episodes of one actor in one task under one rendering.

    Attributes:
        task: one of `rig.arenas.names.TASKS`.
        actor: "subject", "expert", "random walk" or "random".
        policy: builds the actor; None where only the stored scores are there.
        quality: how the camera renders; None for an actor that does not look.
        sampled: with motor noise (or otherwise random), not the mean action.
        episodes: how many; episode k uses seed k.
        time_limit_s: of an episode, unless the task ends it.
    """

    task: str
    actor: str
    policy: PolicySpec | None
    quality: Quality | None
    sampled: bool
    episodes: int
    time_limit_s: float

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Task, actor, rendering, action: what tells it from the others of an evaluation."""
        action = "sampled" if self.sampled else "mean"
        return (self.task, self.actor, self.quality or "none", action)

    @property
    def seeds(self) -> range:
        """One for each episode."""
        return range(1, self.episodes + 1)


def tasks_of(training: Mapping[str, Any], selected: str | None = None) -> tuple[str, ...]:
    """The tasks to evaluate: those named in `selected` ("gaps,forage"), or those of the subject's training.

    Raises:
        SubjectError: there is no such task, or none is named.
    """
    named: Any = selected.replace(" ", "").split(",") if selected is not None else None
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
    time_limit_s: float | None = None,
) -> tuple[list[EvaluationCondition], list[str]]:
    """All conditions of a subject's score table, and a sentence for each that cannot be measured.

    Args:
        subject: what is measured.
        tasks: its tasks.
        episodes: of every condition under fast rendering, and of the blind ones.
        stock_episodes: under stock rendering, which takes several times as long; 0 leaves it out.
        skills: folder of the skills that experts and random walk are made of; None leaves both out.
        time_limit_s: of every episode, instead of each task's own.
    """
    conditions, notes = [], []
    for task in tasks:
        limit_s = time_limit_s or TIME_LIMIT_S[task]
        for quality in QUALITIES:
            count = episodes if quality == "fast" else stock_episodes
            for sampled in (True, False):
                policy = SubjectSpec(subject.folder, subject.sha256, sampled)
                if count:
                    conditions.append(
                        EvaluationCondition(
                            task, "subject", policy, quality, sampled, count, limit_s
                        )
                    )
    beside, missing = expert_conditions(tasks, episodes, skills, time_limit_s)
    notes += missing
    order = {task: index for index, task in enumerate(tasks)}
    return sorted([*conditions, *beside], key=lambda one: order[one.task]), notes


def expert_conditions(
    tasks: Sequence[str],
    episodes: int,
    skills: Path | None,
    time_limit_s: float | None = None,
) -> tuple[list[EvaluationCondition], list[str]]:
    """Conditions of experts, random walk (in the maze) and random actions, and what cannot be measured.

    Args:
        tasks: which.
        episodes: of each condition.
        skills: folder of the skills that experts and random walk are made of; None leaves both out.
        time_limit_s: of every episode, instead of each task's own.
    """
    conditions: list[EvaluationCondition] = []
    notes: list[str] = []

    def add(task: str, actor: str, policy: PolicySpec, sampled: bool) -> None:
        try:
            policy.build()  # here rather than in the middle of the evaluation
        except SubjectError as problem:
            notes.append(f"{task}: no {actor} beside the subject: {problem}")
            return
        limit_s = time_limit_s or TIME_LIMIT_S[task]
        conditions.append(
            EvaluationCondition(task, actor, policy, None, sampled, episodes, limit_s)
        )

    for task in tasks:
        if skills is not None:
            add(task, "expert", ExpertSpec(task, skills), False)
        else:
            notes.append(f"{task}: no expert beside the subject: it has no folder of skills")
        if task == "forage" and skills is not None:
            add(task, "random walk", RandomWalkSpec(skills), True)
        add(task, "random", RandomActionsSpec(), True)
    return conditions, notes
