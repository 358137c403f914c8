"""Activity after interventions, stored where it differs from what the network computed.

Units are intervened on in few ticks, and few of them then: a row of the table `applied` has the units of a
tick whose cell or hidden state, to the bit, is not the natural one, and their states as applied.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recorder.integrity import integrity_error
from recorder.tables import TableRows
from rig.bus.message_types import Array

APPLIED = "processing/record/applied"
STATES = {"c_applied": "c", "h_applied": "h"}
"""The series that the table completes, and its column for each."""


def differences(
    arrays: Mapping[str, Array], n_units: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]] | None:
    """The units of a tick that are not as the network computed them: their indices, c and h as applied.

    Args:
        arrays: of the tick; a state that is missing, or has another shape, is NaN in all units.
        n_units: of the subject.

    Returns:
        None where there are none.
    """
    natural_c, natural_h, c, h = (
        _fitting(arrays.get(name), n_units)
        for name in ("c_natural", "h_natural", "c_applied", "h_applied")
    )
    units = np.flatnonzero((_bits(c) != _bits(natural_c)) | (_bits(h) != _bits(natural_h)))
    if not len(units):
        return None
    return units.astype(np.int32), c[units], h[units]


class AppliedActivity:
    """The table `applied` of a recording, as it is now.

    Args:
        rows: of the table.
        n_units: of the subject.
    """

    def __init__(self, rows: TableRows, n_units: int) -> None:
        self._rows = rows
        self._n_units = n_units
        self._ticks: NDArray[np.int64] = rows.column("tick")

    def overlay(
        self, name: str, natural: Array, ticks: NDArray[np.int64], columns: slice | int | None
    ) -> Array:
        """A series as applied: (ticks, columns) float32, or (ticks,) of a single column.

        Args:
            name: "c_applied" or "h_applied".
            natural: the same of the series that it differs from; is changed where it differs.
            ticks: those of its rows, going up.
            columns: which units they are; None: all.
        """
        if not len(ticks):
            return natural
        first, last = np.searchsorted(self._ticks, [ticks[0], ticks[-1] + 1]).tolist()
        if first == last:
            return natural
        units = self._rows.ragged("unit", first, last)
        values = np.concatenate(self._rows.ragged(STATES[name], first, last))
        unit = np.concatenate(units).astype(np.int64)
        unit[(unit < 0) | (unit >= self._n_units)] = self._n_units
        tick = np.repeat(self._ticks[first:last], [len(each) for each in units])
        if len(unit) != len(values):
            raise integrity_error(APPLIED, "has columns of unequal length")
        rows = np.searchsorted(ticks, tick)
        everything = np.arange(self._n_units)
        chosen = np.atleast_1d(everything[slice(None) if columns is None else columns])
        place = np.full(self._n_units + 1, -1)  # the last is that of units that are not there
        place[chosen] = np.arange(len(chosen))
        at = place[unit]
        kept = (at >= 0) & (ticks[rows] == tick)  # not those between rows asked for with a step
        natural.reshape(len(ticks), -1)[rows[kept], at[kept]] = values[kept]
        return natural


def _fitting(values: Array | None, n_units: int) -> NDArray[np.float32]:
    if values is None or values.shape != (n_units,):
        return np.full(n_units, np.nan, np.float32)
    return np.ascontiguousarray(values, np.float32)


def _bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    return values.view(np.uint32)
