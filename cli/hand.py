"""Stimulating a running session by hand, and saving clips of it, from the command line."""

from __future__ import annotations

import enum
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.operator import SessionName
from rig.errors import RunError, UserError
from rig.output_file import with_ending

ORIGIN = "command line"
SAVES_S = 300.0
"""How long a clip is waited for."""


class State(enum.StrEnum):
    """Which state of units is changed."""

    cell = "cell"
    hidden = "hidden"
    both = "both"


def stimulate(
    units: Annotated[
        list[str], typer.Argument(metavar="LAYER/UNITS...", help="Such as policy_2/0,3,17 core/5.")
    ],
    clamp: Annotated[
        float | None, typer.Option(help="Hold the units at this value.", metavar="VALUE")
    ] = None,
    bias: Annotated[
        float | None, typer.Option(help="Add this to the units.", metavar="VALUE")
    ] = None,
    state: Annotated[State, typer.Option(help="Of the units.")] = State.cell,
    for_ms: Annotated[
        float | None,
        typer.Option("--for", metavar="MS", help="How long; until released if left out."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="In pulses, so many a second.", metavar="HZ")
    ] = None,
    width: Annotated[float, typer.Option(help="How long a pulse lasts.", metavar="MS")] = 40.0,
    sham: Annotated[bool, typer.Option("--sham", help="Time and record it only.")] = False,
    probability: Annotated[
        float | None, typer.Option(help="The chance that it is delivered; else it is a sham.")
    ] = None,
    name: Annotated[str, typer.Option(help="What it is called in the record.")] = "by hand",
    session: SessionName = None,
) -> None:
    """Stimulate units of a running session by hand; `operate release-all` ends everything."""
    from rig.client import attach

    if (clamp is None) == (bias is None):
        raise UserError("Say what is done to the units: --clamp VALUE or --bias VALUE.")
    value, gain = (clamp, 0.0) if clamp is not None else (bias, 1.0)
    parts = [
        {"layer": layer, "units": listed, "state": state.value, "value": value, "gain": gain}
        for layer, listed in _by_layer(units).items()
    ]
    args: dict[str, Any] = {"name": name, "parts": parts, "origin": ORIGIN}
    if for_ms is not None:
        args["for_ms"] = for_ms
    if rate is not None:
        args["pulses"] = {"width_ms": width, "rate_hz": rate}
    if sham:
        args["sham"] = True
    if probability is not None:
        args["probability"] = probability
    with attach(session) as client:
        after = client.command("stimulate", **args)["after_tick"]
    print(f"Asked for as {name!r}, after tick {after}.")


def clip(
    seconds: Annotated[float, typer.Option(help="How much, 60 at most.")] = 60.0,
    after_ms: Annotated[
        float, typer.Option("--after", metavar="MS", help="Go on for so long from now.")
    ] = 0.0,
    out: Annotated[
        Path | None,
        typer.Option(help="The recording (.nwb); beside the session's own if left out."),
    ] = None,
    session: SessionName = None,
) -> None:
    """Save the last of a running session as a recording, after it has happened."""
    from rig.bus.message_types import TICK_S, ClipReport, Status
    from rig.client import attach

    args: dict[str, Any] = {"seconds": seconds, "after_ms": after_ms}
    if out is not None:
        args["file"] = str(with_ending(out, (".nwb",)).absolute())
    with attach(session) as client:
        file = client.command("save_clip", **args)["file"]
        deadline = time.monotonic() + SAVES_S
        saved: ClipReport | None = None
        while saved is None and time.monotonic() < deadline:
            for message in client.poll(0.2):
                if isinstance(message.content, Status):
                    over = (each for each in message.content.clips if each.file == file)
                    saved = next((c for c in over if c.state in ("saved", "failed")), saved)
                elif message.topic == "end":
                    deadline = 0.0
    if saved is None:
        raise RunError(f"The session has not said that {file} is saved.")
    if saved.state == "failed":
        raise RunError(f"{file} was not saved: {saved.error}")
    n_s = (saved.last_tick + 1 - saved.first_tick) * TICK_S
    print(f"{file}: {n_s:.2f} s, ticks {saved.first_tick} to {saved.last_tick}.")


def _by_layer(words: list[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for word in words:
        layer, slash, listed = word.rpartition("/")
        numbers = listed.split(",")
        if not slash or not layer or not all(each.strip().isdecimal() for each in numbers):
            raise UserError(f"{word}: name units as LAYER/UNITS, such as policy_2/0,3,17.")
        found.setdefault(layer, []).extend(int(each) for each in numbers)
    return found
