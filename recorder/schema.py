"""What a recording is made of: series, which get a row per tick, and tables, which get a row per event.

`recorder.series_schema` and `recorder.table_schema` list them once; the writer, the reader, recovery and
replay all work from these lists. Everything that grows is numeric, because an HDF5 file that is read while
it is written cannot grow text: names are codes into a fixed list beside them (hdmf's `EnumData`, which
pynwb shows as names), free text is rows of UTF-8 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.bus.message_types import Description

UNLISTED = "unlisted"
"""Stands for a name that the session's description did not have, such as that of a stimulus from outside;
the column `unlisted_…` beside it has the name itself."""
CALLED = f"{UNLISTED}_stimulus"
"""The column with a client's own name of a stimulus from outside."""

EMPTY_TEXT = b"\xff"
"""Stands for an empty text: a byte that no UTF-8 text has, because a column in which every text was empty
would have no values at all, on which nwbinspector (0.7) fails."""

NO_CONDITION = "no condition"
"""The condition of a trial that has none."""


@dataclass(frozen=True)
class Series:
    """One row per tick: shape of a row, dtype, unit and what it is. `path` is its HDF5 group.

    One with more `samples` than one has so many rows per tick, each with a time stamp of its own.
    `volts_per_count` is that of a signal in counts; 0 for what is no voltage. `units` are those of the
    columns where they differ. `chunk` is the shape of the file's chunks, whose rows are `packed_rows` where
    they are compressed as they are written. A series that `differs_from` another has no data set: it is that
    one, but for what the table `applied` has (`recorder.applied`).
    """

    name: str
    folder: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    about: str
    columns: tuple[str, ...] = ()
    samples: int = 1
    volts_per_count: float = 0.0
    units: tuple[str, ...] = ()
    chunk: tuple[int, ...] = ()
    packed_rows: int = 0
    differs_from: str = ""

    @property
    def column_units(self) -> tuple[str, ...]:
        """The unit of each column."""
        return self.units or (self.unit,) * len(self.columns)

    @property
    def path(self) -> str:
        """The group of this series in the file."""
        return f"{self.folder}/{self.name}"

    @property
    def tick_shape(self) -> tuple[int, ...]:
        """The shape of what comes with a tick."""
        return self.shape if self.samples == 1 else (self.samples, *self.shape)


@dataclass(frozen=True)
class Column:
    """A column of a table. `names` makes it a code into a list of names; `ragged` many values a row."""

    name: str
    dtype: str
    about: str
    names: tuple[str, ...] = ()
    ragged: bool = False


@dataclass(frozen=True)
class Table:
    """A row when something happens. `path` is its HDF5 group."""

    name: str
    folder: str
    about: str
    columns: tuple[Column, ...]

    @property
    def path(self) -> str:
        """The group of this table in the file."""
        return f"{self.folder}/{self.name}"


def unit_names(description: Description) -> tuple[str, ...]:
    """The units in the flat order of the activity arrays: "core/0", "core/1", …"""
    return tuple(f"{layer.name}/{k}" for layer in description.layers for k in range(layer.n_units))
