"""Commands that list, make and score subjects: `subjects`, `train`, `evaluate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from agent.errors import SubjectError
from cli.options import check_least
from rig.errors import RunError, UserError


def layers_of(subject: str) -> dict[str, int]:
    """Layer names and sizes of a subject, from its folder. Raises `UserError` if it cannot be read."""
    from agent.subject import describe

    try:
        return {layer.name: layer.n_units for layer in describe(subject).layers}
    except SubjectError as problem:
        raise UserError(str(problem)) from None


def subjects() -> None:
    """List the subjects that can be named: layers and units, and what each was trained for."""
    from agent.subject import describe, known

    rows = []
    for name in known():
        try:
            found = describe(name)
            layers = ", ".join(f"{layer.name} {layer.n_units}" for layer in found.layers)
            tasks = ", ".join(map(str, found.training.get("tasks", ()))) or "not said"
            rows.append((name, f"{found.n_units} units ({layers}); tasks: {tasks}"))
        except SubjectError as problem:
            rows.append((name, str(problem)))
    wide = max((len(name) for name, _ in rows), default=0)
    for name, about in rows:
        print(f"{name:{wide}}  {about}")


def train(
    settings: Annotated[
        Path,
        typer.Argument(help="Training settings: a file, e.g. subjects/rodent.toml, or a name."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the trained subject; beside the settings, or in subjects/, if left out."
        ),
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Only this pipeline stage; may be given several times.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew instead of resuming the checkpoints.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Cores to use.")] = 2,
) -> None:
    """Train a subject from nothing, or resume an interrupted training."""
    from agent.subject import SUBJECT_FILE, find
    from evaluation.trained_subject import score
    from training import provenance
    from training.pipeline import train as run_training
    from training.settings import read

    file = _settings_file(settings)
    asked = read(file)
    if out is None and file != settings:
        out = Path("subjects") / asked.name  # not into what is installed
    folder = out or file.parent / asked.name
    for name in (asked.dagger.init_from, asked.distillation.teacher):
        if name and folder.exists() and find(name).samefile(folder):
            raise UserError(
                f"{folder} is the subject {name}, which this training reads; choose another --out."
            )
    folder = run_training(
        file, out, resume=not fresh, stages=stage, threads=threads, evaluate=score
    )
    if (folder / SUBJECT_FILE).exists():
        print(f"The subject is in {folder}.")
    else:
        print(f"No subject yet; what was trained is in {Path('runs') / asked.name}.")
    for name, events in provenance.left_out(folder).items():
        print(f"Left out in {name}: {events}.")


def _settings_file(settings: Path) -> Path:
    """The settings in a file, or those of a name: subjects/NAME.toml, yours or what ships."""
    from agent.subject import subject_folders

    if settings.exists() or settings.suffix or settings.parent != Path():
        return settings
    places = (folder / f"{settings}.toml" for folder in subject_folders())
    return next((each for each in places if each.is_file()), settings)


def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            help="A subject's name or folder; with --expert a folder of skills will do."
        ),
    ],
    episodes: Annotated[
        int, typer.Option(help="Episodes of each kind; episode k uses seed k.")
    ] = 25,
    tasks: Annotated[
        str | None,
        typer.Option(help="Such as gaps,forage; those that it was trained for if left out."),
    ] = None,
    stock_episodes: Annotated[
        int,
        typer.Option(help="Episodes under stock rendering, several times as slow; 0: none."),
    ] = 3,
    duration: Annotated[
        float | None,
        typer.Option(help="Seconds of an episode; 30 (bowl 20, corridor 10) if left out."),
    ] = None,
    expert: Annotated[
        bool, typer.Option("--expert", help="Only the experts, beside chance; no subject.")
    ] = False,
    skills: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the experts' skills; looked for beside the subject if left out."
        ),
    ] = None,
    paper: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recordings of it, or a folder such as that of a data set: hold them against the paper's "
            "claims, and measure nothing else."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    store: Annotated[
        bool,
        typer.Option(
            "--store",
            help="Write scores.json and card.md into its folder; with --paper, the claims.",
        ),
    ] = False,
    jobs: Annotated[int, typer.Option(help="Processes; the numbers do not depend on it.")] = 1,
) -> None:
    """Measure what a subject can do: both renderings, sampled and mean actions, beside expert and chance.

    Finished episodes are kept in runs/NAME/scores, so that an interrupted evaluation goes on from there.
    """
    from cli.figures import recordings_in
    from evaluation import evaluate as session

    check_least(
        ("--episodes", episodes, 1),
        ("--stock-episodes", stock_episodes, 0),
        ("--jobs", jobs, 1),
        ("--duration", duration, 0.1),
    )
    if expert and (paper or store):
        raise UserError("--expert measures no subject, so it goes with neither --paper nor --store")
    if store:
        from agent.subject import find

        folder = find(subject)
        if not os.access(folder, os.W_OK):
            raise UserError(
                f"--store writes into {folder}, which cannot be written; copy the subject."
            )
    recordings = tuple(recordings_in(paper)) if paper else ()
    config = session.EvaluationConfig(
        subject, tasks, episodes, stock_episodes, duration, expert, skills, recordings, jobs
    )
    try:
        result = session.evaluate(config, store)
    except session.CannotMeasureError as problem:
        raise RunError(str(problem)) from None
    print(result.json()) if json else result.show()
