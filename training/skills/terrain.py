"""The gentlest way out of the bowl, read off its height field.

Straight outwards the animal runs into bumps with slopes of 1.2, and gets stuck; round them it need not climb
more than 0.4. The way is the cheapest path over the field's own grid, where the cost of a step grows with how
much it climbs, drops, or tilts the body sideways. It is decided by the bumps nearby, which the animal sees.
"""

from __future__ import annotations

import mujoco
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

Array = np.ndarray

UPHILL, DOWNHILL, ASLANT = 6.0, 3.0, 2.0
"""Cost of a metre: exp of these times its slope along or across. A slope of 0.4 uphill costs 11 level
metres."""
STEPS = tuple(
    (i, j)
    for i in range(-2, 3)
    for j in range(-2, 3)
    if max(abs(i), abs(j)) == 1 or i * j in (2, -2)
)
"""Neighbours on the grid, (rows, columns): 16 directions."""


class WayOut:
    """The way out from anywhere in the bowl, computed once.

    Args:
        model: with one square height field, centred.
        beyond_m: distance from the centre (m) at which the animal is out.
    """

    def __init__(self, model: mujoco.MjModel, beyond_m: float = 5.5) -> None:
        rows, columns = int(model.hfield_nrow[0]), int(model.hfield_ncol[0])
        self._half_m = float(model.hfield_size[0][0])
        self._cell_m = 2 * self._half_m / (rows - 1)
        height = float(model.hfield_size[0][2]) * np.array(model.hfield_data).reshape(rows, columns)
        axis = np.linspace(-self._half_m, self._half_m, rows)
        self._xy = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        out = np.flatnonzero(np.hypot(*self._xy.T) >= beyond_m)
        _, next_cell, _ = csgraph.dijkstra(
            _costs(height, self._cell_m),
            indices=out,
            min_only=True,
            return_predecessors=True,
        )
        self._next = next_cell

    def heading_rad(self, x_m: float, y_m: float, ahead_m: float = 0.15) -> float:
        """Heading (rad, from the x axis) of the way out at a position.

        Args:
            x_m: position.
            y_m: position.
            ahead_m: the heading is to the first point of the way that is at least so far off; where the way
                has ended, straight outwards.
        """
        here = np.array([x_m, y_m])
        column, row = np.clip(np.rint((here + self._half_m) / self._cell_m), 0, self._size - 1)
        cell = int(row) * self._size + int(column)
        while self._next[cell] >= 0:
            cell = self._next[cell]
            off = self._xy[cell] - here
            if np.hypot(*off) >= ahead_m:
                return float(np.arctan2(off[1], off[0]))
        return float(np.arctan2(y_m, x_m))

    @property
    def _size(self) -> int:
        return round(2 * self._half_m / self._cell_m) + 1


def _costs(height: Array, cell_m: float) -> sparse.csr_matrix:
    """Cost of each step between grid points, for `height` (rows, columns) in m: (points, points).

    Rows are where a step ends and columns where it begins, because the search runs from the rim inwards.
    """
    rows, columns = height.shape
    across_y, across_x = np.gradient(height, cell_m)
    number = np.arange(rows * columns).reshape(rows, columns)
    begin, end, cost = [], [], []
    for i, j in STEPS:
        here = np.s_[max(0, -i) : rows - max(0, i), max(0, -j) : columns - max(0, j)]
        there = np.s_[max(0, i) : rows - max(0, -i), max(0, j) : columns - max(0, -j)]
        length = cell_m * np.hypot(i, j)
        slope = (height[there] - height[here]) / length
        aslant = np.abs(across_y[here] * j - across_x[here] * i) / np.hypot(i, j)
        steep = UPHILL * np.maximum(slope, 0) + DOWNHILL * np.maximum(-slope, 0) + ASLANT * aslant
        begin.append(number[here].ravel())
        end.append(number[there].ravel())
        cost.append(length * np.exp(steep).ravel())
    where = np.concatenate(end), np.concatenate(begin)
    return sparse.csr_matrix((np.concatenate(cost), where), shape=(height.size, height.size))
