"""`rodent-rig agreement`: how well two channels of annotations agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rig.errors import UserError

if TYPE_CHECKING:
    from analysis.agreement import Bouts


def agreement(
    file: Annotated[
        Path, typer.Argument(help="Annotations (F.annotations.nwb), or their recording.")
    ],
    one: Annotated[str, typer.Argument(help="A channel.")],
    other: Annotated[
        str, typer.Argument(help='Another channel, or "detected": what the session itself found.')
    ],
    iou: Annotated[
        float,
        typer.Option(
            help="The overlap (intersection over union) from which on two bouts go together."
        ),
    ] = 0.5,
) -> None:
    """Say how well two channels of annotations agree: kappa over ticks, F1 over bouts, each with its n."""
    from analysis.agreement import DETECTED, agreement_of_channels, table_of
    from recorder.annotation_file import read_annotations
    from recorder.annotations import annotations_path, is_annotations

    path = file if is_annotations(file) else annotations_path(file)
    annotations = read_annotations(path)
    names = [each.name for each in annotations.channels]
    detected = detected_in(path) if DETECTED in {one, other} - set(names) else None
    found = agreement_of_channels(annotations, one, other, iou, detected)
    rows = table_of(found)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    print(f"A: {one}, B: {other}; {found.n_ticks} ticks, bouts go together from IoU {iou:g} on.")
    for row in rows:
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells))


def detected_in(path: Path) -> dict[str, Bouts]:
    """What was detected in the recording that a file of annotations lies beside.

    Raises `UserError` where it does not lie there.
    """
    import recorder
    from analysis.agreement import detected_bouts
    from recorder.annotation_file import read_annotations
    from recorder.annotations import recording_of_annotations

    recording = recording_of_annotations(path)
    if not recording.exists():
        raise UserError(
            f"What was detected is in the recording, and there is no {recording} beside {path.name}."
        )
    names = read_annotations(path).recordings
    files = [recording.with_name(name) for name in names] if len(names) > 1 else recording
    with recorder.open(files) as opened:
        tick_s = opened.description.tick_s
        found = [
            (each.name, round(each.start_s / tick_s), round(each.stop_s / tick_s))
            for each in opened.intervals("behaviours")
        ]
    return detected_bouts(found)
