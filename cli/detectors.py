"""`rodent-rig learn`: a detector fit to recordings, for use by name in protocols."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.figures import recordings_in
from rig.errors import UserError
from rig.output_file import check_output, with_ending
from rig.terminal import console


class Method(enum.StrEnum):
    """How to cluster."""

    kmeans = "kmeans"
    gmm = "gmm"


def learn(
    files: Annotated[
        list[Path], typer.Argument(help="Recordings to learn from, or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="The detector to write (.npz).")],
    behaviour: Annotated[
        str, typer.Option(help="The behaviour to find: one of the recordings, or of --intervals.")
    ] = "",
    intervals: Annotated[
        list[Path] | None,
        typer.Option(
            help="Where it was: annotations (F.annotations.nwb), a folder of them, or a CSV file with "
            "recording, start_s, stop_s (animal time); again for each."
        ),
    ] = None,
    channel: Annotated[
        str, typer.Option(help="The channel of the annotations to learn from; all if left out.")
    ] = "",
    clusters: Annotated[
        int, typer.Option(help="Instead: so many kinds of movement, found without labels.")
    ] = 0,
    method: Annotated[Method, typer.Option(help="How to cluster.")] = Method.kmeans,
    window_ms: Annotated[float, typer.Option(help="The window that the detector sees.")] = 200.0,
    seed: Annotated[int, typer.Option(help="Of clustering.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Fit a detector to recordings, and say how well it does on parts of them that it has not seen."""
    from analysis.learned import fit

    out = with_ending(out, (".npz",))
    recordings, labels = recordings_in(files), _labels_in(intervals or ())
    check_output(out, reads=(*recordings, *labels), overwrite=overwrite, option="--out")
    found = fit(
        recordings,
        out,
        behaviour,
        clusters,
        labels,
        method.value,
        window_ms,
        seed,
        channel or None,
    )
    shown = console(soft_wrap=True)
    shown.print(str(found))
    name = behaviour or found.classifier.classes[0]
    # annotations have behaviours of any name, protocols have not
    own = re.sub(r"[^A-Za-z0-9_-]", "_", f"my_{name}")[:40]
    given = name if re.fullmatch(r"[\w -]+", name) else json.dumps(name, ensure_ascii=False)
    shown.print(f"In a protocol: detectors: {{{own}: {{learned: {out}, class: {given}}}}}")


def _labels_in(paths: Sequence[Path]) -> list[Path]:
    """These files of labels, and the annotations in these folders and theirs.

    Raises `UserError` for a folder without any.
    """
    from recorder.annotations import ENDING

    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(each for each in path.rglob(f"*{ENDING}") if not each.name.startswith("."))
        if not inside:
            raise UserError(
                f"--intervals {path}: there are no annotations (F{ENDING}) in this folder."
            )
        found += inside
    return found
