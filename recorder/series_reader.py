"""The series of an open recording: arrays by row or by tick, read from disk only where they are asked for."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.applied import APPLIED, AppliedActivity
from recorder.integrity import check_description, check_layout, read
from recorder.layout import LAYOUT_VERSION, TICK, TIMESTAMPS, SessionHeader, read_header
from recorder.schema import Series
from recorder.series_schema import series_of, stored_series
from recorder.table_schema import tables_of
from recorder.tables import TableRows
from rig.bus.message_types import Array, Description
from rig.errors import UserError


class SeriesReader:
    """One row per tick of every series of a recording.

    `series` describes them by name: shape of a row, dtype, unit, names of the columns.

    Args:
        path: the recording, for messages.
        file: the same, open for reading; checked against its own description.
        state: "closed", "live" (being recorded), "recovered" (repaired just now), "unrecovered" (left by
            a killed recorder and read as it is) or "unknown" (open for writing, and nobody can say by whom).

    Raises:
        UserError: with one sentence, for a file that is no recording of this program, was recorded by a newer
            version, or is damaged.
    """

    def __init__(self, path: Path, file: h5py.File, state: str) -> None:
        header = read_header(file)
        if header is None:
            raise UserError(f"{path} is an HDF5 file, but not a recording of this program.")
        if header.layout > LAYOUT_VERSION:
            raise UserError(f"{path} was recorded by a newer version of this program; update it.")
        check_description(path, header.description)
        self._begin(path, header, state)
        self._file = file
        tables = tables_of(header.description, header.layout)
        check_layout(path, file, self._stored, TIMESTAMPS, tables)
        # opened once: finding a data set by its name takes longer than reading a few rows of it
        self._data: dict[str, h5py.Dataset] = {}
        self._tables: dict[str, TableRows] = {}
        self.refresh()

    def _begin(self, path: Path, header: SessionHeader, state: str) -> None:
        self.path = path
        self.state = state
        self.session = header.session
        self.description: Description = header.description
        self.has_camera = header.camera
        self.part = header.part
        self.is_clip = header.clip
        self.header = header
        schema = (header.description, header.camera, header.layout)
        self.series: dict[str, Series] = {series.name: series for series in series_of(*schema)}
        self._stored = stored_series(*schema)
        self._applied: AppliedActivity | None = None
        self._ticks: NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def file(self) -> h5py.File:
        """The file, as h5py sees it."""
        return self._file

    def refresh(self) -> int:
        """Reads how much was recorded since; returns the number of ticks now."""
        datasets = [
            (self._dataset(f"{series.path}/data"), series.samples) for series in self._stored
        ]
        datasets.append((self._dataset(TIMESTAMPS), 1))
        if self.file.swmr_mode:
            for dataset, _ in datasets:
                dataset.refresh()
        n_ticks = min(len(dataset) // samples for dataset, samples in datasets)
        old = len(self._ticks)
        new = read(self._dataset(TICK), slice(old, n_ticks))
        self._ticks = np.concatenate([self._ticks, new])
        self.__dict__.pop("trials", None)
        self._applied = None
        return n_ticks

    @property
    def n_ticks(self) -> int:
        """Number of ticks in the recording."""
        return len(self._ticks)

    @property
    def ticks(self) -> NDArray[np.int64]:
        """The tick of each row: (n_ticks,) int64, going up."""
        return self._ticks

    @property
    def first_tick(self) -> int:
        """The first recorded tick; -1 if there is none."""
        return int(self._ticks[0]) if len(self._ticks) else -1

    @property
    def last_tick(self) -> int:
        """The last recorded tick; -1 if there is none."""
        return int(self._ticks[-1]) if len(self._ticks) else -1

    @property
    def duration_s(self) -> float:
        """Recorded animal time in seconds."""
        return self.n_ticks * self.description.tick_s

    def rows(self, first_tick: int | None = None, last_tick: int | None = None) -> slice:
        """The rows of these ticks, both included; ticks outside the recording have none."""
        start = 0 if first_tick is None else int(np.searchsorted(self._ticks, first_tick))
        if last_tick is None:
            return slice(start, self.n_ticks)
        return slice(start, max(start, int(np.searchsorted(self._ticks, last_tick, "right"))))

    def values(
        self, name: str, first_tick: int | None = None, last_tick: int | None = None
    ) -> Array:
        """A series as an array, one row per tick.

        Args:
            name: one of `series`, such as "qpos", "action", "c_applied", "body", "camera".
            first_tick: the first tick; None: the recording's.
            last_tick: the last tick, included; None: the recording's.

        Returns:
            (ticks, *shape) with the dtype and unit that `series[name]` gives; (ticks, samples, channels) for
            a signal with several samples a tick.

        Raises:
            UserError: if there is no such series, or it cannot be read.
        """
        if name not in self.series:
            raise UserError(
                f"{self.path} has no series {name!r}; it has {', '.join(sorted(self.series))}."
            )
        return self.block(name, self.rows(first_tick, last_tick))

    def block(self, name: str, rows: slice, columns: slice | int | None = None) -> Array:
        """Rows of a series, all of its columns or some.

        Args:
            name: one of `series`.
            rows: as `rows` gives them; with a step only where the series has one sample a tick.
            columns: which columns; only where the series has one sample a tick.

        Returns:
            (rows, *shape), or (rows, samples, channels), with the dtype of the series.

        Raises:
            UserError: if it cannot be read.
        """
        series = self.series[name]
        if series.differs_from:
            natural = self.block(series.differs_from, rows, columns)
            if self._applied is None:
                self._applied = AppliedActivity(self.table(APPLIED), series.shape[0])
            return self._applied.overlay(name, natural, self._ticks[rows], columns)
        values = self._read(f"{series.path}/data", rows, series.samples, columns)
        return values if series.samples == 1 else values.reshape(-1, *series.tick_shape)

    def times_s(
        self, first_tick: int | None = None, last_tick: int | None = None
    ) -> NDArray[np.float64]:
        """Animal time of these ticks, both included, in seconds: (ticks,) float64."""
        return self._read(TIMESTAMPS, self.rows(first_tick, last_tick))

    def table(self, path: str) -> TableRows:
        """A table, by its path in the file, as it is now; without rows where nothing happened."""
        if path in self._tables:
            return self._tables[path]
        if self.file.swmr_mode:
            for dataset in self.file.get(path, {}).values():
                dataset.refresh()
            return TableRows(self.file.get(path))
        return self._tables.setdefault(path, TableRows(self.file.get(path)))

    def close_datasets(self) -> None:
        """Closes the data sets that were read: each keeps up to a megabyte of what it last read."""
        self._data.clear()

    def _dataset(self, path: str) -> h5py.Dataset:
        if path not in self._data:
            self._data[path] = self.file[path]
        return self._data[path]

    def _read(
        self, path: str, rows: slice, samples: int = 1, columns: slice | int | None = None
    ) -> Array:
        """Rows of a data set that has so many samples a tick, all of its columns or some."""
        if samples > 1:
            rows = slice(rows.start * samples, rows.stop * samples)
        return read(self._dataset(path), rows if columns is None else (rows, columns))
