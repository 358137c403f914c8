"""Draws of a height field only what the camera can see: the picture in a fraction of the time.

MuJoCo sends every triangle of a height field through OpenGL for every picture: 80,000 in the bowl, nearly
all of the time that a picture takes under software rendering. Most of them lie beside or behind the view
(frustum culling) or behind hills (occlusion culling, `rig.arenas.horizon`). Here the field is cut into tiles,
and before a picture MuJoCo's display list of the field is replaced by one that calls the tiles that may
be seen. What is left out could not have coloured a pixel, and what is drawn has MuJoCo's own vertices in
MuJoCo's order, in which the last of two equally far surfaces wins. `bench.camera` compares the pictures.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import lru_cache

import mujoco
import numpy as np
from numpy.typing import NDArray

from rig.arenas.height_field import Floats, grid, surface, walls
from rig.arenas.horizon import Horizon

TILE_ROWS = 6
TILE_COLUMNS = 12
"""Cells of a tile. Each of its rows is a display list of its own, to be drawn in MuJoCo's order."""
MARGIN_M = 1e-3
"""How far outside the view a tile has to lie to be left out: far more than rounding moves a vertex."""
_CLIPPED = np.array([0, 0, 1, 0, 0, -1e6], np.float32)
"""A vertex that no view holds. Mesa's software renderer decides which way triangles face by two slightly
different computations, depending on whether a batch of them has one that is clipped. Nearly all batches of
MuJoCo's long list have; a shape that is clipped makes each short one take the same way."""


@dataclass(frozen=True)
class _Strip:
    """Vertices that are drawn together: how many, as `corners` = 3 triangles or 4 quads, of which tile."""

    count: int
    corners: int
    tile: int


class CulledHeightField:
    """A height field in an OpenGL context, of which each picture draws what can be seen.

    Args:
        model: the compiled model; its height field is read once, now.
        context: the rendering context; it has to be the current one here and in `cull`.
        field: the height field's number in the model.

    The display lists go with the OpenGL context.
    """

    def __init__(self, model: mujoco.MjModel, context: mujoco.MjrContext, field: int) -> None:
        points = grid(model, field)
        strips, vertices = _strips(points, walls(model, field))
        tile_of = np.array([strip.tile for strip in strips])
        first_vertices = np.cumsum([0] + [strip.count for strip in strips[:-1]])
        low = np.minimum.reduceat(vertices[:, 3:], first_vertices).astype(np.float64)
        high = np.maximum.reduceat(vertices[:, 3:], first_vertices).astype(np.float64)
        tiles = int(tile_of.max()) + 1
        self._low, self._high = np.full((tiles, 3), np.inf), np.full((tiles, 3), -np.inf)
        np.minimum.at(self._low, tile_of, low)
        np.maximum.at(self._high, tile_of, high)
        self._middle, self._extent = (self._low + self._high) / 2, (self._high - self._low) / 2
        half_x, half_y = (float(half) for half in model.hfield_size[field, :2])
        self._horizon = Horizon(points[..., 2], half_x, half_y)
        self._tile_of_list = tile_of
        self._lists = _compile(strips, vertices)
        self._list = int(context.baseHField) + field
        self._drawn = np.zeros(0, np.bool_)

    @property
    def drawn_fraction(self) -> float:
        """How much of the field's tiles the last picture drew, 0 to 1."""
        return float(self._drawn.mean())

    def cull(self, scene: mujoco.MjvScene, geoms: list[mujoco.MjvGeom]) -> None:
        """Let the next pictures draw the tiles that the scene's camera may see.

        Args:
            scene: the updated scene; its camera's view is taken to be as wide as high.
            geoms: the scene's geoms that are this height field.
        """
        from OpenGL import GL

        visible = np.zeros(len(self._low), np.bool_)
        for geom in geoms:
            visible |= self.visible(scene, geom)
        if np.array_equal(visible, self._drawn):
            return
        self._drawn = visible
        lists = self._lists[visible[self._tile_of_list]]
        GL.glNewList(self._list, GL.GL_COMPILE)
        GL.glListBase(0)
        GL.glCallLists(len(lists), GL.GL_UNSIGNED_INT, lists)
        GL.glEndList()

    def visible(self, scene: mujoco.MjvScene, geom: mujoco.MjvGeom) -> NDArray[np.bool_]:
        """For each tile, whether some of it may be seen by the scene's camera, the field being `geom`."""
        camera = mujoco.mjv_averageCamera(scene.camera[0], scene.camera[1])
        turn = np.asarray(geom.mat, np.float64)  # from the field's own frame into the world
        ahead, up = camera.forward @ turn, camera.up @ turn
        eye = (camera.pos - np.asarray(geom.pos, np.float64)) @ turn
        top, bottom, middle = camera.frustum_top, camera.frustum_bottom, camera.frustum_center
        half = camera.frustum_width or (top - bottom) / 2
        edges = (middle - half, middle + half, bottom, top)
        planes, reach = _frustum(camera.frustum_near, *edges)
        inward = planes @ np.array([_cross(ahead, up), up, ahead])
        deepest = inward @ self._middle.T + np.abs(inward) @ self._extent.T
        visible = (deepest > (inward @ eye)[:, None] - MARGIN_M).all(axis=0)
        if geom.rgba[3] == 1 and self._horizon.is_above(eye, reach):
            low, high = self._low[visible], self._high[visible]
            visible[visible] = ~self._horizon.hidden(eye, low, high)
        return np.asarray(visible)


@lru_cache
def _frustum(
    near: float, left: float, right: float, bottom: float, top: float
) -> tuple[NDArray[np.float64], float]:
    """What a camera's view is bounded by, in metres; the edges are those of the near plane.

    Returns unit normals that point into the view, (5, 3) along the camera's right, up and ahead, of planes
    through the camera; and how far from the camera the near plane's farthest corner is.
    """
    planes = [(0, 0, 1), (near, 0, -left), (-near, 0, right), (0, near, -bottom), (0, -near, top)]
    inward = np.array(planes, np.float64)
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    # ground nearer than the near plane is cut open, and hides nothing
    return inward, math.hypot(near, max(-left, right), max(-bottom, top))


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross product of two vectors, in a tenth of the time of NumPy's for many."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _strips(points: Floats, sides: list[Floats]) -> tuple[list[_Strip], Floats]:
    """A field's strips in the order of drawing, and all their vertices, (n, 6).

    Args:
        points: the grid's points, (rows, columns, 3).
        sides: its walls' quads, (n, 4, 6) each.
    """
    triangles = surface(points)
    rows, columns = triangles.shape[:2]
    tiles_across = -(-columns // TILE_COLUMNS)
    strips = [
        _Strip(
            6 * min(TILE_COLUMNS, columns - column),
            3,
            row // TILE_ROWS * tiles_across + column // TILE_COLUMNS,
        )
        for row in range(rows)
        for column in range(0, columns, TILE_COLUMNS)
    ]
    for quads in sides:
        for first in range(0, len(quads), TILE_COLUMNS):
            count = 4 * min(TILE_COLUMNS, len(quads) - first)
            strips.append(_Strip(count, 4, strips[-1].tile + 1))
    vertices = np.concatenate([part.reshape(-1, 6) for part in (triangles, *sides)])
    return strips, vertices


def _compile(strips: list[_Strip], vertices: Floats) -> NDArray[np.uint32]:
    """Makes a display list of each strip, in the current OpenGL context; returns their names."""
    # only now: which platform PyOpenGL takes is settled when MuJoCo has made its first context
    from OpenGL import GL

    # the plain call: PyOpenGL's own keeps the arrays that a context was given for ever
    from OpenGL.raw.GL.VERSION.GL_1_1 import glInterleavedArrays

    ends = np.cumsum([strip.count for strip in strips])
    corners = [strip.corners for strip in strips]
    vertices = np.insert(vertices, np.repeat(ends, corners), _CLIPPED, axis=0)
    names = int(GL.glGenLists(len(strips))) + np.arange(len(strips), dtype=np.uint32)
    kinds = {3: GL.GL_TRIANGLES, 4: GL.GL_QUADS}
    first = 0
    GL.glPushClientAttrib(GL.GL_CLIENT_VERTEX_ARRAY_BIT)
    glInterleavedArrays(GL.GL_N3F_V3F, 0, vertices.ctypes.data_as(ctypes.c_void_p))
    for name, strip in zip(names.tolist(), strips, strict=True):
        GL.glNewList(name, GL.GL_COMPILE)
        count = strip.count + strip.corners
        GL.glDrawArrays(kinds[strip.corners], first, count)
        GL.glEndList()
        first += count
    GL.glPopClientAttrib()
    return names
