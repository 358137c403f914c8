"""The running leap: its table, its trials on the real physics, and a search that goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.skills import running_leap, steering
from training.skills.body import Bodies
from training.skills.running_leap import RunningLeapSettings, find, measure
from training.skills.running_leap_approach import (
    SPEEDS,
    STRIDE_M,
    STRIDE_SLOPE,
    approach_speed,
    arrive,
)
from training.skills.running_leap_initial_parameters import INITIAL_PARAMETERS
from training.skills.running_leap_table import (
    JOINTS,
    LEAP_TICKS,
    N_KNOTS,
    N_PARAMETERS,
    TICKS_PER_KNOT,
    RunningLeap,
    leap_of,
    load,
)
from training.skills.running_leap_trials import (
    FAST_TIMESTEP_S,
    Crossings,
    Runway,
)
from training.skills.search import SearchState

SKILLS = Path(__file__).parents[1] / "subjects" / "rodent" / "skills"
SHORT = RunningLeapSettings(
    fast_generations=2,
    fast_population=4,
    fast_cases=2,
    stock_generations=1,
    stock_population=4,
    stock_cases=1,
    animals=2,
)


class Interrupted(Exception):
    """Ends a search in its middle."""


def test_a_leap_moves_both_sides_and_leaves_its_share_of_the_gait(tmp_path: Path) -> None:
    actuators = Bodies(coarse=True, threads=1).actuators
    values = np.zeros((N_KNOTS, len(JOINTS) + 2))
    values[2, JOINTS.index("knee")], values[:, -2], values[:, -1] = 0.6, 0.25, 2.0
    leap_of(np.append(values, 0.5), actuators).save(tmp_path / "leap.npz")
    leap = load(tmp_path / "leap.npz")
    assert leap.before_m == pytest.approx(0.17)
    gait, stand = np.full(len(actuators), 0.4), np.zeros(len(actuators))
    control = leap.control(2 * TICKS_PER_KNOT, gait, stand)
    for side in "LR":
        assert control[actuators[f"knee_{side}"]] == pytest.approx(0.7)
        assert control[actuators[f"ankle_{side}"]] == pytest.approx(0.1)
        assert control[actuators[f"elbow_{side}"]] == pytest.approx(0.4)


def test_an_animal_that_does_not_leap_falls_into_a_wide_gap_and_runs_over_none() -> None:
    base = steering.load(SKILLS / "stepping.npz")
    runs_on = RunningLeap(np.zeros((LEAP_TICKS, 38)), np.ones((LEAP_TICKS, 38)), 0.1)
    runway = Runway(base, FAST_TIMESTEP_S)
    bank = runway.bank(np.random.default_rng(0), 0.02, animals=2)
    assert len(bank) >= 4
    settings = replace(SHORT, narrowest_m=0.18, action_noise=0.02)
    wide = running_leap.mixed_trials(bank, settings, 2, np.random.default_rng(1))
    assert not runway.cross([runs_on], wide).crossed.any()
    none = replace(wide, widths_m=np.zeros(2))
    over = runway.cross([runs_on], none)
    assert over.crossed.all()
    assert over.speed_m_s.min() > 0.3


def test_an_interrupted_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    base = steering.load(SKILLS / "stepping.npz")

    def stop(part: str, state: SearchState, last: Crossings) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        find(base, SHORT, tmp_path, stop)
    told: list[tuple[str, int]] = []

    def report(part: str, state: SearchState, last: Crossings) -> None:
        told.append((part, state.generation))
        assert last.crossed.shape == (4, 2 if part.endswith("fast") else 1)

    leap = find(base, SHORT, tmp_path, report)
    assert told == [("running_leap-fast", 2), ("running_leap-stock", 1)]
    kept = load(tmp_path / "running_leap.npz")
    np.testing.assert_array_equal(kept.added, leap.added)
    with np.load(tmp_path / "running_leap.npz") as saved:
        assert saved["parameters"].shape == (N_PARAMETERS,)
        assert 0 < np.abs(saved["parameters"] - INITIAL_PARAMETERS).max() < 2


def test_the_shipped_leap_crosses_gaps_that_the_gait_alone_falls_into() -> None:
    base = steering.load(SKILLS / "stepping.npz")
    leap = load(SKILLS / "running_leap.npz")
    found = measure(base, leap, replace(RunningLeapSettings(), animals=4), (0.10, 0.14), 6, seed=5)
    assert found.tried.tolist() == [6, 6]
    assert found.crossed.sum() >= 5
    assert found.speed_m_s.max() > 0.4


def test_the_speed_of_the_approach_brings_a_hit_to_the_leaps_place() -> None:
    """Moved on by the stride that each speed gives, animals come there within millimetres of a hit."""
    phase, left = np.linspace(0, 0.99, 12), np.linspace(0.45, 0.6, 12)
    offset = np.full(12, np.inf)
    for _ in range(600):
        speed = approach_speed(phase, left)
        assert SPEEDS[0] <= speed.min() <= speed.max() <= SPEEDS[1]
        stride = STRIDE_M * (1 + STRIDE_SLOPE * (speed - 1))
        before, phase = phase, phase + 0.01
        left = left - 0.01 * stride
        hit = (2 * phase) % 1 < (2 * before) % 1
        offset = np.where(hit & (np.abs(left) < np.abs(offset)), left, offset)
    assert np.abs(offset).max() < 0.004


def test_running_animals_come_to_the_leaps_place_in_phase() -> None:
    base = steering.load(SKILLS / "stepping.npz")
    runway, rng = Runway(base), np.random.default_rng(0)
    starts = runway.bank(rng, 0.07, animals=2)[:4]
    leap = load(SKILLS / "running_leap.npz")
    came = arrive(runway, leap, starts, rng.uniform(0.3, 0.4, 4), 0.07, rng)
    assert came.begun.sum() >= 3
    before = runway.platforms.edge_m - runway.bodies.split(came.states)[0][:, 0]
    np.testing.assert_allclose(before - leap.before_m, came.offset_m, atol=1e-9)
