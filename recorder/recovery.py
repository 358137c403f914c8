"""Makes a recording whole whose recorder was killed: readable by everything, and nothing in it lost.

A killed recorder leaves a file that says it is still being written, with an end-of-file address that
is out of date, columns of unequal length and intervals without an end. Repair works on a copy, which
replaces the file only when it is whole; killed itself, it leaves the file as it found it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from recorder import superblock
from recorder.appending import BLOCK_ROWS, TableAppender
from recorder.empty_file import drop_empty_tables
from recorder.file_rotation import first_path, part_path
from recorder.integrity import HDF5_ERRORS, check_description, check_layout, integrity_error
from recorder.intervals import IntervalTables
from recorder.layout import (
    LIBVER,
    TICK,
    TIMESTAMPS,
    SessionHeader,
    is_fill,
    read_header,
)
from recorder.named_intervals import complete_intervals, lacks_intervals
from recorder.output_path import remove_leftovers, reserve
from recorder.series_schema import stored_series
from recorder.table_schema import interval_table, tables_of
from recorder.tables import TableRows, read_events
from recorder.writing_lock import WriterState, writer_state
from rig.errors import RunError, UserError
from rig.output_file import reason

_BY_TICK = tuple(
    f"processing/record/{name}"
    for name in ("task_events", "inputs", "snapshots", "props", "applied")
)
_MADE_AGAIN = tuple(
    interval_table(name, layout) for name in ("behaviours", "stimuli") for layout in (2, 3)
)
_LATER = ("snapshots", "props", "applied")
"""Tables that recordings of earlier versions do not have."""
_TAIL_ROWS = 8192
"""How far from its end a series is searched for rows that never reached the disk."""


@dataclass(frozen=True)
class RecoveryReport:
    """What `recover` did: `repaired` is False where the file was whole already.

    `n_ticks` rows are in the file; `n_dropped` more were begun and incomplete. `n_ended` intervals were
    open and end with the recording now.
    """

    path: Path
    repaired: bool
    n_ticks: int
    n_dropped: int = 0
    n_ended: int = 0

    def __str__(self) -> str:
        if not self.repaired:
            return f"{self.path} is whole: {self.n_ticks} ticks. Nothing had to be done."
        return (
            f"{self.path} is whole again: {self.n_ticks} ticks; {self.n_dropped} incomplete rows at its "
            f"end were dropped, {self.n_ended} open intervals ended there."
        )


def recorded_state(path: Path) -> str:
    """What became of a recording's writer, as far as its file and its lock tell.

    Returns:
        "closed": it closed the file; "live": it writes it at present; "killed": it ended without closing it;
        "unknown": the file is open for writing, and its file system has no locks that would tell by whom.

    Raises:
        UserError: if the file is missing, or no HDF5 file of the kind that a recording is.
    """
    try:
        # before the superblock: a writer that closes the file in between has closed it then
        writer = writer_state(path)
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {reason(problem)}.") from None
    block = _superblock(path)
    torn = not block.whole or block.end_of_file > path.stat().st_size
    if writer is WriterState.living:
        return "live"
    if not torn and not block.open_for_writing:
        return "closed"
    return "unknown" if writer is WriterState.unknown else "killed"


def recover(path: Path) -> RecoveryReport:
    """Repairs a recording after its recorder was killed; does nothing to one that is whole.

    Raises:
        UserError: for a file that is not a recording of ours, is being written at present, may be (where its
            file system has no locks), or is damaged otherwise. The file is as it was.
        RunError: where there is no room or no permission for the repaired file. The file is as it was.
    """
    path = Path(path)
    state = recorded_state(path)
    if state == "live":
        raise UserError(f"{path} is being recorded at present; it will be whole when that ends.")
    if state == "unknown":
        raise UserError(
            f"{path} is open for writing, and its file system has no locks that would tell whether a "
            "recorder still writes it, so it was not touched; when none does, copy it to a local disk and "
            "recover the copy."
        )
    if state == "closed":
        try:
            with h5py.File(path, "r") as file:
                header = _header(file, path)
                _remove_unnamed_part(path, header)
                if not lacks_intervals(file, header):
                    return RecoveryReport(path, False, len(file[TICK]))
        except HDF5_ERRORS as problem:
            raise integrity_error(path, reason(problem)) from None
    size = path.stat().st_size
    free = shutil.disk_usage(path.parent).free
    if free < size + 1_000_000:
        raise RunError(
            f"Recovering {path} needs {size / 1e6:.0f} MB of free space beside it, where "
            f"{free / 1e6:.0f} MB are left; the file was not touched."
        )
    copy: Path | None = None
    try:
        file = path.resolve()  # not the link that may lead to it
        lock, _ = reserve(file, "recovering")
        with lock:
            copy = Path(lock.name)
            shutil.copy2(path, copy)
            report = _repair(copy, path)
            os.fsync(lock.fileno())
            copy.replace(file)
    except HDF5_ERRORS as problem:
        of_the_system = isinstance(problem, OSError) and (
            problem.errno is not None or "errno = " in str(problem)
        )
        raise (RunError if of_the_system else UserError)(
            f"{path} cannot be repaired: {reason(problem)}; the file was not touched."
        ) from None
    finally:
        if copy is not None:
            with contextlib.suppress(OSError):
                copy.unlink(missing_ok=True)
    return report


def _superblock(path: Path) -> superblock.Superblock:
    try:
        block = superblock.read(path)
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {reason(problem)}.") from None
    if block is None:
        raise UserError(f"{path} is not a recording: it does not begin like an HDF5 file of ours.")
    return block


def _header(file: h5py.File, path: Path) -> SessionHeader:
    header = read_header(file)
    if header is None:
        raise UserError(f"{path} is an HDF5 file, but not a recording of this program.")
    description = header.description
    check_description(path, description)
    check_layout(
        path,
        file,
        stored_series(description, header.camera, header.layout),
        TIMESTAMPS,
        tables_of(description, header.layout),
    )
    return header


def _repair(copy: Path, path: Path) -> RecoveryReport:
    with copy.open("rb+") as raw:
        block = raw.read(superblock.SIZE)
        raw.seek(0)
        raw.write(superblock.repaired(block, copy.stat().st_size))
    with h5py.File(copy, "r+", libver=LIBVER) as file:
        header = _header(file, path)
        size = copy.stat().st_size
        n_rows, n_dropped = _trim_series(file, header, size)
        last_tick = int(file[TICK][n_rows - 1]) if n_rows else -1
        first_tick = int(file[TICK][0]) if n_rows else -1
        tables = [
            table
            for table in tables_of(header.description, header.layout)
            if table.path in file or table.name not in _LATER
        ]
        n_ended = 0
        if all(table.path in file for table in tables):
            for table in tables:
                _trim_table(file[table.path], table.path, last_tick)
            n_ended = _complete(file, header, first_tick, last_tick)
        # else the recorder was killed after it had completed the tables and begun to drop empty ones
        report = RecoveryReport(path, True, n_rows, n_dropped, n_ended)
        _log_recovery(file, header, report, last_tick)
        complete_intervals(file, header)
        drop_empty_tables(file, header)
    _remove_unnamed_part(path, header)
    return report


def _remove_unnamed_part(path: Path, header: SessionHeader) -> None:
    """Removes the next file of a recording whose recorder was killed before that had its name, or a tick."""
    with contextlib.suppress(OSError):
        remove_leftovers(part_path(first_path(path, header.part), header.part + 1), "part")


def _complete(file: h5py.File, header: SessionHeader, first_tick: int, last_tick: int) -> int:
    """Makes the intervals anew from the events, and ends what is open. How much was."""
    appenders = {
        table.name: TableAppender(file, table)
        for table in tables_of(header.description, header.layout)
        if table.name in ("behaviours", "stimuli", "trials")
    }
    n_ended = _end_trials(file["intervals/trials"], header, last_tick)
    intervals = IntervalTables(
        appenders["behaviours"],
        appenders["stimuli"],
        appenders["trials"],
        header.description.tick_s,
        first_tick,
    )
    trials = file["intervals/trials/first_tick"][:]
    for _, event in read_events(TableRows(file.get("processing/record/events"))):
        if event.kind == "condition":
            row = int(np.searchsorted(trials, event.tick, "right")) - 1
            if row >= 0 and event.phase == "onset":
                appenders["trials"].change(row, condition=event.name)
        else:
            intervals.add(event)
    n_ended += intervals.n_open
    intervals.end_all(last_tick + 1)
    appenders["behaviours"].write()
    appenders["stimuli"].write()
    appenders["trials"].write()
    return n_ended


def _log_recovery(
    file: h5py.File, header: SessionHeader, report: RecoveryReport, last_tick: int
) -> None:
    for table in tables_of(header.description, header.layout):
        if table.name == "log" and table.path in file:
            log = TableAppender(file, table)
            log.append(
                kind="recovery",
                tick=last_tick,
                sequence=-1,
                text=(
                    "The recorder was killed and the file repaired: "
                    f"{report.n_ticks} ticks are whole, {report.n_dropped} incomplete rows at the end "
                    f"were dropped, {report.n_ended} open intervals ended there."
                ).encode(),
            )
            log.write()


def _trim_series(file: h5py.File, header: SessionHeader, size: int) -> tuple[int, int]:
    """Cuts all series to the rows that every one of them has. How many those are, and how many went."""
    datasets = [(file[TIMESTAMPS], 1)]
    for series in stored_series(header.description, header.camera, header.layout):
        datasets.append((file[f"{series.path}/data"], series.samples))
        if series.samples > 1:
            datasets.append((file[f"{series.path}/timestamps"], series.samples))
    longest = max(-(-len(dataset) // samples) for dataset, samples in datasets)
    n_rows = min(_whole_rows(dataset, size, samples) // samples for dataset, samples in datasets)
    for dataset, samples in datasets:
        dataset.resize(n_rows * samples, 0)
    return n_rows, longest - n_rows


def _whole_rows(dataset: h5py.Dataset, size: int, samples: int) -> int:
    """Rows from the start that are in the file and were written."""
    n_rows = min([len(dataset), *_chunks_behind(dataset, size)])
    if dataset.dtype == np.uint8 and dataset.ndim > 1:
        return n_rows  # an image may be all white, which is what fills it
    first = max(0, n_rows - max(_TAIL_ROWS, BLOCK_ROWS * samples))
    tail = dataset[first:n_rows]
    unwritten = is_fill(tail).reshape(len(tail), int(np.prod(tail.shape[1:]))).all(axis=1)
    return first + int(np.argmax(unwritten)) if unwritten.any() else n_rows


def _chunks_behind(dataset: h5py.Dataset, size: int) -> Iterator[int]:
    """First rows of the chunks that would lie behind the end of the file."""
    found: list[int] = []

    def look(chunk: h5py.h5d.StoreInfo) -> None:
        if chunk.byte_offset + chunk.size > size:
            found.append(chunk.chunk_offset[0])

    dataset.id.chunk_iter(look)
    return iter(found)


def _trim_table(group: h5py.Group, path: str, last_tick: int) -> None:
    """Cuts a table to its whole rows, and to those of ticks that are in the recording."""
    indices = {name: group[name] for name in group if name.endswith("_index")}
    ragged = {name.removesuffix("_index") for name in indices}
    plain = {
        name: group[name] for name in group if name not in ragged and not name.endswith("_elements")
    }
    n_rows = min(len(dataset) for dataset in plain.values())
    for name, dataset in plain.items():
        if dataset.dtype.kind != "u" or name in indices:
            unwritten = is_fill(dataset[:n_rows])
            n_rows = int(np.argmax(unwritten)) if unwritten.any() else n_rows
    for name, index in indices.items():
        ends = index[:n_rows]
        n_rows = int(np.sum(ends <= len(group[name.removesuffix("_index")])))
    if "answer_tick" in plain:
        n_rows = int(np.sum(plain["answer_tick"][:n_rows] <= last_tick))
    if path in _BY_TICK:
        n_rows = int(np.sum(plain["tick"][:n_rows] <= last_tick))
    if "first_tick" in plain:
        n_rows = int(np.sum(plain["first_tick"][:n_rows] <= last_tick))
    if path in _MADE_AGAIN:
        n_rows = 0  # made again, from the events
    for name, index in indices.items():
        group[name.removesuffix("_index")].resize(int(index[n_rows - 1]) if n_rows else 0, 0)
    for dataset in plain.values():
        dataset.resize(n_rows, 0)


def _end_trials(group: h5py.Group, header: SessionHeader, last_tick: int) -> int:
    """Ends the trials that have no end: with the next one's start, or with the recording."""
    firsts, stops = group["first_tick"][:], group["stop_time"][:]
    ends = np.append(firsts[1:], last_tick + 1) * header.description.tick_s
    n_open = int(np.isnan(stops[-1:]).sum())
    if len(stops):
        group["stop_time"][:] = np.where(
            np.isnan(stops) | (stops > ends[-1]), np.maximum(ends, group["start_time"][:]), stops
        )
    return n_open
