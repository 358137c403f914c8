"""The gentlest way out of the bowl, read off its height field.

Straight outwards the animal runs into bumps as steep as 1.2, and gets stuck; round them it need not climb
more than 0.4. The way is the cheapest over the field's own grid, where what a step costs grows with how
much it climbs, drops, or leaves the body aslant. From a place the animal sees the bumps about it, and these
decide.
"""

from __future__ import annotations

import mujoco
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

Array = np.ndarray

UPHILL, DOWNHILL, ASLANT = 6.0, 3.0, 2.0
"""A metre costs exp of these times its slope along or across: of 0.4 uphill, 11 level metres."""
STEPS = tuple(
    (i, j)
    for i in range(-2, 3)
    for j in range(-2, 3)
    if max(abs(i), abs(j)) == 1 or i * j in (2, -2)
)
"""Neighbours on the grid, (rows, columns): 16 directions."""


class WayOut:
    """Where to head, anywhere in the bowl.

    Args:
        model: with one height field, centred.
        beyond_m: distance from the centre at which the animal is out.
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
        """Direction from a place to the point of its way that is `ahead_m` off; outwards beyond its end."""
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
    """Cost of each step, from where it ends (row) to where it begins (column): the search runs backwards."""
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
