"""Commands that read recordings: `replay`, `info`, `recover`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gui.display import display_missing
from rig.errors import UserError

File = Annotated[Path, typer.Argument(help="A recording (.nwb).")]


def replay(
    file: File,
    speed: Annotated[float, typer.Option(help="0.1 to 20 times real time.")] = 1.0,
    bus: Annotated[
        bool,
        typer.Option("--bus", help="Offer it on a bus, as a running session, without a window."),
    ] = False,
    paused: Annotated[
        bool, typer.Option("--paused", help="With --bus: wait for the command `resume`.")
    ] = False,
    hold: Annotated[
        bool, typer.Option("--hold", help="With --bus: stay at the last tick until stopped.")
    ] = False,
    listen: Annotated[
        str, typer.Option(help="With --bus: also serve it at tcp://HOST:PORT (and PORT+1).")
    ] = "",
    keys: Annotated[
        Path | None,
        typer.Option(help="Folder of CURVE keys for --listen, made by `rodent-rig keys`."),
    ] = None,
) -> None:
    """Show a recorded session again, on the displays of a live one, or offer it on a bus."""
    if not 0.1 <= speed <= 20:
        raise UserError(f"--speed {speed}: a replay runs at 0.1 to 20 times real time.")
    if bus:
        offer_replay(file, speed, paused, hold, listen, keys)
        return
    for name, given in (("paused", paused), ("hold", hold), ("listen", listen), ("keys", keys)):
        if given:
            raise UserError(f"--{name} is for a replay on the bus: add --bus.")
    show_replay(file, speed)


def offer_replay(
    file: Path, speed: float, paused: bool, hold: bool, listen: str, keys: Path | None
) -> None:
    """A recording on a bus of its own, until it has been played or is stopped."""
    from recorder.replay import ReplaySource
    from recorder.replay_session import ReplaySession
    from rig.session_directory import SessionDirectory

    with ReplaySource(file) as source:
        directory = SessionDirectory.create()
        session = ReplaySession(
            source,
            directory,
            speed=speed,
            paused=paused,
            hold=hold,
            listen=listen,
            keys=keys,
        )
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: session.stop())
        print(
            f"{file.name} is replayed as session {directory.session}, {source.n_ticks} ticks. "
            "Ctrl-C ends it.",
            flush=True,
        )
        session.run()


def show_replay(file: Path, speed: float = 1.0) -> None:
    """The window on a recording; what is wrong with the file is said on the terminal instead."""
    missing = display_missing()
    if missing:
        raise UserError(missing)
    from gui.app import open_window
    from recorder.replay import ReplaySource

    ReplaySource(file).close()
    status = open_window(replay=file, speed=speed)
    if status:
        raise typer.Exit(status)


def info(file: File) -> None:
    """Say what a recorded session was, on one screen."""
    from recorder.reading import info as describe

    Console(highlight=False).print(describe(file))


def recover(file: File) -> None:
    """Repair a recording whose recorder was killed; nothing that reached the disk is lost."""
    from recorder.recovery import recover as repair

    print(repair(file))
