"""What is drawn into an arena besides its model: shadow, trail, prints of paws, and where words belong.

All of it goes into MuJoCo's scene as geoms of its own, after the scene was updated from the model.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.arena.arena_marks import FLASH_S, Marks
from rig.body_quantities import PAWS
from rig.bus.message_types import TICK_S

_STEP_M = 0.04
_GROUND_STEPS = np.array([[0.0, 0.0, 0.0], [_STEP_M, 0.0, 0.0], [0.0, _STEP_M, 0.0]])
_TRUNK_M = 0.03
"""The middle of the trunk lies so far behind the body that the camera follows."""
_SHADOW = ((1.12, 0.25), (0.9, 0.28), (0.72, 0.3), (0.55, 0.3))
"""The spot's layers: how large, how dark."""
TRAIL_PX, TRAIL_M = 3.0, 0.004
"""The trail's width, and how far above the ground it lies."""
PRINT_S = 1.0
"""How long the print of a paw stays after the paw has left."""
MOST_PRINTS = 24
PRINT_M = 0.006
"""Half the width of the print of a paw that bears."""
LEFT, RIGHT = (0.34, 0.71, 0.91), (0.95, 0.65, 0.1)
"""The colours of prints (red, green, blue), of the paws of either side."""
_UPRIGHT = np.eye(3).flatten()


class Paws:
    """Finds where paws bear, from MuJoCo's own contacts at the posture that is drawn.

    Not from the bus: the pads' touch sensors, which it carries, cover a part of the paws only, and feel
    something in less than one of a hundred ticks of an animal that walks.

    Args:
        mujoco: the module.
        model: the compiled model.
    """

    def __init__(self, mujoco: Any, model: Any) -> None:
        self._mujoco = mujoco
        paws = {
            int(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, f"walker/{name}")): number
            for number, name in enumerate(PAWS)
        }
        paws.pop(-1, None)
        paw_of_body = np.full(model.nbody, -1)
        for body in range(1, model.nbody):  # parents come first
            paw_of_body[body] = paws.get(body, paw_of_body[model.body_parentid[body]])
        self._paw_of_geom = paw_of_body[model.geom_bodyid]
        self._root_of_geom = model.body_rootid[model.geom_bodyid]
        self._prints: deque[tuple[int, int, NDArray[np.float64]]] = deque(maxlen=MOST_PRINTS)
        self._bears: dict[int, NDArray[np.float64]] = {}
        self._tick = -1

    def forget(self) -> None:
        """What comes next does not follow what was drawn."""
        self._prints.clear()
        self._bears = {}
        self._tick = -1

    def bearing(self, model: Any, data: Any) -> dict[int, NDArray[np.float64]]:
        """Where each paw (its place in `PAWS`) that touches something other than the animal does so.

        `data` needs its kinematics and nothing else.
        """
        self._mujoco.mj_collision(model, data)
        if data.ncon == 0:
            return {}
        contact = data.contact
        geoms, touches = contact.geom, contact.dist <= 0.0
        paws = np.where(geoms >= 0, self._paw_of_geom[geoms], -1)
        roots = self._root_of_geom[geoms]
        found = touches & ((paws >= 0).sum(axis=1) == 1) & (roots[:, 0] != roots[:, 1])
        paw = paws.max(axis=1)
        places = contact.pos
        return {
            int(each): places[found & (paw == each)].mean(axis=0) for each in np.unique(paw[found])
        }

    def add_to(self, scene: Any, model: Any, data: Any, tick: int) -> None:
        """Draws where paws bear now, and paler where they came down within the last second."""
        if not self._tick <= tick <= self._tick + PRINT_S / TICK_S:
            self.forget()
        if tick != self._tick:
            before, self._bears = self._bears, self.bearing(model, data)
            landed = self._bears.keys() - before.keys()
            self._prints += [(tick, paw, self._bears[paw]) for paw in landed]
            self._tick = tick
        for then, paw, place in self._prints:
            left = 1.0 - (tick - then) * TICK_S / PRINT_S
            if left > 0:
                self._draw(scene, paw, place, 0.75 * PRINT_M, 0.7 * left)
        for paw, place in self._bears.items():
            self._draw(scene, paw, place, PRINT_M, 1.0)

    def _draw(
        self, scene: Any, paw: int, place: NDArray[np.float64], half_m: float, opaque: float
    ) -> None:
        colour = (*(LEFT if PAWS[paw].endswith("L") else RIGHT), opaque)
        # a round one has a hundred times as many faces
        kind, size = self._mujoco.mjtGeom.mjGEOM_BOX, np.array([half_m, half_m, 0.0008])
        _add(self._mujoco, scene, kind, size, place, _UPRIGHT, colour)


def add_trail(mujoco: Any, scene: Any, marks: Marks) -> None:
    """Draws the way of the trunk as a line on the ground, paler the older it is."""
    points = marks.trail + np.array([0.0, 0.0, TRAIL_M])
    n = len(points) - 1
    if n < 1 or scene.ngeom + n > scene.maxgeom:
        return
    line = mujoco.mjtGeom.mjGEOM_LINE
    zeros = np.zeros(3)
    colour = np.array([*marks.colour, 1.0], np.float32)
    for k in range(n):
        geom = scene.geoms[scene.ngeom]
        colour[3] = 0.12 + 0.75 * (k + 1) / n
        mujoco.mjv_initGeom(geom, line, zeros, zeros, _UPRIGHT, colour)
        mujoco.mjv_connector(geom, line, TRAIL_PX, points[k], points[k + 1])
        geom.emission = 1.0
        scene.ngeom += 1


def add_shadow(mujoco: Any, scene: Any, model: Any, data: Any, animal: int) -> None:
    """A soft dark spot on the ground below the trunk: without it the animal seems to float.

    Args:
        mujoco: the module.
        scene: to draw into.
        model: the compiled model.
        data: its state.
        animal: the body whose shadow it is.
    """
    place = np.array(data.xpos[animal])
    ground = [_below(mujoco, model, data, place + step, animal) for step in _GROUND_STEPS]
    if ground[0] is None or scene.ngeom + len(_SHADOW) > scene.maxgeom:
        return
    height = max(place[2] - ground[0], 0.0)
    slopes = [
        0.0 if level is None or abs(level - ground[0]) > 0.05 else (level - ground[0]) / _STEP_M
        for level in ground[1:]
    ]
    up = np.array([-slopes[0], -slopes[1], 1.0])
    up /= np.linalg.norm(up)
    along = np.array(data.xmat[animal]).reshape(3, 3)[:, 0]
    along = along - up * (along @ up)
    length = np.linalg.norm(along)
    along = along / length if length > 0.1 else np.array([1.0, 0.0, 0.0])
    turn = np.stack([along, np.cross(up, along), up], axis=1)
    middle = np.array([place[0], place[1], ground[0]]) - _TRUNK_M * along
    for layer, (size, darkness) in enumerate(_SHADOW):
        darkness *= float(np.exp(-max(height - 0.05, 0.0) / 0.1))
        _add(
            mujoco,
            scene,
            mujoco.mjtGeom.mjGEOM_ELLIPSOID,
            np.array([0.11 * size, 0.05 * size, 0.0004]),
            middle + up * (0.001 + 0.0005 * layer),
            turn.flatten(),
            (0.0, 0.0, 0.0, darkness),
        )


def words_in(
    scene: Any, marks: Marks, aspect: float
) -> tuple[tuple[float, float, str, float], ...]:
    """Where the words of rewards belong in the picture that a scene was drawn as.

    Args:
        scene: MuJoCo's, as it was rendered.
        marks: whose rewards.
        aspect: width of the picture by its height.

    Returns:
        x and y (shares of width and height, from the top left), the words, and how opaque they are; without
        those that lie behind the camera or outside the picture.
    """
    if not marks.rewards:
        return ()
    one, other = scene.camera[0], scene.camera[1]
    position = (np.array(one.pos) + np.array(other.pos)) / 2
    forward, up = np.array(one.forward), np.array(one.up)
    right = np.cross(forward, up)
    half_height = one.frustum_top / one.frustum_near
    found = []
    for reward in marks.rewards:
        # they rise while they fade
        away = np.array(reward.place) - position
        away[2] += 0.05 + 0.05 * reward.age_s
        depth = float(away @ forward)
        if depth <= 0:
            continue
        x = 0.5 + float(away @ right) / depth / (2 * half_height * aspect)
        y = 0.5 - float(away @ up) / depth / (2 * half_height)
        if 0 <= x <= 1 and 0 <= y <= 1:
            found.append((x, y, reward.words, max(1.0 - reward.age_s / FLASH_S, 0.0)))
    return tuple(found)


def _add(
    mujoco: Any,
    scene: Any,
    kind: Any,
    size: NDArray[np.float64],
    place: NDArray[np.float64],
    turn: NDArray[np.float64],
    colour: tuple[float, ...],
) -> None:
    if scene.ngeom < scene.maxgeom:
        rgba = np.array(colour, np.float32)
        mujoco.mjv_initGeom(scene.geoms[scene.ngeom], kind, size, place, turn, rgba)
        scene.ngeom += 1


def _below(
    mujoco: Any, model: Any, data: Any, place: NDArray[np.float64], animal: int
) -> float | None:
    """The height of the arena below a place; None where there is nothing."""
    hit = np.zeros(1, np.int32)
    groups = np.array([1, 0, 0, 0, 0, 0], np.uint8)  # the arena's own; the animal's are others
    down = np.array([0.0, 0.0, -1.0])
    depth = mujoco.mj_ray(model, data, place, down, groups, 1, animal, hit)
    return None if depth < 0 else float(place[2] - depth)
