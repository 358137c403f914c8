"""Rows in memory on their way to the disk: one appender for all series, one for each table.

Rows gather in preallocated blocks and reach the file in few, large writes. A series of which a tick fills a
chunk of the file (a probe's samples) is not gathered: its arrays go from the message to the file as they are.
What must come last comes last: a row's data before its time stamp, a ragged column's values before their
index, a table's `id` after its columns; so that a reader of the growing file, or of one whose writer was
killed, finds whatever the last column counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.layout import TIMESTAMPS
from recorder.packing import PackedAppender
from recorder.schema import EMPTY_TEXT, UNLISTED, Series, Table
from rig.bus.message_types import Array

BLOCK_ROWS = 128
WAITING_CHUNKS_BYTES = 4 << 20
"""Chunks that wait are written at so many bytes: few calls, and still in the processor's cache."""


def extend(dataset: h5py.Dataset, first: int, rows: Array) -> None:
    """Writes rows at the end of a data set, which grows to end with them.

    Args:
        dataset: one that can grow along its first axis.
        first: the row to begin with.
        rows: (n, *shape of a row), of the data set's dtype or one that HDF5 converts to it.
    """
    if len(rows):
        # h5py's lower level: its upper one takes longer for a few rows than the writing does
        plain = np.ascontiguousarray(rows)
        dataset.id.set_extent((first + len(rows), *rows.shape[1:]))
        target = dataset.id.get_space()
        target.select_hyperslab((first, *(0 for _ in rows.shape[1:])), rows.shape)
        dataset.id.write(h5py.h5s.create_simple(rows.shape), target, plain)


class ChunkAppender:
    """A series of which each tick is one chunk of its data set: written as it lies in memory, not copied.

    Raises what h5py raises where the disk cannot take it.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._id = dataset.id
        self._shape: tuple[int, ...] = dataset.chunks
        self._dtype: np.dtype[Any] = dataset.dtype
        self._offset = (0,) * (len(self._shape) - 1)
        self._waiting: list[Array] = []
        self._n_written = 0
        self.chunk_bytes = int(np.prod(self._shape)) * self._dtype.itemsize

    @staticmethod
    def fits(dataset: h5py.Dataset, series: Series) -> bool:
        """Whether a tick of the series is one chunk of its data set, stored as it is."""
        return (
            series.samples > 1
            and dataset.chunks == series.tick_shape
            and dataset.compression is None
        )

    @property
    def due(self) -> bool:
        """Whether enough waits to be written before more comes."""
        return len(self._waiting) * self.chunk_bytes >= WAITING_CHUNKS_BYTES

    @property
    def waiting_bytes(self) -> int:
        """Size of the chunks that wait to be written."""
        return len(self._waiting) * self.chunk_bytes

    def append(self, value: Array | None) -> None:
        """Adds a tick's samples, (samples, channels), which must not change later; None: zeros."""
        if value is None:
            value = np.zeros(self._shape, self._dtype)
        self._waiting.append(np.ascontiguousarray(value, self._dtype))

    def write(self, keep_last: bool = False) -> None:
        """Writes the chunks that wait, with `keep_last` all but the last."""
        n = len(self._waiting) - (1 if keep_last and self._waiting else 0)
        if n == 0:
            return
        first = self._n_written
        self._id.set_extent(((first + n) * self._shape[0], *self._shape[1:]))
        for k in range(n):
            start = ((first + k) * self._shape[0], *self._offset)
            self._id.write_direct_chunk(start, self._waiting[k])
        self._n_written += n
        del self._waiting[:n]


class SeriesAppender:
    """The rows of all series; row k of each belongs to the same tick.

    Args:
        file: open for writing.
        series: all of a recording that have a data set.
        tick_s: seconds of a tick; of a series with several samples a tick it spaces their time stamps.
    """

    def __init__(self, file: h5py.File, series: tuple[Series, ...], tick_s: float) -> None:
        self._shapes = {row.name: row.tick_shape for row in series}
        datasets = {row.name: file[f"{row.path}/data"] for row in series}
        self._chunks = {
            row.name: ChunkAppender(datasets[row.name])
            for row in series
            if ChunkAppender.fits(datasets[row.name], row)
        }
        self._blocks: dict[str, Array] = {
            row.name: np.zeros((BLOCK_ROWS, *row.tick_shape), row.dtype)
            for row in series
            if row.name not in self._chunks
        }
        self._packed = {
            row.name: PackedAppender(datasets[row.name]) for row in series if row.packed_rows
        }
        self._whole_rows = max((row.packed_rows for row in series), default=0) or 1
        self._row_bytes = sum(block[0].nbytes for block in self._blocks.values())
        self._samples = {row.name: row.samples for row in series}
        self._sample_times = {
            row.name: (
                file[f"{row.path}/timestamps"],
                np.arange(row.samples) * tick_s / row.samples,
            )
            for row in series
            if row.samples > 1
        }
        # the tick numbers last: they say how many rows there are
        order = sorted(self._blocks, key=lambda name: name == "tick")
        self._datasets = {name: datasets[name] for name in order}
        self._times: NDArray[np.float64] = np.zeros(BLOCK_ROWS)
        self._came: NDArray[np.float64] = np.zeros(BLOCK_ROWS)
        self._timestamps = file[TIMESTAMPS]
        self.n_written = 0
        self._n_waiting = 0
        self.last_written = -1
        """The tick of the last row that was written."""

    @property
    def waited_s(self) -> float:
        """Wall time that the oldest row has waited to be written."""
        return time.monotonic() - self._came[0] if self._n_waiting else 0.0

    @property
    def n_rows(self) -> int:
        """Rows so far, written or waiting."""
        return self.n_written + self._n_waiting

    @property
    def full(self) -> bool:
        """Whether the blocks have to be written before the next row."""
        return self._n_waiting == BLOCK_ROWS

    @property
    def chunks_due(self) -> bool:
        """Whether `write_chunks` has to be called before the next row."""
        return any(each.due for each in self._chunks.values())

    @property
    def waiting_bytes(self) -> int:
        """Size of the rows that wait to be written."""
        chunks = sum(each.waiting_bytes for each in self._chunks.values())
        return self._n_waiting * self._row_bytes + chunks

    def append(self, time_s: float, values: Mapping[str, Any]) -> list[str]:
        """Adds a row.

        Args:
            time_s: animal time of the tick in seconds.
            values: by the series' names, of the shape of their row; others are ignored. Arrays of a whole
                chunk are kept until they are written, and must not change.

        Returns:
            The names of series whose value is missing or does not fit; they get NaN, or 0 for integers.
        """
        k = self._n_waiting
        wrong = []
        for name, block in self._blocks.items():
            value = values.get(name)
            if value is None or np.shape(value) != self._shapes[name]:
                wrong.append(name)
                block[k] = np.nan if block.dtype.kind == "f" else 0
            else:
                block[k] = value
        for name, chunks in self._chunks.items():
            value = values.get(name)
            if value is None or np.shape(value) != self._shapes[name]:
                wrong.append(name)
                value = None
            chunks.append(value)
        self._times[k] = time_s
        self._came[k] = time.monotonic()
        self._n_waiting += 1
        return wrong

    def amend_last(self, values: Mapping[str, Any]) -> None:
        """Sets more values of the last row, which must still be waiting; not of series in whole chunks."""
        for name, value in values.items():
            block = self._blocks.get(name)
            if block is not None:
                block[self._n_waiting - 1] = value

    def write_chunks(self) -> None:
        """Writes the whole chunks that wait ahead of their rows, without which they do not count."""
        for chunks in self._chunks.values():
            chunks.write(keep_last=True)

    def write(self, keep_last: bool = False, whole: bool = False, final: bool = False) -> bool:
        """Writes waiting rows. Whether any was.

        Args:
            keep_last: not the last one, which may still be amended.
            whole: only what fills whole chunks of the series that are compressed, if there are any.
            final: no more rows come.
        """
        n = self._n_waiting - (1 if keep_last and self._n_waiting else 0)
        if whole:
            n = max(0, n - (self.n_written + n) % self._whole_rows)
        if n == 0:
            return False
        for name, chunks in self._chunks.items():
            chunks.write(keep_last)
            self._extend_times(name, n)
        for name, dataset in self._datasets.items():
            if name == "tick":
                extend(self._timestamps, self.n_written, self._times[:n])
            self._extend(name, dataset, n, final)
        if "tick" in self._blocks:
            self.last_written = int(self._blocks["tick"][n - 1])
        left = slice(n, self._n_waiting)
        for block in (*self._blocks.values(), self._times, self._came):
            block[: self._n_waiting - n] = block[left].copy()
        self.n_written += n
        self._n_waiting -= n
        return True

    def _extend(self, name: str, dataset: h5py.Dataset, n: int, final: bool) -> None:
        rows = self._blocks[name][:n]
        if name in self._packed:
            self._packed[name].write(rows, final)
            return
        samples = self._samples[name]
        if samples == 1:
            extend(dataset, self.n_written, rows)
            return
        extend(dataset, self.n_written * samples, rows.reshape(-1, *rows.shape[2:]))
        self._extend_times(name, n)

    def _extend_times(self, name: str, n: int) -> None:
        """The time stamps of a series with several samples a tick."""
        timestamps, offsets_s = self._sample_times[name]
        times_s = (self._times[:n, None] + offsets_s).reshape(-1)
        extend(timestamps, self.n_written * len(offsets_s), times_s)


class TableAppender:
    """The rows of one table, with changes to rows that are already there."""

    def __init__(self, file: h5py.File, table: Table) -> None:
        self._table = table
        group = file[table.path]
        self._columns = {column.name: column for column in table.columns}
        self._codes = {
            column.name: {name: code for code, name in enumerate(column.names)}
            for column in table.columns
            if column.names
        }
        self._datasets = {column.name: group[column.name] for column in table.columns}
        self._indices = {
            column.name: group[f"{column.name}_index"] for column in table.columns if column.ragged
        }
        self._ends = {name: len(self._datasets[name]) for name in self._indices}
        self._id = group["id"]
        self._waiting: list[dict[str, Any]] = []
        self._changes: dict[str, dict[int, Any]] = {}
        self.n_written = len(self._id)

    def append(self, **values: Any) -> int:
        """Adds a row and returns its number. Names become codes; bytes become ragged values.

        A name that is not in its column's list is kept in the column for such names, if there is one.
        """
        for name in self._codes:
            unlisted = f"{UNLISTED}_{name}"
            if unlisted in self._columns:
                known = self.knows(name, values[name])
                values.setdefault(unlisted, b"" if known else values[name].encode())
        self._waiting.append({name: self._plain(name, value) for name, value in values.items()})
        return self.n_written + len(self._waiting) - 1

    def change(self, row: int, **values: Any) -> None:
        """Sets other values in a row (not in its ragged columns)."""
        for name, value in values.items():
            if row >= self.n_written:
                self._waiting[row - self.n_written][name] = self._plain(name, value)
            else:
                self._changes.setdefault(name, {})[row] = self._plain(name, value)

    def knows(self, column: str, name: str) -> bool:
        """Whether a name is in the list of a column of codes."""
        return name in self._codes[column]

    def has(self, column: str) -> bool:
        """Whether there is such a column; tables of earlier layouts lack some."""
        return column in self._columns

    def write(self) -> bool:
        """Writes what waits. Whether anything did."""
        wrote = bool(self._waiting or self._changes)
        for name, changes in self._changes.items():
            for row, value in changes.items():
                self._datasets[name][row] = value
        self._changes = {}
        if self._waiting:
            for name, column in self._columns.items():
                if column.ragged:
                    self._write_ragged(name)
                else:
                    rows = np.array([row[name] for row in self._waiting], column.dtype)
                    extend(self._datasets[name], self.n_written, rows)
            ids = np.arange(self.n_written, self.n_written + len(self._waiting), dtype=np.int64)
            extend(self._id, self.n_written, ids)
            self.n_written += len(self._waiting)
            self._waiting = []
        return wrote

    def _write_ragged(self, name: str) -> None:
        dtype = self._columns[name].dtype
        parts = [np.asarray(row[name], dtype).reshape(-1) for row in self._waiting]
        ends = np.uint64(self._ends[name]) + np.cumsum(
            [len(part) for part in parts], dtype=np.uint64
        )
        extend(self._datasets[name], self._ends[name], np.concatenate(parts))
        extend(self._indices[name], self.n_written, ends)
        self._ends[name] = int(ends[-1])

    def _plain(self, name: str, value: Any) -> Any:
        codes = self._codes.get(name)
        if codes is not None:
            return codes.get(value, len(codes) - 1)
        if isinstance(value, bytes):
            return np.frombuffer(value or EMPTY_TEXT, np.uint8)
        if isinstance(value, np.ndarray):
            return value.astype(self._columns[name].dtype, casting="same_kind")
        return value
