"""The expert of the gaps sees where they are, leaps where it should, and goes back where it is too near."""

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
from training.experts.gaps import RUN_UP_M
from training.experts.pose import BodyReader
from training.skills import gap_running, steering, walking_backward
from training.skills.body import Bodies
from training.skills.gait import N_PHASES, Gait
from training.skills.gap_running import LANDING_TICKS
from training.skills.running_leap_approach import BEARS_M
from training.skills.running_leap_table import LEAP_TICKS
from training.skills.running_leap_trials import HEAD_DOWN

SUBJECT_SKILLS = Path(__file__).parents[1] / "subjects" / "rodent" / "skills"
ACTUATORS = 38


@pytest.fixture
def skills(tmp_path: Path) -> Skills:
    """A gait that stands, no leap, and going backwards and getting up as they ship."""
    gait = Gait(np.zeros((N_PHASES, ACTUATORS)), 5.0)
    steering.Steering(gait, np.zeros(ACTUATORS), np.zeros(ACTUATORS)).save(
        tmp_path / "stepping.npz"
    )
    actuators = Bodies(coarse=True, threads=1).actuators
    nothing = np.zeros(gap_running.N_PARAMETERS)
    gap_running.skill_of(nothing, actuators).save(tmp_path / "gap_running.npz")
    for name in ("righting", "walking_backward"):
        shutil.copy(SUBJECT_SKILLS / f"{name}.npz", tmp_path)
    return Skills(tmp_path)


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
    back = _back(skills, BodyReader(environment))
    for short in (0.2, 0.14, late + 0.005):  # a leap may still come
        qpos[0] = near[0] - short
        environment.physics.forward()
        assert not np.array_equal(expert.act(), back)
    qpos[0] = near[0] - late + 0.005
    environment.physics.forward()
    np.testing.assert_array_equal(expert.act(), back)
    assert expert.auxiliary_targets()["gap_seen"] == 0, (
        "its head is level: the edge is below the image"
    )


def _back(skills: Skills, body: BodyReader) -> np.ndarray:
    command = np.array([walking_backward.SPEED]), np.array([walking_backward.COMMAND])
    return skills.walking_backward().act(body.activation()[None], *command)[0]


def test_one_that_stands_too_near_is_asked_to_go_back_until_it_has_room_to_run_up() -> None:
    """A leap by a clock was asked for there before, and a network stood there for ever."""
    environment = tasks.make("gaps", 5)
    environment.reset()
    data = environment.physics.data.ptr
    near = gaps_of(environment.physics.model.ptr, data)[0][0]
    skills = Skills(SUBJECT_SKILLS)
    expert, body = expert_for("gaps", skills), BodyReader(environment)

    def asked(before_m: float, speed_m_s: float) -> np.ndarray:
        place_animal(environment, near - before_m, 0.0, 0.0)
        expert.begin(environment)
        data.qvel[0] = speed_m_s
        environment.physics.forward()
        return np.array([expert.act() for _ in range(80)])[20:]

    back = _back(skills, body)
    np.testing.assert_array_equal(asked(0.03, 0.0), [back] * 60)
    np.testing.assert_array_equal(asked(RUN_UP_M - 0.02, -0.3), [back] * 60)
    for before_m, speed_m_s in ((0.03, 0.3), (RUN_UP_M - 0.02, 0.0), (RUN_UP_M + 0.02, -0.3)):
        assert not (asked(before_m, speed_m_s) == back).all(1).any()


def test_a_leap_that_failed_is_forgotten_as_it_goes_back() -> None:
    """All of going back was learned with the weight of a landing, and the run-up began as one."""
    environment = tasks.make("gaps", 5)
    environment.reset()
    physics = environment.physics
    expert = expert_for("gaps", Skills(SUBJECT_SKILLS))
    expert.begin(environment)
    for _ in range(400):
        action = expert.act()
        if expert.loss_weight > 1:
            break
        environment.step(action)
    edges = gaps_of(physics.model.ptr, physics.data.ptr)[0] - physics.data.qpos[0]
    assert 0 < edges[edges > 0].min() < 0.15, "no leap began"
    place_animal(environment, physics.data.qpos[0] + edges[edges > 0].min() - 0.03, 0.0, 0.0)
    physics.data.qvel[:] = 0
    physics.forward()
    asked = [(expert.act(), expert.loss_weight) for _ in range(80)]
    assert asked[0][1] > 1, "the leap goes on at first"
    back = _back(Skills(SUBJECT_SKILLS), BodyReader(environment))
    for action, weight in asked[60:]:
        np.testing.assert_array_equal(action, back)
        assert weight == 1


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
