"""The searches for skills, and what the experts make of them."""

from __future__ import annotations

import numpy as np
import pytest

import agent
import evaluation
from rig.arenas import tasks
from training.experts import Skills
from training.experts.maze import FloorPlan
from training.skills import gait, search, steering, stepping
from training.skills.body import Bodies
from training.skills.locomotion import Locomotion
from training.skills.steering import Steering
from training.skills.stepping import SteppingSettings


class Interrupted(Exception):
    """Ends a search in its middle."""


def test_the_expert_reads_its_phase_off_the_activations():
    """Driven by its own clock, the phase that the expert reads off is the clock's."""
    table = np.zeros((gait.N_PHASES, 38))
    turn = 2 * np.pi * np.arange(gait.N_PHASES) / gait.N_PHASES
    table[:, 5], table[:, 9] = 0.5 * np.sin(turn), 0.4 * np.cos(turn) + 0.1
    steering = Steering(gait.Gait(table, 5.0), np.zeros(38), np.zeros(38))
    locomotion = Locomotion(steering)
    advance = steering.cycles_per_tick(np.ones(1))[0]
    activation, phase, kept = np.zeros((1, 38)), 0.2, (1 - 1 / 40) ** 20
    for _ in range(60):
        control = steering.control(np.array([phase]), np.ones(1), np.zeros(1))
        activation = kept * activation + (1 - kept) * control
        phase += advance
    read = locomotion.phase(activation, np.ones(1), np.zeros(1))[0]
    error = (read - phase + 0.5) % 1 - 0.5
    assert abs(error) < 0.01


def test_the_stride_frequency_cannot_leave_its_bounds():
    parameters = np.zeros((3, gait.N_PARAMETERS))
    parameters[:, 0] = -50, 0, 50
    hz = gait.stride_hz(parameters)
    assert hz.min() >= 3.0
    assert hz.max() <= 6.0
    actuators = Bodies(coarse=True, threads=1).actuators
    wild = np.random.default_rng(0).normal(0, 3, (2, gait.N_PARAMETERS))
    for style in ("trot", "bound"):
        control = gait.pattern(wild, np.linspace(0, 1, 9)[None].repeat(2, 0), actuators, style)
        assert control.shape == (2, 9, 38)
        assert np.abs(control).max() <= 1
        left, right = (control[:, :, actuators[f"hip_{s}_extend"]] for s in "LR")
        if style == "bound":
            np.testing.assert_array_equal(left, right)
        else:
            np.testing.assert_allclose(left[:, 0], right[:, 4], atol=1e-9)


def test_the_search_finds_a_minimum_over_an_interruption(tmp_path):
    goal = np.array([0.7, -0.3, 0.2])
    settings = search.SearchSettings(60, 8, 0.5, 0)
    path = tmp_path / "search.npz"

    def cost(candidates):
        return ((candidates - goal) ** 2).sum(1)

    def stop(state):
        if state.generation == 15:
            raise Interrupted

    with pytest.raises(Interrupted):
        search.search(cost, np.zeros(3), settings, path, stop)
    generations = []
    found = search.search(
        cost, np.zeros(3), settings, path, lambda s: generations.append(s.generation)
    )
    assert generations == list(range(16, 61))
    np.testing.assert_allclose(found.mean, goal, atol=0.02)


def test_a_gait_that_steps_is_searched_with_what_turns_it(tmp_path):
    small = SteppingSettings(
        coarse_generations=1, stock_generations=1, coarse_population=4, stock_population=4,
        rollout_s=0.2, steering_generations=1, steering_population=4,
        steering_rollout_s=0.2,
    )  # fmt: skip
    reports = []
    found = stepping.find(small, tmp_path, 1, lambda done, text: reports.append(done))
    assert reports == sorted(reports)
    assert reports[-1] == 1.0
    again = steering.load(tmp_path / "stepping.npz")
    np.testing.assert_array_equal(again.table, found.table)
    reports.clear()
    stepping.find(small, tmp_path, 1, lambda done, text: reports.append(done))
    assert reports == []  # nothing is searched twice


def test_the_floor_plan_is_the_mazes():
    environment = tasks.make("forage", 5)
    environment.reset()
    arena = environment.task._maze_arena
    plan = FloorPlan(arena)
    grid = arena.maze.entity_layer
    for row, column in np.ndindex(*grid.shape):
        place = arena.grid_to_world_positions([(row, column)])[0]
        assert plan.wall(place[:2]) == (grid[row, column] == "*")
    # straight along a row of the grid there is as much room as there are free cells
    row, column = np.argwhere(grid == "P")[0]
    here = arena.grid_to_world_positions([(row, column)])[0][:2]
    cells = next(n for n in range(1, 11) if grid[row, column + n] == "*")
    free = plan.free_m(here, np.zeros(1), 0.1, 9.0)[0]
    assert free == pytest.approx((cells - 0.5) * arena.xy_scale, abs=0.05)
    assert not plan.sight(here, here + np.array([cells * arena.xy_scale, 0.0]))
    assert plan.sight(here, here + np.array([(cells - 1) * arena.xy_scale, 0.0]))


def test_missing_skills_name_the_stage(tmp_path):
    with pytest.raises(agent.SubjectError, match="stage 'tapping' first"):
        Skills(tmp_path).path("tapping")


def test_a_damaged_skill_is_one_sentence(tmp_path):
    path = tmp_path / "steering.npz"
    Steering(gait.Gait(np.zeros((4, 2)), 5.0), np.zeros(2), np.zeros(2)).save(path)
    whole = path.read_bytes()
    np.save(tmp_path / "one.npy", np.zeros(3))
    one_array = (tmp_path / "one.npy").read_bytes()
    middle = len(whole) // 2
    changed = whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 20])
    damaged = [b"", b"no arrays", whole[:200], one_array, changed + whole[middle + 20 :]]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(agent.SubjectError, match=r"steering.npz is damaged") as caught:
            Skills(tmp_path).locomotion()
        assert "\n" not in str(caught.value)
    search.write_arrays(path, control=np.zeros((4, 2)))
    with pytest.raises(agent.SubjectError, match="it has no array 'stride_hz'"):
        Skills(tmp_path).locomotion()
    with pytest.raises(agent.SubjectError, match="it has no array 'mean'"):
        search.load_state(path)


def test_a_skill_is_found_under_its_earlier_name(tmp_path):
    earlier, present = tmp_path / "backing.npz", tmp_path / "walking_backward.npz"
    earlier.touch()
    assert Skills(tmp_path).path("walking_backward") == earlier
    present.touch()
    assert Skills(tmp_path).path("walking_backward") == present


def test_stride_frequency_is_the_hips():
    seconds = np.arange(450) * 0.02
    assert evaluation.stride_hz(np.sin(2 * np.pi * 4.7 * seconds)) == pytest.approx(4.7, abs=0.05)
    assert np.isnan(evaluation.stride_hz(np.zeros(10)))
