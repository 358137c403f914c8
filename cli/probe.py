"""The command `probe`: the spikes of a running session, or of a replay, on a bus of their own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from rig.errors import RunError, UserError

if TYPE_CHECKING:
    from analysis.spiking import OnLine
    from rig.bus.derived_stream import DerivedStream
    from rig.client import BusClient

SOCKET = "spikes"


def probe(
    session: Annotated[
        str | None, typer.Argument(help="A running session or replay; the newest if left out.")
    ] = None,
    rates: Annotated[
        str, typer.Option(help="LOWEST,HIGHEST rate of a unit in Hz.", metavar="LOWEST,HIGHEST")
    ] = "0.5,50",
    refractory_ms: Annotated[float, typer.Option(help="Absolute refractory period.")] = 2.0,
    natural: Annotated[
        bool, typer.Option("--natural", help="From the activity before interventions.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Instead of the session's.")] = None,
) -> None:
    """Publish a running session's spikes (an emulation): those that `spikes` gives of its recording."""
    from analysis.spiking import OnLine, Probe
    from rig.bus.derived_stream import DerivedStream
    from rig.bus.message_types import Description
    from rig.client import attach
    from rig.session.directory import find_session

    if seed is not None and not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: a seed is a whole number from 0 to 2^63 - 1.")
    how = Probe(*rates_of(rates), refractory_ms)
    how.check(n_units=1)  # before a session is looked for
    with attach(session) as client:
        before = client.join()
        message = next((each for each in before if isinstance(each.content, Description)), None)
        if message is None or not isinstance(message.content, Description):
            raise RunError("The session did not describe itself; ask again.")
        content = message.content
        n_units = sum(layer.n_units for layer in content.layers)
        on_line = OnLine(how, n_units, content.seed if seed is None else seed, content.tick_s)
        activity = "h_natural" if natural else "h_applied"
        for message in before:
            if message.topic == "tick":  # for the pauses after the last spikes
                on_line.spikes(message.tick, message.arrays[activity])
        directory = find_session(message.session)
        with closing(DerivedStream(directory, SOCKET)) as stream:
            print(
                f"Spikes of {message.session}, emulated from the units' activity: subscribe to "
                f"{directory.address(SOCKET)}. Ctrl-C ends them, not the session.",
                flush=True,
            )
            _follow(client, stream, on_line, activity)


def rates_of(text: str) -> tuple[float, float]:
    """LOWEST,HIGHEST in Hz. Raises `UserError` for anything else."""
    try:
        lowest, highest = (float(each) for each in text.split(","))
    except ValueError:
        raise UserError(
            f"--rates {text}: write two rates in Hz with a decimal point, such as 0.5,50."
        ) from None
    return lowest, highest


def _follow(client: BusClient, stream: DerivedStream, on_line: OnLine, activity: str) -> None:
    """Spikes for every tick, until the session's end."""
    from rig.bus.message_types import End, Spikes, Tick

    lost = client.lost
    for message in client.messages():
        if isinstance(message.content, Tick):
            unit, time = on_line.spikes(message.tick, message.arrays[activity])
            missed, lost = client.lost - lost, client.lost
            stream.send(Spikes(missed), message.tick, {"unit": unit, "time": time})
        elif isinstance(message.content, End):
            stream.send(message.content, message.tick)
