"""Rows of a recording's tables, read back as what they were made from."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from rig.messages import Array, Event


class TableRows:
    """A table of an open recording, read when asked; codes come back as names.

    `n_rows` counts the rows that are whole in all columns when this is made.
    """

    def __init__(self, group: h5py.Group) -> None:
        self._group = group
        self._ragged = {name.removesuffix("_index") for name in group if name.endswith("_index")}
        self._names = {
            name.removesuffix("_elements"): [_text(each) for each in group[name][:]]
            for name in group
            if name.endswith("_elements")
        }
        plain = [name for name in group if name not in self._ragged and "_elements" not in name]
        self.n_rows = min(len(group[name]) for name in plain)

    def column(self, name: str, first: int = 0, last: int | None = None) -> Array:
        """The numbers of a column in rows first ≤ row < last."""
        stop = self.n_rows if last is None else min(last, self.n_rows)
        values: Array = self._group[name][first:stop]
        return values

    def names(self, name: str, first: int = 0, last: int | None = None) -> list[str]:
        """The names that a column of codes stands for."""
        names = self._names[name]
        return [names[code] if code < len(names) else "" for code in self.column(name, first, last)]

    def ragged(self, name: str, first: int = 0, last: int | None = None) -> list[Array]:
        """The many values of each row of a ragged column."""
        stop = self.n_rows if last is None else min(last, self.n_rows)
        if stop <= first:
            return []
        index = self._group[f"{name}_index"]
        start = int(index[first - 1]) if first else 0
        ends = index[first:stop].astype(np.int64)
        flat = self._group[name][start : int(ends[-1])]
        return list(np.split(flat, ends[:-1] - start))

    def texts(self, name: str, first: int = 0, last: int | None = None) -> list[str]:
        """The texts of a ragged column of UTF-8 bytes."""
        return [
            part.astype(np.uint8).tobytes().decode("utf-8", "replace")
            for part in self.ragged(name, first, last)
        ]


def read_events(
    file: h5py.File, first: int = 0, last: int | None = None
) -> list[tuple[int, Event]]:
    """The events in rows first ≤ row < last of a recording, each with the tick whose answer brought it."""
    rows = TableRows(file["processing/rig/events"])

    def numbers(name: str) -> list[Any]:
        values: list[Any] = rows.column(name, first, last).tolist()
        return values

    return [
        (answer_tick, Event(kind, name, phase, tick, began, number, bool(sham), confidence, cause))
        for answer_tick, kind, name, phase, tick, began, number, sham, confidence, cause in zip(
            numbers("answer_tick"),
            rows.names("kind", first, last),
            rows.names("name", first, last),
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


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
