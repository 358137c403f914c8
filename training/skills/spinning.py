"""Find how to turn on the spot: a control law under which one side's legs step backwards.

It has the form of `training.skills.steering` and belongs to the same gait: `Skills.spinning` takes the speed
command `SPEED` and yaw rates up to +-`YAW_RAD_S`. The search rewards turning without travelling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.skills.body import FELL_BELOW_UP, Bodies
from training.skills.gait import sided
from training.skills.search import SearchSettings, SearchState, search
from training.skills.steering import LIMB, TRUNK, Steering, control_law

Array = np.ndarray

SPEED, YAW_RAD_S = 0.4, 3.0
"""The commands that the control law is searched for."""


@dataclass(frozen=True)
class SpinningSettings:
    """Settings of the search; `starts` are the trials of a candidate, `rollout_s` the length of one."""

    generations: int = 40
    population: int = 12
    starts: int = 2
    sigma: float = 0.3
    action_noise: float = 0.07
    rollout_s: float = 1.4
    seed: int = 5


def parameters_of(steering: Steering, bodies: Bodies) -> Array:
    """Parameters (N_PARAMETERS,) from which `steering.control_law` makes this steering again."""
    index = bodies.actuators
    limbs = [
        (2 * steering.held[index[sided(j, "L")]], steering.swing[index[sided(j, "L")]])
        for j in LIMB
    ]
    return np.concatenate([np.ravel(limbs), [2 * steering.held[index[j]] for j in TRUNK]])


def measure(
    bodies: Bodies,
    steerings: list[Steering],
    speed: float,
    yaw: float,
    starts: Array,
    noise: Array,
    first_phase: Array,
) -> tuple[Array, Array, Array, Array]:
    """How control laws turn the animal at one command.

    Args:
        bodies: the physics.
        steerings: n gaits with control laws.
        speed: speed command.
        yaw: yaw rate command (rad/s).
        starts: (s, state).
        noise: (s, ticks, actuators) motor noise.
        first_phase: (s,) phases to begin with, in cycles.

    Returns:
        Yaw rate (rad/s), travel (m/s), mean tilt (1 - uprightness) and least uprightness (-1 where the
        simulation diverged): four arrays (n, s) float64.
    """
    n_starts, ticks = noise.shape[:2]
    settled = ticks // 4
    actions = []
    for steering in steerings:
        step = steering.cycles_per_tick(np.array([speed]))[0]
        for phase in first_phase:
            clock = phase + np.arange(ticks) * step
            actions.append(steering.control(clock, np.full(ticks, speed), np.full(ticks, yaw)))
    applied = np.clip(np.stack(actions) + np.tile(noise, (len(steerings), 1, 1)), -1, 1)
    states, _ = bodies.run(np.tile(starts, (len(steerings), 1)), applied)
    finite = np.isfinite(states).all((1, 2))
    motion = bodies.motion(np.where(finite[:, None, None], states, 0.0))
    seconds = (ticks - 1 - settled) * 0.02
    turned = (motion.yaw_rad[:, -1] - motion.yaw_rad[:, settled]) / seconds
    # over one stride and a bit, so that the sway of each step does not count
    apart = 12
    dx = motion.x_m[:, settled + apart :] - motion.x_m[:, settled:-apart]
    dy = motion.y_m[:, settled + apart :] - motion.y_m[:, settled:-apart]
    travel = np.hypot(dx, dy).mean(1) / (apart * 0.02)
    lowest = np.where(finite, motion.upright.min(1), -1.0)
    tilt = (1 - motion.upright).mean(1)
    shape = (len(steerings), n_starts)
    return tuple(a.reshape(shape) for a in (turned, travel, tilt, lowest))  # type: ignore[return-value]


def trial_costs(
    bodies: Bodies,
    control_laws: list[Steering],
    settings: SpinningSettings,
    side: int,
    n_starts: int,
    rng: np.random.Generator,
) -> Array:
    """Cost of control laws over noisy trials: turning at another rate, travelling and tilting cost.

    Args:
        bodies: the physics.
        control_laws: n gaits with control laws.
        settings: length of a trial and motor noise.
        side: 1 turns left, -1 right.
        n_starts: trials of each.
        rng: for starts, noise and first phases.

    Returns:
        (n,) float64.
    """
    ticks = round(settings.rollout_s * 50)
    starts = np.stack([bodies.disturbed_start(rng) for _ in range(n_starts)])
    noise = rng.normal(0, settings.action_noise, (n_starts, ticks, len(bodies.actuators)))
    turned, travel, tilt, lowest = measure(
        bodies, control_laws, SPEED, side * YAW_RAD_S, starts, noise, rng.random(n_starts)
    )
    cost = (
        np.abs(YAW_RAD_S - side * turned) / YAW_RAD_S
        + 4 * travel
        + 2 * tilt
        + (lowest < FELL_BELOW_UP)
    )
    return np.asarray(cost.mean(1))


def find(
    base: Steering,
    settings: SpinningSettings,
    folder: Path,
    threads: int,
    report: Callable[[SearchState, float, float], None],
) -> Steering:
    """Search, beginning with an exaggerated control law of running; resumes, and writes `spinning.npz`.

    Args:
        base: the gait with its control law of running.
        settings: of the search.
        folder: for the checkpoint and the result.
        threads: threads for physics.
        report: called after every generation with the search's state, and the mean's yaw rate (rad/s) and
            travel (m/s) without noise.

    Returns:
        The gait with its control law of turning on the spot.
    """
    bodies = Bodies(coarse=False, threads=threads)
    rng = np.random.default_rng(settings.seed)
    ticks = round(settings.rollout_s * 50)

    def cost(candidates: Array) -> Array:
        control_laws = [control_law(base.gait, c, bodies.actuators) for c in candidates]
        side = 1 if rng.random() < 0.5 else -1
        found = trial_costs(bodies, control_laws, settings, side, settings.starts, rng)
        return np.asarray(found + 0.02 * (candidates**2).mean(1))

    def progress(state: SearchState) -> None:
        steering = control_law(base.gait, state.mean, bodies.actuators)
        turned, travel, _, _ = measure(
            bodies,
            [steering],
            SPEED,
            YAW_RAD_S,
            bodies.start[None],
            np.zeros((1, ticks, len(bodies.actuators))),
            np.zeros(1),
        )
        report(state, float(turned[0, 0]), float(travel[0, 0]))

    found = search(
        cost,
        1.5 * parameters_of(base, bodies),
        SearchSettings(settings.generations, settings.population, settings.sigma, settings.seed),
        folder / "spinning-search.npz",
        progress,
    )
    steering = _better(bodies, base, settings, [found.mean, found.best], rng)
    steering.save(folder / "spinning.npz")
    return steering


def _better(
    bodies: Bodies,
    base: Steering,
    settings: SpinningSettings,
    candidates: list[Array],
    rng: np.random.Generator,
) -> Steering:
    """The candidate (N_PARAMETERS,) that costs least in new trials to both sides, as a control law."""
    control_laws = [control_law(base.gait, c, bodies.actuators) for c in candidates]
    total = np.zeros(len(control_laws))
    for side in (1, -1):
        total += trial_costs(bodies, control_laws, settings, side, 6, rng)
    return control_laws[int(total.argmin())]
