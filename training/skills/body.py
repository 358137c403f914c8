"""The rodent in the plain corridor as training uses it: many copies stepped together.

All copies share one compiled model. A copy is a row of `mjSTATE_FULLPHYSICS` numbers (time, qpos,
qvel, act), so that thousands can be advanced by `mujoco.rollout` without Python in between.
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


@dataclass(frozen=True)
class Motion:
    """How the trunk moved: every array is (copies, ticks)."""

    x_m: Array
    y_m: Array
    z_m: Array
    upright: Array
    yaw_rad: Array


class Bodies:
    """Copies of the rodent in the plain corridor.

    Args:
        coarse: 4 ms implicit steps instead of the stock 1 ms Euler steps: 3.5 times as fast, and a
            gait runs about a third faster in it than it will in the end.
        threads: threads that step the copies.
        task: whose arena.
        seed: of the arena.
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
        """The start with joints 0.06 rad off, the trunk moving, and the actuators part way on."""
        state = self.start.copy()
        qpos, qvel, act = self.split(state)
        qpos[7:] += rng.normal(0, 0.06, len(qpos) - 7)
        qvel[:3] += rng.normal(0, 0.15, 3)
        qvel[3:6] += rng.normal(0, 1.0, 3)
        act += rng.normal(0, 0.15, len(act))
        return state

    def split(self, states: Array) -> tuple[Array, Array, Array]:
        """(..., state) to qpos, qvel, act."""
        nq, nv = self.model.nq, self.model.nv
        return (
            states[..., 1 : 1 + nq],
            states[..., 1 + nq : 1 + nq + nv],
            states[..., 1 + nq + nv : 1 + nq + nv + self.model.na],
        )

    def run(self, states: Array, actions: Array) -> tuple[Array, Array]:
        """Advance every copy by as many ticks as there are actions.

        Args:
            states: (copies, state).
            actions: (copies, ticks, actuators).

        Returns:
            states (copies, ticks, state) and sensors (copies, ticks, sensordata), at tick ends.
        """
        control = np.repeat(actions, self.substeps, axis=1)
        after, sensors = self._rollout.rollout(
            self.model, self._data, states, control, chunk_size=4
        )
        last = self.substeps - 1
        return after[:, last :: self.substeps].copy(), sensors[:, last :: self.substeps].copy()

    def motion(self, states: Array) -> Motion:
        """What the trunk did in `states` (copies, ticks, state)."""
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
