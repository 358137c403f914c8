"""The pipeline stages in order, each resumed from the work folder; what `rodent-rig train` calls."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from agent.errors import SubjectError
from agent.subject import Subject, find, load, write_bytes
from parallel.progress import Progress, terminal_progress
from training import learning_stages, migration, provenance
from training.learn.dagger import check_device
from training.settings import Settings, read
from training.skill_stages import SEARCHES, needed_skills
from training.skills.library import SKILLS, Skills

STAGES = (*SEARCHES, *learning_stages.STAGES, "evaluate")

Evaluate = Callable[[Subject, Settings, Path, Callable[[float, str], None]], None]
"""Scores a subject: given it, its settings, the work folder, and what is called with the fraction done and a
line of text (`evaluation.trained_subject.score`)."""


def train(
    settings_path: str | Path,
    out: str | Path | None = None,
    *,
    work: str | Path | None = None,
    resume: bool = True,
    stages: Sequence[str] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
    evaluate: Evaluate | None = None,
) -> Path:
    """Train a subject.

    Args:
        settings_path: TOML, as `subjects/runner.toml`.
        out: the subject's folder; `<name>` beside the settings file unless given.
        work: where checkpoints are; `runs/<name>` under the current folder unless given.
        resume: resume from the checkpoints; otherwise those of the chosen stages are deleted first, and what
            they leave is made anew. What else the work folder lacks is taken from the subject's own folder,
            where that has it (its skills, and its weights to continue from with reinforcement), and the
            skills from the subject that it learns from or goes on from.
        stages: some of `STAGES`, or all that the settings' tasks need; a stage needs what those before it
            left in `work`.
        threads: threads for physics and learning.
        progress: called with the stage, the fraction of it that is done (0 to 1), and a line of text;
            progress bars with the time left unless given.
        evaluate: what the stage "evaluate" does; the stage does nothing unless given.

    Returns:
        the subject's folder.

    Raises:
        SubjectError: the settings or a checkpoint cannot be used, or an earlier stage is missing.
    """
    path = Path(settings_path)
    settings = read(path)
    for stage in stages or ():
        if stage not in STAGES:
            now = migration.stage(stage)
            hint = (
                f"it is called {now!r} now" if now in STAGES else f"there are {', '.join(STAGES)}"
            )
            raise SubjectError(f"there is no stage {stage!r}; {hint}")
    unneeded = set(SEARCHES) - set(needed_skills(settings.vector_env.tasks))
    chosen = tuple(stages) if stages else tuple(s for s in STAGES if s not in unneeded)
    if "dagger" in chosen:  # now, and not after days of searches
        check_device(settings.dagger.device)
    folder = Path(out) if out else path.parent / settings.name
    work = Path(work) if work else Path("runs") / settings.name
    skills = work / "skills"
    skills.mkdir(parents=True, exist_ok=True)
    migration.rename_work_files(work)
    if "reinforcement" in chosen:
        _check_share(path, settings, "dagger" in chosen or (work / "dagger.safetensors").exists())
    if not resume:
        for stage in chosen:
            provenance.remove(work, stage)
            for old in [*work.glob(f"{stage}*"), *skills.glob(f"{stage}*")]:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    wanted = [skill for skill in SKILLS if resume or skill not in chosen]
    others = [name for name in (settings.dagger.init_from, settings.distillation.teacher) if name]
    for subject in (folder, *map(find, others)):
        _adopt_skills(subject, wanted, work, settings.name)
    torch.set_num_threads(threads)
    if progress is not None:
        return _run(settings, folder, work, chosen, threads, progress, evaluate)
    with terminal_progress() as shown:
        return _run(settings, folder, work, chosen, threads, shown, evaluate)


def _check_share(path: Path, settings: Settings, from_dagger: bool) -> None:
    """Refuse an `init_share` that reinforcement learning, where it goes on from DAgger, would pass over."""
    if from_dagger and settings.reinforcement.rollouts and settings.dagger.init_share:
        raise SubjectError(
            f"{path}: reinforcement learning goes on from what DAgger ended with, so that "
            "dagger.init_share would have no effect on the subject that it writes; set one of the two, "
            "reinforcement.rollouts or dagger.init_share, to 0"
        )


def _adopt_skills(subject: Path, wanted: Sequence[str], work: Path, name: str) -> None:
    """Copy the skills that ship with a subject, and their records, where the work folder has none yet.

    Args:
        subject: its folder.
        wanted: names of the skills.
        work: the work folder.
        name: of the subject that is trained.
    """
    skills, records = work / "skills", provenance.of_subject(subject)
    for skill in wanted:
        shipped = migration.skill_file(subject / "skills", skill)
        own = skills / f"{skill}.npz"
        if shipped.exists() and not own.exists() and not list(skills.glob(f"{skill}-*")):
            write_bytes(own, shipped.read_bytes())
            facts = {"file_sha256": _sha256(own), **records.get(skill, {})}
            if subject.name != name:
                facts.setdefault("taken_from", subject.name)
            provenance.add(work, skill, None, **facts)


def _run(
    settings: Settings,
    folder: Path,
    work: Path,
    stages: Sequence[str],
    threads: int,
    progress: Progress,
    evaluate: Evaluate | None,
) -> Path:
    for stage in SEARCHES:  # in their order, whatever the order in which they were asked for
        if stage in stages:
            _search(settings, work, stage, threads, progress)
    if "vision" in stages:
        learning_stages.vision(settings, work, progress)
    if "distillation" in stages and settings.distillation.teacher:
        learning_stages.distil(settings, work, progress)
    if "dagger" in stages:
        learning_stages.imitate(settings, work, folder, progress)
    if "reinforcement" in stages and settings.reinforcement.rollouts:
        learning_stages.reinforce(settings, work, folder, progress)
    if "evaluate" in stages and evaluate is not None:
        evaluate(load(folder, "torch"), settings, work, partial(progress, "evaluate"))
    return folder


def _search(settings: Settings, work: Path, stage: str, threads: int, progress: Progress) -> None:
    """Search a skill, and record it where the search changed something.

    One that came with a subject is whole, though there is no checkpoint of its search here.
    """
    path = work / "skills" / f"{stage}.npz"
    if path.exists() and not list(path.parent.glob(f"{stage}-*")):
        came_from = provenance.load(work).get(stage, {}).get("taken_from", settings.name)
        progress(stage, 1.0, f"as it came with {came_from}; --fresh searches it anew")
        return
    before = _sha256(path)
    SEARCHES[stage](settings, Skills(work / "skills"), threads, partial(progress, stage))
    after = _sha256(path)
    if after != before:
        provenance.add(work, stage, settings, taken_from=None, file_sha256=after)


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
