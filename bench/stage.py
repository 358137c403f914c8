"""A stage for ground truth: the real body in a real arena, moved by skills, by pushes, or as a puppet.

Every take is what a session would put on the bus, `Take.body` and `Take.events` tick by tick, with what only
the simulator knows beside it: which parts touch the ground or the orb, and what was commanded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np

from rig.arenas.tasks import make
from rig.body_state import NAMES, BodyState
from rig.task_events import reader_of
from training.experts.pose import BodyReader

Array = np.ndarray
TICK_S = 0.02


@dataclass
class Take:
    """One sequence: body states (ticks, len(NAMES)), task events a tick, and what the simulator knows."""

    name: str
    body: Array
    events: list[tuple[str, ...]]
    known: dict[str, Array] = field(default_factory=dict)
    truth: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Behaviour to intervals of ticks, end excluded. A behaviour that is not a key is not judged."""
    unclear: list[tuple[int, int]] = field(default_factory=list)
    """Intervals in which nobody can say; what begins in them is not judged."""

    def quantity(self, name: str) -> Array:
        """(ticks,) one entry of the body state."""
        return self.body[:, NAMES.index(name)]


class Stage:
    """An animal in a task's arena, from its reset on."""

    def __init__(self, task: str, seed: int) -> None:
        self.environment: Any = make(task, seed)
        self.environment.reset()
        physics = self.environment.physics
        self.model, self.data = physics.model.ptr, physics.data.ptr
        self.reader = BodyReader(self.environment)
        self._state = BodyState(self.model, self.environment.task)
        self._task = reader_of(self.environment)
        self._new: tuple[str, ...] = ()
        names = [self.model.body(int(b)).name for b in self.model.geom_bodyid]
        self._own = np.array([name.startswith("walker/") for name in names])
        fore = ("hand", "finger", "lower_arm")
        self._hands = [
            np.array([n.split("/")[-1].startswith(tuple(f"{p}_{s}" for p in fore)) for n in names])
            for s in "LR"
        ]
        orbs = [self.model.geom(i).name for i in range(self.model.ngeom)]
        self._orbs = np.array(["target" in name for name in orbs])
        self.clear()

    def clear(self) -> None:
        """A new take begins."""
        self._body: list[Array] = []
        self._events: list[tuple[str, ...]] = []
        self._known: dict[str, list[float]] = {}

    def note(self, **known: float) -> None:
        """One tick of the take, as the animal is now; `known` is kept beside it."""
        self._body.append(self._state.read(self.data))
        self._events.append(self._new)
        self._new = ()
        pairs = self.data.contact.geom
        own, orbs = self._own[pairs], self._orbs[pairs]
        ground = own.any(1) & ~own.all(1) & ~orbs.any(1)
        left, right = (hand[pairs].any(1) for hand in self._hands)
        known |= {
            "n_ground": ground.sum(),
            "hands_ground": (ground & (left | right)).sum(),
            "orb_left": (orbs.any(1) & left).sum(),
            "orb_right": (orbs.any(1) & right).sum(),
        }
        for name, value in known.items():
            self._known.setdefault(name, []).append(float(value))

    def step(self, action: Array) -> bool:
        """A tick of physics; whether the episode is over."""
        over = bool(self.environment.step(np.clip(action, -1, 1)).last())
        self._new = self._task()
        return over

    def take(self, name: str) -> Take:
        """What was noted since the last `clear`."""
        known = {key: np.array(values) for key, values in self._known.items()}
        return Take(name, np.array(self._body), list(self._events), known)


class Puppet(Stage):
    """The body moved through poses without physics, its joints as it stands.

    The lowest part, tail apart, is on the ground. Speeds follow from one pose to the next.
    """

    def __init__(self, task: str, seed: int) -> None:
        super().__init__(task, seed)
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        data.qpos[:3] = (0, 0, 0.1)
        mujoco.mj_forward(model, data)
        self._root = data.qpos[:7].copy()
        frame = self.reader.matrix()
        self._offset = frame.T @ (self._root[:3] - self.reader.place_m())  # in the torso's axes
        self._standing = data.qpos.copy()
        self._base = data.xquat[self.reader.torso].copy()
        parts = [model.body(int(b)).name for b in model.geom_bodyid]
        self._grounded = [
            i
            for i, name in enumerate(parts)
            if name.startswith("walker/") and "vertebra_C" not in name and model.geom_contype[i]
        ]
        self._last: Array | None = None

    def ground(self, x: float, y: float) -> float:
        """The height (m) of the ground."""
        return self._state.ground(x, y)

    def orb(self) -> Array:
        """(3,) the place of the orb."""
        return self.data.geom_xpos[np.flatnonzero(self._orbs)[0]].copy()

    def still(self) -> None:
        """The next pose begins a sequence: nothing moves in it."""
        self._last = None
        self.clear()

    def pose(
        self,
        x: float = 0.0,
        y: float = 0.0,
        z: float = 0.0,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        ground_m: float = 0.0,
    ) -> None:
        """One tick: the torso over x, y, turned (pitch up, roll to the right), lowest part z above ground."""
        turned, part = np.array([1.0, 0, 0, 0]), np.zeros(4)
        for axis, angle in (((0, 0, 1), yaw), ((0, -1, 0), pitch), ((1, 0, 0), roll)):
            mujoco.mju_axisAngle2Quat(part, np.array(axis, float), angle)
            mujoco.mju_mulQuat(turned, turned.copy(), part)
        model, data = self.model, self.data
        qpos, matrix, offset = self._standing.copy(), np.zeros(9), np.zeros(3)
        mujoco.mju_mulQuat(qpos[3:7], turned, self._root[3:7])
        mujoco.mju_quat2Mat(matrix, turned)
        offset = matrix.reshape(3, 3) @ self._frame() @ self._offset
        qpos[:3] = np.array([x, y, 1.0]) + offset
        data.qpos[:], data.qvel[:] = qpos, 0
        mujoco.mj_kinematics(model, data)
        lowest = min(self._bottom(geom) for geom in self._grounded)
        qpos[2] += ground_m + z - lowest
        velocity = np.zeros(model.nv)
        if self._last is not None:
            mujoco.mj_differentiatePos(model, velocity, TICK_S, self._last, qpos)
        self._last = qpos
        data.qpos[:], data.qvel[:] = qpos, velocity
        mujoco.mj_forward(model, data)
        self.note()

    def _frame(self) -> Array:
        matrix = np.zeros(9)
        mujoco.mju_quat2Mat(matrix, self._base)
        return matrix.reshape(3, 3)

    def _bottom(self, geom: int) -> float:
        """The height of a geom's lowest point, of its bounding box in its own axes."""
        box = self.model.geom_aabb[geom]
        up = self.data.geom_xmat[geom].reshape(3, 3)[2]
        return float(self.data.geom_xpos[geom, 2] + up @ box[:3] - np.abs(up) @ box[3:])
