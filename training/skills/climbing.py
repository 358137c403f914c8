"""Adapt the gait to rough ground: an evolution-strategy search on the slopes of the bowl.

The trot of the flat floor hardly advances among the bowl's bumps, which are as wide as the animal is long.
The search varies what changes a trot as a whole: each joint's offset, how far hind and forelimbs swing, the
stride frequency, and how far the joints follow the trunk's pitch. Candidates follow the gentlest way out from
random places, steered by the flat floor's control law, with motor noise; they are scored by how far they get
along it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.skills.body import TOPPLED_BELOW_UP
from training.skills.gait import (
    FORELIMB,
    HELD,
    N_PHASES,
    OSCILLATING,
    SPINE,
    TWO_HARMONICS,
    Gait,
    pattern,
    sided,
    stride_hz,
)
from training.skills.locomotion import Locomotion
from training.skills.righting import BowlBodies, up_in_body
from training.skills.search import SearchSettings, SearchState, read_arrays, search, write_arrays
from training.skills.steering import Steering
from training.skills.terrain import WayOut

Array = np.ndarray

LEANING = ("hip_extend", "knee", "shoulder", "elbow", "lumbar_extend", "cervical_extend")
N_PARAMETERS = 3 + len(OSCILLATING) + len(HELD) + len(SPINE) + len(LEANING)
INITIAL_HELD = {"hip_extend": 0.3, "shoulder": 0.3}
"""Control added to hips and shoulders in the initial parameters; chosen by hand, for few falls."""


@dataclass(frozen=True)
class ClimbingSettings:
    """Settings of the search.

    Attributes:
        coarse_generations, stock_generations: in coarse, then in stock physics.
        population: candidates in a generation.
        starts: trials of a candidate.
        coarse_sigma, stock_sigma: first step sizes.
        action_noise: motor noise (sd).
        rollout_s: length of a trial.
        radius_m: least and greatest distance from the centre at which a trial begins.
        seed: of everything random in the search.
    """

    coarse_generations: int = 40
    stock_generations: int = 10
    population: int = 12
    starts: int = 6
    coarse_sigma: float = 0.3
    stock_sigma: float = 0.15
    action_noise: float = 0.07
    rollout_s: float = 1.5
    radius_m: tuple[float, float] = (0.8, 2.2)
    seed: int = 6


@dataclass(frozen=True)
class Climbing:
    """The gait for rough ground, and how far its joints follow a slope.

    Attributes:
        steering: the gait, with the flat floor's control law of turning.
        lean: (actuators,) float64 added to the action, times the upward part of the trunk's forward axis.
    """

    steering: Steering
    lean: Array


def load(path: Path) -> Climbing:
    """The skill that `save` wrote."""
    saved = read_arrays(path)
    gait = Gait(saved["control"], float(saved["stride_hz"]))
    return Climbing(Steering(gait, saved["held"], saved["swing"]), saved["lean"])


def initial_parameters() -> Array:
    """Parameters (N_PARAMETERS,) of the flat floor's gait with hips and shoulders extended."""
    parameters = np.zeros(N_PARAMETERS)
    for joint, held in INITIAL_HELD.items():
        parameters[3 + OSCILLATING.index(joint)] = held / 0.5
    return parameters


def climbing_of(
    parameters: Array, start: Array, flat: Steering, actuators: Mapping[str, int], style: str
) -> Climbing:
    """The gait for rough ground of a candidate.

    Args:
        parameters: (N_PARAMETERS,) float64, changes of `start`.
        start: (gait.N_PARAMETERS,) parameters of the flat floor's gait.
        flat: that gait, whose control law of turning is kept.
        actuators: index of each actuator by name.
        style: that gait's, "trot" or "bound".
    """
    frequency, hind, fore = parameters[:3]
    offsets = iter(parameters[3 : N_PARAMETERS - len(LEANING)])
    changed = start.copy()
    changed[0] += frequency
    index = 2
    for joint in OSCILLATING:
        changed[index] += next(offsets)
        swing = np.exp(0.5 * (fore if joint in FORELIMB else hind))
        changed[index + 1] *= swing
        if joint in TWO_HARMONICS:
            changed[index + 3] *= swing
        index += 5 if joint in TWO_HARMONICS else 3
    for _ in HELD:
        changed[index] += next(offsets)
        index += 1
    for _ in SPINE:
        changed[index] += next(offsets)
        index += 3
    lean = np.zeros(len(actuators))
    for joint, value in zip(LEANING, parameters[N_PARAMETERS - len(LEANING) :], strict=True):
        for name in (joint,) if joint in SPINE else (sided(joint, "L"), sided(joint, "R")):
            lean[actuators[name]] = value
    phase = np.arange(N_PHASES)[None] / N_PHASES
    table = pattern(changed[None], phase, actuators, style)[0]
    gait = Gait(table, float(stride_hz(changed[None])[0]))
    return Climbing(Steering(gait, flat.held, flat.swing), lean)


def run(
    bodies: BowlBodies, way: WayOut, climbing: Climbing, states: Array, noise: Array
) -> tuple[Array, Array, Array]:
    """Run along the way out, from n starts.

    Args:
        bodies: the physics.
        way: out of this terrain.
        climbing: the gait.
        states: (n, state) to begin with.
        noise: (n, ticks, actuators) motor noise.

    Returns:
        Metres gained along the way, mean uprightness, and 1 where the animal toppled, else 0: three arrays
        (n,) float64.
    """
    locomotion, now = Locomotion(climbing.steering), states.copy()
    n, ticks = noise.shape[:2]
    gained, upright, toppled, speed = (np.zeros(n) for _ in range(4))
    for tick in range(ticks):
        on = np.flatnonzero(toppled == 0)
        if not len(on):
            break
        qpos, _, activation = bodies.split(now[on])
        up = up_in_body(qpos)
        w, a, b, c = qpos[:, 3:7].T
        yaw = np.arctan2(2 * (w * c + a * b), 1 - 2 * (b * b + c * c))
        target = np.array([way.heading_rad(x, y) for x, y in qpos[:, :2]])
        error = (target - yaw + np.pi) % (2 * np.pi) - np.pi
        # the commands of `training.experts.corridor.run_along`
        command = 0.5 + 0.5 * np.clip(speed[on] / 0.5, 0, 1)
        action = locomotion.act(activation, command, np.clip(3 * error, -1.6, 1.6))
        action = np.clip(action + up[:, :1] * climbing.lean, -1, 1) + noise[on, tick]
        after = bodies.run(now[on], np.clip(action, -1, 1)[:, None])[0][:, 0]
        finite = np.isfinite(after).all(1)
        moved = np.where(finite[:, None], bodies.split(after)[0][:, :2] - qpos[:, :2], 0.0)
        gained[on] += moved[:, 0] * np.cos(target) + moved[:, 1] * np.sin(target)
        speed[on] = (moved[:, 0] * np.cos(yaw) + moved[:, 1] * np.sin(yaw)) / 0.02
        now[on[finite]] = after[finite]
        above = up_in_body(bodies.split(now[on])[0])[:, 2]
        upright[on] += np.maximum(above, 0) / ticks
        toppled[on] = ~finite | (above < TOPPLED_BELOW_UP)
    return gained, upright, toppled


def costs(
    bodies: BowlBodies, way: WayOut, candidates: list[Climbing], states: Array, noise: Array
) -> Array:
    """Cost of candidates, over the same starts.

    Args:
        bodies: the physics.
        way: out of this terrain.
        candidates: n gaits.
        states: (starts, state).
        noise: (starts, ticks, actuators) motor noise.

    Returns:
        (n,) float64: short ways, tilting and toppling cost.
    """
    cost = []
    for one in candidates:
        gained, upright, toppled = run(bodies, way, one, states, noise)
        cost.append((-gained + 0.3 * (1 - upright) + 0.4 * toppled).mean())
    return np.array(cost)


def on_the_way(
    bodies: BowlBodies,
    way: WayOut,
    stand: Array,
    settings: ClimbingSettings,
    rng: np.random.Generator,
) -> Array:
    """States of animals that stand on ways out, and face along them.

    Args:
        bodies: the physics.
        way: out of this terrain.
        stand: (actuators,) control of the standing posture.
        settings: how many starts, and between which distances from the centre.
        rng: for places, headings and postures.

    Returns:
        (starts, state) float64.
    """
    states = []
    for _ in range(settings.starts):
        angle, goal = rng.uniform(-np.pi, np.pi), rng.uniform(*settings.radius_m)
        x, y = 0.5 * np.cos(angle), 0.5 * np.sin(angle)
        for _ in range(100):
            if np.hypot(x, y) >= goal:
                break
            heading = way.heading_rad(x, y)
            x, y = x + 0.08 * np.cos(heading), y + 0.08 * np.sin(heading)
        half = (way.heading_rad(x, y) + rng.normal(0, 0.4)) / 2
        quaternion = np.array([np.cos(half), 0, 0, np.sin(half)])
        state = bodies.free_state(x, y, quaternion, 0.06, rng)
        bodies.split(state)[2][:] = stand + rng.normal(0, 0.15, len(stand))
        states.append(state)
    settling = np.broadcast_to(stand, (len(states), 6, len(stand)))
    return bodies.run(np.stack(states), settling)[0][:, -1]


def find(
    settings: ClimbingSettings,
    flat: Steering,
    start: Array,
    style: str,
    folder: Path,
    threads: int,
    report: Callable[[str, SearchState, float, float], None],
) -> None:
    """Search from the flat floor's gait, in coarse, then in stock physics; resumes, and writes
    `climbing.npz`.

    Args:
        settings: of the search.
        flat: the flat floor's gait and control law.
        start: (gait.N_PARAMETERS,) parameters that the gait's search found.
        style: the gait's, "trot" or "bound".
        folder: for checkpoints and the result.
        threads: threads for physics.
        report: called after every generation with the physics' name, the search's state, and the mean's
            metres gained and fraction of falls (NaN but in every tenth generation).
    """
    mean, sigma = initial_parameters(), settings.coarse_sigma
    ticks, stand = round(settings.rollout_s * 50), flat.table.mean(0)
    for name, generations in (
        ("coarse", settings.coarse_generations),
        ("stock", settings.stock_generations),
    ):
        bodies = BowlBodies(name == "coarse", threads)
        way, rng = WayOut(bodies.model), np.random.default_rng(settings.seed)

        def cost(
            candidates: Array,
            bodies: BowlBodies = bodies,
            way: WayOut = way,
            rng: np.random.Generator = rng,
        ) -> Array:
            states = on_the_way(bodies, way, stand, settings, rng)
            shape = (settings.starts, ticks, len(bodies.actuators))
            noise = rng.normal(0, settings.action_noise, shape)
            tried = [climbing_of(c, start, flat, bodies.actuators, style) for c in candidates]
            found = costs(bodies, way, tried, states, noise)
            return np.asarray(found + 0.005 * (candidates**2).mean(1))

        def progress(
            state: SearchState,
            bodies: BowlBodies = bodies,
            way: WayOut = way,
            name: str = name,
        ) -> None:
            gained, falls = np.nan, np.nan
            if state.generation % 10 == 0:
                candidate = climbing_of(state.mean, start, flat, bodies.actuators, style)
                gained, falls = score(bodies, way, candidate, stand, settings)
            report(name, state, gained, falls)

        found = search(
            cost,
            mean,
            SearchSettings(generations, settings.population, sigma, settings.seed),
            folder / f"climbing-{name}.npz",
            progress,
        )
        mean, sigma = found.mean, settings.stock_sigma
    # not in between: a finished skill would be overwritten by what its first part found
    save(climbing_of(mean, start, flat, bodies.actuators, style), folder / "climbing.npz")


def score(
    bodies: BowlBodies, way: WayOut, climbing: Climbing, stand: Array, settings: ClimbingSettings
) -> tuple[float, float]:
    """Mean metres gained along the way in a trial, and fraction that toppled, over 16 fixed starts.

    Args:
        bodies: the physics.
        way: out of this terrain.
        climbing: the gait.
        stand: (actuators,) control of the standing posture.
        settings: length of a trial, and motor noise.
    """
    rng = np.random.default_rng(77)
    states = on_the_way(bodies, way, stand, replace(settings, starts=16), rng)
    shape = (16, round(settings.rollout_s * 50), len(bodies.actuators))
    noise = rng.normal(0, settings.action_noise, shape)
    gained, _, toppled = run(bodies, way, climbing, states, noise)
    return float(gained.mean()), float(toppled.mean())


def save(climbing: Climbing, path: Path) -> None:
    """Write the skill; `load` reads it, and `training.skills.steering.load` all of it but `lean`."""
    write_arrays(
        path,
        control=climbing.steering.gait.control,
        stride_hz=np.array(climbing.steering.gait.stride_hz),
        held=climbing.steering.held,
        swing=climbing.steering.swing,
        lean=climbing.lean,
    )
