"""What hills hide: which boxes on a height field no line of sight from an eye can reach.

Seen from an eye above the field, a point is hidden where the ground between rises above the line to it. Both
are measured as slopes, height over horizontal distance. The circle around the eye is cut into sectors; in
each, ground that is certainly there, sampled at growing distances, gives the highest slope so far: the
horizon at that distance. A box is hidden if in all its sectors the horizon before it is above its highest
slope. Every bound errs towards "not hidden".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SECTORS = 128
DISTANCES = 12
MARGIN_M = 1e-3
"""Ground has to rise this much above a line of sight to hide what is behind: far more than rounding."""
_NO_GROUND_M = -1e3
_LEVELS = 6
"""Boxes in more than 2 ** 6 sectors are so near that nothing hides them."""


class Horizon:
    """The horizon of one height field, from any eye.

    Args:
        heights: of the grid's points, (rows, columns) in metres, rows along y, columns along x.
        half_x: half the field's extent along x in metres; the field's middle is at (0, 0).
        half_y: half its extent along y.
    """

    def __init__(self, heights: NDArray[np.floating], half_x: float, half_y: float) -> None:
        self._heights = np.asarray(heights, np.float64)
        rows, columns = self._heights.shape
        self._corner = np.array([half_x, half_y])
        self._cell = 2 * self._corner / (columns - 1, rows - 1)
        # a sector has to stay within a cell of its middle, for the lowest of nine cells to hold in it
        cell = float(self._cell.min())
        farthest = cell * SECTORS / np.pi
        self._distances = np.geomspace(2 * cell, farthest, DISTANCES)
        angles = (np.arange(SECTORS) + 0.5) * (2 * np.pi / SECTORS)
        beyond = int(farthest / cell) + 2  # where a ray may leave the field, and nothing hides
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(self._heights, 1, constant_values=_NO_GROUND_M), (4, 4)
        )
        lowest = windows.min(axis=(2, 3)) - MARGIN_M
        self._lowest = np.pad(lowest, beyond, constant_values=_NO_GROUND_M).astype(np.float32)
        rays = self._distances[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        self._offsets = np.moveaxis(rays / self._cell, -1, 0) + beyond
        along_x = np.abs(np.diff(self._heights)) / self._cell[0]
        along_y = np.abs(np.diff(self._heights, axis=0)) / self._cell[1]
        self._steepness = np.hypot(
            np.maximum(along_x[:-1], along_x[1:]), np.maximum(along_y[:, :-1], along_y[:, 1:])
        )

    def is_above(self, eye: Floats, reach_m: float) -> bool:
        """Whether an eye, (3,) in metres, is over the field, and all ground further off than `reach_m`."""
        place = (eye[:2] + self._corner) / self._cell
        column, row = cell = np.floor(place).astype(int)
        rows, columns = self._steepness.shape
        inside = 1 <= column < columns - 1 and 1 <= row < rows - 1
        if not inside or reach_m > self._cell.min():
            return False
        near = self._heights[row : row + 2, column : column + 2]
        x, y = place - cell
        # the two triangles of a cell meet along the diagonal from its first to its last corner
        along_x = near[1, 1] - near[1, 0] if y > x else near[0, 1] - near[0, 0]
        along_y = near[1, 0] - near[0, 0] if y > x else near[1, 1] - near[0, 1]
        ground = near[0, 0] + x * along_x + y * along_y
        steepest = self._steepness[row - 1 : row + 2, column - 1 : column + 2].max()
        return bool(eye[2] - ground > reach_m * np.hypot(1, steepest) + MARGIN_M)

    def hidden(self, eye: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
        """Which boxes are behind the horizon.

        Args:
            eye: where it is seen from, (3,) in metres, above the field's ground.
            low: corners of the boxes with the lowest coordinates, (n, 3) in metres.
            high: corners with the highest.
        """
        near, far = low[:, :2] - eye[:2], high[:, :2] - eye[:2]
        nearest = np.hypot(*np.maximum(0, np.maximum(near, -far)).T)
        farthest = np.hypot(*np.maximum(np.abs(near), np.abs(far)).T)
        before = np.searchsorted(self._distances, nearest) - 1
        top = high[:, 2] - eye[2]
        slope = top / np.where(top > 0, np.maximum(nearest, 1e-9), farthest)
        # sectors from the first to the last of a box's corners, either side of its middle
        middle = np.arctan2(near[:, 1] + far[:, 1], near[:, 0] + far[:, 0])
        x = np.stack([near[:, 0], far[:, 0], near[:, 0], far[:, 0]])
        y = np.stack([near[:, 1], near[:, 1], far[:, 1], far[:, 1]])
        turn = (np.arctan2(y, x) - middle + np.pi) % (2 * np.pi) - np.pi
        first = np.floor((middle + turn.min(axis=0)) * (SECTORS / (2 * np.pi)) - 1e-6).astype(int)
        last = np.floor((middle + turn.max(axis=0)) * (SECTORS / (2 * np.pi)) + 1e-6).astype(int)
        level = np.frexp(last - first + 1)[1] - 1  # the largest power of two that the sectors hold
        usable = (before >= 0) & (level < _LEVELS)
        level = np.minimum(level, _LEVELS - 1)
        lowest = self._lowest_horizons(eye)
        horizon = np.minimum(
            lowest[level, before, first % SECTORS],
            lowest[level, before, (last + 1 - (1 << level)) % SECTORS],
        )
        return np.asarray(usable & (horizon > slope))

    def _lowest_horizons(self, eye: Floats) -> NDArray[np.float32]:
        """Slopes, (levels, distances, sectors): the lowest horizon of 2 ** level sectors from each on."""
        x, y = (eye[:2] + self._corner) / self._cell
        columns, rows = (
            (self._offsets[0] + x).astype(np.int32),
            (self._offsets[1] + y).astype(np.int32),
        )
        ground = self._lowest.take(rows * self._lowest.shape[1] + columns)
        horizons = np.empty((_LEVELS, DISTANCES, SECTORS), np.float32)
        slopes = (ground - np.float32(eye[2])) / self._distances[:, None].astype(np.float32)
        np.maximum.accumulate(slopes, axis=0, out=horizons[0])
        for level in range(1, _LEVELS):
            before, shift = horizons[level - 1], 1 << (level - 1)
            np.minimum(before[:, :-shift], before[:, shift:], out=horizons[level, :, :-shift])
            np.minimum(before[:, -shift:], before[:, :shift], out=horizons[level, :, -shift:])
        return horizons
