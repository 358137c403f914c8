"""The parts of a tick, each alone in this process: what a session could at best cost, and the stock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import agent
from agent.subject import CAMERA
from rig.animal import Animal
from rig.random_streams import generator

WARM_UP = 25
SEED = 1


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
    """Median wall milliseconds of a call, over so many seconds, after a warm-up."""
    for _ in range(WARM_UP):
        do()
    stamps = [time.perf_counter()]
    while stamps[-1] - stamps[0] < seconds:
        do()
        stamps.append(time.perf_counter())
    return float(np.median(np.diff(stamps)) * 1e3)


def limit(task: str, subject_name: str, ticks: int) -> Limit:
    """The parts along the way that the session with seed 1 goes, as far as no stimulus changes it.

    The same animal, seed and motor noise meet the same contacts and views; each part is timed for itself,
    with nothing else running: physics with the task's hooks, one camera frame, one network forward.
    """
    subject = agent.load(subject_name)
    animal = Animal(task, SEED)
    parts_s = []
    trial = -1
    over = True
    for tick in range(ticks):
        if over:
            trial += 1
            animal.begin_trial(trial)
            subject.reset()
        observation = animal.proprioception()
        noise = generator(SEED, "motor noise", tick).standard_normal(38)
        t0 = time.perf_counter()
        observation[CAMERA] = animal.render()
        t1 = time.perf_counter()
        action = subject.step(observation, (), noise).action
        t2 = time.perf_counter()
        over = animal.act(action).over
        t3 = time.perf_counter()
        parts_s.append((t3 - t2, t1 - t0, t2 - t1))
    animal.close()
    return Limit(*(float(part) for part in 1e3 * np.median(parts_s[WARM_UP:], axis=0)))


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
