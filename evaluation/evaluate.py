"""An evaluation from its options to its tables: what `rodent-rig evaluate` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.errors import SubjectError
from agent.subject import Subject, load
from evaluation import card, tables
from evaluation.conditions import expert_conditions, plan, tasks_of
from evaluation.paper.check import PaperCheck, check_recordings
from evaluation.running import run
from evaluation.scores import Score
from parallel.progress import Progress, terminal_progress
from rig.arenas.camera import CameraUnavailableError
from rig.arenas.names import TASKS

_PAPER_TASKS = tuple(task for task in TASKS if task != "corridor")


class CannotMeasureError(Exception):
    """The evaluation failed for a reason outside the user's input; one sentence."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What to measure; see the command's help. With `paper`, recordings, nothing but the paper's claims."""

    subject: str
    tasks: str | None = None
    episodes: int = 25
    stock_episodes: int = 3
    time_limit_s: float | None = None
    only_experts: bool = False
    skills: Path | None = None
    paper: tuple[Path, ...] = ()
    jobs: int = 1


@dataclass(frozen=True)
class EvaluationResult:
    """What was measured."""

    name: str
    sha256: str | None
    tasks: tuple[str, ...]
    scores: list[Score]
    notes: list[str]
    paper: PaperCheck | None

    def json(self) -> str:
        """All of it, with every episode."""
        made = card.document(
            self.name, self.sha256, self.tasks, self.scores, self.notes, self.paper
        )
        return card.as_text(made)

    def show(self) -> None:
        """Print the tables."""
        if self.scores or self.notes:
            tables.show(self.tasks, self.scores, self.notes)
        for one in self.paper.claims if self.paper else ():
            print(f'\n{one.source}: "{one.quote}"\n    {one.verdict}: {one.measured}')


def evaluate(
    config: EvaluationConfig, store: bool = False, work: Path | None = None
) -> EvaluationResult:
    """Measure, with progress on the terminal; with `store` also into the subject's folder.

    Args:
        config: what to measure.
        store: write `scores.json` and `card.md`.
        work: where finished episodes are kept; `runs/<name>/scores` unless given.

    Raises:
        SubjectError: something that was asked for is not there or makes no sense.
        CannotMeasureError: this machine cannot render.
        RunError: a process died.
    """
    with terminal_progress() as progress:
        try:
            if config.paper:
                return _paper(config, store, progress)
            return (
                _experts(config, work, progress)
                if config.only_experts
                else _subject(config, store, work, progress)
            )
        except CameraUnavailableError as problem:
            raise CannotMeasureError(str(problem)) from None


def _experts(config: EvaluationConfig, work: Path | None, progress: Progress) -> EvaluationResult:
    folder = Path(config.subject)
    training: Mapping[str, object] = {}
    name = folder.name
    if config.skills is not None:
        skills: Path | None = config.skills
    elif (folder / "skills").is_dir() or (folder / "steering.npz").exists():
        # a folder that has skills, or a folder of skills: there is no subject yet
        skills = folder / "skills" if (folder / "skills").is_dir() else folder
        name = folder.resolve().parent.name if folder.name == "skills" else folder.name
        training = {"tasks": list(_PAPER_TASKS)}
    else:
        subject = load(config.subject, "torch")
        skills, training, name = skills_of(subject), subject.training, subject.name
    if skills is None or not skills.is_dir():
        raise SubjectError(
            f"there are no skills for experts {f'in {skills}' if skills else f'beside {config.subject}'}; "
            "name their folder with --skills"
        )
    tasks = tasks_of(training, config.tasks)
    conditions, notes = expert_conditions(tasks, config.episodes, skills, config.time_limit_s)
    if not any(one.actor == "expert" for one in conditions):
        raise SubjectError("; ".join(notes))
    place = work or Path("runs") / name / "scores"
    scores = run(
        conditions, place, config.jobs, lambda done, text: progress("evaluate", done, text)
    )
    return EvaluationResult(name, None, tasks, scores, notes, None)


def _subject(
    config: EvaluationConfig, store: bool, work: Path | None, progress: Progress
) -> EvaluationResult:
    subject = load(config.subject, "torch")
    tasks = tasks_of(subject.training, config.tasks)
    if store and config.tasks is not None:
        left_out = [task for task in _trained(subject) if task not in tasks]
        if left_out:
            raise SubjectError(
                f"a card tells of all that {subject.name} was trained for: with --store, --tasks "
                f"cannot leave out {', '.join(left_out)}"
            )
    if config.skills is not None and not config.skills.is_dir():
        raise SubjectError(f"there is no folder of skills {config.skills}")
    skills = config.skills or skills_of(subject)
    place = work or Path("runs") / subject.name / "scores"
    conditions, notes = plan(
        subject, tasks, config.episodes, config.stock_episodes, skills, config.time_limit_s
    )
    scores = run(
        conditions, place, config.jobs, lambda done, text: progress("evaluate", done, text)
    )
    if store:
        card.write(subject, tasks, scores, notes)
    return EvaluationResult(subject.name, subject.sha256, tasks, scores, notes, None)


def _paper(config: EvaluationConfig, store: bool, progress: Progress) -> EvaluationResult:
    subject = load(config.subject, "torch")
    progress("paper", 0.0, f"reading {len(config.paper)} recordings")
    found = check_recordings(config.paper, subject)
    progress("paper", 1.0, "held against the paper")
    if store:
        card.write_paper(subject, found)
    return EvaluationResult(subject.name, subject.sha256, _trained(subject), [], [], found)


def _trained(subject: Subject) -> tuple[str, ...]:
    try:
        return tasks_of(subject.training)
    except SubjectError:
        return ()


def skills_of(subject: Subject) -> Path | None:
    """The folder of skills of a subject's experts: its own, or where its training left them."""
    left = Path("runs") / subject.name
    for place in (subject.folder / "skills", left / "skills", left):
        if (place / "steering.npz").exists():
            return place
    return None
