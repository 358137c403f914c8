"""The parts of a tick, each alone in this process: what a session could at best cost, and the stock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

import agent
from rig.animal import Animal
from rig.arenas.camera import EgocentricCamera
from rig.arenas.tasks import make

WARM_UP = 25


@dataclass(frozen=True)
class Limit:
    """Milliseconds a tick of what cannot be left out, each measured alone."""

    physics_and_hooks_ms: float
    camera_ms: float
    network_ms: float

    @property
    def total_ms(self) -> float:
        """The limit: no tick of this subject in this arena can be faster, run one after the other."""
        return self.physics_and_hooks_ms + self.camera_ms + self.network_ms


def _each_ms(do: Callable[[], object], seconds: float) -> float:
    """Mean wall milliseconds of a call, over so many seconds, after a warm-up."""
    for _ in range(WARM_UP):
        do()
    count, began = 0, time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        do()
        count += 1
    return (now - began) / count * 1e3


def limit(task: str, subject_name: str, seconds: float) -> Limit:
    """Physics with the task's hooks (the subject acting), one camera frame, one network forward."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    subject = agent.load(subject_name)
    subject.reset()
    animal = Animal(task, seed=1)
    animal.begin_trial(0)
    observation = animal.sense()
    noise = np.zeros(38)
    network_ms = _each_ms(lambda: subject.step(observation, (), noise), seconds)
    subject.reset()
    physics_s, ticks = 0.0, 0
    trial = 0
    began = time.perf_counter()
    while time.perf_counter() - began < 2 * seconds or ticks < WARM_UP:
        action = subject.step(animal.sense(), (), None).action
        before = time.perf_counter()
        outcome = animal.act(action)
        physics_s += time.perf_counter() - before
        ticks += 1
        if outcome.over:
            trial += 1
            animal.begin_trial(trial)
            subject.reset()
    camera_ms = _camera_ms(task, seconds)
    animal.close()
    return Limit(physics_s / ticks * 1e3, camera_ms, network_ms)


def _camera_ms(task: str, seconds: float) -> float:
    environment = make(task, 1)
    environment.reset()
    physics = environment.physics
    camera = EgocentricCamera(physics.model.ptr, physics.data.ptr, "fast")
    each_ms = _each_ms(camera.render, seconds)
    camera.close()
    environment.close()
    return each_ms


def stock_ms(task: str, seconds: float) -> float:
    """Milliseconds a step of dm_control's own environment, with its camera, under random actions."""
    from dm_control.locomotion.examples import basic_rodent_2020 as stock

    builders = {
        "gaps": stock.rodent_run_gaps,
        "forage": stock.rodent_maze_forage,
        "escape": stock.rodent_escape_bowl,
        "two_tap": stock.rodent_two_touch,
    }
    environment = builders[task](random_state=1)
    environment.reset()
    draws = np.random.default_rng(1)

    def step() -> None:
        if environment.step(draws.uniform(-1, 1, 38)).last():
            environment.reset()

    each_ms = _each_ms(step, seconds)
    environment.close()
    return each_ms
