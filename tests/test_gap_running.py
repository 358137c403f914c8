"""Running over gaps: what parameters mean, trials over the task's own gaps, a search on several processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.skills import gap_running, running_over_gaps
from training.skills.body import Bodies
from training.skills.gap_courses import Courses, Runs, bank_of
from training.skills.gap_running import (
    LEAPS,
    N_PARAMETERS,
    RUNS,
    felt,
    initial_parameters,
    skill_of,
)
from training.skills.movement_follower import MovementFollower, lagged
from training.skills.running_leap_table import LEAP_TICKS
from training.skills.running_over_gaps import GapSearchSettings, parameters_of
from training.skills.search import SearchState

SKILLS = Path(__file__).parents[1] / "subjects" / "rodent" / "skills"
SHORT = GapSearchSettings(generations=1, population=4, cases=2, trial_s=0.1, animals=2, arenas=1)


@pytest.fixture(scope="module")
def actuators() -> dict[str, int]:
    return Bodies(coarse=True, threads=1).actuators


def test_a_skill_survives_its_file(actuators: dict[str, int], tmp_path: Path) -> None:
    parameters = np.random.default_rng(0).normal(0, 0.2, N_PARAMETERS)
    skill = skill_of(parameters, actuators)
    skill.save(tmp_path / "skill.npz", parameters=parameters)
    kept = gap_running.load(tmp_path / "skill.npz")
    np.testing.assert_array_equal(kept.reflexes, skill.reflexes)
    np.testing.assert_array_equal(kept.leap.added, skill.leap.added)
    assert kept.landing_speed == skill.landing_speed
    np.testing.assert_array_equal(parameters_of(tmp_path / "skill.npz"), parameters)


def test_reflexes_to_pitch_are_alike_on_both_sides_and_those_to_roll_opposite(
    actuators: dict[str, int],
) -> None:
    skill = skill_of(np.random.default_rng(1).normal(0, 0.2, N_PARAMETERS), actuators)
    left, right = actuators["knee_L"], actuators["knee_R"]
    for row in (LEAPS, RUNS):
        np.testing.assert_allclose(skill.reflexes[row, :3, left], skill.reflexes[row, :3, right])
        np.testing.assert_allclose(skill.reflexes[row, 3:, left], -skill.reflexes[row, 3:, right])
    assert np.abs(skill.reflexes[:, :, left]).min() > 0


def test_what_is_felt_is_nothing_at_a_level_run_and_tells_pitch_from_roll() -> None:
    qpos, qvel = np.zeros((3, 7)), np.zeros((3, 6))
    qvel[:, 0] = 0.5
    half = 0.5 * np.arcsin(0.21)
    qpos[:, 3], qpos[:, 5] = np.cos(half), -np.sin(half)  # pitched up as at a run
    qpos[1, 3], qpos[1, 5] = np.cos(half + 0.1), -np.sin(half + 0.1)
    qpos[2, 3:7] = np.cos(0.1), np.sin(0.1), 0, 0
    run, reared, rolled = felt(qpos, qvel)
    np.testing.assert_allclose(run, 0, atol=0.01)
    assert reared[0] > 1
    assert reared[3] == 0
    assert rolled[3] > 1


def test_a_leap_is_followed_through_the_muscles_lag() -> None:
    """A body that does as asked is in the expected tick; a leap does not wait for one that does not."""
    rng = np.random.default_rng(0)
    controls, before = rng.uniform(-1, 1, (LEAP_TICKS, 38)), rng.uniform(-1, 1, 38)
    expected = lagged(controls, before)

    def ticks(activations: np.ndarray, **options: int) -> list[int]:
        follower = MovementFollower(controls, before, 0.1, **options)
        found = []
        for activation in activations:
            follower.next(activation)
            found.append(follower.tick)
        return found

    noisy = expected + rng.normal(0, 0.03, expected.shape)
    assert ticks(noisy, most_behind=3) == [*range(LEAP_TICKS)]
    stands = np.tile(before, (LEAP_TICKS, 1))
    assert max(ticks(stands)) <= 1
    assert all(tick >= k - 3 for k, tick in enumerate(ticks(stands, most_behind=3)))
    half_as_strong = lagged(0.5 * controls, before)
    assert ticks(half_as_strong, most_behind=3)[-1] >= LEAP_TICKS - 4
    # one that may take its time to begin, and then may not stand still
    late = np.concatenate([np.tile(before, (10, 1)), half_as_strong])
    waited = ticks(late, most_behind=3, clock_from=2)
    assert max(waited[:10]) <= 1
    assert waited[-1] >= LEAP_TICKS - 8
    assert max(ticks(stands, most_behind=3, clock_from=2)) <= 1


def test_a_movement_that_is_found_in_its_middle_is_timed_from_there() -> None:
    controls, before = np.linspace(0, 1, LEAP_TICKS)[:, None], np.zeros(1)
    follower = MovementFollower(controls, before, 1e-4, most_behind=3, clock_from=1)
    there = lagged(controls, before)[10]
    follower.find(there)
    assert follower.clock == 10
    stuck = []
    for _ in range(8):
        follower.next(there)
        stuck.append(follower.tick)
    assert stuck[0] in (9, 10)
    assert stuck[-1] == 14, "three behind the clock, which is at 17"


def test_the_shipped_skill_crosses_where_the_gait_alone_falls(actuators: dict[str, int]) -> None:
    stepping = SKILLS / "stepping.npz"
    courses = Courses(stepping, (5,))
    bank = bank_of(stepping, 3, 0.03, 3)
    trials = courses.draw(bank, 4, np.random.default_rng(2), 50, 0.01, action_noise=0.03)
    skill = gap_running.load(SKILLS / "gap_running.npz")
    crossed = courses.run(skill, trials)
    assert crossed.crossed.sum() >= 3
    nothing = skill.leap
    nothing = replace(nothing, added=0 * nothing.added, share=0 * nothing.share + 1)
    runs_on = replace(skill, leap=nothing, sided=0 * skill.sided, reflexes=0 * skill.reflexes)
    fell = courses.run(runs_on, trials)
    assert fell.fell.sum() >= 3
    assert fell.cost.mean() > crossed.cost.mean() + 1
    assert fell.ticks == fell.lasted.sum() < crossed.ticks


def test_a_search_on_two_processes_is_that_on_one_and_ends_in_time(tmp_path: Path) -> None:
    start = initial_parameters(parameters_of(SKILLS / "running_leap.npz")[:100])
    told: list[int] = []

    def report(state: SearchState, last: Sequence[Runs]) -> None:
        told.append(state.generation)
        assert [one.fell.shape for one in last] == [(2,)] * 4

    def search(folder: Path, jobs: int, minutes: float) -> np.ndarray:
        running_over_gaps.find(SKILLS, SHORT, folder, report, start, jobs, minutes)
        return parameters_of(folder / "gap_running.npz")

    parallel = search(tmp_path / "a", 2, 60)
    assert np.abs(parallel - start).max() > 0
    np.testing.assert_array_equal(search(tmp_path / "b", 1, 60), parallel)
    assert told == [1, 1]
    running_over_gaps.find(
        SKILLS, replace(SHORT, generations=9), tmp_path / "a", report, start, minutes=0
    )
    assert told == [1, 1]
