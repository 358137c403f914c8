"""Integrity of a recording: what its file says of itself is checked before it is used.

A damaged or forged HDF5 file may claim data sets of any size and type, keep them in other files, link them
in circles, or end in the middle of a row. `check_layout` compares it with what the session's own
description says; `read` and `parsed` read what is in it. Each says in one sentence what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import h5py
import msgspec
import numpy as np

from recorder.schema import Series, Table
from rig.bus.message_types import Array, Description
from rig.errors import UserError

MOST_COLUMNS = 1 << 20
"""A recording with more columns than this is not one."""
_MOST_SQUEEZED = 1032
"""Deflate makes nothing smaller than by this factor."""
_SLACK_BYTES = 1 << 28
"""So much may be claimed beyond the file's size: rows on their way, when it is read as it grows."""

HDF5_ERRORS = (
    OSError,
    RuntimeError,  # and NotImplementedError, which is one
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    MemoryError,
)
"""What h5py raises for a file that is not what it says."""

T = TypeVar("T")


def integrity_error(where: object, what: object) -> UserError:
    """The sentence for a file that is damaged; `where` is the file's path, or something in an open one."""
    if isinstance(where, h5py.Group | h5py.Dataset):
        what = f"{where.name} {what}"
        where = where.file.filename
    text = " ".join(str(what).split())
    return UserError(
        f"{where} is damaged: {text[:200]}. What is whole in it may still be read with h5py."
    )


def read(data: h5py.Dataset, rows: slice | tuple[slice | int, ...]) -> Array:
    """Rows of a data set, (rows, *shape of a row) with its dtype. Raises `UserError` if it is damaged."""
    try:
        values: Array = data[rows]
    except HDF5_ERRORS as problem:
        raise integrity_error(data, f"cannot be read ({problem})") from None
    return values


def parsed(where: object, text: str | bytes, kind: type[T]) -> T:
    """JSON in a recording, decoded.

    Args:
        where: the file's path, or what holds the text in an open one; for the message.
        text: the JSON.
        kind: the type that it must have.

    Raises:
        UserError: if it has not.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise integrity_error(where, f"{text[:40]!r} is no {kind.__name__} ({problem})") from None


def check_description(path: object, description: Description) -> None:
    """Raises `UserError` if a description is of more than a recording can have."""
    columns = sum(layer.n_units for layer in description.layers)
    columns += sum(size for _, size in description.proprioception)
    columns += sum(signal.n_channels for signal in description.signals)
    columns += description.n_qpos + description.n_qvel + description.n_act
    if columns > MOST_COLUMNS:
        raise integrity_error(path, f"it describes {columns} columns")
    if not 0 < description.tick_s <= 10:
        raise integrity_error(path, f"its ticks are of {description.tick_s} s")
    if not all(signal.n_samples and signal.n_channels for signal in description.signals):
        raise integrity_error(path, "a signal of it has no samples")


def check_layout(
    path: object,
    file: h5py.File,
    series: Iterable[Series],
    timestamps: str,
    tables: Iterable[Table],
) -> None:
    """Compares a file with what its description says.

    A table, or a column of one, may be missing: the former is empty, the latter came in a later version.

    Args:
        path: of the file, for the message.
        file: open for reading.
        series: all that must be there.
        timestamps: path of their common time stamps in the file.
        tables: all that may be there.

    Raises:
        UserError: if a series or table is missing, of another shape or type, or kept in another file.
    """
    try:
        check = _LayoutCheck(file)
        check.dataset(timestamps, "<f8", ())
        for each in series:
            check.dataset(f"{each.path}/data", each.dtype, each.shape)
            if each.samples > 1:
                check.dataset(f"{each.path}/timestamps", "<f8", ())
        for table in (*tables, _ASSETS):
            check.table(table)
    except HDF5_ERRORS as problem:
        raise integrity_error(path, f"it cannot be read ({problem})") from None


_ASSETS = Table("assets", "scratch", "", ())


class _LayoutCheck:
    """Looks at what is in a file. By h5py's lower level: hundreds of data sets in a few milliseconds."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._size = file.id.get_filesize()
        self._groups: dict[str, h5py.h5g.GroupID] = {"": file.id}

    def table(self, table: Table) -> None:
        """Checks a table, which may be missing."""
        folder, _, name = table.path.rpartition("/")
        if folder and not self._is_there(folder):
            return
        if not self._group(folder).links.exists(name.encode()):
            return
        dtypes = {column.name: column.dtype for column in table.columns}
        dtypes |= {f"{column.name}_index": "<u8" for column in table.columns if column.ragged}
        for raw in self._group(table.path):
            name = raw.decode()
            self.dataset(f"{table.path}/{name}", dtypes.get(name), ())

    def dataset(self, path: str, dtype: str | None, shape: tuple[int, ...]) -> None:
        """Checks a data set: dtype (None: any), shape of a row, and that all of it is in this file."""
        data = self._own(path)
        if not isinstance(data, h5py.h5d.DatasetID) or data.rank != 1 + len(shape):
            raise integrity_error(self._file, f"has a {path} of another shape than was recorded")
        kept = data.get_create_plist()
        if kept.get_layout() == h5py.h5d.VIRTUAL or kept.get_external_count():
            raise integrity_error(self._file, f"has its {path} in another file")
        if data.shape[1:] != shape:
            raise integrity_error(self._file, f"has a {path} of another shape than was recorded")
        if dtype is not None and data.dtype != np.dtype(dtype):
            raise integrity_error(self._file, f"has a {path} of another type than was recorded")
        filters = {kept.get_filter(k)[0] for k in range(kept.get_nfilters())}
        if filters - {h5py.h5z.FILTER_DEFLATE}:
            raise integrity_error(self._file, f"has a {path} that is packed in an unknown way")
        n_bytes = math.prod(data.shape) * data.dtype.itemsize
        if n_bytes > self._size * (_MOST_SQUEEZED if filters else 1) + _SLACK_BYTES:
            raise integrity_error(
                self._file, f"has {n_bytes} bytes of {path} in a file of {self._size}"
            )

    def _is_there(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if folder and not self._is_there(folder):
            return False
        return bool(self._group(folder).links.exists(name.encode()))

    def _group(self, path: str) -> h5py.h5g.GroupID:
        if path not in self._groups:
            found = self._own(path)
            if not isinstance(found, h5py.h5g.GroupID):
                raise integrity_error(self._file, f"has a {path} that is no group")
            self._groups[path] = found
        return self._groups[path]

    def _own(self, path: str) -> Any:
        """What is at a path, every step of which is an ordinary link."""
        folder, _, name = path.rpartition("/")
        group = self._group(folder)
        key = name.encode()
        if not group.links.exists(key):
            raise integrity_error(self._file, f"has no {path}")
        if group.links.get_info(key).type != h5py.h5l.TYPE_HARD:
            raise integrity_error(self._file, f"has its {path} elsewhere")
        return h5py.h5o.open(group, key)
