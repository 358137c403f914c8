"""Run the task's own corridor by the running leap alone: approach, leap, run on, without an expert around it.

    python -m training.skills.running_leap_arena subjects/rodent/skills --episodes 10

It is a measurement of the skill where it is to be used, gaps in a row and platforms of the task's own lengths
included. An episode ends with the first fall; there is no standing leap to fall back on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from rig.arenas import tasks
from rig.arenas.gaps import gaps_of
from training.skills import steering
from training.skills.body import SPEC
from training.skills.running_leap_approach import BEARS_M, NEAR_M, approach_speed
from training.skills.running_leap_table import LEAP_TICKS, load
from training.skills.running_leap_trials import HEAD_DOWN, HEAD_DOWN_NEAR, REARED_BELOW, Runway

STEERS_WITHIN_M = 0.65
"""From so far on the speed is chosen so that a hit falls at the leap's place."""
FALLEN_M = -0.03
"""An animal whose root is below this height, or less upright than 0.3, has fallen."""


@dataclass(frozen=True)
class Met:
    """A gap that an animal came to.

    Attributes:
        width_m: of the gap.
        offset_m: how much farther from the edge than the leap asks for it began; NaN where none began.
        crossed: whether the animal was upright behind it.
    """

    width_m: float
    offset_m: float
    crossed: bool


@dataclass(frozen=True)
class Course:
    """An episode: the gaps in order, how far the animal came in what time, and whether it fell."""

    gaps: list[Met]
    ran_m: float
    lasted_s: float
    fell: bool


def run_corridor(skills: Path, seed: int, duration_s: float, action_noise: float) -> Course:
    """Run one episode at stock physics.

    Args:
        skills: folder with `stepping.npz` and `running_leap.npz`.
        seed: of the corridor and the noise.
        duration_s: at most.
        action_noise: standard deviation of what is added to the actions.
    """
    environment = tasks.make("gaps", seed)
    environment.reset()
    model, data = environment.physics.model.ptr, environment.physics.data.ptr
    near, far = gaps_of(model, data)
    runway, leap = Runway(steering.load(skills / "stepping.npz")), load(skills / "running_leap.npz")
    stand = runway.platforms.stand
    rng, state = np.random.default_rng(seed), np.zeros_like(runway.bodies.start)
    began_m = float(data.qpos[0])
    offsets = np.full(len(near), np.nan)
    tick_of_leap, last, fell, lasted = LEAP_TICKS, 0.0, False, 0
    for _ in range(round(duration_s / 0.02)):
        mujoco.mj_getState(model, data, state, SPEC)
        x, upright = float(data.qpos[0]), float(runway.upright(state[None])[0])
        fell = upright < 0.3 or float(data.qpos[2]) < FALLEN_M
        if fell:
            break
        # the next gap is the first whose leap may still begin
        following = int(np.searchsorted(near, x + leap.before_m - BEARS_M))
        left = float(near[following]) - x - leap.before_m if following < len(near) else np.inf
        head = HEAD_DOWN_NEAR if left + leap.before_m < NEAR_M else HEAD_DOWN
        full = np.ones(1)
        action, phase = runway.gait(state[None], full)
        if tick_of_leap >= LEAP_TICKS:
            steers = left < STEERS_WITHIN_M
            speed = approach_speed(phase, np.array([left])) if steers else full
            speed = np.zeros(1) if upright < REARED_BELOW else speed
            action, phase = runway.gait(state[None], speed, head)
        half = float(2 * phase[0]) % 1.0
        hit, last = half < last - 0.5, half
        if tick_of_leap >= LEAP_TICKS and hit and abs(left) <= BEARS_M:
            offsets[following], tick_of_leap = left, 0
        control = action[0]
        if tick_of_leap < LEAP_TICKS:
            action, _ = runway.gait(state[None], full)
            control = leap.control(tick_of_leap, action[0], stand)
            tick_of_leap += 1
        noisy = control + rng.normal(0, action_noise, len(control))
        lasted += 1
        if environment.step(np.clip(noisy, -1, 1)).last():
            break
    x = float(data.qpos[0])
    met = [
        Met(float(far[k] - near[k]), float(offsets[k]), x > far[k] + 0.03)
        for k in range(len(near))
        if near[k] < x + leap.before_m
    ]
    return Course(met, x - began_m, lasted * 0.02, fell)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.skills.running_leap_arena")
    parser.add_argument("skills", type=Path, help="folder with stepping.npz and running_leap.npz")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--duration-s", type=float, default=30.0)
    parser.add_argument("--noise", type=float, default=0.07)
    given = parser.parse_args(arguments)
    courses = []
    for seed in range(given.seed, given.seed + given.episodes):
        course = run_corridor(given.skills, seed, given.duration_s, given.noise)
        courses.append(course)
        gaps = " ".join(
            f"{100 * one.width_m:.0f}{'+' if one.crossed else '-'}({100 * one.offset_m:+.1f})"
            for one in course.gaps
        )
        print(
            f"{seed}: {course.ran_m:.2f} m in {course.lasted_s:.1f} s"
            f"{', fell' if course.fell else ''}; gaps in cm, crossed or not, offset: {gaps}",
            flush=True,
        )
    gaps_met = [one for course in courses for one in course.gaps]
    begun = [one for one in gaps_met if np.isfinite(one.offset_m)]
    seconds = sum(course.lasted_s for course in courses)
    print(
        f"crossed {sum(one.crossed for one in gaps_met)} of {len(gaps_met)}; "
        f"leapt at {len(begun)} of them, crossed {sum(one.crossed for one in begun)}; "
        f"{sum(course.ran_m for course in courses) / seconds:.2f} m/s; "
        f"{sum(course.fell for course in courses)} of {len(courses)} fell"
    )


if __name__ == "__main__":
    main()
