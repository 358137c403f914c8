"""`rodent-rig figure`: a figure from recordings, with its numbers and what the paper says beside it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, track
from rich.table import Table
from rich.text import Text

from rig.errors import RunError, UserError
from rig.output_file import check_output, with_ending
from rig.terminal import console, table_console

FORMATS = (".png", ".pdf", ".svg")


def figure(
    name: Annotated[str, typer.Argument(help="Which figure, such as fig12.")],
    files: Annotated[
        list[Path], typer.Argument(help="Recordings, or folders such as those of sweeps.")
    ],
    out: Annotated[Path, typer.Option(help="The picture to write: .png, .pdf or .svg.")],
    clips: Annotated[
        bool,
        typer.Option(
            "--clips", help="With fig4: a film of each cluster's middle, too, in NAME-clips."
        ),
    ] = False,
    annotate: Annotated[
        bool,
        typer.Option(
            "--annotate",
            help="With fig4: clusters that have a name become the channel map of the annotations beside "
            "each recording.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Draw a figure from recordings, its numbers as CSV beside it, and hold it against the paper."""
    from analysis.figures import FIGURES

    if name not in FIGURES:
        near = difflib.get_close_matches(name, FIGURES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(FIGURES)}."
        raise UserError(f"There is no figure {name!r}; {hint}")
    render, draw = FIGURES[name].clips, FIGURES[name].draw
    if clips and render is None:
        having = ", ".join(each for each, one in FIGURES.items() if one.clips)
        raise UserError(f"--clips: {name} has no clips; {having} has.")
    if annotate:
        annotating = FIGURES[name].annotate
        if annotating is None:
            having = ", ".join(each for each, one in FIGURES.items() if one.annotate)
            raise UserError(f"--annotate: {name} has nothing to annotate; {having} has.")
        draw = annotating
    out = with_ending(out, FORMATS)
    recordings = recordings_in(files)
    for file in FIGURES[name].files(out):
        check_output(file, reads=recordings, overwrite=overwrite, option="--out")
    progress = console(stderr=True)
    reading = track(
        recordings, "reading", console=progress, transient=True, disable=not progress.is_terminal
    )
    try:
        drawn = draw(reading, out)
    except OSError as problem:
        raise RunError(f"The figure could not be written: {problem}.") from None
    table = Table(box=None, pad_edge=False)
    for column in ("source", "the paper", "rule", "measured", "verdict"):
        table.add_column(column, overflow="fold")
    styles = {"agrees": "green", "disagrees": "red", "cannot tell": "yellow"}
    for each in drawn.claims:
        said = (each.source, f"“{each.quote}”", each.rule, each.measured)
        table.add_row(*said, Text(each.verdict, styles[each.verdict]))
    shown = table_console()
    if drawn.claims:
        shown.print(table)
    for note in drawn.notes:
        shown.print(note)
    if clips and render is not None:
        with Progress(console=progress, transient=True, disable=not progress.is_terminal) as bar:
            task = bar.add_task("clips")
            made = render(
                recordings, out, lambda done, of: bar.update(task, completed=done, total=of)
            )
        shown.print(f"clips: {len(made)} in {made[0].parent}", soft_wrap=True)
    shown.print(f"written: {', '.join(str(file) for file in drawn.files)}", soft_wrap=True)


def recordings_in(files: Sequence[Path]) -> list[Path]:
    """The recordings among these files, and in these folders and theirs; annotations beside them are none.

    Raises `UserError` for what is not there, and where there are none.
    """
    from recorder.annotations import is_annotations
    from recorder.output_path import recordings_in as in_folder

    found: list[Path] = []
    for file in files:
        if file.is_dir():
            inside = in_folder(file, deep=True)
            if not inside:
                raise UserError(f"There is no recording (.nwb) in the folder {file}.")
            found += inside
        elif file.exists():
            found += [] if is_annotations(file) and len(files) > 1 else [file]
        else:
            raise UserError(f"{file} does not exist; name recordings (.nwb) or folders of them.")
    return list(dict.fromkeys(found))
