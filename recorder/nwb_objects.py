"""The pynwb objects of an empty recording; imported only where a file is created, because pynwb is slow."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hdmf.backends.hdf5 import H5DataIO
from hdmf.common import DynamicTable, ElementIdentifiers, EnumData, VectorData, VectorIndex
from pynwb import NWBFile, ProcessingModule, TimeSeries
from pynwb.ecephys import ElectricalSeries
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject

from recorder.layout import fill_value, header_text
from recorder.packing import LEVEL
from recorder.schema import Column, Series, Table
from recorder.series_schema import series_of, stored_series
from recorder.table_schema import tables_of
from rig.bus.message_types import Array, Description

_CHUNK_BYTES = 32 * 1024
_MAX_CHUNK_ROWS = 1024
_MODULES = {
    "processing/behavior": ("behavior", "Body state, and how sure the detectors are."),
    "processing/rig": ("rig", "The rig's clock and latencies; names of units and columns."),
    "processing/record": ("record", "Events, interventions, and the recorder's log."),
}


def session_objects(
    description: Description, assets: Mapping[str, Array], session: str, camera: bool
) -> NWBFile:
    """The file of a session as pynwb objects, every series and table in it and empty.

    Args:
        description: of the session.
        assets: files that its models name: (bytes,) uint8 by file name.
        session: the session's id.
        camera: whether there is a series for the camera.
    """
    nwb = session_file(description, session)
    modules = {
        folder: ProcessingModule(name=name, description=about)
        for folder, (name, about) in _MODULES.items()
    }
    for module in modules.values():
        nwb.add_processing_module(module)
    clock: TimeSeries | None = None
    for series in stored_series(description, camera):
        made = _voltages(nwb, series) if series.volts_per_count else _time_series(series, clock)
        clock = clock or made
        if series.folder == "acquisition":
            nwb.add_acquisition(made)
        else:
            modules[series.folder].add(made)
    rig = modules["processing/rig"]
    rig.add(_network_units(description))
    rig.add(_column_names(series_of(description, camera)))
    for table in tables_of(description):
        made_table = _table(table)
        if table.name == "trials":
            nwb.trials = made_table
        elif table.folder == "intervals":
            nwb.add_time_intervals(made_table)
        elif table.folder == "scratch":
            nwb.add_scratch(made_table)
        else:
            modules[table.folder].add(made_table)
    if assets:
        nwb.add_scratch(_assets(assets))
    nwb.add_scratch(
        header_text(description, session, camera),
        name="session",
        description="The session's own description, JSON; marks the file as a rodent-rig recording.",
    )
    return nwb


def session_file(description: Description, session: str) -> NWBFile:
    """An NWB file that says who and what a session was, and has no data yet."""
    return NWBFile(
        session_description=(
            f"Virtual rodent {description.subject!r} in task {description.task!r} under protocol "
            f"{description.protocol_name!r}, seed {description.seed}."
        ),
        identifier=str(uuid.uuid4()),
        session_start_time=_started_at(description),
        session_id=session or None,
        experiment_description=(
            "A simulated animal: a neural network drives a simulated rat's body. Times are animal time: "
            f"tick × {description.tick_s} s, 0 at tick 0."
        ),
        protocol=description.protocol_text or None,
        stimulus_notes=f"Stimuli of the protocol: {', '.join(description.stimuli) or 'none'}.",
        experimenter=description.experimenter or None,
        institution=description.institution or None,
        keywords=description.keywords or None,
        notes=(f"{description.notes}\n" if description.notes else "")
        + (
            f"seed {description.seed}; pace {description.pace}; task {description.task}; "
            f"subject sha256 {description.subject_sha256}; versions {_versions_text(description)}"
        ),
        source_script="rodent-rig recorder",
        source_script_file_name="recorder/process.py",
        subject=Subject(
            subject_id=description.animal or description.subject,
            species="Rattus norvegicus",
            sex="U",
            age="P0D",
            description=(
                "A virtual rodent: a trained network with a simulated body; weights sha256 "
                f"{description.subject_sha256}. It has no age: it begins with the session (P0D)."
            ),
        ),
    )


def _growing(
    shape: tuple[int, ...],
    dtype: str,
    level: int | None = None,
    rows: int = 0,
    chunk: tuple[int, ...] = (),
) -> H5DataIO:
    return H5DataIO(
        np.zeros((0, *shape), dtype),
        maxshape=(None, *shape),
        chunks=chunk or (rows or _chunk_rows(shape, dtype), *shape),
        fillvalue=fill_value(dtype),
        compression=None if level is None else "gzip",
        compression_opts=level,
    )


def _time_series(series: Series, clock: TimeSeries | None) -> TimeSeries:
    """An empty series on the common clock, which the first one carries."""
    return TimeSeries(
        name=series.name,
        data=_growing(
            series.shape,
            series.dtype,
            LEVEL if series.packed_rows else None,
            chunk=series.chunk,
        ),
        timestamps=clock if clock is not None else _growing((), "<f8"),
        unit=series.unit,
        description=series.about,
        comments=_comments(series),
        continuity="continuous",
    )


def _comments(series: Series) -> str:
    if series.columns:
        return "Names and units of the columns: processing/rig/columns."
    rows = " × ".join(str(width) for width in series.shape)
    return f"A row of {rows} a tick." if rows else "A number a tick."


def _voltages(nwb: NWBFile, series: Series) -> ElectricalSeries:
    """An empty series of a probe's channels, its electrodes entered into the file."""
    device = nwb.create_device(
        name=series.name, description="A source beside the animal's network."
    )
    group = nwb.create_electrode_group(
        name=series.name, description=series.about, location="none", device=device
    )
    first = 0 if nwb.electrodes is None else len(nwb.electrodes)
    for _ in range(series.shape[0]):
        nwb.add_electrode(location="none", group=group)
    return ElectricalSeries(
        name=series.name,
        data=_growing(series.shape, series.dtype, rows=series.samples),
        timestamps=_growing((), "<f8", rows=16 * series.samples),
        electrodes=nwb.create_electrode_table_region(
            list(range(first, first + series.shape[0])), "The channels, in order."
        ),
        conversion=series.volts_per_count,
        description=series.about,
    )


def _table(table: Table) -> DynamicTable:
    """An empty table; a TimeIntervals where it stands among the intervals."""
    columns: list[VectorData] = []
    for column in table.columns:
        columns += _columns(column)
    kind = TimeIntervals if table.folder == "intervals" else DynamicTable
    return kind(
        name=table.name,
        description=table.about,
        id=ElementIdentifiers(name="id", data=_growing((), "<i8")),
        columns=columns,
        colnames=[column.name for column in table.columns],
    )


def _columns(column: Column) -> list[VectorData]:
    large = column.name == "xml"
    rows = (65536 if large else 8192) if column.ragged else 0
    data = _growing((), column.dtype, 1 if large else None, rows)
    if column.names:
        elements = VectorData(
            name=f"{column.name}_elements",
            description=f"The names that the codes of {column.name} stand for.",
            data=list(column.names),
        )
        made = EnumData(name=column.name, description=column.about, data=data, elements=elements)
        return [made, elements]
    plain = VectorData(name=column.name, description=column.about, data=data)
    if not column.ragged:
        return [plain]
    index = VectorIndex(name=f"{column.name}_index", data=_growing((), "<u8"), target=plain)
    return [plain, index]


def _network_units(description: Description) -> DynamicTable:
    units = [(layer.name, k) for layer in description.layers for k in range(layer.n_units)]
    return _filled(
        "network_units",
        "The units of the network, in the order of the columns of the activity series.",
        ("unit_name", "Name of the unit.", [f"{layer}/{k}" for layer, k in units]),
        ("layer", "Its layer.", [layer for layer, _ in units]),
        ("index_in_layer", "Its index in the layer, from 0.", [k for _, k in units]),
    )


def _column_names(rows: tuple[Series, ...]) -> DynamicTable:
    columns = [
        (series.name, name, unit)
        for series in rows
        for name, unit in zip(series.columns, series.column_units, strict=True)
    ]
    return _filled(
        "columns",
        "Names and units of the columns of every series, in their order.",
        ("series", "Name of the series.", [series for series, _, _ in columns]),
        ("column_name", "Name of the column.", [name for _, name, _ in columns]),
        ("unit", "Its unit; 1: a plain number, a.u.: arbitrary.", [unit for *_, unit in columns]),
    )


def _filled(name: str, about: str, *columns: tuple[str, str, list[Any]]) -> DynamicTable:
    """A table with all its rows; row by row, hdmf takes longer for them than for all else in the file.

    Args:
        name: of the table.
        about: what it says of itself.
        columns: of each its name, its description and its values.
    """
    made = [VectorData(name=each, description=words, data=data) for each, words, data in columns]
    return DynamicTable(name=name, description=about, columns=made)


def _assets(assets: Mapping[str, Array]) -> DynamicTable:
    """The model's files, as they are: name and bytes."""
    names = list(assets)
    lengths = [int(assets[name].size) for name in names]
    total = np.concatenate(
        [np.zeros(0, np.uint8), *(np.asarray(assets[name], np.uint8).reshape(-1) for name in names)]
    )
    content = VectorData(
        name="content",
        description="Bytes of the file.",
        data=H5DataIO(total, compression="gzip", compression_opts=4) if total.size else total,
    )
    return DynamicTable(
        name="assets",
        description="Files (meshes, textures, skin) that the models name.",
        columns=[
            VectorData(name="file_name", description="Name of the file in the models.", data=names),
            content,
            VectorIndex(
                name="content_index", data=np.cumsum(lengths, dtype=np.uint64), target=content
            ),
        ],
        colnames=["file_name", "content"],
    )


def _chunk_rows(shape: tuple[int, ...], dtype: str) -> int:
    """Rows of a chunk: about 128 kB, so that reading a random tick reads little else."""
    row = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    return int(min(_MAX_CHUNK_ROWS, max(1, _CHUNK_BYTES // max(1, row))))


def _started_at(description: Description) -> datetime:
    """When the session started, with a time zone; now if the description does not say."""
    try:
        moment = datetime.fromisoformat(description.started)
    except ValueError:
        moment = datetime.now(UTC)
    return moment if moment.tzinfo else moment.astimezone()


def _versions_text(description: Description) -> str:
    """The versions of the programs, as JSON."""
    return json.dumps(description.versions, sort_keys=True)
