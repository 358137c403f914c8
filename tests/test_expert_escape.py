"""The expert of the bowl gets up from where it is dropped, and gets away from the centre."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import mujoco
import numpy as np
import pytest

from rig.arenas import tasks
from training.experts import Skills, expert_for
from training.skills import righting
from training.skills.gait import sided
from training.skills.terrain import WayOut

SKILLS = Skills(Path(__file__).parents[1] / "subjects" / "rodent" / "skills")


def test_the_movement_mirrors() -> None:
    """An animal on its other side does the same with its other limbs, and bends the other way."""
    names = [sided(j, s) for j in righting.LIMB for s in "LR"]
    names += [*righting.TRUNK_ODD, *righting.TRUNK_EVEN]
    actuators = {name: i for i, name in enumerate(names)}
    rng = np.random.default_rng(0)
    parameters = 0.4 * rng.normal(size=(1, righting.N_PARAMETERS))
    stand = np.zeros(len(names))
    one, other = righting.movements(parameters, actuators, stand)[0]
    for joint in righting.LIMB:
        left, right = actuators[sided(joint, "L")], actuators[sided(joint, "R")]
        np.testing.assert_allclose(one[:, left], other[:, right])
        np.testing.assert_allclose(one[:, right], other[:, left])
        assert not np.allclose(one[:, left], one[:, right])
    for joint in righting.TRUNK_ODD:
        np.testing.assert_allclose(one[:, actuators[joint]], -other[:, actuators[joint]])
    for joint in righting.TRUNK_EVEN:
        np.testing.assert_allclose(one[:, actuators[joint]], other[:, actuators[joint]])


def test_up_in_the_body() -> None:
    """Rolled to its right by a quarter turn, the animal has its left side up."""
    half = np.pi / 4
    up = righting.up_in_body(np.array([[0, 0, 0, np.cos(half), np.sin(half), 0, 0]]))
    np.testing.assert_allclose(up, [[0, 1, 0]], atol=1e-12)


def test_it_goes_round_a_ridge() -> None:
    """A steep ridge across the way, with a gap on its left: the way leads through the gap."""
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><asset><hfield name="h" nrow="61" ncol="61" size="3 3 1 0.1"/></asset>
        <worldbody><geom type="hfield" hfield="h"/></worldbody></mujoco>"""
    )
    height = np.zeros((61, 61))
    model.hfield_data[:] = height.ravel()
    level = WayOut(model, beyond_m=2.5)
    assert level.heading_rad(1.0, 0.0) == pytest.approx(0.0, abs=0.05)
    # all round the centre at 1.2-1.5 m, but for a gap to the north-east
    axis = np.linspace(-3, 3, 61)
    x, y = np.meshgrid(axis, axis)
    gap = np.abs(np.arctan2(y, x) - np.pi / 4) < 0.3
    height[(np.hypot(x, y) > 1.2) & (np.hypot(x, y) < 1.5) & ~gap] = 0.5
    model.hfield_data[:] = height.ravel()
    way = WayOut(model, beyond_m=2.5)
    assert way.heading_rad(1.0, 0.0) > np.pi / 4
    assert way.heading_rad(0.0, 1.0) < np.pi / 4
    assert way.heading_rad(0.75, 0.75) == pytest.approx(np.pi / 4, abs=0.3)


def test_an_animal_that_gets_up_at_half_strength_is_not_left_half_up() -> None:
    """It is asked for the whole movement all the same, not for ever for the tick at which it is slow."""
    environment = tasks.make("escape", 1)
    environment.reset()
    expert = expert_for("escape", SKILLS)
    expert.begin(environment)
    asked = []
    for _ in range(100):
        action, movement = expert.act(), expert._righting._movement
        asked.append(-1 if movement is None else movement.tick)
        if movement is not None:
            stands = movement._control[0]
            action = stands + 0.5 * (action - stands)
        environment.step(action)
    assert max(asked) > 60
    held = [len(list(group)) for tick, group in groupby(asked) if tick > 0]
    assert max(held) <= 12


def test_it_gets_up() -> None:
    """Of four animals two at the least have stood for 0.3 s within 4 s."""
    stood = []
    for seed in range(4):
        environment = tasks.make("escape", seed)
        environment.reset()
        expert = expert_for("escape", SKILLS)
        expert.begin(environment)
        matrix = environment.physics.named.data.xmat
        up_for, longest = 0, 0
        for _ in range(200):
            action = expert.act()
            assert action.shape == (38,)
            assert np.abs(action).max() <= 1
            environment.step(action)
            up = min(matrix["walker/torso", "zz"], matrix["walker/pelvis", "zz"])
            up_for = up_for + 1 if up > righting.STANDS_ABOVE_UP else 0
            longest = max(longest, up_for)
            if longest > 15:
                break
        stood.append(longest > 15)
    assert sum(stood) >= 2, stood


def test_getting_up_counts_twice() -> None:
    """One that was dropped on its back; one that stands away from the centre has nothing to get up from."""
    environment = tasks.make("escape", 5)
    environment.reset()
    physics = environment.physics
    for quaternion, weight in (((0, 1, 0, 0), 2.0), ((1, 0, 0, 0), 1.0)):
        expert = expert_for("escape", SKILLS)
        with physics.reset_context():
            physics.data.qpos[:7] = (0, 0, 0.3, *quaternion)
            physics.data.qvel[:] = 0
        expert.begin(environment)
        expert.act()
        assert expert.loss_weight == weight


def test_the_way_out_is_a_target_only_where_the_slope_shows_it() -> None:
    """Standing 2 m east of the centre, the target is the way out as seen from where it looks."""
    environment = tasks.make("escape", 5)
    environment.reset()
    expert = expert_for("escape", SKILLS)
    expert.begin(environment)
    physics = environment.physics
    way = WayOut(physics.model.ptr)
    for x, seen in ((2.0, True), (0.2, False)):
        bearings = []
        for heading in (0.0, np.pi / 2):
            half = heading / 2
            with physics.reset_context():
                physics.data.qpos[:7] = (x, 0, 1.0, np.cos(half), 0, 0, np.sin(half))
            targets = expert.auxiliary_targets()
            assert targets["out_distance"] == pytest.approx(x, abs=0.08)
            assert ("out_bearing" in targets) == seen
            if seen:
                place = physics.named.data.xpos["walker/torso"]
                assert targets["out_bearing"] == pytest.approx(
                    (way.heading_rad(*place[:2]) - heading + np.pi) % (2 * np.pi) - np.pi, abs=0.01
                )
                bearings.append(targets["out_bearing"])
        if seen:
            assert abs(bearings[0]) < np.pi / 2 + 0.3  # outwards, more or less


def test_it_waits_for_an_animal_that_does_not_follow() -> None:
    """What it says is in step with the body: who lies still is asked for the beginning, and then gets up."""
    with np.load(SKILLS.path("righting")) as saved:
        control = saved["control"]
    environment = tasks.make("escape", 2)
    environment.reset()
    expert = expert_for("escape", SKILLS)
    expert.begin(environment)
    rest, asked = control[0, -1], []
    for _ in range(60):
        asked.append(expert.act())
        environment.step(rest)
    begins = [
        float(np.abs(control[:, :15] - action).max(-1).min()) < 1e-9 for action in asked[-20:]
    ]
    assert all(begins)
    matrix = environment.physics.named.data.xmat
    up = []
    for _ in range(150):
        environment.step(expert.act())
        up.append(min(matrix["walker/torso", "zz"], matrix["walker/pelvis", "zz"]))
    assert np.max(up) > righting.STANDS_ABOVE_UP
