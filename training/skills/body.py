"""Many copies of the rodent, stepped together by `mujoco.rollout`: the physics of the skill searches.

All copies share one compiled model. A copy is a row of float64 numbers, MuJoCo's `mjSTATE_FULLPHYSICS` (time,
qpos, qvel, act), so that thousands are advanced without Python in between.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco import rollout

from rig.arenas import tasks

Array = np.ndarray
SPEC = mujoco.mjtState.mjSTATE_FULLPHYSICS
FELL_BELOW_UP = 0.5
"""On level ground a trial is a fall where the trunk's uprightness ever came below this (60 degrees)."""
TOPPLED_BELOW_UP = 0.1
"""The same on rough ground and in a tap, where the trunk tilts far without falling (84 degrees)."""


@dataclass(frozen=True)
class Motion:
    """How the trunk moved; every array is (copies, ticks), float64.

    Attributes:
        x_m, y_m, z_m: position of the body's root.
        upright: upward part of the trunk's own up axis: 1 upright, 0 on a side, -1 on its back.
        yaw_rad: heading, unwrapped over time.
    """

    x_m: Array
    y_m: Array
    z_m: Array
    upright: Array
    yaw_rad: Array


class Bodies:
    """Copies of the rodent in the arena of a task.

    Args:
        coarse: 4 ms implicit steps instead of the stock 1 ms Euler steps. Faster; a gait runs quicker in it
            than at stock physics.
        threads: threads that step the copies.
        task: whose arena; by default the plain corridor.
        seed: of the arena.

    Attributes:
        model: the compiled model that all copies share.
        start: (state,) float64, the state in which the task puts the animal.
        actuators: index of each actuator in an action, by name.
        substeps: physics steps in one tick of 20 ms.
    """

    def __init__(self, coarse: bool, threads: int, task: str = "corridor", seed: int = 0) -> None:
        environment = tasks.make(task, seed)
        environment.reset()
        self.model: mujoco.MjModel = copy.copy(environment.physics.model.ptr)
        if coarse:
            self.model.opt.timestep = 0.004
            self.model.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
            self.model.opt.iterations, self.model.opt.ls_iterations = 8, 12
        self.substeps = round(tasks.CONTROL_TIMESTEP_S / self.model.opt.timestep)
        self.actuators = {
            self.model.actuator(i).name.split("/")[1]: i for i in range(self.model.nu)
        }
        data = mujoco.MjData(self.model)
        data.qpos[:] = environment.physics.data.ptr.qpos
        self.start = np.zeros(mujoco.mj_stateSize(self.model, SPEC))
        mujoco.mj_getState(self.model, data, self.start, SPEC)
        self._threads = max(1, threads)
        self._rollout = rollout.Rollout(nthread=threads if threads > 1 else 0)
        self._data = [mujoco.MjData(self.model) for _ in range(self._threads)]

    def disturbed_start(self, rng: np.random.Generator) -> Array:
        """A state (state,) near `start`: joints off by 0.06 rad (sd), trunk moving, muscles partly active."""
        state = self.start.copy()
        qpos, qvel, act = self.split(state)
        qpos[7:] += rng.normal(0, 0.06, len(qpos) - 7)
        qvel[:3] += rng.normal(0, 0.15, 3)
        qvel[3:6] += rng.normal(0, 1.0, 3)
        act += rng.normal(0, 0.15, len(act))
        return state

    def split(self, states: Array) -> tuple[Array, Array, Array]:
        """Views of qpos (..., nq), qvel (..., nv) and act (..., na) in states (..., state)."""
        nq, nv = self.model.nq, self.model.nv
        return (
            states[..., 1 : 1 + nq],
            states[..., 1 + nq : 1 + nq + nv],
            states[..., 1 + nq + nv : 1 + nq + nv + self.model.na],
        )

    def run(self, states: Array, actions: Array) -> tuple[Array, Array]:
        """Advance every copy by as many ticks as there are actions.

        Args:
            states: (copies, state) float64.
            actions: (copies, ticks, actuators) float64 in [-1, 1].

        Returns:
            States (copies, ticks, state) and sensors (copies, ticks, sensordata) at the end of each tick.
        """
        control = np.repeat(actions, self.substeps, axis=1)
        after, sensors = self._rollout.rollout(
            self.model, self._data, states, control, chunk_size=4
        )
        last = self.substeps - 1
        return after[:, last :: self.substeps].copy(), sensors[:, last :: self.substeps].copy()

    def motion(self, states: Array) -> Motion:
        """How the trunk moved in states (copies, ticks, state)."""
        qpos = self.split(states)[0]
        w, a, b, c = (qpos[..., 3 + i] for i in range(4))
        yaw = np.arctan2(2 * (w * c + a * b), 1 - 2 * (b * b + c * c))
        return Motion(
            x_m=qpos[..., 0],
            y_m=qpos[..., 1],
            z_m=qpos[..., 2],
            upright=1 - 2 * (a * a + b * b),
            yaw_rad=np.unwrap(yaw, axis=-1),
        )
