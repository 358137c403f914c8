"""Commands that make and score subjects: `train`, `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.errors import SubjectError
from rig.errors import UserError


def layers_of(subject: str) -> dict[str, int]:
    """Layer names and sizes of a subject, from its folder. Raises `UserError` if it cannot be read."""
    import agent

    try:
        return {layer.name: layer.n_units for layer in agent.load(subject).layers}
    except SubjectError as problem:
        raise UserError(str(problem)) from None


def train(
    settings: Annotated[Path, typer.Argument(help="Training settings, e.g. subjects/runner.toml.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the trained subject; beside the settings if left out."),
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Only this stage; may be given several times.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew instead of going on from the checkpoints.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Cores to use.")] = 2,
) -> None:
    """Train a subject from nothing, or go on where an interrupted training stopped."""
    from agent.training import train as run_training

    try:
        folder = run_training(settings, out, resume=not fresh, stages=stage, threads=threads)
    except SubjectError as problem:
        raise UserError(str(problem)) from None
    print(f"The subject is in {folder}.")


def evaluate(
    subject: Annotated[str, typer.Argument(help="A subject's name or folder.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each kind.")] = 10,
    duration: Annotated[float, typer.Option(min=1.0, help="Seconds of an episode.")] = 10.0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    store: Annotated[bool, typer.Option("--store", help="Keep them beside the subject.")] = False,
) -> None:
    """Measure what a subject can do: both renderings, sampled and mean actions, beside random ones."""
    import agent
    from agent.training import evaluate as scores
    from agent.training.progress import terminal_progress

    try:
        animal = agent.load(subject)
    except SubjectError as problem:
        raise UserError(str(problem)) from None
    with terminal_progress() as progress:
        found = scores.evaluate_all(
            animal,
            episodes,
            duration,
            progress=lambda done, text: progress("evaluate", done, text),
        )
    if store:
        scores.write(animal, found)
    if json:
        print(scores.to_json(found))
    else:
        scores.show(found)
