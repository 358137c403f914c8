"""The expert of the gaps sees where they are, and leaps where it should; and the trial of a leap."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from rig.arenas import tasks
from rig.arenas.gaps import gaps_of
from tests.placed_animal import place_animal
from training.experts import Skills, expert_for
from training.experts.gaps import LANDED_TICKS, standing_leap
from training.experts.pose import BodyReader
from training.skills import gap_running, leaping, steering
from training.skills.body import Bodies
from training.skills.gait import N_PHASES, Gait
from training.skills.gap_running import LANDING_TICKS
from training.skills.locomotion import KEPT_PER_TICK
from training.skills.running_leap_approach import BEARS_M
from training.skills.running_leap_table import LEAP_TICKS
from training.skills.running_leap_trials import HEAD_DOWN

SUBJECT_SKILLS = Path(__file__).parents[1] / "subjects" / "rodent" / "skills"
ACTUATORS = 38
TICKS = leaping.LEAP_TICKS + leaping.SETTLING_TICKS


def _leap() -> leaping.Leap:
    """One that is nowhere twice the same, and ends in a stand of zeros."""
    up = np.linspace(0.5, 1.0, leaping.LEAP_TICKS)
    side = np.where(np.arange(leaping.LEAP_TICKS) % 6 < 3, 1.0, -1.0)
    control = np.zeros((TICKS, ACTUATORS))
    control[: leaping.LEAP_TICKS, ::2] = up[:, None]
    control[: leaping.LEAP_TICKS, 1::2] = (up * side)[:, None]
    return leaping.Leap(control)


@pytest.fixture
def skills(tmp_path: Path) -> Skills:
    """A gait that stands, a leap, no leap out of the run, and getting up as it ships."""
    gait = Gait(np.zeros((N_PHASES, ACTUATORS)), 5.0)
    steering.Steering(gait, np.zeros(ACTUATORS), np.zeros(ACTUATORS)).save(
        tmp_path / "stepping.npz"
    )
    _leap().save(tmp_path / "leaping.npz")
    actuators = Bodies(coarse=True, threads=1).actuators
    nothing = np.zeros(gap_running.N_PARAMETERS)
    gap_running.skill_of(nothing, actuators).save(tmp_path / "gap_running.npz")
    shutil.copy(SUBJECT_SKILLS / "righting.npz", tmp_path)
    return Skills(tmp_path)


def test_a_leap_is_added_to_the_stand_and_survives_its_file(tmp_path: Path) -> None:
    actuators = Bodies(coarse=True, threads=1).actuators
    stand = np.full(ACTUATORS, 0.1)
    values = np.zeros((leaping.N_KNOTS, len(leaping.SIGNALS)))
    np.testing.assert_array_equal(leaping.leap_of(values.ravel(), stand, actuators).control, 0.1)
    values[2, list(leaping.SIGNALS).index("knee")] = 0.6
    leap = leaping.leap_of(values.ravel(), stand, actuators)
    leap.save(tmp_path / "leap.npz")
    control = leaping.load(tmp_path / "leap.npz").control
    middle = 2 * leaping.TICKS_PER_KNOT
    for name in ("knee_L", "knee_R"):
        assert control[middle, actuators[name]] == pytest.approx(0.7)
        assert control[middle + leaping.TICKS_PER_KNOT, actuators[name]] == pytest.approx(0.1)
    assert np.delete(control, [actuators["knee_L"], actuators["knee_R"]], 1).max() == 0.1


def test_a_leap_from_the_stand_goes_on_as_the_body_goes_through_it() -> None:
    """An animal that follows goes through it tick by tick; one that stands on is hurried on all the same."""
    leap, rng = _leap(), np.random.default_rng(0)
    follower = standing_leap(leap)
    activation, actions = np.zeros(ACTUATORS), []
    for _ in range(leaping.LEAP_TICKS):
        actions.append(follower.next(activation))
        noisy = actions[-1] + rng.normal(0, 0.07, ACTUATORS)
        activation = KEPT_PER_TICK * activation + (1 - KEPT_PER_TICK) * noisy
    np.testing.assert_array_equal(actions, leap.control[: leaping.LEAP_TICKS])

    follower = standing_leap(leap)
    for tick in range(leaping.LEAP_TICKS + LANDED_TICKS + 5):
        follower.next(np.zeros(ACTUATORS))
        assert follower.tick >= min(tick - 3, leaping.LEAP_TICKS + LANDED_TICKS)


def test_one_that_has_leapt_and_runs_on_does_not_have_to_stand_for_ever() -> None:
    """Its body never comes to the stand that a leap ends in."""
    leap = _leap()
    follower, activation, ticks = standing_leap(leap), np.zeros(ACTUATORS), 0
    while follower.tick < leaping.LEAP_TICKS + LANDED_TICKS:
        action = follower.next(activation)
        ticks += 1
        does = action if ticks < leaping.LEAP_TICKS else leap.control[leaping.LEAP_TICKS - 1]
        activation = KEPT_PER_TICK * activation + (1 - KEPT_PER_TICK) * does
        assert ticks < TICKS + 5


@dataclass
class Run:
    """What an animal did that began 0.6 m before the first gap.

    Attributes:
        in_view: whether the edge was in the camera's angle of view, from 45 to 11 cm before it.
        gap_seen: the auxiliary target of the same ticks.
        weights: loss weight of every tick.
        at_m: how far before the edge the animal was in every tick.
        crossed: the animal ended behind the gap.
    """

    in_view: list[bool] = field(default_factory=list)
    gap_seen: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    at_m: list[float] = field(default_factory=list)
    crossed: bool = False


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """Three animals in three corridors, until they are 10 cm behind the first gap."""
    return [_run(seed) for seed in range(3)]


def _run(seed: int) -> Run:
    environment = tasks.make("gaps", seed)
    environment.reset()
    data, model = environment.physics.data.ptr, environment.physics.model.ptr
    near, far = (edges.min() for edges in gaps_of(model, data))
    place_animal(environment, near - 0.6, 0.0, 0.0)
    expert = expert_for("gaps", Skills(SUBJECT_SKILLS))
    expert.begin(environment)
    camera = model.camera("walker/egocentric").id
    half = np.radians(model.cam_fovy[camera] / 2)
    run = Run()
    for _ in range(300):
        action = expert.act()
        if 0.11 < near - data.qpos[0] < 0.45:
            at, looks = data.cam_xpos[camera], -data.cam_xmat[camera].reshape(3, 3)[:, 2]
            down = np.arctan2(at[2], near - at[0]) + np.arcsin(looks[2])
            run.in_view.append(bool(abs(down) < half))
            run.gap_seen.append(expert.auxiliary_targets()["gap_seen"])
        run.weights.append(expert.loss_weight)
        run.at_m.append(float(near - data.qpos[0]))
        environment.step(action)
        if data.qpos[0] > far + 0.1:
            break
    run.crossed = bool(data.qpos[0] > far)
    return run


def test_animals_cross_the_first_gap_at_a_run(runs: list[Run]) -> None:
    """Of three, two at the least."""
    crossed = [run for run in runs if run.crossed]
    assert len(crossed) >= 2
    for run in crossed:
        # 0.6 m before it, the gap, and 0.1 m behind it, from a standing start
        assert len(run.at_m) < 150


def test_the_edge_is_in_view_until_the_animal_leaps(runs: list[Run]) -> None:
    """The upright gait alone carries the head so high that no edge nearer than 25 cm is in the image."""
    in_view = np.array([one for run in runs for one in run.in_view])
    gap_seen = np.array([one for run in runs for one in run.gap_seen])
    assert len(in_view) > 30, "they have not come to the first gap"
    assert np.mean(in_view) > 0.8
    assert np.mean(gap_seen == in_view) > 0.95, "the vision encoder is trained otherwise"


def test_a_leap_and_its_landing_count_more_than_the_run_before_and_after_them(
    runs: list[Run],
) -> None:
    crossed = [run for run in runs if run.crossed]
    assert len(crossed) >= 2
    for run in crossed:
        leaps = np.flatnonzero(np.array(run.weights) == 3.0)
        # it may be behind the gap before they are over
        assert 14 < len(leaps) <= LEAP_TICKS + LANDING_TICKS
        assert (np.diff(leaps) == 1).all()
        assert leaps[0] > 20
        assert set(np.delete(run.weights, leaps)) <= {1.0}
        assert 0.02 < run.at_m[leaps[0]] < 0.16


def test_the_gaps_are_where_the_ground_is_not(skills: Skills) -> None:
    environment = tasks.make("gaps", 4)
    environment.reset()
    model, data = environment.physics.model.ptr, environment.physics.data.ptr
    near, far = gaps_of(model, data)
    assert len(near) > 30
    assert (far - near).min() > 0.049
    assert (far - near).max() < 0.201
    assert 0.4 < (near[1:] - far[:-1]).min() < (near[1:] - far[:-1]).max() < 0.8
    floors = [i for i in range(model.ngeom) if "floor_" in model.geom(i).name]

    def ground(x: float) -> bool:
        return any(abs(x - data.geom_xpos[i, 0]) < model.geom_size[i, 0] for i in floors)

    assert not any(ground(x) for x in (near + far) / 2)
    assert all(ground(x) for x in np.concatenate([near - 0.001, far + 0.001])[1:-1])

    expert = expert_for("gaps", skills)
    expert.begin(environment)
    qpos = data.qpos
    standing = np.zeros(ACTUATORS)
    for joint, flexion in HEAD_DOWN.items():
        standing[BodyReader(environment).actuators[joint]] = flexion
    np.testing.assert_array_equal(expert.act(), standing)
    targets = expert.auxiliary_targets()
    assert set(targets) == {"corridor_heading", "corridor_offset", "gap_seen"}
    assert targets["gap_seen"] == 0, "too far away to be seen"
    qpos[0] = near[0] - 0.4
    environment.physics.forward()
    targets = expert.auxiliary_targets()
    assert targets["gap_seen"] == 1
    at = data.cam_xpos[model.camera("walker/egocentric").id]
    # its head is level, about: an edge is as far below the middle as the camera is above the ground
    half = np.tan(np.radians(40))
    pitch = np.arcsin(-data.cam_xmat[model.camera("walker/egocentric").id].reshape(3, 3)[2, 2])
    for name, edge in (("near_edge", near[0]), ("far_edge", far[0])):
        below = np.arctan2(at[2], edge - at[0]) + pitch
        assert targets[name] == pytest.approx(-np.tan(below) / half, abs=0.01)
    late = gap_running.load(skills.path("gap_running")).leap.before_m - BEARS_M
    for short in (0.2, 0.14, late + 0.005):  # a leap out of the run may still come
        qpos[0] = near[0] - short
        environment.physics.forward()
        assert not np.array_equal(expert.act(), _leap().control[0])
    qpos[0] = near[0] - late + 0.005
    environment.physics.forward()
    np.testing.assert_array_equal(expert.act(), _leap().control[0])
    assert expert.auxiliary_targets()["gap_seen"] == 0, (
        "its head is level: the edge is below the image"
    )


def test_what_it_asks_for_is_not_by_a_clock() -> None:
    """One that hangs in a gap, still and reared up, is asked to run, as long as it hangs there."""
    environment = tasks.make("gaps", 4)
    environment.reset()
    expert = expert_for("gaps", Skills(SUBJECT_SKILLS))
    expert.begin(environment)
    data = environment.physics.data.ptr
    before = gaps_of(environment.physics.model.ptr, data)[0][0] - data.qpos[0]
    assert before > 0.2
    level = expert.act()
    data.qpos[3:7] = [np.cos(0.5), 0.0, -np.sin(0.5), 0.0]  # pitched up by 57 degrees
    environment.physics.forward()
    reared = [expert.act() for _ in range(80)]
    assert not np.array_equal(reared[0], level)
    np.testing.assert_array_equal(reared, [reared[0]] * 80)
    data.qvel[0] = 0.5
    environment.physics.forward()
    stands = [expert.act() for _ in range(40)][-1]
    assert np.abs(stands - reared[0]).max() > 0.1


def test_it_begins_more_often_before_wide_gaps(skills: Skills) -> None:
    """In proportion to the square of the width, whatever the corridor has."""
    environment = tasks.make("gaps", 4)
    environment.reset()
    expert = expert_for("gaps", skills)
    expert.begin(environment)
    near, far = gaps_of(environment.physics.model.ptr, environment.physics.data.ptr)
    width = (far - near)[1:]
    rng = np.random.default_rng(0)
    before = []
    for _ in range(3000):
        x = expert.sample_pose(rng)[0]
        before.append(np.flatnonzero(near > x)[0])
    mean_width = (far - near)[before].mean()
    assert mean_width == pytest.approx((width**3).sum() / (width**2).sum(), abs=0.002)
    assert mean_width > width.mean() + 0.01


def test_only_an_animal_behind_the_gap_has_crossed(skills: Skills) -> None:
    """One that goes on standing before the gap has not crossed, and one put behind it has."""
    base = steering.load(skills.path("stepping"))
    platforms = leaping.Platforms(base, fast=True)
    stand = leaping.Leap(np.zeros((15, ACTUATORS)))
    result = platforms.cross(
        [stand],
        np.repeat(platforms.bodies.start[None], 2, 0),
        np.array([0.3, -0.5]),
        np.array([0.2, 0.2]),
        np.zeros((2, 15, ACTUATORS)),
    )
    assert result.crossed.tolist() == [[False, True]]
    assert result.cost[0, 1] < result.cost[0, 0]
