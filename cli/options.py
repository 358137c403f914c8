"""The options that several commands have, and their types."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rig.errors import UserError


class Runtime(enum.StrEnum):
    """What the subject's network runs on."""

    onnx = "onnx"
    torch = "torch"


class Pace(enum.StrEnum):
    """How fast ticks follow each other."""

    max = "max"
    realtime = "realtime"


Seed = Annotated[
    int | None, typer.Option(help="Everything random follows from it; drawn if left out.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Another value of one of the protocol's parameters."
    ),
]
RollOverOption = Annotated[
    str,
    typer.Option(
        "--roll-over",
        metavar="LIMIT",
        help="Go on in a next file, …_001.nwb, after e.g. 10min of animal time, or 500MB.",
    ),
]
RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        "--runtime",
        help="What the network runs on: onnxruntime, or PyTorch, the reference (needs rodent-rig[train]).",
    ),
]
AllowPython = Annotated[
    bool,
    typer.Option("--allow-python", help="Execute a protocol that is a Python file: a program."),
]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", help="Run through Ray: 'local', or HOST:PORT of a cluster that exists."),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", help="Sessions at once; half the cores, or all processors of a cluster."
    ),
]


def check_least(*numbers: tuple[str, float | None, float]) -> None:
    """Raises `UserError` for a number below the least that it may be.

    Args:
        numbers: of each, the option's name, what was given (None: nothing), and the least.
    """
    for name, value, least in numbers:
        if value is not None and not value >= least:
            raise UserError(f"{name} is at least {least}, not {value}.")
