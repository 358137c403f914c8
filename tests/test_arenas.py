"""Arenas, senses and camera: equal to dm_control's own, and reproducible."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from dm_control import composer
from dm_control.locomotion.examples import basic_rodent_2020

from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.senses import N_PROPRIOCEPTION, PROPRIOCEPTION, Senses, flatten
from rig.arenas.substeps import WholeTickEnvironment

STOCK = {
    "gaps": basic_rodent_2020.rodent_run_gaps,
    "escape": basic_rodent_2020.rodent_escape_bowl,
    "forage": basic_rodent_2020.rodent_maze_forage,
    "two_tap": basic_rodent_2020.rodent_two_touch,
}
CAMERA = "walker/egocentric_camera"


@pytest.fixture(params=list(STOCK), scope="module")
def stock(request):
    environment = STOCK[request.param](random_state=3)
    yield environment
    environment.close()


def _pointers(environment):
    return environment.physics.model.ptr, environment.physics.data.ptr


def test_senses_equal_the_stock_observations_over_two_episodes(stock):
    senses, rng = Senses(stock), np.random.default_rng(0)
    for _ in range(2):
        step = stock.reset()
        for _ in range(3):
            felt = senses.observe()
            for name, value in felt.items():
                expected = step.observation[name]
                assert value.shape == expected.shape, name
                assert value.dtype == expected.dtype, name
                np.testing.assert_array_equal(value, expected, err_msg=name)
            left_out = set(step.observation) - set(felt)
            assert left_out <= {CAMERA, "task_logic", "walker/origin"}
            step = stock.step(rng.uniform(-1, 1, 38))


def test_stock_camera_equals_dm_control_and_fast_is_close_to_it(stock):
    step = stock.reset()
    model, data = _pointers(stock)
    before = (
        model.vis.quality.shadowsize,
        model.vis.quality.offsamples,
        model.vis.global_.offwidth,
    )
    fast, exact = EgocentricCamera(model, data, "fast"), EgocentricCamera(model, data, "stock")
    picture = fast.render()
    np.testing.assert_array_equal(exact.render(), step.observation[CAMERA])
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    # the bowl is all shaded ground; elsewhere the difference is a few grey levels
    assert np.abs(picture.astype(int) - step.observation[CAMERA]).mean() < 25
    assert before == (
        model.vis.quality.shadowsize,
        model.vis.quality.offsamples,
        model.vis.global_.offwidth,
    )
    # and dm_control's own picture has not changed by any of this
    again = stock.task._walker.observables.egocentric_camera.observation_callable(
        stock.physics, np.random.RandomState(0)
    )()
    np.testing.assert_array_equal(again, step.observation[CAMERA])
    fast.close()
    exact.close()


def test_flatten_has_every_sense_once_in_the_documented_order():
    environment = tasks.make("corridor", 0)
    environment.reset()
    felt = Senses(environment).observe()
    flat = flatten(felt)
    assert flat.dtype == np.float32
    assert flat.shape == (N_PROPRIOCEPTION,) == (158,)
    place = 0
    for name, size in PROPRIOCEPTION:
        np.testing.assert_array_equal(
            flat[place : place + size], np.ravel(felt[name]).astype(np.float32)
        )
        place += size
    bare = Senses(*_pointers(environment)).observe()
    for name, value in felt.items():
        np.testing.assert_array_equal(value, bare[name])


@pytest.mark.parametrize("task", tasks.TASKS)
def test_everything_random_follows_from_the_seed_and_the_global_generator_is_left_alone(task):
    def episode(seed):
        environment = tasks.make(task, seed)
        environment.reset()
        rng = np.random.default_rng(1)
        for _ in range(3):
            environment.step(rng.uniform(-1, 1, 38))
        state = environment.physics.data.ptr.qpos.copy()
        bodies = np.concatenate(
            [environment.physics.data.ptr.geom_xpos, environment.physics.model.ptr.geom_rgba[:, :3]]
        )
        environment.close()
        return state, bodies

    np.random.seed(5)
    first = episode(11)
    after = np.random.uniform()
    np.random.seed(5)
    assert after == np.random.uniform()
    np.random.seed(99)
    second = episode(11)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    if task not in ("corridor",):
        other = episode(12)
        assert first[1].shape != other[1].shape or not np.array_equal(first[1], other[1])


def test_the_corridor_is_flat_and_as_long_as_the_gaps_arena():
    environment = tasks.make("corridor", 0)
    step = environment.reset()
    model, data = _pointers(environment)
    np.testing.assert_array_equal(data.qpos[:3], [5, 0, 0])
    floors = [g for g in range(model.ngeom) if "floor" in model.geom(g).name]
    tops = {float(model.geom_pos[g, 2] + model.geom_size[g, 2]) for g in floors}
    assert len(tops) == 1
    ends = sorted(
        (model.geom_pos[g, 0] - model.geom_size[g, 0], model.geom_pos[g, 0] + model.geom_size[g, 0])
        for g in floors
    )
    assert ends[0][1] == pytest.approx(ends[1][0])
    assert ends[-1][1] >= 40
    assert model.opt.timestep == 0.001
    assert environment.control_timestep() == 0.02
    assert step.reward is None


def test_a_time_limit_ends_the_episode():
    environment = tasks.make("corridor", 0, time_limit_s=0.1)
    environment.reset()
    steps = [environment.step(np.zeros(38)) for _ in range(5)]
    assert steps[-1].last()
    assert not steps[0].last()


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match="two_tap"):
        tasks.make("two_taps", 0)
    environment = tasks.make("corridor", 0)
    environment.reset()
    with pytest.raises(ValueError, match="fast"):
        EgocentricCamera(*_pointers(environment), "slow")  # type: ignore[arg-type]


def test_without_opengl_there_is_one_clear_sentence():
    program = (
        "from rig.arenas import camera, tasks\n"
        "e = tasks.make('corridor', 0); e.reset()\n"
        "try:\n"
        "    camera.EgocentricCamera(e.physics.model.ptr, e.physics.data.ptr)\n"
        "except camera.CameraUnavailableError as error:\n"
        "    print('SENTENCE', error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"MUJOCO_GL": "disable", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "SENTENCE this machine cannot render" in ran.stdout, ran.stderr


@pytest.mark.parametrize(
    ("task", "stock_target"), [("forage", "Target"), ("two_tap", "TwoTapTarget")]
)
def test_touches_are_found_as_dm_control_finds_them(task, stock_target):
    """Put the animal's paw into a target: ours and the stock scan agree at every substep."""
    environment = tasks.make(task, 4)
    environment.reset()
    physics = environment.physics
    groups = getattr(environment.task, "_active_targets", None) or environment.task._targets
    targets = [target for group in groups for target in group]
    assert {type(target).__name__ for target in targets} == {stock_target}
    hand = physics.model.ptr.body("walker/hand_L").id
    found, rng = [], np.random.default_rng(0)
    for index, target in enumerate(targets[:3]):
        place = physics.data.ptr.geom_xpos[target.geom_id].copy()
        for _ in range(4):
            # carry the animal so that its left hand is in the sphere
            physics.data.ptr.qpos[:3] += place - physics.data.ptr.xpos[hand]
            physics.data.ptr.qpos[2] += 0.002 * index
            physics.data.ptr.qvel[:] = 0
            physics.forward()
            environment.step(rng.uniform(-0.1, 0.1, 38))
            in_contact = target.geom_id in physics.data.ptr.contact.geom
            before = target.activated
            type(target).__mro__[1].after_substep(target, physics, None)  # the stock scan
            assert target.activated == before
            found.append((in_contact, np.any(target.activated)))
    assert any(active for _, active in found)


@pytest.mark.parametrize(
    ("task", "whole"),
    [("corridor", True), ("gaps", True), ("escape", True), ("forage", False), ("two_tap", False)],
)
def test_a_whole_tick_at_once_is_the_same_to_the_bit(task: str, whole: bool):
    swift = tasks.make(task, 3)
    assert isinstance(swift, WholeTickEnvironment) is whole
    if not whole:
        return  # it is dm_control's own
    plain = tasks.make(task, 3)
    plain.__class__ = composer.Environment
    for environment in (swift, plain):
        environment.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (15, 38))
    for action in actions:
        ours, theirs = swift.step(action), plain.step(action)
        assert (ours.reward, ours.discount) == (theirs.reward, theirs.discount)
        for field in ("qpos", "qvel", "act", "xpos", "sensordata", "subtree_linvel", "ctrl"):
            one, other = (getattr(e.physics.data.ptr, field) for e in (swift, plain))
            np.testing.assert_array_equal(one, other, err_msg=field)
