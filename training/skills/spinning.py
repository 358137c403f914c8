"""Find how to turn on the spot: a steering law under which one side's legs step backwards.

The law has the form of `training.skills.steering` and is found for the same gait, so that whoever can
run with one can spin with the other: `Locomotion(steering.load("spinning.npz"))`, commanded `SPEED` and a
yaw rate of up to +-`YAW_RAD_S`. What is asked for is turning without travelling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.skills.body import Bodies
from training.skills.gait import sided
from training.skills.search import SearchSettings, SearchState, search
from training.skills.steering import LIMB, TRUNK, Steering, control_law

Array = np.ndarray

SPEED, YAW_RAD_S = 0.4, 3.0
"""The command that the law is found for."""


@dataclass(frozen=True)
class SpinningSettings:
    """Settings of the search."""

    generations: int = 40
    population: int = 12
    starts: int = 2
    sigma: float = 0.3
    action_noise: float = 0.07
    rollout_s: float = 1.4
    seed: int = 5


def parameters_of(steering: Steering, bodies: Bodies) -> Array:
    """(N_PARAMETERS,) from which `steering.control_law` makes this steering again."""
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
    """Yaw rate (rad/s), travel (m/s of the mean motion), mean tilt and lowest uprightness.

    Args:
        bodies: the rodent.
        steerings: n control_laws.
        speed, yaw: the command.
        starts: (s, state).
        noise: (s, ticks, actuators) added to the actions.
        first_phase: (s,) phases to begin with, in cycles.

    Returns:
        Four arrays (n, s).
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
    """Cost (n,) of each law in one noisy trial: turning slower than commanded, travelling, tilting.

    Turning is to the left (`side` 1) or right (-1).
    """
    ticks = round(settings.rollout_s * 50)
    starts = np.stack([bodies.disturbed_start(rng) for _ in range(n_starts)])
    noise = rng.normal(0, settings.action_noise, (n_starts, ticks, len(bodies.actuators)))
    turned, travel, tilt, lowest = measure(
        bodies, control_laws, SPEED, side * YAW_RAD_S, starts, noise, rng.random(n_starts)
    )
    cost = np.abs(YAW_RAD_S - side * turned) / YAW_RAD_S + 4 * travel + 2 * tilt + (lowest < 0.5)
    return np.asarray(cost.mean(1))


def find(
    base: Steering,
    settings: SpinningSettings,
    folder: Path,
    threads: int,
    report: Callable[[SearchState, float, float], None],
) -> Steering:
    """Search on from the law of running, resuming; writes `spinning.npz`.

    `report` gets the search's state and the mean law's yaw rate (rad/s) and travel (m/s) without noise.
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
    """The one that costs less in fresh trials, to both sides."""
    control_laws = [control_law(base.gait, c, bodies.actuators) for c in candidates]
    total = np.zeros(len(control_laws))
    for side in (1, -1):
        total += trial_costs(bodies, control_laws, settings, side, 6, rng)
    return control_laws[int(total.argmin())]
