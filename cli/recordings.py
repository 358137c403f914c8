"""Commands that read recordings: `replay`, `info`, `recover`."""

from __future__ import annotations

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
) -> None:
    """Show a recorded session again, on the displays of a live one."""
    if not 0.1 <= speed <= 20:
        raise UserError(f"--speed {speed}: a replay runs at 0.1 to 20 times real time.")
    show_replay(file, speed)


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
