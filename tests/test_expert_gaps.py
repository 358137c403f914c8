"""The expert of the gaps sees where they are, and leaps where it should; and the trial of a leap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.training import leaping, steering
from agent.training.experts import Skills, expert_for
from agent.training.experts.gaps import gaps_of
from agent.training.gait import N_PHASES, Gait
from rig.arenas import tasks

ACTUATORS = 38


def _leap(control: float, share: float) -> leaping.Leap:
    return leaping.Leap(np.full((3, ACTUATORS), control), np.full((3, ACTUATORS), share), -0.1, 0.1)


@pytest.fixture
def skills(tmp_path: Path) -> Skills:
    """A gait that stands, and a leap that is all 0.5."""
    gait = Gait(np.zeros((N_PHASES, ACTUATORS)), 5.0)
    steering.Steering(gait, np.zeros(ACTUATORS), np.zeros(ACTUATORS)).save(
        tmp_path / "steering.npz"
    )
    _leap(0.5, 0.0).save(tmp_path / "leaping.npz")
    return Skills(tmp_path)


def test_a_leap_replaces_the_gait_only_near_the_gap() -> None:
    gait = np.full((4, ACTUATORS), 0.4)
    actions = _leap(0.3, 0.5).act(gait, np.array([-0.11, -0.1, 0.0, 0.11]))
    np.testing.assert_allclose(actions[:, 0], [0.4, 0.5, 0.5, 0.4])
    assert _leap(3.0, 0.0).act(gait, np.zeros(4)).max() == 1.0


def test_a_leap_goes_from_knot_to_knot_and_survives_its_file(tmp_path: Path) -> None:
    control = np.outer([0.0, 1.0, 0.0], np.ones(ACTUATORS))
    leap = leaping.Leap(control, np.zeros((3, ACTUATORS)), -0.1, 0.1)
    leap.save(tmp_path / "leap.npz")
    actions = leaping.load(tmp_path / "leap.npz").act(
        np.zeros((3, ACTUATORS)), np.array([-0.05, 0.0, 0.025])
    )
    np.testing.assert_allclose(actions[:, 7], [0.5, 1.0, 0.75])


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
    before = expert.act()
    assert set(expert.cues()) == {"corridor_heading", "corridor_offset"}
    qpos[0] += near[0] - 0.05 - data.xpos[model.body("walker/torso").id, 0]
    environment.physics.forward()
    assert not np.allclose(before, 0.5)
    np.testing.assert_allclose(expert.act(), 0.5)
    cues = expert.cues()
    assert cues["gap_near"] == pytest.approx(0.05, abs=1e-6)
    assert cues["gap_far"] == pytest.approx(far[0] - near[0] + 0.05, abs=1e-6)


def test_a_wider_gap_swallows_a_standing_animal(skills: Skills) -> None:
    """One that leaps nowhere does not cross, and one put behind the gap has crossed."""
    platforms = leaping.Platforms(steering.load(skills.path("steering")), fast=True)
    start = platforms.bodies.start[None]
    stay, noise = _leap(0.0, 1.0), np.zeros((15, 2, ACTUATORS))
    result = platforms.cross(
        [stay], np.repeat(start, 2, 0), np.array([0.05, -0.5]), np.array([0.2, 0.2]), noise
    )
    assert result.crossed.tolist() == [[False, True]]
    assert result.cost[0, 1] < result.cost[0, 0]
