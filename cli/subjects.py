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
) -> None:
    """Train a subject from nothing, or go on where an interrupted training stopped."""
    from agent.training import train as run_training

    try:
        run_training(settings, out)
    except SubjectError as problem:
        raise UserError(str(problem)) from None


def evaluate(
    subject: Annotated[str, typer.Argument(help="A subject's name or folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure what a subject can do and store its scores beside it."""
    from agent.training import evaluate as run_evaluation

    try:
        run_evaluation(subject, as_json=json)
    except SubjectError as problem:
        raise UserError(str(problem)) from None
