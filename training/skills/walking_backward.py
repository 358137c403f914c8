"""Find how to walk backwards: a law under which the running gait's legs swing the other way.

The law has the form of `training.skills.steering`, but both sides alike, and is found for the same gait, so
that whoever can run with one can step back with the other: `Skills.walking_backward`, commanded `SPEED` and, where a steering law takes its yaw rate, `COMMAND`. An animal that came too near to
what it wants to reach needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.skills.body import Bodies
from training.skills.gait import Gait, sided
from training.skills.search import SearchSettings, SearchState, search
from training.skills.steering import LIMB, YAW_SCALE_RAD_S, Steering

Array = np.ndarray

SPEED, COMMAND = 0.4, YAW_SCALE_RAD_S
"""The command that the law is found for."""
N_PARAMETERS = 2 * len(LIMB)
DRIVING = ("hip_extend", "shoulder", "scapula_extend")
"""Joints whose swing is turned round in the first guess."""
HEAD_UP = {"cervical_extend": -1.0, "atlas": 1.0}
"""Added in every other trial: who steps back from an orb looks up at it."""
STARTS = 2
"""Trials of a candidate, one of them with the head up."""


@dataclass(frozen=True)
class WalkingBackwardSettings:
    """Settings of the search; `target_speed_m_s` is backwards."""

    generations: int = 60
    population: int = 12
    sigma: float = 0.4
    target_speed_m_s: float = 0.3
    action_noise: float = 0.07
    rollout_s: float = 1.4
    seed: int = 1


def control_law(gait: Gait, parameters: Array, actuators: Mapping[str, int]) -> Steering:
    """What one candidate (N_PARAMETERS,) stands for: per limb joint, what is added to offset and swing."""
    held, swing = np.zeros(len(actuators)), np.zeros(len(actuators))
    for k, joint in enumerate(LIMB):
        for side in "LR":
            held[actuators[sided(joint, side)]] = 0.5 * parameters[2 * k]
            swing[actuators[sided(joint, side)]] = parameters[2 * k + 1]
    return Steering(gait, held, swing)


def initial_parameters() -> Array:
    """(N_PARAMETERS,) that swing the joints which drive the legs the other way, half as far."""
    parameters = np.zeros(N_PARAMETERS)
    for joint in DRIVING:
        parameters[2 * LIMB.index(joint) + 1] = -1.5
    return parameters


def measure(
    bodies: Bodies, control_laws: list[Steering], starts: Array, noise: Array, first_phase: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Speed forwards and sideways (m/s), yaw rate (rad/s), lowest uprightness and mean tilt.

    Args:
        bodies: the rodent.
        control_laws: n of them.
        starts: (s, state).
        noise: (s, ticks, actuators) added to the actions.
        first_phase: (s,) phases to begin with, in cycles.

    Returns:
        Five arrays (n, s).
    """
    n_starts, ticks = noise.shape[:2]
    settled = ticks // 4
    actions = []
    for one in control_laws:
        step = one.cycles_per_tick(np.array([SPEED]))[0]
        for trial, phase in enumerate(first_phase):
            clock = phase + np.arange(ticks) * step
            control = one.control(clock, np.full(ticks, SPEED), np.full(ticks, COMMAND))
            if trial % 2:
                for joint, lift in HEAD_UP.items():
                    control[:, bodies.actuators[joint]] += lift
            actions.append(control)
    applied = np.clip(np.stack(actions) + np.tile(noise, (len(control_laws), 1, 1)), -1, 1)
    states, _ = bodies.run(np.tile(starts, (len(control_laws), 1)), applied)
    finite = np.isfinite(states).all((1, 2))
    motion = bodies.motion(np.where(finite[:, None, None], states, 0.0))
    seconds = (ticks - 1 - settled) * 0.02
    dx, dy = np.diff(motion.x_m[:, settled:]), np.diff(motion.y_m[:, settled:])
    heading = motion.yaw_rad[:, settled:-1]
    forwards = (dx * np.cos(heading) + dy * np.sin(heading)).sum(1) / seconds
    sideways = (dy * np.cos(heading) - dx * np.sin(heading)).sum(1) / seconds
    turned = (motion.yaw_rad[:, -1] - motion.yaw_rad[:, settled]) / seconds
    lowest = np.where(finite, motion.upright.min(1), -1.0)
    tilt = (1 - motion.upright).mean(1)
    shape = (len(control_laws), n_starts)
    found = (forwards, sideways, turned, lowest, tilt)
    return tuple(a.reshape(shape) for a in found)  # type: ignore[return-value]


def find(
    gait: Gait,
    settings: WalkingBackwardSettings,
    folder: Path,
    threads: int,
    report: Callable[[SearchState, float], None],
) -> Steering:
    """Search for the law at stock physics, resuming; writes `walking_backward.npz`.

    `report` gets the search's state and the mean law's speed forwards (m/s), without noise.
    """
    bodies = Bodies(coarse=False, threads=threads)
    rng = np.random.default_rng(settings.seed)
    shape = (STARTS, round(settings.rollout_s * 50), len(bodies.actuators))

    def cost(candidates: Array) -> Array:
        control_laws = [control_law(gait, one, bodies.actuators) for one in candidates]
        starts = np.stack([bodies.disturbed_start(rng) for _ in range(STARTS)])
        noise = rng.normal(0, settings.action_noise, shape)
        forwards, sideways, turned, lowest, tilt = measure(
            bodies, control_laws, starts, noise, rng.random(STARTS)
        )
        found = (
            3 * np.maximum(forwards + settings.target_speed_m_s, 0)
            + 0.5 * np.abs(sideways)
            + 0.15 * np.abs(turned)
            + 2 * tilt
            + (lowest < 0.5)
        )
        return np.asarray(found.mean(1) + 0.02 * (candidates**2).mean(1))

    def progress(state: SearchState) -> None:
        one = [control_law(gait, state.mean, bodies.actuators)]
        starts = np.tile(bodies.start, (STARTS, 1))
        forwards = measure(bodies, one, starts, np.zeros(shape), np.zeros(STARTS))[0]
        report(state, float(forwards.mean()))

    found = search(
        cost,
        initial_parameters(),
        SearchSettings(settings.generations, settings.population, settings.sigma, settings.seed),
        folder / "walking_backward-search.npz",
        progress,
    )
    result = control_law(gait, found.mean, bodies.actuators)
    result.save(folder / "walking_backward.npz")
    return result
