"""The command `lsl`: a running session as streams of the lab streaming layer."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class Activity(enum.StrEnum):
    """Which activity of the units is streamed."""

    cell = "cell"
    hidden = "hidden"


def lsl(
    session: Annotated[
        str | None, typer.Argument(help="A running session; the newest if left out.")
    ] = None,
    state: Annotated[
        Activity, typer.Option(help="Which activity of the units to stream.")
    ] = Activity.hidden,
) -> None:
    """Offer a running session's activity, body state and events as LSL streams, until it ends."""
    from rig.body_quantities import unit_of
    from rig.bus.lsl import follow, offer
    from rig.client import attach

    with attach(session) as client:
        outlets = offer(client, unit_of, state.value)
        print(
            "LSL streams are offered: 'rodent-rig activity', 'rodent-rig body' and "
            "'rodent-rig events'. Ctrl-C ends them, not the session.",
            flush=True,
        )
        follow(client, outlets)
