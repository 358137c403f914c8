"""The files of a rotated recording, read as one: intervals that a rotation split are whole again.

A file repeats at its beginning what is open across the rotation, so that it is a recording by itself:
the trial, the onsets of behaviours and stimuli, the interventions on its first tick. Here each of these
appears once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from recorder.reading import Recording
from recorder.tables import Interval, TableRows, Trial
from rig.bus.message_types import Array
from rig.errors import UserError

_TICK_OF_ROW = {
    "processing/record/events": "answer_tick",
    "processing/record/interventions": "answer_tick",
}
"""The tables in which a part repeats rows of the one before: those of ticks before its first."""


_MAX_OPEN_PARTS = 4
"""Of so many parts, those read last, the data sets stay open."""


class ConcatenatedRecording(Recording):
    """Files of one recording that follow each other, read as if they were one.

    Everything is read from the files when it is asked for. `path` is the first of them, `files` are all;
    `state` is that of the last, or what a repair made of an earlier one. A part that comes into being
    later is not among them.
    """

    def __init__(self, parts: Sequence[Recording]) -> None:
        self._recordings = tuple(parts)
        states = [each.state for each in parts]
        repaired = [each for each in ("unknown", "unrecovered", "recovered") if each in states]
        self._begin(parts[0].path, parts[0].header, (*repaired, states[-1])[0])
        self._cached_tables: dict[str, ConcatenatedRows] = {}
        self._in_use: dict[Recording, None] = dict.fromkeys(
            each for each in parts if each.state != "live"
        )
        self.refresh()

    @property
    def file(self) -> h5py.File:
        """There is none: raises `UserError`, as does `nwb`."""
        raise UserError(
            f"{self.name} are several files, which h5py and pynwb read one by one: open one of them."
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read here, in order."""
        return tuple(each.path for each in self._recordings)

    @property
    def parts(self) -> tuple[Path, ...]:
        """The same as `files`: other parts that lie beside them are not among them."""
        return self.files

    @property
    def continues(self) -> bool:
        """Whether the recording continues after the last of these parts."""
        return self._recordings[-1].continues

    def refresh(self) -> int:
        """Takes notice of what was recorded since in these files; the number of ticks now."""
        for each in self._recordings:
            if each.state == "live":
                each.refresh()
        self._first_rows = np.cumsum([0, *(each.n_ticks for each in self._recordings)])[
            :-1
        ].tolist()
        self._ticks = np.concatenate([each.ticks for each in self._recordings])
        self.__dict__.pop("trials", None)
        self._applied = None
        return self.n_ticks

    def table(self, path: str) -> TableRows:
        """A table of all files; intervals that a rotation split are whole only in `intervals`, `trials`."""
        if path in self._cached_tables:
            return self._cached_tables[path]
        concatenated = ConcatenatedRows(
            [self._rows_without_repeats(k, path) for k in range(len(self._recordings))]
        )
        if all(each.state != "live" for each in self._recordings):
            self._cached_tables[path] = concatenated
        return concatenated

    def intervals(self, table: str) -> tuple[Interval, ...]:
        """The rows of "behaviours" or "stimuli" in the order in which they began."""
        found: list[Interval] = []
        open_at: dict[
            tuple[str, str, int], int
        ] = {}  # where in `found` is what the last part left open
        for part in self._recordings:
            left_open = {}
            for each in part.intervals(table):
                key = (each.name, each.called, each.number)
                if key in open_at:
                    at = open_at[key]
                    found[at] = _merge(found[at], each, part, table)
                else:
                    at = len(found)
                    found.append(each)
                if each.offset_tick < 0:
                    left_open[key] = at
            open_at = left_open
        return tuple(sorted(found, key=lambda each: each.start_s))

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The trials, in order; the open one stops, for now, with the last tick."""
        found: list[Trial] = []
        n_models = 0
        for part in self._recordings:
            for each in part.trials:
                if found and found[-1].trial == each.trial:
                    condition = found[-1].condition or each.condition
                    found[-1] = replace(found[-1], stop_s=each.stop_s, condition=condition)
                else:
                    found.append(replace(each, model=n_models + each.model))
            n_models += part.table("scratch/models").n_rows
        return tuple(found)

    @cached_property
    def assets(self) -> dict[str, Array]:
        """The files that the models name: (bytes,) uint8 by file name."""
        return self._recordings[0].assets

    def close(self) -> None:
        """Closes all files."""
        for each in self._recordings:
            each.close()

    def _read(
        self, path: str, rows: slice, samples: int = 1, columns: slice | int | None = None
    ) -> Array:
        found = []
        for part, begin in zip(self._recordings, self._first_rows, strict=True):
            start = rows.start - begin
            if start < 0:
                start %= rows.step or 1
            stop = min(rows.stop - begin, part.n_ticks)
            if stop > start:
                self._mark_used(part)
                found.append(part._read(path, slice(start, stop, rows.step), samples, columns))
        if not found:
            return self._recordings[0]._read(path, slice(0, 0), samples, columns)
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _mark_used(self, part: Recording) -> None:
        """Leaves no more data sets open than needed: a long recording may be in hundreds of files."""
        if part.state == "live":
            return
        self._in_use.pop(part, None)
        self._in_use[part] = None
        while len(self._in_use) > _MAX_OPEN_PARTS:
            oldest = next(iter(self._in_use))
            del self._in_use[oldest]
            oldest.close_datasets()

    def _rows_without_repeats(self, k: int, path: str) -> tuple[TableRows, int]:
        """A part's table, and how many of its first rows the part before has, too."""
        part = self._recordings[k]
        rows = part.table(path)
        if k == 0 or path not in _TICK_OF_ROW or not part.n_ticks:
            return rows, rows.n_rows if k and path in _TICK_OF_ROW else 0
        own = rows.column(_TICK_OF_ROW[path]) >= part.first_tick
        return rows, int(np.argmax(own)) if own.any() else rows.n_rows


class ConcatenatedRows(TableRows):
    """Tables one after the other as one; of each so many first rows are left out."""

    def __init__(self, tables: Sequence[tuple[TableRows, int]]) -> None:
        self._tables = tables
        self.n_rows = sum(rows.n_rows - left_out for rows, left_out in tables)

    def has(self, name: str) -> bool:
        """Whether the table has this column in any of the files."""
        return any(rows.has(name) for rows, _ in self._tables)

    def column(self, name: str, first: int = 0, last: int | None = None) -> Array:
        """As `TableRows.column`."""
        found = [rows.column(name, *bounds) for rows, bounds in self._within(first, last)]
        return np.concatenate(found) if found else self._tables[0][0].column(name, 0, 0)

    def names(self, name: str, first: int = 0, last: int | None = None) -> list[str]:
        """As `TableRows.names`."""
        within = self._within(first, last)
        return [each for rows, bounds in within for each in rows.names(name, *bounds)]

    def ragged(self, name: str, first: int = 0, last: int | None = None) -> list[Array]:
        """As `TableRows.ragged`."""
        within = self._within(first, last)
        return [each for rows, bounds in within for each in rows.ragged(name, *bounds)]

    def parsed(self, name: str, first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
        """As `TableRows.parsed`."""
        within = self._within(first, last)
        return [each for rows, bounds in within for each in rows.parsed(name, *bounds)]

    def _within(self, first: int, last: int | None) -> Iterator[tuple[TableRows, tuple[int, int]]]:
        """The tables that have some of these rows, and the first of theirs and the one after the last."""
        last = self.n_rows if last is None else last
        begin = 0
        for rows, left_out in self._tables:
            end = begin + rows.n_rows - left_out
            start, stop = max(first, begin), min(last, end)
            if stop > start:
                yield rows, (start - begin + left_out, stop - begin + left_out)
            begin = end


def _merge(begun: Interval, rest: Interval, part: Recording, table: str) -> Interval:
    """An interval that a rotation split: the beginning of the first part, the end of the next."""
    stop_s = rest.stop_s
    if rest.offset_tick >= 0 and rest.stop_s <= rest.start_s:
        # looking back it had ended before the rotation, which the next part cannot express
        kind = "stimulus" if table == "stimuli" else "behaviour"
        key = (kind, "offset", rest.name, rest.number)
        for _, event in part.events:
            if (event.kind, event.phase, event.name, event.number) == key:
                stop_s = max(begun.start_s, event.began_tick * part.description.tick_s)
    return replace(begun, stop_s=stop_s, offset_tick=rest.offset_tick, ongoing=rest.ongoing)
