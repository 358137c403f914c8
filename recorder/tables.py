"""Rows of a recording's tables, read back as what they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import h5py
import numpy as np

from recorder.integrity import integrity_error, parsed, read
from recorder.schema import CALLED, EMPTY_TEXT, NO_CONDITION, UNLISTED
from rig.bus.message_types import Array, Event, Input


@dataclass(frozen=True)
class Interval:
    """A behaviour or stimulus: from `start_s` up to `stop_s` of animal time.

    `onset_tick` and `offset_tick` are when it was found to begin and end, -1 where the recording did not
    see that; `began_tick` where, looking back, it began. `ongoing`: the session runs and it has no end yet.
    `called` is a client's own name of a stimulus from outside; earlier versions did not keep it.
    """

    name: str
    start_s: float
    stop_s: float
    onset_tick: int
    began_tick: int
    offset_tick: int
    number: int
    sham: bool = False
    ongoing: bool = False
    called: str = ""


@dataclass(frozen=True)
class Trial:
    """A trial: an episode of the task. `model` is the row of its model among the recording's.

    `condition` is that of the protocol, "" where it has none.
    """

    trial: int
    start_s: float
    stop_s: float
    first_tick: int
    model: int
    sequence: int
    condition: str = ""


@dataclass(frozen=True)
class TaskEvent:
    """An event of the task: `tick` brought it, the physics before led to it."""

    tick: int
    time_s: float
    trial: int
    name: str


@dataclass(frozen=True)
class LogEntry:
    """An entry of the log; the kinds are `recorder.table_schema.LOG_KINDS`."""

    tick: int
    kind: str
    text: str
    sequence: int = -1


class TableRows:
    """A table of an open recording, read when asked; codes come back as names.

    `n_rows` counts the rows that are whole in all columns when this is made. A table that is not in the
    file, because it would have been empty, has none.

    Columns are read by name, in rows first ≤ row < last; all rows without them. A column that is not there,
    or cannot be read, raises `UserError`.
    """

    def __init__(self, group: h5py.Group | None) -> None:
        self._group: Mapping[str, Any] = group or {}
        self._ragged = {
            name.removesuffix("_index") for name in self._group if name.endswith("_index")
        }
        self._names = {
            name.removesuffix("_elements"): [
                _text(each) for each in read(self._group[name], slice(None))
            ]
            for name in self._group
            if name.endswith("_elements")
        }
        plain = [
            name
            for name in self._group
            if name not in self._ragged and not name.endswith("_elements")
        ]
        self.n_rows = min((len(self._group[name]) for name in plain), default=0)

    def has(self, name: str) -> bool:
        """Whether the table has this column: a recording of an earlier version may lack it."""
        return name in self._group

    def column(self, name: str, first: int = 0, last: int | None = None) -> Array:
        """The numbers or codes of a column: (rows,) with the dtype of the column."""
        if not self.n_rows:
            return np.zeros(0, np.int64)
        stop = self.n_rows if last is None else min(last, self.n_rows)
        return read(self._data(name), slice(first, stop))

    def plain_texts(self, name: str) -> list[str]:
        """The texts of a column that does not grow."""
        return [_text(each) for each in self.column(name)]

    def names(self, name: str, first: int = 0, last: int | None = None) -> list[str]:
        """The names that the codes of a column stand for, one a row, unlisted ones among them."""
        names = self._names.get(name, [])
        found = [
            names[code] if code < len(names) else "" for code in self.column(name, first, last)
        ]
        unlisted = f"{UNLISTED}_{name}"
        if UNLISTED in found and unlisted in self._ragged:
            texts = self.texts(unlisted, first, last)
            return [text or name for name, text in zip(found, texts, strict=True)]
        return found

    def ragged(self, name: str, first: int = 0, last: int | None = None) -> list[Array]:
        """The values of each row of a ragged column: one (values,) array a row, with the column's dtype."""
        stop = self.n_rows if last is None else min(last, self.n_rows)
        if stop <= first:
            return []
        index, data = self._data(f"{name}_index"), self._data(name)
        counts = read(index, slice(max(0, first - 1), stop))
        if counts[-1] > len(data) and data.file.swmr_mode:
            data.refresh()  # the index is the newer one
        # what a killed writer has counted and not written is empty
        counts = np.minimum(counts, len(data)).astype(np.int64)
        start, ends = (int(counts[0]), counts[1:]) if first else (0, counts)
        if np.any(np.diff(ends, prepend=start) < 0):
            raise integrity_error(index, "does not count on")
        return list(np.split(read(data, slice(start, int(ends[-1]))), ends[:-1] - start))

    def parsed(self, name: str, first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
        """The JSON objects of a ragged column, one a row."""
        return [parsed(self._data(name), text, dict) for text in self.texts(name, first, last)]

    def _data(self, name: str) -> Any:
        if name not in self._group:
            raise integrity_error(self._group, f"has no column {name}")
        return self._group[name]

    def texts(self, name: str, first: int = 0, last: int | None = None) -> list[str]:
        """The texts of a ragged column of UTF-8 bytes, one a row."""
        texts = [part.astype(np.uint8).tobytes() for part in self.ragged(name, first, last)]
        return ["" if text == EMPTY_TEXT else text.decode("utf-8", "replace") for text in texts]


def read_intervals(rows: TableRows, table: str, now_s: float) -> tuple[Interval, ...]:
    """Intervals in the order in which they began.

    Args:
        rows: of the table.
        table: "behaviours" or "stimuli".
        now_s: where intervals without an end stop for now, in seconds of animal time.
    """
    starts, stops = rows.column("start_time"), rows.column("stop_time")
    ongoing = np.isnan(stops)
    columns = {
        each: rows.column(each).tolist()
        for each in ("onset_tick", "began_tick", "offset_tick", "number")
    }
    stimuli = table == "stimuli"
    shams = rows.column("sham").tolist() if stimuli else [0] * rows.n_rows
    called = rows.texts(CALLED) if rows.has(CALLED) else [""] * rows.n_rows
    found = (
        Interval(
            name=name,
            start_s=float(starts[k]),
            stop_s=max(float(starts[k]), now_s) if ongoing[k] else float(stops[k]),
            **{each: values[k] for each, values in columns.items()},
            sham=shams[k] == 1,
            ongoing=bool(ongoing[k]),
            called=called[k],
        )
        for k, name in enumerate(rows.names("stimulus" if stimuli else "behaviour"))
    )
    return tuple(sorted(found, key=lambda each: each.start_s))


def read_trials(rows: TableRows, now_s: float) -> tuple[Trial, ...]:
    """The trials; one without an end stops, for now, at `now_s`."""
    columns = [
        rows.column(name).tolist()
        for name in ("trial", "start_time", "stop_time", "first_tick", "model", "sequence")
    ]
    conditions = rows.names("condition") if rows.has("condition") else [""] * rows.n_rows
    columns.append(["" if name == NO_CONDITION else name for name in conditions])
    return tuple(
        Trial(trial, start_s, max(start_s, now_s) if isnan(stop_s) else stop_s, *rest)
        for trial, start_s, stop_s, *rest in zip(*columns, strict=True)
    )


def read_task_events(
    rows: TableRows, first: int = 0, last: int | None = None
) -> tuple[TaskEvent, ...]:
    """The events of the task in rows first ≤ row < last."""
    return tuple(
        TaskEvent(*row)
        for row in zip(
            rows.column("tick", first, last).tolist(),
            rows.column("time", first, last).tolist(),
            rows.column("trial", first, last).tolist(),
            rows.names("event", first, last),
            strict=True,
        )
    )


def read_inputs(
    rows: TableRows, first: int = 0, last: int | None = None
) -> tuple[tuple[int, Input], ...]:
    """The inputs from outside in rows first ≤ row < last, each with its tick."""
    return tuple(
        (tick, Input(kind, name, args))
        for tick, kind, name, args in zip(
            rows.column("tick", first, last).tolist(),
            rows.names("kind", first, last),
            rows.texts(_name_column(rows, "input_name"), first, last),
            rows.parsed("args", first, last),
            strict=True,
        )
    )


def note_tick(given: Input, reached: int) -> int:
    """The tick that a note is of: when its writing began. `reached`: the tick that brought it."""
    tick = given.args.get("tick")
    return tick if isinstance(tick, int) and 0 <= tick <= reached else reached


def disarmed_spans(
    armed: bool, first_tick: int, inputs: Iterable[tuple[int, Input]]
) -> tuple[tuple[int, int], ...]:
    """From which tick to which (not included) a protocol delivered nothing; -1: to the end.

    Args:
        armed: whether it was armed at first.
        first_tick: of what is looked at.
        inputs: from outside, each with the tick that it reached; it acts on the next one.
    """
    spans: list[tuple[int, int]] = [] if armed else [(first_tick, -1)]
    for tick, given in inputs:
        is_open = bool(spans) and spans[-1][1] < 0
        if given.kind == "disarm" and not is_open:
            spans.append((tick + 1, -1))
        elif given.kind == "arm" and is_open:
            spans[-1] = (spans[-1][0], tick + 1)
    return tuple(spans)


def read_log(rows: TableRows) -> tuple[LogEntry, ...]:
    """The entries of the log."""
    return tuple(
        LogEntry(*row)
        for row in zip(
            rows.column("tick").tolist(),
            rows.names("kind"),
            rows.texts("text"),
            rows.column("sequence").tolist(),
            strict=True,
        )
    )


def read_events(
    rows: TableRows, first: int = 0, last: int | None = None
) -> list[tuple[int, Event]]:
    """The events in rows first ≤ row < last, each with the tick whose answer brought it."""

    def numbers(name: str) -> list[Any]:
        values: list[Any] = rows.column(name, first, last).tolist()
        return values

    return [
        (answer_tick, Event(kind, name, phase, tick, began, number, bool(sham), confidence, cause))
        for answer_tick, kind, name, phase, tick, began, number, sham, confidence, cause in zip(
            numbers("answer_tick"),
            rows.names("kind", first, last),
            rows.names(_name_column(rows, "event_name"), first, last),
            rows.names("phase", first, last),
            numbers("tick"),
            numbers("began_tick"),
            numbers("number"),
            numbers("sham"),
            numbers("confidence"),
            rows.texts("cause", first, last),
            strict=True,
        )
    ]


def _name_column(rows: TableRows, name: str) -> str:
    """The column of names, which was called `name` up to layout 2."""
    return name if rows.has(name) else "name"


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
