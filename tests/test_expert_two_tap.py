"""The tap's splines, and the expert of two-tap on the real task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rig.arenas import tasks
from rig.body_quantities import FALLEN_BELOW_UP
from training.experts import expert_for
from training.experts.pose import BodyReader
from training.experts.two_tap import SEEN_TO_M, TwoTapExpert
from training.experts.view import View
from training.skills import tap_trials, walking_backward
from training.skills.body import Bodies
from training.skills.library import Skills
from training.skills.righting import STANDS_ABOVE_UP
from training.skills.steering import load as load_steering
from training.skills.tap import (
    AGAIN_KNOTS,
    LOOK_AGAIN_TICK,
    N_PARAMETERS,
    REACH_KNOTS,
    Tap,
    load,
    tap_of,
)
from training.skills.tap_initial_parameters import INITIAL_PARAMETERS

Array = np.ndarray

SKILLS = Path(__file__).parents[1] / "subjects" / "rodent" / "skills"


def a_tap(rng: np.random.Generator) -> Tap:
    actuators = _actuators()
    return tap_of(rng.normal(0, 0.3, N_PARAMETERS), actuators)


def _actuators() -> dict[str, int]:
    environment = tasks.make("two_tap", 0)
    environment.reset()
    model = environment.physics.model.ptr
    return {model.actuator(i).name.split("/")[1]: i for i in range(model.nu)}


def test_a_tap_goes_through_its_knots_and_is_steered() -> None:
    tap = a_tap(np.random.default_rng(0))
    for k, tick in enumerate(REACH_KNOTS):
        expected = np.clip(tap.reach[k], -1, 1)
        np.testing.assert_allclose(tap.reaching(tick, tap.ahead_m, 0.0), expected)
    for k, tick in enumerate(AGAIN_KNOTS):
        expected = np.clip(tap.again[k], -1, 1)
        best = tap.ahead_m if tick < LOOK_AGAIN_TICK else tap.more_ahead_m
        np.testing.assert_allclose(tap.touching_again(tick, best, 0.0), expected)
    left, right = (tap.reaching(9, tap.ahead_m, side) for side in (0.02, -0.02))
    straight = tap.reaching(9, tap.ahead_m, 0.0)
    inside = np.abs([left, right, straight]).max(0) < 1
    np.testing.assert_allclose((left + right)[inside], 2 * straight[inside], atol=1e-12)
    assert np.abs(left - right).max() > 0.01


def test_a_tap_is_kept(tmp_path: Path) -> None:
    tap = a_tap(np.random.default_rng(1))
    tap.save(tmp_path / "tapping.npz")
    again = load(tmp_path / "tapping.npz")
    assert (again.ahead_m, again.more_ahead_m) == (tap.ahead_m, tap.more_ahead_m)
    np.testing.assert_array_equal(again.again_aside, tap.again_aside)
    np.testing.assert_array_equal(again.reach, tap.reach)


def test_the_expert_touches_the_orb() -> None:
    environment = tasks.make("two_tap", 1002)
    environment.reset()
    expert = TwoTapExpert(Skills(SKILLS))
    expert.begin(environment)
    seen = False
    touched = False
    for _ in range(800):
        action = expert.act()
        cues = expert.auxiliary_targets()
        seen = seen or bool(cues["orb_seen"])
        assert action.shape == (38,)
        assert np.abs(action).max() <= 1
        if cues["orb_seen"]:
            assert max(abs(cues["orb_right"]), abs(cues["orb_up"])) < 1
        environment.step(action)
        touched = bool(environment.task._targets[0][0].activated[0])
        if touched:
            break
    assert seen
    assert touched, "not within 16 s"
    # what is behind the animal, or above it, is not shown
    view = View(expert._body, SEEN_TO_M)
    camera = environment.physics.data.ptr.cam("walker/egocentric")
    looks = -camera.xmat.reshape(3, 3)[:, 2]
    assert view.shows(camera.xpos + 0.3 * looks)
    assert not view.shows(camera.xpos - 0.3 * looks)


def test_the_orb_is_in_view_until_the_animal_reaches_for_it() -> None:
    """What the expert decides by when centimetres count must be seen, or nobody can learn it."""
    environment = tasks.make("two_tap", 1002)
    environment.reset()
    expert = TwoTapExpert(Skills(SKILLS))
    expert.begin(environment)
    body, orb = BodyReader(environment), environment.task._targets[0][0]
    seen = []
    for _ in range(800):
        action = expert.act()
        if orb.activated[0]:
            break
        place = environment.physics.model.geom_pos[orb.geom_id]
        near = 0.06 < np.hypot(*(place - body.place_m())[:2]) < 0.3
        if near and expert._mode != "reach" and abs(body.bearing_rad(place)) < 0.5:
            seen.append(expert.auxiliary_targets()["orb_seen"])
        environment.step(action)
    assert len(seen) > 10, "it has not come near"
    assert np.mean(seen) > 0.8


def test_who_finds_no_orb_goes_elsewhere() -> None:
    environment = tasks.make("two_tap", 5)
    environment.reset()
    orb = environment.task._targets[0][0]
    with environment.physics.reset_context():
        environment.physics.model.geom_pos[orb.geom_id] = (40, 40, 0.14)
    expert = expert_for("two_tap", Skills(SKILLS))
    expert.begin(environment)
    body = BodyReader(environment)
    began, places = body.place_m()[:2].copy(), []
    for _ in range(300):
        environment.step(expert.act())
        places.append(body.place_m()[:2].copy())
    away = np.hypot(*(np.array(places) - began).T)
    assert away[:30].max() < 0.15, "it does not look round first"
    assert away.max() > 0.3, "it looks round for ever"


@pytest.mark.parametrize("side", [-1, 1])
def test_an_orb_that_has_just_left_the_view_is_turned_to(side: int) -> None:
    environment = tasks.make("two_tap", 5)
    environment.reset()
    orb = environment.task._targets[0][0]
    expert = expert_for("two_tap", Skills(SKILLS))
    expert.begin(environment)
    body = BodyReader(environment)

    def hang(ahead_m: float, left_rad: float) -> None:
        about = body.heading_rad() + left_rad
        place = body.place_m()[:2] + ahead_m * np.array([np.cos(about), np.sin(about)])
        environment.physics.model.geom_pos[orb.geom_id] = (*place, 0.14)

    hang(0.5, 0.0)
    expert.act()
    assert expert.auxiliary_targets()["orb_seen"]
    hang(0.15, side * 1.0)
    expert._goal = environment.physics.model.geom_pos[orb.geom_id].copy()  # it saw it go there
    assert not expert.auxiliary_targets()["orb_seen"]
    began = body.heading_rad()
    for _ in range(12):
        environment.step(expert.act())
    turned = (body.heading_rad() - began + np.pi) % (2 * np.pi) - np.pi
    assert side * turned > 0.1


def test_taps_count_more_than_what_leads_to_them() -> None:
    environment = tasks.make("two_tap", 5)
    environment.reset()
    expert = expert_for("two_tap", Skills(SKILLS))
    expert.begin(environment)
    counts: dict[str, set[float]] = {}
    for _ in range(400):
        environment.step(expert.act())
        counts.setdefault(expert._mode, set()).add(expert.loss_weight)
    assert counts["reach"] == counts["again"] == {3.0}
    assert counts["find"] == {1.0}


def test_the_animal_walks_backwards_when_told_to() -> None:
    environment = tasks.make("two_tap", 5)
    environment.reset()
    body = BodyReader(environment)
    backwards = Skills(SKILLS).walking_backward()
    ran = []
    for _ in range(75):
        activation = body.activation()[None]
        speed, command = np.array([walking_backward.SPEED]), np.array([walking_backward.COMMAND])
        environment.step(backwards.act(activation, speed, command)[0])
        ran.append(body.forward_speed_m_s())
        assert body.upright() > STANDS_ABOVE_UP
    assert np.mean(ran[25:]) < -0.15


def test_the_search_for_walking_backwards_goes_on_where_it_was(tmp_path: Path) -> None:
    gait = load_steering(SKILLS / "steering.npz").gait
    reports: list[tuple[int, float]] = []
    for generations in (1, 2):
        settings = walking_backward.WalkingBackwardSettings(
            generations, population=4, rollout_s=1.0
        )
        found = walking_backward.find(
            gait, settings, tmp_path, 1, lambda state, v: reports.append((state.generation, v))
        )
    assert [generation for generation, _ in reports] == [1, 2]
    assert all(speed < 0.3 for _, speed in reports), "the legs do not swing the other way"
    again = load_steering(tmp_path / "walking_backward.npz")
    np.testing.assert_array_equal(again.swing, found.swing)


def test_the_distance_of_a_paw_is_that_of_the_simulator() -> None:
    bodies = Bodies(coarse=True, threads=1)
    paws = tap_trials.Paws(bodies)
    qpos = bodies.split(bodies.start)[0]
    x, y, heading = paws.trunk(qpos)
    assert heading == pytest.approx(0.0, abs=0.05)
    # the forepaws stand a little ahead of the trunk and beside its middle
    ahead = np.array([x + 0.041, y, 0.009])
    assert 0.02 < paws.distances(qpos, ahead) < 0.08


def test_the_search_begins_with_a_tap() -> None:
    """The first guess touches an orb at its own distance, from most starts."""
    bodies = Bodies(coarse=False, threads=1)
    steering = load_steering(SKILLS / "steering.npz")
    rng = np.random.default_rng(0)
    starts = tap_trials.standing_states(bodies, steering, 6, rng)
    trials = tap_trials.sample_trials(bodies, starts, 6, 0.0, (0.0, 0.0), rng)
    guess = tap_of(INITIAL_PARAMETERS, bodies.actuators)
    reach = tap_trials.try_reach(bodies, tap_trials.Paws(bodies), [guess], trials)
    assert reach.touched.mean() > 0.6
    # and not where there is none
    trials = tap_trials.sample_trials(bodies, starts, 6, 0.0, (0.0, 0.0), rng)
    far = replace(trials, off_ahead_m=trials.off_ahead_m + 0.2)
    reach = tap_trials.try_reach(bodies, tap_trials.Paws(bodies), [guess], far)
    assert not reach.touched.any()


def test_a_fallen_animal_gets_up_before_it_goes_on() -> None:
    """On its back, it is up for a while within 8 s."""
    environment = tasks.make("two_tap", 3)
    environment.reset()
    expert = expert_for("two_tap", Skills(SKILLS))
    expert.begin(environment)
    physics = environment.physics
    with physics.reset_context():
        physics.data.qpos[2:7] = (0.1, 0, 1, 0, 0)
    matrix = physics.named.data.xmat
    up_for, longest = 0, 0
    for tick in range(400):
        environment.step(expert.act())
        up = min(matrix["walker/torso", "zz"], matrix["walker/pelvis", "zz"])
        if tick == 10:
            assert up < FALLEN_BELOW_UP, "it has not been turned over"
        up_for = up_for + 1 if up > STANDS_ABOVE_UP else 0
        longest = max(longest, up_for)
        if longest > 15:
            break
    assert longest > 15
