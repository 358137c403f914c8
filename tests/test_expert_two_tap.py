"""The tap's splines, and the expert of two-tap on the real task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rig.arenas import tasks
from rig.body_quantities import FALLEN_BELOW_UP
from tests.placed_animal import place_animal
from training.experts import expert_for
from training.experts.pose import BodyReader
from training.experts.two_tap import LANDING_TICKS, PATIENCE_TICKS, SEEN_TO_M, TwoTapExpert
from training.experts.view import View
from training.skills import tap_trials, walking_backward
from training.skills.body import Bodies
from training.skills.library import Skills
from training.skills.righting import STANDS_ABOVE_UP
from training.skills.steering import load as load_steering
from training.skills.tap import (
    AGAIN_KNOTS,
    LONGEST_REACH,
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


@dataclass
class Approach:
    """What came of an animal that began 0.5 m from the orb.

    Attributes:
        targets: auxiliary targets of every tick until the first touch.
        orb_seen: `orb_seen` of the ticks in which it came near, before it reached for the orb.
        loss_weights: by the expert's mode.
        touched, touched_again: the first and the second touch of the task.
    """

    targets: list[Mapping[str, float]] = field(default_factory=list)
    orb_seen: list[float] = field(default_factory=list)
    loss_weights: dict[str, set[float]] = field(default_factory=dict)
    touched: bool = False
    touched_again: bool = False


@pytest.fixture(scope="module")
def approaches() -> list[Approach]:
    """Three animals, from three sides, until they have tapped twice and look for the next orb."""
    return [_approach(seed) for seed in range(3)]


def _approach(seed: int) -> Approach:
    environment = tasks.make("two_tap", seed)
    environment.reset()
    orb = environment.task._targets[0][0]
    side = 2 * np.pi * seed / 3
    x, y, _ = environment.physics.model.geom_pos[orb.geom_id]
    place_animal(environment, x - 0.5 * np.cos(side), y - 0.5 * np.sin(side), side + 0.3)
    expert = TwoTapExpert(Skills(SKILLS))
    expert.begin(environment)
    body, result, after_touch = BodyReader(environment), Approach(), 0
    for _ in range(300):
        action = expert.act()
        assert action.shape == (38,)
        assert np.abs(action).max() <= 1
        result.loss_weights.setdefault(expert._mode, set()).add(expert.loss_weight)
        if not result.touched:
            targets, place = (
                expert.auxiliary_targets(),
                environment.physics.model.geom_pos[orb.geom_id],
            )
            result.targets.append(targets)
            near = 0.06 < np.hypot(*(place - body.place_m())[:2]) < 0.3
            if near and expert._mode != "reach" and abs(body.bearing_rad(place)) < 0.5:
                result.orb_seen.append(targets["orb_seen"])
        environment.step(action)
        result.touched = result.touched or bool(orb.activated[0])
        result.touched_again = result.touched_again or bool(orb.activated[1])
        after_touch += result.touched
        if after_touch > AGAIN_KNOTS[-1] + LANDING_TICKS + 5:
            break
    return result


def test_the_expert_touches_the_orb_and_touches_it_again(approaches: list[Approach]) -> None:
    """Of three animals two touch within 6 s, and one a second time when that is due, at the least."""
    assert sum(one.touched for one in approaches) >= 2
    assert sum(one.touched_again for one in approaches) >= 1
    for one in approaches:
        seen = [targets for targets in one.targets if targets["orb_seen"]]
        assert seen
        assert all(max(abs(t["orb_right"]), abs(t["orb_up"])) < 1 for t in seen)


def test_the_orb_is_in_view_until_the_animal_reaches_for_it(approaches: list[Approach]) -> None:
    """What the expert decides by when centimetres count must be seen, or the network cannot learn it."""
    seen = [value for one in approaches for value in one.orb_seen]
    assert len(seen) > 30, "they have not come near"
    assert np.mean(seen) > 0.8


def test_taps_count_more_than_what_leads_to_them(approaches: list[Approach]) -> None:
    by_mode: dict[str, set[float]] = {}
    for one in approaches:
        for mode, weights in one.loss_weights.items():
            by_mode.setdefault(mode, set()).update(weights)
    assert by_mode["reach"] == by_mode["again"] == {3.0}
    assert by_mode["find"] == by_mode["land"] == {1.0}


def test_what_is_behind_the_animal_is_not_shown() -> None:
    environment = tasks.make("two_tap", 0)
    environment.reset()
    view = View(BodyReader(environment), SEEN_TO_M)
    camera = environment.physics.data.ptr.cam("walker/egocentric")
    looks = -camera.xmat.reshape(3, 3)[:, 2]
    assert view.shows(camera.xpos + 0.3 * looks)
    assert not view.shows(camera.xpos - 0.3 * looks)


def with_motor_noise(action: Array, rng: np.random.Generator) -> Array:
    """The action (actuators,) with motor noise like that of training, without which all starts are alike."""
    return np.clip(action + rng.normal(0, 0.07, len(action)), -1, 1)


def test_an_orb_overhead_comes_into_view() -> None:
    """Of three, two at the least see it within 3 s; what they do until then takes no memory."""
    environment = tasks.make("two_tap", 5)
    environment.reset()
    physics, orb = environment.physics, environment.task._targets[0][0]
    start = physics.get_state().copy()
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        with physics.reset_context():
            physics.set_state(start)
        expert = expert_for("two_tap", Skills(SKILLS))
        expert.begin(environment)
        body = BodyReader(environment)
        physics.model.geom_pos[orb.geom_id] = (*body.place_m()[:2], 0.14)
        view = View(body, SEEN_TO_M)
        ticks = 0
        while ticks <= 150 and not view.shows(physics.model.geom_pos[orb.geom_id]):
            action = expert.act()
            if ticks % 25 == 0:
                without_memory = expert_for("two_tap", Skills(SKILLS))
                without_memory.begin(environment)
                np.testing.assert_array_equal(without_memory.act(), action)
            environment.step(with_motor_noise(action, rng))
            ticks += 1
        found.append(3 < ticks <= 150)
    assert sum(found) >= 2, "it stays overhead"


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


def _before_an_orb(ahead_m: float) -> tuple[Any, TwoTapExpert]:
    """An animal that stands, with the orb so far ahead, and its expert, which has seen it."""
    environment = tasks.make("two_tap", 5)
    environment.reset()
    expert = TwoTapExpert(Skills(SKILLS))
    expert.begin(environment)
    for _ in range(25):
        environment.step(expert._stand())
    body, orb = BodyReader(environment), environment.task._targets[0][0]
    about = body.heading_rad()
    place = body.place_m()[:2] + ahead_m * np.array([np.cos(about), np.sin(about)])
    environment.physics.model.geom_pos[orb.geom_id] = (*place, 0.14)
    expert._goal, expert._unseen = environment.physics.model.geom_pos[orb.geom_id].copy(), 0
    return environment, expert


def test_an_animal_that_rears_at_half_strength_is_not_left_half_reared() -> None:
    """It is asked for the whole reach all the same, and is done with it after so long."""
    strength = 0.5
    environment, expert = _before_an_orb(load(SKILLS / "tapping.npz").ahead_m)
    stands, asked = expert._stand(), []
    for _ in range(LONGEST_REACH + PATIENCE_TICKS):
        action = expert.act()
        if expert._mode == "reach":
            asked.append(expert._reach.tick)
        elif asked:
            break
        environment.step(stands + strength * (action - stands))
    assert asked[-1] >= REACH_KNOTS[-1], "it stands still in the middle"
    assert np.diff(asked).min() >= 0


def test_an_orb_behind_the_animal_is_turned_to() -> None:
    environment, expert = _before_an_orb(-0.16)
    modes, began = set(), expert._body.heading_rad()
    for _ in range(20):
        environment.step(expert.act())
        modes.add(expert._mode)
    turned = (expert._body.heading_rad() - began + np.pi) % (2 * np.pi) - np.pi
    assert modes == {"approach"}
    assert abs(turned) > 0.3


def test_the_animal_walks_backwards_on_command() -> None:
    backwards, speeds, least_upright = Skills(SKILLS).walking_backward(), [], []
    command = np.array([walking_backward.SPEED]), np.array([walking_backward.COMMAND])
    environment = tasks.make("two_tap", 5)
    environment.reset()
    body, start = BodyReader(environment), environment.physics.get_state().copy()
    for seed in range(3):
        rng = np.random.default_rng(seed)
        with environment.physics.reset_context():
            environment.physics.set_state(start)
        upright = []
        for tick in range(50):
            action = backwards.act(body.activation()[None], *command)[0]
            environment.step(with_motor_noise(action, rng))
            upright.append(body.upright())
            if tick >= 25:
                speeds.append(body.forward_speed_m_s())
        least_upright.append(min(upright))
    assert np.mean(speeds) < -0.15
    assert np.median(least_upright) > STANDS_ABOVE_UP


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
    """Of three on their backs, two at the least have stood for 0.3 s within 5 s."""
    environment = tasks.make("two_tap", 3)
    environment.reset()
    physics, expert = environment.physics, expert_for("two_tap", Skills(SKILLS))
    start = physics.get_state().copy()
    stood = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        with physics.reset_context():
            physics.set_state(start)
            physics.data.qpos[2:7] = (0.1, 0, 1, 0, 0)
        expert.begin(environment)
        matrix = physics.named.data.xmat
        up_for = 0
        for tick in range(250):
            environment.step(with_motor_noise(expert.act(), rng))
            up = min(matrix["walker/torso", "zz"], matrix["walker/pelvis", "zz"])
            if tick == 10:
                assert up < FALLEN_BELOW_UP, "it has not been turned over"
            up_for = up_for + 1 if up > STANDS_ABOVE_UP else 0
            if up_for > 15:
                break
        stood.append(up_for > 15)
    assert sum(stood) >= 2
