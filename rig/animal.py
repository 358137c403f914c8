"""The animal's body in its arena: what it senses, what its actions do, one trial after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from dm_control.rl.control import PhysicsError
from numpy.typing import NDArray

from agent.subject import CAMERA
from rig import body_state
from rig.arenas.camera import EgocentricCamera
from rig.arenas.names import TASK_EVENTS_VERSION, CameraQuality
from rig.arenas.senses import Senses
from rig.arenas.task_state import TaskState, remember_arena
from rig.arenas.tasks import make, orbs_of
from rig.props import Props
from rig.random_streams import episode_random_state
from rig.task_events import reader_of

_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


@dataclass(frozen=True)
class StepResult:
    """What the physics of one tick led to.

    Attributes:
        reward, discount: of the task.
        over: whether the trial has ended.
        trouble: a sentence when the simulation became unstable (the trial ends with it), else "".
        events: what happened in terms of the task (`rig.arenas.names.TASK_EVENTS`).
    """

    reward: float
    discount: float
    over: bool
    trouble: str = ""
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class TickState:
    """The animal at the beginning of a tick: its observation and the physical state that it comes from.

    Attributes:
        observation: dm_control's keys; proprioception float64 and the camera uint8 (64, 64, 3).
        qpos, qvel, act, actuator_force: float64 copies of MuJoCo's vectors.
        body: float64, in the order of `rig.body_state.NAMES`.
        props: float64 (props, `rig.props.COLUMNS`).
    """

    observation: dict[str, NDArray[np.generic]]
    qpos: NDArray[np.float64]
    qvel: NDArray[np.float64]
    act: NDArray[np.float64]
    actuator_force: NDArray[np.float64]
    body: NDArray[np.float64]
    props: NDArray[np.float64]


@dataclass(frozen=True)
class AnimalState:
    """All that is needed to restore an animal in the middle of a trial, but for what its seed draws again.

    Attributes:
        trial: whose arena is drawn again.
        task: plain values (`rig.arenas.task_state`, and what the reader of its events has seen).
        arrays: `physics` (float64, MuJoCo's mjSTATE_INTEGRATION), `sensors` and `actuator_force` (float64,
            sensed on the way into that state; MuJoCo does not compute them from the state alone), `random`
            (int32, key of a generator).
    """

    trial: int
    task: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Animal:
    """One rodent in one task's arena.

    Everything random in trial *t* follows from (seed, t) alone, whatever happened in earlier trials.
    """

    def __init__(
        self,
        task: str,
        seed: int,
        camera_quality: CameraQuality = "fast",
        task_events: int = TASK_EVENTS_VERSION,
    ) -> None:
        """Builds the arena. Raises `CameraUnavailableError` at the first trial where GL is missing.

        Args:
            task: its name.
            seed: of all trials.
            camera_quality: how its view is drawn.
            task_events: the version of how events of the task are found.
        """
        self._seed = seed
        self._events_version = task_events
        self._quality = camera_quality
        self._environment = make(task, episode_random_state(seed, 0))
        self._camera: EgocentricCamera | None = None

    def begin_trial(self, trial: int) -> None:
        """Compiles the trial's arena and puts the animal into it (about half a second)."""
        if self._camera is not None:
            self._camera.close()
        self._environment.random_state.set_state(
            episode_random_state(self._seed, trial).get_state()
        )
        self._environment.reset()
        self._trial = trial
        physics = self._environment.physics
        self._model: mujoco.MjModel = physics.model.ptr
        self._data: mujoco.MjData = physics.data.ptr
        self._senses = Senses(self._environment)
        self._body = body_state.BodyState(self._model, self._environment.task)
        geoms = [orb.geom_id for orb in orbs_of(self._environment.task)]
        self._props = Props(self._model, geoms)
        self._events = reader_of(self._environment, self._events_version)
        self._task_state = TaskState(self._environment)
        self._camera = EgocentricCamera(self._model, self._data, self._quality)

    def state(self) -> AnimalState:
        """Its state now, between two ticks."""
        task, random = self._task_state.read()
        task["seen"] = self._events.seen
        physics = np.empty(mujoco.mj_stateSize(self._model, _STATE))
        mujoco.mj_getState(self._model, self._data, physics, _STATE)
        arrays = {
            "physics": physics,
            "sensors": self._data.sensordata.copy(),
            "actuator_force": self._data.actuator_force.copy(),
            "random": random,
        }
        return AnimalState(self._trial, task, arrays)

    def restore(self, state: AnimalState) -> None:
        """Draws the state's trial again and restores the state; instead of the first `begin_trial`.

        Raises ValueError, KeyError or TypeError where it is no state of this arena.
        """
        remember_arena(self._environment.task, state.task["arena"], state.trial)
        self.begin_trial(state.trial)
        model, data, arrays = self._model, self._data, state.arrays
        self._task_state.put_back(state.task, arrays["random"])
        self._events.seen = int(state.task["seen"])
        sizes = (mujoco.mj_stateSize(model, _STATE), len(data.sensordata), model.nu)
        found = [len(arrays[name]) for name in ("physics", "sensors", "actuator_force")]
        if found != list(sizes):
            raise ValueError(f"the state has the sizes {found}, the arena {sizes}")
        mujoco.mj_setState(model, data, arrays["physics"], _STATE)
        # dm_control leaves its physics with the first half of the next step done, in which only position
        # and velocity count; the second half, which needs the action, goes on from there
        mujoco.mj_step1(model, data)
        data.sensordata[:] = arrays["sensors"]
        data.actuator_force[:] = arrays["actuator_force"]

    @property
    def model(self) -> mujoco.MjModel:
        """The present trial's compiled model."""
        return self._model

    @property
    def xml(self) -> str:
        """The present trial's arena and animal as MJCF text."""
        return str(self._environment.task.root_entity.mjcf_model.to_xml_string())

    @property
    def props(self) -> tuple[str, ...]:
        """The geoms in `xml` that the task moves or lets look otherwise, as in `TickState.props`."""
        return self._props.names

    @property
    def assets(self) -> dict[str, bytes]:
        """The files that `xml` refers to, by name."""
        files = self._environment.task.root_entity.mjcf_model.get_assets()
        return {name: files[name] for name in sorted(files)}

    def observe(self) -> TickState:
        """What the animal feels and sees now, and the physical state that it comes from."""
        observation = self.proprioception()
        observation[CAMERA] = self.render()
        data = self._data
        return TickState(
            observation,
            data.qpos.copy(),
            data.qvel.copy(),
            data.act.copy(),
            data.actuator_force.copy(),
            self._body.read(data),
            self._props.read(data),
        )

    def proprioception(self) -> dict[str, NDArray[np.generic]]:
        """The observation without the picture, under dm_control's names."""
        return self._senses.observe()

    def render(self) -> NDArray[np.uint8]:
        """The picture of its camera now, (64, 64, 3) RGB."""
        assert self._camera is not None
        return self._camera.render()

    def act(self, action: NDArray[np.float64]) -> StepResult:
        """20 ms of physics under an action (38 values in -1…1), with the task's own hooks."""
        try:
            step = self._environment.step(action)
        except PhysicsError as problem:
            return StepResult(
                0.0, 0.0, True, f"The simulation became unstable and the trial ended: {problem}"
            )
        return StepResult(
            float(step.reward), float(step.discount), step.last(), events=self._events()
        )

    def close(self) -> None:
        """Gives back the rendering context and the simulation."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        self._environment.close()
