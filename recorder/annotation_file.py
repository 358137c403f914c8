"""The file of a recording's annotations, `F.annotations.nwb` beside `F.nwb`.

    annotations = read_annotations(annotations_path(Path("F.nwb")))
    annotations.bouts("jane", "rear")            # (bouts, 2) int64: first tick, and the one after the last

The file is NWB: the table `intervals/annotations` has start_time, stop_time (s of animal time), channel,
label, author and created; the scratch text `annotations` (JSON) says which recording it is of, and what the
channels are. It is written whole and takes its name at once; the recording is never touched.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import msgspec
import numpy as np

from recorder.annotations import Annotation, Annotations, Channel
from recorder.integrity import HDF5_ERRORS
from rig.bus.message_types import Description
from rig.errors import RunError, UserError
from rig.output_file import reason, replacing

FORMAT = 1
TABLE = "intervals/annotations"
HEADER = "scratch/annotations"
MOST_ROWS = 200_000
MOST_HEADER = 1 << 20
"""Bytes."""


class _Header(msgspec.Struct):
    rodent_rig_annotations: int
    session: str
    recordings: tuple[str, ...]
    first_tick: int
    last_tick: int
    tick_s: float
    channels: tuple[Channel, ...]


def read_annotations(path: Path) -> Annotations:
    """The annotations in a file.

    Raises:
        UserError: there is no such file; it is damaged, something else, or of a newer version.
    """
    if not path.exists():
        raise UserError(f"There are no annotations {path}.")
    if not path.is_file():
        raise UserError(f"{path} is not a file of annotations.")
    try:
        with h5py.File(path, "r") as file:
            header = _header(path, file)
            rows = _rows(path, file, header.tick_s) if TABLE in file else ()
    except HDF5_ERRORS as problem:
        raise UserError(f"{path} cannot be read as annotations: {reason(problem)}.") from None
    return Annotations(
        header.session,
        header.recordings,
        header.first_tick,
        header.last_tick,
        header.tick_s,
        header.channels,
        tuple(sorted(rows)),
    )


def write_annotations(path: Path, annotations: Annotations, description: Description) -> None:
    """Writes a file of annotations, in the place of the one that was there.

    Args:
        path: `annotations_path` of the recording.
        annotations: all of them.
        description: of the recorded session, for the file's account of who and what it was.

    Raises:
        RunError: it could not be written; what was there before is there still.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hdmf.common import VectorData
        from pynwb import NWBHDF5IO
        from pynwb.epoch import TimeIntervals

        from recorder.nwb_objects import session_file

    nwb = session_file(description, annotations.session)
    nwb.fields["data_collection"] = (
        f"Annotations by people, of the recording {', '.join(annotations.recordings)}."
    )
    header = _Header(
        FORMAT,
        annotations.session,
        annotations.recordings,
        annotations.first_tick,
        annotations.last_tick,
        annotations.tick_s,
        annotations.channels,
    )
    nwb.add_scratch(
        msgspec.json.encode(header).decode(),
        name="annotations",
        description="Which recording is annotated, and the channels with their behaviours, JSON.",
    )
    rows = sorted(annotations.rows)
    if rows:
        tick_s = annotations.tick_s
        columns = (
            ("start_time", "Start, s of animal time.", [each.start_tick * tick_s for each in rows]),
            ("stop_time", "Stop, s of animal time.", [each.stop_tick * tick_s for each in rows]),
            ("channel", "Whose view it is.", [each.channel for each in rows]),
            ("label", "The behaviour.", [each.label for each in rows]),
            ("author", "Who annotated it.", [each.author for each in rows]),
            ("created", "When, ISO 8601.", [each.created for each in rows]),
        )
        table = TimeIntervals(
            name="annotations",
            description="Bouts of behaviour as people saw them.",
            columns=[
                VectorData(name=name, description=about, data=data) for name, about, data in columns
            ],
            colnames=[name for name, _, _ in columns],
        )
        nwb.add_time_intervals(table)
    with replacing(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with NWBHDF5IO(str(partial), "w") as io:
                io.write(nwb)
        except RuntimeError as problem:  # how h5py says some of what the system refuses
            raise RunError(f"{path} could not be written: {reason(problem)}.") from None


def _header(path: Path, file: h5py.File) -> _Header:
    node = file.get(HEADER)
    if (
        not isinstance(node, h5py.Dataset)
        or node.shape != ()
        or node.id.get_storage_size() > MOST_HEADER
    ):
        raise UserError(f"{path} holds no annotations of a rodent-rig recording.")
    try:
        header = msgspec.json.decode(node.asstr()[()], type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is damaged: {str(problem)[:200]}.") from None
    if header.rodent_rig_annotations > FORMAT:
        raise UserError(
            f"{path} was written by a newer version of rodent-rig; update it to read this."
        )
    if not 0 < header.tick_s < 1 or header.last_tick < header.first_tick:
        raise UserError(f"{path} is damaged: its ticks are none.")
    return header


def _rows(path: Path, file: h5py.File, tick_s: float) -> tuple[Annotation, ...]:
    table = file[TABLE]
    names = ("start_time", "stop_time", "channel", "label", "author", "created")
    lengths = {len(table[name]) for name in names}
    if len(lengths) != 1 or max(lengths) > MOST_ROWS:
        raise UserError(f"{path} is damaged: the columns of its table differ, or are too long.")
    start, stop = (np.asarray(table[name][:], float) for name in names[:2])
    texts = [table[name].asstr()[:].tolist() for name in names[2:]]
    if not (np.isfinite(start).all() and np.isfinite(stop).all() and (np.abs(stop) < 1e9).all()):
        raise UserError(f"{path} is damaged: it has times that are no numbers.")
    ticks = np.round(np.stack([start, stop]) / tick_s).astype(np.int64).tolist()
    return tuple(map(Annotation, *ticks, *texts))
