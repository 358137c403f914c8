"""Find reflexes that keep the running animal on its feet: how the limbs answer to pitch and roll.

A bound is fast and falls easily. Reflexes are linear: the trunk's tilt and its rate, times a gain, added to
the actions of some joints, the same on both sides for pitch and opposite for roll. The gains are found by an
evolution strategy in closed loop, at stock physics: the expert runs and steers with noise on its actions,
from starts at odd headings, and what counts is how far it gets and that it does not fall.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.training.expert import Expert, Guidance
from agent.training.flock import Flock
from agent.training.gait import sided
from agent.training.search import SearchSettings, SearchState, search, write_arrays
from agent.training.steering import Steering

Array = np.ndarray

PITCH = ("hip_extend", "knee", "shoulder", "elbow", "scapula_extend", "lumbar_extend")
ROLL = ("hip_abduct", "scapula_abduct", "hip_extend", "shoulder")
N_SIGNALS = 4
"""Pitch, pitch rate, roll, roll rate; see `Flock.poses`."""
N_PARAMETERS = 2 * len(PITCH) + 2 * len(ROLL)
LYING_COST = 3.0


@dataclass(frozen=True)
class ReflexSettings:
    """Settings of the reflex search; `starts` is how often each candidate is tried."""

    generations: int = 25
    population: int = 10
    starts: int = 2
    rollout_s: float = 1.8
    action_noise: float = 0.08
    sigma: float = 0.3
    seed: int = 3


def gains(parameters: Array, actuators: Mapping[str, int]) -> Array:
    """(N_PARAMETERS,) to gains (N_SIGNALS, actuators)."""
    out = np.zeros((N_SIGNALS, len(actuators)))
    values = iter(parameters)
    for joint in PITCH:
        names = [joint] if joint in actuators else [sided(joint, side) for side in "LR"]
        for signal in (0, 1):
            value = next(values)
            for name in names:
                out[signal, actuators[name]] = value
    for joint in ROLL:
        for signal in (2, 3):
            value = next(values)
            for side, sign in (("L", 1), ("R", -1)):
                out[signal, actuators[sided(joint, side)]] = sign * value
    return out


def load(path: Path) -> Array:
    """The gains (N_SIGNALS, actuators) that `find` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        return np.asarray(saved["gains"])


def costs(
    flock: Flock,
    expert: Expert,
    candidates: Array,
    settings: ReflexSettings,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Cost (n,) of each candidate, with its mean speed in m/s and the part of its starts that fell."""
    n, starts = len(candidates), settings.starts
    each = np.repeat([gains(one, flock.actuators) for one in candidates], starts, axis=0)
    ticks = round(settings.rollout_s * 50)
    # the same starts and noise for all candidates
    heading, offset = rng.uniform(-0.5, 0.5, starts), rng.uniform(-0.4, 0.4, starts)
    noise = rng.normal(0, settings.action_noise, (ticks, starts, len(flock.actuators)))
    for index in range(n * starts):
        start = index % starts
        flock.reset(index, float(heading[start]), float(offset[start]))
    begin = flock.poses().x_m
    lying = np.zeros(n * starts)
    for tick in range(ticks):
        poses = flock.poses()
        action = expert.act(flock.activation(), poses) + np.einsum("ns,nsa->na", poses.tilt, each)
        flock.step(np.clip(action, -1, 1) + np.tile(noise[tick], (n, 1)))
        lying += flock.fallen() / ticks
    end = flock.poses()
    speed = np.where(np.isfinite(end.x_m), end.x_m - begin, 0.0) / settings.rollout_s
    cost = -speed + LYING_COST * lying + 0.2 * (np.abs(end.heading_rad) > 0.7)
    shape = (n, starts)
    return (
        cost.reshape(shape).mean(1) + 0.005 * (candidates**2).mean(1),
        speed.reshape(shape).mean(1),
        (lying.reshape(shape) > 0).mean(1),
    )


def find(
    steering: Steering,
    guidance: Guidance,
    settings: ReflexSettings,
    folder: Path,
    threads: int,
    report: Callable[[SearchState, float, float], None],
) -> Array:
    """Search for gains, resuming what `folder` holds; writes `reflex.npz`.

    `report` gets the search's state, and the last generation's mean speed and part of starts that fell.
    """
    flock = Flock(settings.population * settings.starts, threads, 0, settings.seed)
    expert = Expert(steering, guidance)
    rng = np.random.default_rng(settings.seed)
    last = np.zeros(2)

    def cost(candidates: Array) -> Array:
        value, speed, fell = costs(flock, expert, candidates, settings, rng)
        last[:] = speed.mean(), fell.mean()
        return value

    found = search(
        cost,
        np.zeros(N_PARAMETERS),
        SearchSettings(settings.generations, settings.population, settings.sigma, settings.seed),
        folder / "reflex-search.npz",
        lambda state: report(state, float(last[0]), float(last[1])),
    )
    result = gains(found.mean, flock.actuators)
    write_arrays(folder / "reflex.npz", gains=result)
    return result
