"""One rodent in one environment of a task, with its camera and the expert of the task.

The environments are dm_control's own, at stock physics; rewards are scaled so that those of all tasks are of
about the same size.
"""

from __future__ import annotations

import mujoco
import numpy as np
from dm_control.rl.control import PhysicsError

from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.names import TASKS
from rig.arenas.senses import Senses, flatten
from rig.body_quantities import FALLEN_BELOW_UP
from training.experts import Skills, expert_for
from training.experts.interface import Pose
from training.experts.pose import REARING
from training.rollout.auxiliary_targets import as_array
from training.rollout.rollout import REWARD_SCALES

Array = np.ndarray

STUCK_BELOW_M, STUCK_TICKS = 0.05, 150
"""An animal in a corridor that moves less in so many ticks is stuck, mostly astride a narrow gap."""
CORRIDORS = frozenset({"corridor", "gaps"})
REARING_TASKS = frozenset({"two_tap"})
"""Tasks in which an animal whose trunk points up does not lie: it rears for a tap."""
RIGHTING_TASKS = frozenset({"escape", "gaps"})
"""Tasks in which an animal that lies gets up; in the others it needs a reset."""
LIES_FIRST_TASKS = frozenset({"escape"})
"""Tasks that begin with an animal that lies."""


class TaskEnv:
    """One rodent in one environment with its camera and its expert.

    Attributes:
        task: name of the task.
        ticks: control steps since the last reset.
        done: the task ended the episode.

    Args:
        task: one of `rig.arenas.names.TASKS`.
        skills: what the expert is made of.
        shadows: render the images with shadows, instead of fast.
        seed: (n,) uint32, of all that is random in the environment.
    """

    def __init__(self, task: str, skills: Skills, shadows: bool, seed: Array) -> None:
        self.task = task
        self._environment = tasks.make(task, np.random.RandomState(seed))
        self._expert = expert_for(task, skills)
        self._quality = "soft" if shadows else "fast"
        self._camera: EgocentricCamera | None = None
        self.reset()

    def reset(self) -> None:
        """Begin a new episode, in a newly drawn arena."""
        if self._camera is not None:
            self._camera.close()
        self._environment.reset()
        physics = self._environment.physics
        self._model, self._data = physics.model.ptr, physics.data.ptr
        self._torso = self._model.body("walker/torso").id
        self._senses = Senses(self._environment)
        self._camera = EgocentricCamera(self._model, self._data, self._quality)  # type: ignore[arg-type]
        self._expert.begin(self._environment)
        self.ticks = 0
        self.done = False
        self._last_x_m, self._stuck = float(self._data.qpos[0]), False

    def start_near_target(self, rng: np.random.Generator) -> bool:
        """Move the animal, right after a reset, to a random pose before a gap or an orb.

        Returns:
            False where the task has no such pose; nothing has changed then.
        """
        place = self._expert.sample_pose(rng)
        if place is not None:
            self._move_to(place)
            # dm_control's next step starts from what was computed at the end of the last one, contacts too
            mujoco.mj_forward(self._model, self._data)
            self._last_x_m = place[0]
        return place is not None

    def proprioception(self) -> Array:
        """Proprioception (senses,) float32, in natural units."""
        return flatten(self._senses.observe())

    def render(self) -> Array:
        """The egocentric image (64, 64, 3) uint8."""
        assert self._camera is not None
        return self._camera.render()

    def expert_action(self) -> Array:
        """The expert's action (actions,) float64 in [-1, 1]; call it once a tick: experts remember."""
        return self._expert.act()

    @property
    def loss_weight(self) -> float:
        """Weight of the last expert action in the imitation loss; 0 where the environment needs a reset."""
        return 0.0 if self.needs_reset() else self._expert.loss_weight

    def close(self) -> None:
        """Free the rendering context and the simulation."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        self._environment.close()

    def auxiliary_targets(self) -> Array:
        """Targets of the vision encoder (targets,) float32, NaN where left out; after `expert_action`."""
        which = {f"is_{task}": float(task == self.task) for task in TASKS if task != "corridor"}
        return as_array({**which, **self._expert.auxiliary_targets()})

    def sample_pose(self, rng: np.random.Generator) -> Pose | None:
        """A random place and heading (x m, y m, rad) with something to see; None: the task has none."""
        return self._expert.sample_pose(rng)

    def render_from(self, place: Pose) -> tuple[Array, Array]:
        """The image (64, 64, 3) uint8 and targets (targets,) float32 of this posture at another place.

        The simulation continues from where it was.
        """
        pose = self._data.qpos[:7].copy()
        self._move_to(place)
        rendered = self.render(), self.auxiliary_targets()
        self._data.qpos[:7] = pose
        self._update_kinematics()
        return rendered

    def _move_to(self, place: Pose) -> None:
        """Move the animal to another place and heading, in its posture."""
        matrix = self._data.xmat[self._torso].reshape(3, 3)
        turn = place[2] - np.arctan2(matrix[1, 0], matrix[0, 0])
        self._data.qpos[:2] = place[:2]
        about = np.array([np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)])
        mujoco.mju_mulQuat(self._data.qpos[3:7], about, self._data.qpos[3:7].copy())
        self._update_kinematics()

    def _update_kinematics(self) -> None:
        for compute in (mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_camlight):
            compute(self._model, self._data)

    def step(self, action: Array) -> tuple[float, float]:
        """Simulate one control step (20 ms); sets `done` where the task or the physics ended the episode.

        Args:
            action: (actions,), clipped to [-1, 1].

        Returns:
            the scaled reward, and the discount: 0 where the episode ended.
        """
        self.ticks += 1
        try:
            step = self._environment.step(np.clip(action, -1, 1))
        except PhysicsError:
            self.done = True
            return 0.0, 0.0
        self.done = bool(step.last())
        if self.task in CORRIDORS and self.ticks % STUCK_TICKS == 0:
            x = float(self._data.qpos[0])
            self._stuck, self._last_x_m = abs(x - self._last_x_m) < STUCK_BELOW_M, x
        discount = 1.0 if step.discount is None else float(step.discount)
        return float(step.reward) * REWARD_SCALES[self.task], discount if not self.done else 0.0

    def needs_reset(self) -> bool:
        """Whether nothing useful can follow: it lies, where that is no part of the task, or is stuck."""
        if self.task in RIGHTING_TASKS:
            return self._stuck
        ahead, up = self._data.xmat[self._torso, 6], self._data.xmat[self._torso, 8]
        rears = self.task in REARING_TASKS and ahead > REARING
        return self._stuck or bool(up < FALLEN_BELOW_UP and not rears)

    def perturb_velocity(self, rng: np.random.Generator, size_m_s: float) -> None:
        """Add a random velocity to the trunk: root mean square `size_m_s`, and 4 `size_m_s` in rad/s."""
        self._data.qvel[:3] += rng.normal(0, size_m_s / np.sqrt(3), 3)
        self._data.qvel[3:6] += rng.normal(0, 4 * size_m_s / np.sqrt(3), 3)
