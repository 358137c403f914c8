"""The triangles and quads of a height field, exactly as MuJoCo's renderer makes them.

`mjr_uploadHField` compiles them into an OpenGL display list. Here they are arrays, computed in the same
order of float32 operations, so that parts of a field can be drawn with the same result to the last bit.
A vertex is six float32: its normal, then its position in metres in the field's own frame, whose x runs along
columns, y along rows, z upwards.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def grid(model: mujoco.MjModel, field: int) -> Floats:
    """Positions of a field's grid points, (rows, columns, 3) float32 in metres in the field's frame."""
    rows, columns = int(model.hfield_nrow[field]), int(model.hfield_ncol[field])
    start, size = int(model.hfield_adr[field]), model.hfield_size[field].astype(np.float32)
    points = np.empty((rows, columns, 3), np.float32)
    points[..., 0] = size[0] * _from_minus_one_to_one(columns)
    points[..., 1] = (size[1] * _from_minus_one_to_one(rows))[:, None]
    heights = model.hfield_data[start : start + rows * columns]
    points[..., 2] = heights.reshape(rows, columns) * size[2]
    return points


def _from_minus_one_to_one(count: int) -> Floats:
    half = np.float32(0.5) * np.float32(count - 1)
    return np.arange(count, dtype=np.float32) / half - np.float32(1)


def surface(points: Floats) -> Floats:
    """Vertices of the two triangles in each cell between grid points.

    `points` is (rows, columns, 3); the result is (rows - 1, columns - 1, 2, 3, 6), in MuJoCo's order.
    """
    here, right = points[:-1, :-1], points[:-1, 1:]
    ahead, across = points[1:, :-1], points[1:, 1:]
    cells = (*here.shape[:2], 2, 3)
    vertices = np.empty((*cells, 6), np.float32)
    for triangle, corners in enumerate(((ahead, here, across), (here, right, across))):
        vertices[:, :, triangle, :, :3] = _normals(*corners)[:, :, None]
        for corner, positions in enumerate(corners):
            vertices[:, :, triangle, corner, 3:] = positions
    return vertices


def _normals(first: Floats, second: Floats, third: Floats) -> Floats:
    """Unit normals of triangles; corners and result are (..., 3) float32."""
    ax, ay, az = np.moveaxis(second - first, -1, 0)
    bx, by, bz = np.moveaxis(third - first, -1, 0)
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = np.sqrt(x * x + y * y + z * z)
    degenerate = length < np.float32(1e-10)
    scale = np.float32(1) / np.where(degenerate, np.float32(1), length)
    normals = np.stack([x * scale, y * scale, z * scale], axis=-1)
    normals[degenerate] = (0, 0, 1)
    return normals


def walls(model: mujoco.MjModel, field: int) -> list[Floats]:
    """Vertices of the quads of a field's left, right, front and back side and its bottom, (n, 4, 6) each."""
    points = grid(model, field)
    size = model.hfield_size[field].astype(np.float32)

    def side(a: Floats, b: Floats) -> Floats:
        quads = np.stack([a, b, b, a], axis=1)
        quads[:, :2, 2] = -size[3]
        return quads

    left, right, front, back = points[:, 0], points[:, -1], points[0], points[-1]
    n = int(model.vis.quality.numquads)
    steps = np.arange(n + 1, dtype=np.float32) / (np.float32(0.5) * np.float32(n)) - np.float32(1)
    rows, columns = (axis.ravel() for axis in np.indices((n, n)))
    bottom = np.full((n * n, 4, 3), -size[3], np.float32)
    for corner, (along_x, along_y) in enumerate(((0, 0), (0, 1), (1, 1), (1, 0))):
        bottom[:, corner, 0] = size[0] * steps[columns + along_x]
        bottom[:, corner, 1] = size[1] * steps[rows + along_y]
    faces = (
        ((-1, 0, 0), side(left[1:], left[:-1])),
        ((1, 0, 0), side(right[:-1], right[1:])),
        ((0, -1, 0), side(front[:-1], front[1:])),
        ((0, 1, 0), side(back[1:], back[:-1])),
        ((0, 0, -1), bottom),
    )
    return [
        np.concatenate([np.broadcast_to(np.array(normal, np.float32), quads.shape), quads], axis=-1)
        for normal, quads in faces
    ]
