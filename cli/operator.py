"""What an operator does to a session that runs, from the command line: `note` and `operate`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rig.errors import UserError

SessionName = Annotated[
    str | None, typer.Option("--session", help="A running session; the newest if left out.")
]


class Verb(enum.StrEnum):
    """What can be done without further words."""

    pause = "pause"
    resume = "resume"
    step = "step"
    arm = "arm"
    disarm = "disarm"
    release_all = "release-all"
    stop = "stop"


def note(
    text: Annotated[str, typer.Argument(help="One line, 500 characters at most.")],
    session: SessionName = None,
    tick: Annotated[
        int | None, typer.Option(help="The tick that it is of; the newest if left out.")
    ] = None,
) -> None:
    """Write a note into a running session, and so into its recording."""
    from rig.bus.external_inputs import note_text
    from rig.bus.message_types import TICK_S
    from rig.bus.stimulus_request import NotAcceptedError
    from rig.client import attach

    try:
        plain = note_text(text)
    except NotAcceptedError as problem:
        raise UserError(f"The note cannot be taken: {problem}.") from None
    if tick is not None and tick < 0:
        raise UserError(f"--tick {tick}: ticks are numbered from 0.")
    with attach(session) as client:
        args = {"text": plain} if tick is None else {"text": plain, "tick": tick}
        at = client.command("note", **args)["tick"]
    print(f"Noted at {at * TICK_S:.2f} s (tick {at}).")


def operate(
    verb: Annotated[Verb, typer.Argument(help="What to do.", show_choices=True)],
    session: SessionName = None,
    ticks: Annotated[int, typer.Option(help="With step: how many.")] = 1,
) -> None:
    """Pause, resume or stop a running session, step it, arm or disarm its protocol, end all stimuli."""
    from rig.client import attach

    if ticks != 1 and verb is not Verb.step:
        raise UserError(f"--ticks is for step, not for {verb.value}.")
    with attach(session) as client:
        args = {"ticks": ticks} if verb is Verb.step else {}
        client.command(verb.value.replace("-", "_"), **args)
