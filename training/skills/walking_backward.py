"""Find how to walk backwards: a control law under which the running gait's legs swing the other way.

It has the form of `training.skills.steering`, but both sides alike, and belongs to the same gait:
`Skills.walking_backward` takes the speed command `SPEED` and, in place of a yaw rate, `COMMAND`. An animal
that came too near to its target needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.skills.body import FELL_BELOW_UP, Bodies
from training.skills.gait import Gait, sided
from training.skills.search import SearchSettings, SearchState, search
from training.skills.steering import LIMB, YAW_SCALE_RAD_S, Steering

Array = np.ndarray

SPEED, COMMAND = 0.4, YAW_SCALE_RAD_S
"""The commands that the control law is searched for."""
N_PARAMETERS = 2 * len(LIMB)
DRIVING = ("hip_extend", "shoulder", "scapula_extend")
"""Joints whose swing the initial parameters reverse."""
HEAD_UP = {"cervical_extend": -1.0, "atlas": 1.0}
"""Added to the control in every other trial: an animal that steps back from an orb looks up at it."""
STARTS = 2
"""Trials of a candidate, every other one with the head up."""


@dataclass(frozen=True)
class WalkingBackwardSettings:
    """Settings of the search; `target_speed_m_s` is backwards, `rollout_s` the length of a trial."""

    generations: int = 60
    population: int = 12
    sigma: float = 0.4
    target_speed_m_s: float = 0.3
    action_noise: float = 0.07
    rollout_s: float = 1.4
    seed: int = 1


def control_law(gait: Gait, parameters: Array, actuators: Mapping[str, int]) -> Steering:
    """The gait with a candidate's control law, the same on both sides.

    Args:
        gait: the gait.
        parameters: (N_PARAMETERS,) float64; for each limb joint, what is added to its offset and to its
            swing.
        actuators: index of each actuator by name.
    """
    held, swing = np.zeros(len(actuators)), np.zeros(len(actuators))
    for k, joint in enumerate(LIMB):
        for side in "LR":
            held[actuators[sided(joint, side)]] = 0.5 * parameters[2 * k]
            swing[actuators[sided(joint, side)]] = parameters[2 * k + 1]
    return Steering(gait, held, swing)


def initial_parameters() -> Array:
    """Parameters (N_PARAMETERS,) that swing the joints in `DRIVING` the other way, half as far."""
    parameters = np.zeros(N_PARAMETERS)
    for joint in DRIVING:
        parameters[2 * LIMB.index(joint) + 1] = -1.5
    return parameters


def measure(
    bodies: Bodies, control_laws: list[Steering], starts: Array, noise: Array, first_phase: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """How control laws move the animal at `SPEED` and `COMMAND`.

    Args:
        bodies: the physics.
        control_laws: n gaits with control laws.
        starts: (s, state).
        noise: (s, ticks, actuators) motor noise.
        first_phase: (s,) phases to begin with, in cycles.

    Returns:
        Speeds forward and to the left (m/s), yaw rate (rad/s), least uprightness (-1 where the simulation
        diverged) and mean tilt (1 - uprightness): five arrays (n, s) float64.
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
    """Search at stock physics; resumes, and writes `walking_backward.npz`.

    Args:
        gait: the running gait.
        settings: of the search.
        folder: for the checkpoint and the result.
        threads: threads for physics.
        report: called after every generation with the search's state, and the mean's speed forward (m/s)
            without noise.

    Returns:
        The gait with its control law of walking backwards.
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
            + (lowest < FELL_BELOW_UP)
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
