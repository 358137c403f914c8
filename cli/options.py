"""The options that several commands have, and their types."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


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
