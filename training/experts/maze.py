"""Free distances and lines of sight in a maze."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray

STEP_M = 0.04
"""Resolution of distances and lines of sight."""
WALLS = "*"
"""Walls in dm_control's text of a maze."""


class FloorPlan:
    """The walls of one dm_control maze, as a grid of square cells.

    Args:
        arena: a `dm_control.locomotion.arenas.mazes.MazeWithTargets` whose maze has been drawn.
    """

    def __init__(self, arena: Any) -> None:
        self._wall = np.asarray(arena.maze.entity_layer) == WALLS
        self._cell_m = float(arena.xy_scale)
        # dm_control's own inverse of `grid_to_world_positions`: row and column of the origin
        self._origin = np.asarray(arena.world_to_grid_positions([np.zeros(3)])[0], float)

    def wall(self, points: Array) -> Array:
        """Whether points (..., 2) in m are inside a wall or outside the maze: (...) bool."""
        column = np.rint(self._origin[1] + points[..., 0] / self._cell_m).astype(int)
        row = np.rint(self._origin[0] - points[..., 1] / self._cell_m).astype(int)
        rows, columns = self._wall.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        hit = self._wall[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
        return np.asarray(~inside | hit)

    def free_m(self, place: Array, directions_rad: Array, width_m: float, most_m: float) -> Array:
        """How far a body could go straight in each direction.

        Args:
            place: (2,) position (m).
            directions_rad: (n,) from the x axis.
            width_m: of the body.
            most_m: greatest distance that is looked at.

        Returns:
            (n,) float64 distances (m), in steps of `STEP_M`.
        """
        distance = np.arange(1, round(most_m / STEP_M) + 1) * STEP_M
        ahead = np.stack([np.cos(directions_rad), np.sin(directions_rad)], -1)
        aside = np.stack([-ahead[:, 1], ahead[:, 0]], -1) * (width_m / 2)
        path = place + ahead[:, None] * distance[:, None]
        blocked = self.wall(path + aside[:, None]) | self.wall(path - aside[:, None])
        first = np.where(blocked.any(1), blocked.argmax(1), len(distance))
        return np.asarray(first * STEP_M)

    def sample_position(self, rng: np.random.Generator, clear_m: float) -> Array:
        """A random position (2,) in m with no wall within `clear_m`."""
        rows, columns = np.nonzero(~self._wall)
        around = np.arange(8) * np.pi / 4
        ring = clear_m * np.stack([np.cos(around), np.sin(around)], -1)
        while True:
            one = int(rng.integers(len(rows)))
            cell = np.array([columns[one] - self._origin[1], self._origin[0] - rows[one]])
            place = self._cell_m * (cell + rng.uniform(-0.5, 0.5, 2))
            if not self.wall(place + ring).any():
                return np.asarray(place)

    def sight(self, here: Array, there: Array) -> bool:
        """Whether no wall stands between two positions (2,) in m."""
        steps = max(2, round(float(np.linalg.norm(there - here)) / STEP_M))
        part = np.linspace(0, 1, steps)[:, None]
        return not bool(self.wall(here + part * (there - here)).any())
