"""Many rodents in copies of the plain corridor, at stock physics, with their eyes and senses.

One compiled model, one `MjData` per animal, stepped in threads. A tick is done exactly as dm_control's
composer does it (1 ms Euler steps, sensors brought up to date at the end), so that what the network learns
here is what it meets there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import mujoco
import numpy as np

from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.senses import Senses, flatten

Array = np.ndarray

TARGET_SPEED_M_S = 1.0
FALLEN_BELOW = 0.3
"""The torso's upward axis, below which an animal lies (1 is upright)."""


@dataclass(frozen=True)
class Poses:
    """Where the animals are, as the expert and the score know it; each (animals,)."""

    x_m: Array
    offset_m: Array
    heading_rad: Array
    upright: Array
    speed_m_s: Array


def poses_of(animals: Sequence[mujoco.MjData], torso: int) -> Poses:
    """Poses of the animals, `torso` being the body of the trunk in their model."""
    matrix = np.stack([data.xmat[torso] for data in animals])
    place = np.stack([data.xpos[torso] for data in animals])
    return Poses(
        x_m=place[:, 0],
        offset_m=place[:, 1],
        heading_rad=np.arctan2(matrix[:, 3], matrix[:, 0]),
        upright=matrix[:, 8],
        speed_m_s=np.array([data.subtree_linvel[torso, 0] for data in animals]),
    )


class Flock:
    """`n` animals in the plain corridor.

    Args:
        n: animals.
        threads: threads that step the physics.
        soft_every: of so many animals, one sees with shadows; the others with fast rendering.
        seed: of starts and shoves.
        task: one of `rig.arenas.tasks.TASKS`.
    """

    def __init__(
        self, n: int, threads: int, soft_every: int, seed: int, task: str = "corridor"
    ) -> None:
        environment = tasks.make(task, seed)
        environment.reset()
        self.n = n
        self.model: mujoco.MjModel = copy.copy(environment.physics.model.ptr)
        self._start = environment.physics.data.ptr.qpos.copy()
        self._data = [mujoco.MjData(self.model) for _ in range(n)]
        self._scratch = mujoco.MjData(self.model)
        self._senses = [Senses(self.model, data) for data in self._data]
        self._fast = EgocentricCamera(self.model, self._data[0], "fast")
        self._soft = EgocentricCamera(self.model, self._data[0], "soft")
        self._soft_every = soft_every
        self._torso = self.model.body("walker/torso").id
        self.actuators = {
            self.model.actuator(i).name.split("/")[1]: i for i in range(self.model.nu)
        }
        self._act = np.asarray(self.model.actuator_actadr)
        self._pool = ThreadPoolExecutor(max(1, threads))
        self._shares = np.array_split(np.arange(n), max(1, threads))
        self._rng = np.random.default_rng(seed)
        self._ticks = 0
        for index in range(n):
            self.reset(index)

    def reset(
        self,
        index: int,
        heading_rad: float = 0.0,
        offset_m: float = 0.0,
        x_m: float = 5.0,
        joint_noise_rad: float = 0.0,
    ) -> None:
        """Put one animal back; with the defaults, as dm_control's task does at an episode's start."""
        data = self._data[index]
        mujoco.mj_resetData(self.model, data)
        data.qpos[:] = self._start
        data.qpos[0], data.qpos[1] = x_m, offset_m
        data.qpos[3:7] = np.cos(heading_rad / 2), 0, 0, np.sin(heading_rad / 2)
        if joint_noise_rad:
            data.qpos[7:] += self._rng.normal(0, joint_noise_rad, self.model.nq - 7)
        # as dm_control's reset does: there is no meaningful action yet
        options = self.model.opt
        options.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
        mujoco.mj_forward(self.model, data)
        options.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
        mujoco.mj_subtreeVel(self.model, data)

    def shove(self, index: int, size_m_s: float) -> None:
        """Change one animal's velocity at once, by about `size_m_s` in a random direction."""
        self._data[index].qvel[:3] += self._rng.normal(0, size_m_s / np.sqrt(3), 3)
        self._data[index].qvel[3:6] += self._rng.normal(0, 4 * size_m_s / np.sqrt(3), 3)

    def step(self, actions: Array) -> None:
        """One tick for every animal; actions (animals, actuators) are clipped to [-1, 1]."""
        for data, action in zip(self._data, np.clip(actions, -1, 1), strict=True):
            data.ctrl[:] = action
        list(self._pool.map(self._advance, self._shares))
        self._ticks += 1

    def _advance(self, share: Array) -> None:
        substeps = round(tasks.CONTROL_TIMESTEP_S / tasks.PHYSICS_TIMESTEP_S)
        for index in share:
            data = self._data[index]
            # positions are up to date from the last tick, so the first substep is a half one
            mujoco.mj_step2(self.model, data)
            mujoco.mj_step(self.model, data, substeps - 1)
            # the task's own reading of positions makes dm_control compute this once a tick
            mujoco.mj_forward(self.model, data)
            mujoco.mj_subtreeVel(self.model, data)

    def proprioception(self) -> Array:
        """What every animal feels, (animals, senses) float32."""
        return np.stack([flatten(own.observe()) for own in self._senses])

    def pictures(self) -> Array:
        """What every animal sees, (animals, 64, 64, 3) uint8."""
        return np.stack([self._picture(index) for index in range(self.n)])

    def _picture(self, index: int) -> Array:
        soft = self._soft_every and index % self._soft_every == 0
        return (self._soft if soft else self._fast).render(self._data[index])

    def picture_at(
        self, index: int, x_m: float, offset_m: float, heading_rad: float, soft: bool
    ) -> Array:
        """What an animal would see with the posture that it has now, elsewhere in the corridor."""
        matrix = self._data[index].xmat[self._torso]
        turn = heading_rad - np.arctan2(matrix[3], matrix[0])
        data = self._scratch
        data.qpos[:] = self._data[index].qpos
        data.qpos[0], data.qpos[1] = x_m, offset_m
        about_z = np.array([np.cos(turn / 2), 0, 0, np.sin(turn / 2)])
        mujoco.mju_mulQuat(data.qpos[3:7], about_z, self._data[index].qpos[3:7])
        mujoco.mj_kinematics(self.model, data)
        mujoco.mj_comPos(self.model, data)
        mujoco.mj_camlight(self.model, data)
        return (self._soft if soft else self._fast).render(data)

    def activation(self) -> Array:
        """Activations of the actuators, (animals, actuators)."""
        return np.stack([data.act[self._act] for data in self._data])

    def poses(self) -> Poses:
        """Where every animal is and how fast it goes along the corridor."""
        return poses_of(self._data, self._torso)

    def fallen(self) -> Array:
        """Animals (animals,) that lie, or whose physics has diverged."""
        finite = np.array([np.isfinite(data.qpos).all() for data in self._data])
        return ~finite | (self.poses().upright < FALLEN_BELOW)


def reward(speed_m_s: Array) -> Array:
    """The corridor task's reward: 1 at the target speed, falling to 0 at standstill and at double."""
    return np.clip(1 - np.abs(speed_m_s / TARGET_SPEED_M_S - 1), 0, 1)
