"""One episode: an actor in an environment, and the meter of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from dm_control.rl.control import PhysicsError

from agent.subject import CAMERA
from evaluation.actors import Actor
from evaluation.metrics import meter_for, stride_hz
from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera, Quality
from rig.arenas.senses import Senses

Array = np.ndarray

START_NOISE_RAD = 0.01
"""In the plain corridor, which has nothing random in it, joints begin this far off (sd)."""


@dataclass(frozen=True)
class Episode:
    """One episode.

    Attributes:
        seed: of the arena, the start and the motor noise.
        duration_s: simulated seconds that it lasted.
        reward: the task's return, not discounted.
        fell: as the task's meter understands it.
        ended_early: the task ended it.
        diverged: the simulation became unstable; it ended there and counts as a fall.
        figures: what the task's meter read.
    """

    seed: int
    duration_s: float
    reward: float
    fell: bool
    ended_early: bool
    diverged: bool
    figures: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Numbers, texts and lists."""
        return asdict(self)


__all__ = ["Episode", "play", "stride_hz"]

Watcher = Callable[[Any, Any], None]
"""Called after every tick with the environment and the actor."""


def play(
    actor: Actor,
    task: str,
    seed: int,
    duration_s: float,
    quality: Quality | None,
    watch: Watcher | None = None,
) -> Episode:
    """Play one episode.

    Args:
        actor: who acts.
        task: one of `rig.arenas.tasks.TASKS`.
        seed: of everything random in it.
        duration_s: simulated seconds, unless the task ends it.
        quality: how the camera renders; None for actors that do not look.
        watch: called after every tick.
    """
    environment = tasks.make(task, seed)
    environment.reset()
    physics = environment.physics
    model, data = physics.model.ptr, physics.data.ptr
    if task == "corridor":
        rng = np.random.default_rng([seed, 7])
        data.qpos[7:] += rng.normal(0, START_NOISE_RAD, model.nq - 7)
        with physics.model.disable("actuation"):  # as at any reset
            physics.forward()
    senses = Senses(environment)
    camera = EgocentricCamera(model, data, quality) if quality else None
    meter = meter_for(task, environment)
    actor.begin(environment, seed)
    reward, ended, diverged, ticks = 0.0, False, False, 0
    for _ in range(max(1, round(duration_s / tasks.CONTROL_TIMESTEP_S))):
        observation = senses.observe()
        if camera is not None:
            observation[CAMERA] = camera.render()
        try:
            step = environment.step(actor.act(observation))
        except PhysicsError:
            diverged = True
            break
        ticks += 1
        reward += step.reward
        meter.after()
        if watch is not None:
            watch(environment, actor)
        if step.last():
            ended = True
            break
    if camera is not None:
        camera.close()
    lasted = ticks * tasks.CONTROL_TIMESTEP_S
    episode = Episode(
        seed=seed,
        duration_s=round(lasted, 6),
        reward=float(reward),
        fell=meter.fell(ended) or diverged,
        ended_early=ended,
        diverged=diverged,
        figures=meter.figures(lasted, duration_s, ended or diverged),
    )
    environment.close()
    return episode
