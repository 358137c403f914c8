"""`rodent-rig figure`: a figure from recordings, with its numbers and what the paper says beside it."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from rig.errors import RunError, UserError

FORMATS = (".png", ".pdf", ".svg")


def figure(
    name: Annotated[str, typer.Argument(help="Which figure, such as fig12.")],
    files: Annotated[
        list[Path], typer.Argument(help="Recordings, or folders such as those of sweeps.")
    ],
    out: Annotated[Path, typer.Option(help="The picture to write: .png, .pdf or .svg.")],
) -> None:
    """Draw a figure from recordings, its numbers as CSV beside it, and hold it against the paper."""
    from analysis.figures import FIGURES

    if name not in FIGURES:
        near = difflib.get_close_matches(name, FIGURES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(FIGURES)}."
        raise UserError(f"There is no figure {name!r}; {hint}")
    if out.suffix.lower() not in FORMATS:
        raise UserError(f"--out {out}: a figure is written as {', '.join(FORMATS)}.")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise UserError(f"--out {out}: the folder {out.parent} is not there, or not writable.")
    recordings = recordings_in(files)
    console = Console(stderr=True)
    reading = track(
        recordings, "reading", console=console, transient=True, disable=not console.is_terminal
    )
    try:
        drawn = FIGURES[name].draw(reading, out)
    except OSError as problem:
        raise RunError(f"The figure could not be written: {problem}.") from None
    table = Table(box=None, pad_edge=False)
    for column in ("source", "the paper", "rule", "measured", "verdict"):
        table.add_column(column, overflow="fold")
    styles = {"agrees": "green", "disagrees": "red", "cannot tell": "yellow"}
    for each in drawn.claims:
        said = (each.source, f"“{each.quote}”", each.rule, each.measured)
        table.add_row(*map(escape, said), f"[{styles[each.verdict]}]{each.verdict}[/]")
    out_console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    if drawn.claims:
        out_console.print(table)
    for note in drawn.notes:
        out_console.print(escape(note))
    out_console.print(escape(f"written: {', '.join(str(file) for file in drawn.files)}"))


def recordings_in(files: Sequence[Path]) -> list[Path]:
    """The recordings among these files, and in these folders and theirs.

    Raises `UserError` for what is not there, and where there are none.
    """
    found: list[Path] = []
    for file in files:
        if file.is_dir():
            inside = sorted(file.rglob("*.nwb"))
            if not inside:
                raise UserError(f"There is no recording (.nwb) in the folder {file}.")
            found += inside
        elif file.exists():
            found.append(file)
        else:
            raise UserError(f"{file} does not exist; name recordings (.nwb) or folders of them.")
    return list(dict.fromkeys(found))
