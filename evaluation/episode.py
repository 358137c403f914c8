"""One episode: an actor in an environment, and its task's statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from dm_control.rl.control import PhysicsError

from agent.subject import CAMERA
from evaluation.actors import Actor, PolicySpec
from evaluation.conditions import EvaluationCondition
from evaluation.episode_statistics import statistics_for
from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera, Quality
from rig.arenas.senses import Senses

Array = np.ndarray

START_NOISE_RAD = 0.01
"""In the plain corridor, which has nothing random in it, joints begin this far off (sd)."""


@dataclass(frozen=True)
class EpisodeResult:
    """What happened in one episode.

    Attributes:
        seed: of the arena, the start and the motor noise.
        duration_s: simulated seconds that it lasted.
        reward: the task's return, not discounted.
        fell: as the task's statistics define it.
        ended_early: the task ended it.
        diverged: the simulation became unstable; it ended there and counts as a fall.
        statistics: the task's own, see `evaluation.episode_statistics`.
    """

    seed: int
    duration_s: float
    reward: float
    fell: bool
    ended_early: bool
    diverged: bool
    statistics: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Numbers, texts and lists."""
        return asdict(self)


OnTick = Callable[[Any, Any], None]
"""Called after every tick with the environment and the actor."""


def play(
    actor: Actor,
    task: str,
    seed: int,
    duration_s: float,
    quality: Quality | None,
    on_tick: OnTick | None = None,
) -> EpisodeResult:
    """Play one episode.

    Args:
        actor: who acts.
        task: one of `rig.arenas.tasks.TASKS`.
        seed: of everything random in it.
        duration_s: simulated seconds, unless the task ends it.
        quality: how the camera renders; None for actors that do not look.
        on_tick: called after every tick.
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
    statistics = statistics_for(task, environment)
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
        statistics.update()
        if on_tick is not None:
            on_tick(environment, actor)
        if step.last():
            ended = True
            break
    if camera is not None:
        camera.close()
    lasted = ticks * tasks.CONTROL_TIMESTEP_S
    episode = EpisodeResult(
        seed=seed,
        duration_s=round(lasted, 6),
        reward=float(reward),
        fell=statistics.fell(ended) or diverged,
        ended_early=ended,
        diverged=diverged,
        statistics=statistics.summary(lasted, duration_s, ended or diverged),
    )
    environment.close()
    return episode


@lru_cache(maxsize=4)
def _actor(policy: PolicySpec) -> Actor:
    return policy.build()


def run_episode(
    condition: EvaluationCondition, seed: int, on_tick: OnTick | None = None
) -> EpisodeResult:
    """Play one episode of a condition.

    Args:
        condition: with a policy.
        seed: of the episode.
        on_tick: called after every tick.
    """
    torch.set_num_threads(1)  # one animal is too small a load to share
    actor = _actor(policy_of(condition))
    return play(actor, condition.task, seed, condition.time_limit_s, condition.quality, on_tick)


def policy_of(condition: EvaluationCondition) -> PolicySpec:
    """Who acts in a condition.

    Raises:
        ValueError: the condition was read from stored scores, which do not have it.
    """
    if condition.policy is None:
        raise ValueError("a condition that was read from scores.json has no policy to play with")
    return condition.policy
