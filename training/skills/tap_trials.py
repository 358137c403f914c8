"""Trials of taps: many at once, from disturbed starts, with motor noise, at an orb in several places.

The two parts can be tried separately: `try_reach` ends in animals that have just touched, `try_again` begins
there.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from training.skills.body import Bodies
from training.skills.steering import Steering
from training.skills.tap import DUE_TICK, LONGEST_REACH, LOOK_AGAIN_TICK, Tap

Array = np.ndarray

ORB_HEIGHT_M, ORB_RADIUS_M = 0.14, 0.025
PAW_RADIUS_M = 0.004
STOOD_ABOVE_UP = 0.9
"""Uprightness from which an animal that has stopped counts as standing, to begin a trial."""
TICKS_AGAIN = 47
"""Length of the second part in a trial: until the second touch would come too late."""


@dataclass(frozen=True)
class TapTrials:
    """Starts of s trials, the same for every candidate.

    Attributes:
        states: (s, state) float64.
        off_ahead_m: (s,) how much farther ahead the orb is than the tap's own best distance.
        aside_m: (s,) how far to the left the orb is.
        noise: (s, ticks, actuators) motor noise.
    """

    states: Array
    off_ahead_m: Array
    aside_m: Array
    noise: Array


@dataclass(frozen=True)
class FirstTouches:
    """Animals that have just touched the orb: s of them.

    Attributes:
        states: (s, state) float64.
        orbs: (s, 3) the orbs' positions (m).
        off_ahead_m: (s,) of the `TapTrials` that they come from.
        aside_m: (s,) likewise.
        noise: (s, ticks, actuators) motor noise of the second part.
    """

    states: Array
    orbs: Array
    off_ahead_m: Array
    aside_m: Array
    noise: Array

    def select(self, chosen: Array, noise: Array) -> FirstTouches:
        """Those with the indices `chosen` (n,), with motor noise (n, ticks, actuators) of their own."""
        return FirstTouches(
            self.states[chosen], self.orbs[chosen], self.off_ahead_m[chosen],
            self.aside_m[chosen], noise,
        )  # fmt: skip


def standing_states(bodies: Bodies, steering: Steering, n: int, rng: np.random.Generator) -> Array:
    """States of animals that ran, stopped, and have stood for 0.12 to 0.3 s; those that do not stand are left
    out.

    Args:
        bodies: the physics.
        steering: the gait.
        n: how many animals run.
        rng: for speeds, phases, starts and motor noise.

    Returns:
        (at most n, state) float64.
    """
    ticks, stop = 44, 30
    control = np.empty((n, ticks, len(bodies.actuators)))
    for k in range(n):
        speed = rng.uniform(0.2, 0.7)
        phase = rng.random() + np.arange(ticks) * steering.cycles_per_tick(np.array([speed]))
        stops_at = stop + rng.integers(0, 9)
        speeds = np.where(np.arange(ticks) < stops_at, speed, 0.0)
        control[k] = steering.control(phase, speeds, np.zeros(ticks))
    starts = np.stack([bodies.disturbed_start(rng) for _ in range(n)])
    noisy = np.clip(control + rng.normal(0, 0.07, control.shape), -1, 1)
    arrived = bodies.run(starts, noisy)[0][:, -1:]
    return arrived[bodies.motion(arrived).upright[:, 0] > STOOD_ABOVE_UP, 0]


def sample_trials(
    bodies: Bodies,
    starts: Array,
    n: int,
    noise: float,
    spread_m: tuple[float, float],
    rng: np.random.Generator,
) -> TapTrials:
    """Random trials.

    Args:
        bodies: the physics.
        starts: (any, state) from which the trials' starts are drawn.
        n: how many trials.
        noise: motor noise (sd).
        spread_m: greatest deviation of the orb from its best distance, ahead and to the sides.
        rng: for all of it.
    """
    return TapTrials(
        states=starts[rng.integers(len(starts), size=n)],
        off_ahead_m=rng.uniform(-spread_m[0], spread_m[0], n),
        aside_m=rng.uniform(-spread_m[1], spread_m[1], n),
        noise=rng.normal(0, noise, (n, LONGEST_REACH + TICKS_AGAIN, len(bodies.actuators))),
    )


@dataclass(frozen=True)
class TapResult:
    """What came of taps; every array is (candidates, s).

    Attributes:
        reached_m: least distance of a paw from the orb's centre in the first part.
        touched: bool, whether that was a touch.
        reach_ticks: int, tick of the first touch, or of the least distance.
        lingered_m: least distance from 0.2 s to 0.68 s after the first touch.
        again_m: least distance when the second touch is due.
        second_tick: int, tick of the second touch after the first; 0: none.
        success: bool, whether the task would count the second touch.
        upright: least uprightness; -1 where the simulation diverged.
    """

    reached_m: Array
    touched: Array
    reach_ticks: Array
    lingered_m: Array
    again_m: Array
    second_tick: Array
    success: Array
    upright: Array


class Paws:
    """Positions of the forepaws by forward kinematics.

    Args:
        bodies: whose model is used.
    """

    def __init__(self, bodies: Bodies) -> None:
        self._model, self._data = bodies.model, mujoco.MjData(bodies.model)
        self._torso = self._model.body("walker/torso").id
        self._hands = [self._model.body(f"walker/hand_{side}").id for side in "LR"]

    def trunk(self, qpos: Array) -> tuple[float, float, float]:
        """The trunk's x and y (m) and heading (rad) in a pose (nq,)."""
        # the pose begins with the position of the body's root, which is not the trunk's
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        x, y, _ = self._data.xpos[self._torso]
        matrix = self._data.xmat[self._torso].reshape(3, 3)
        return float(x), float(y), float(np.arctan2(matrix[1, 0], matrix[0, 0]))

    def ahead_and_aside(self, qpos: Array, point: Array) -> tuple[float, float]:
        """Distances (m) of a point (3,) ahead of the trunk and to its left, in a pose (nq,)."""
        x, y, heading = self.trunk(qpos)
        dx, dy = point[0] - x, point[1] - y
        ahead = dx * np.cos(heading) + dy * np.sin(heading)
        return float(ahead), float(dy * np.cos(heading) - dx * np.sin(heading))

    def distances(self, qpos: Array, point: Array) -> Array:
        """Distances (...) in m of the nearer paw's middle from points (..., 3), in poses (..., nq)."""
        flat, points = qpos.reshape(-1, qpos.shape[-1]), point.reshape(-1, 3)
        found = np.empty(len(flat))
        for k, pose in enumerate(flat):
            self._data.qpos[:] = pose
            mujoco.mj_kinematics(self._model, self._data)
            found[k] = np.sqrt(((self._data.xpos[self._hands] - points[k]) ** 2).sum(1).min())
        return found.reshape(qpos.shape[:-1])


@dataclass(frozen=True)
class ReachResult:
    """What came of the first part of taps.

    Attributes:
        nearest_m: (candidates, s) least distance of a paw from the orb's centre.
        touched: (candidates, s) bool, whether that was a touch.
        ticks: (candidates, s) int, tick of the touch, or of the least distance.
        upright: (candidates, s) least uprightness; -1 where the simulation diverged.
        states: (candidates, s, state) at that tick.
        orbs: (candidates, s, 3) positions (m).
    """

    nearest_m: Array
    touched: Array
    ticks: Array
    upright: Array
    states: Array
    orbs: Array


def try_reach(bodies: Bodies, paws: Paws, taps: list[Tap], trials: TapTrials) -> ReachResult:
    """Try the first part of each tap in each trial.

    Args:
        bodies: the physics.
        paws: of the same bodies.
        taps: candidates.
        trials: s starts.
    """
    n, s = len(taps), len(trials.states)
    actions = np.stack(
        [
            [tap.reaching(t, tap.ahead_m + off, left) for t in range(LONGEST_REACH)]
            for tap in taps
            for off, left in zip(trials.off_ahead_m, trials.aside_m, strict=True)
        ]
    )
    noise = np.tile(trials.noise[:, :LONGEST_REACH], (n, 1, 1))
    states, diverged = _run(bodies, np.tile(trials.states, (n, 1)), actions + noise)
    orbs = _orbs(bodies, paws, trials, taps).reshape(n * s, 3)
    distance = paws.distances(bodies.split(states)[0], np.repeat(orbs[:, None], LONGEST_REACH, 1))
    touching = distance < ORB_RADIUS_M + PAW_RADIUS_M
    touched = touching.any(1) & ~diverged
    when = np.where(touched, touching.argmax(1), distance.argmin(1))
    upright = np.where(diverged, -1.0, bodies.motion(states).upright.min(1))
    at_touch = states[np.arange(n * s), when]
    values = (distance.min(1), touched, when, upright, at_touch, orbs)
    return ReachResult(*(v.reshape(n, s, *v.shape[1:]) for v in values))


def try_again(
    bodies: Bodies, paws: Paws, taps: list[Tap], touched: FirstTouches
) -> dict[str, Array]:
    """Try the second part of taps: each of the n taps continues from its own s of the (n * s) touches.

    Args:
        bodies: the physics.
        paws: of the same bodies.
        taps: n candidates.
        touched: n * s animals, those of the first tap first.

    Returns:
        The attributes of `TapResult` that the second part decides, by name, each (n * s,).
    """
    own = [tap for tap in taps for _ in range(len(touched.states) // len(taps))]
    ways = list(zip(own, touched.off_ahead_m, touched.aside_m, strict=True))
    actions = np.array(
        [
            [tap.touching_again(t, tap.ahead_m + off, left) for t in range(LOOK_AGAIN_TICK)]
            for tap, off, left in ways
        ]
    )
    noise = touched.noise
    down, diverged = _run(bodies, touched.states, actions + noise[:, :LOOK_AGAIN_TICK])
    low = bodies.split(down[:, -1])[0]
    places = [paws.ahead_and_aside(q, o) for q, o in zip(low, touched.orbs, strict=True)]
    actions = np.array(
        [
            [tap.touching_again(t, *place) for t in range(LOOK_AGAIN_TICK, TICKS_AGAIN)]
            for tap, place in zip(own, places, strict=True)
        ]
    )
    up, also_diverged = _run(bodies, down[:, -1], actions + noise[:, LOOK_AGAIN_TICK:TICKS_AGAIN])
    diverged |= also_diverged
    states = np.concatenate([down, up], 1)
    distance = paws.distances(
        bodies.split(states)[0], np.repeat(touched.orbs[:, None], TICKS_AGAIN, 1)
    )
    # tick k ends k + 1 ticks after the first touch; the debounce ends with tick 10
    counts = distance < ORB_RADIUS_M + PAW_RADIUS_M
    counts[:, :10] = False
    second = np.where(counts.any(1) & ~diverged, counts.argmax(1) + 1, 0)
    upright = bodies.motion(states).upright.min(1)
    return {
        "lingered_m": distance[:, 9:33].min(1),
        "again_m": distance[:, 36:43].min(1),
        "second_tick": second,
        "success": (second >= DUE_TICK - 4) & (second <= DUE_TICK + 4),
        "upright": np.where(diverged, -1.0, upright),
    }


def try_out(bodies: Bodies, paws: Paws, taps: list[Tap], trials: TapTrials) -> TapResult:
    """Try both parts of each tap in each trial.

    Args:
        bodies: the physics.
        paws: of the same bodies.
        taps: candidates.
        trials: s starts.
    """
    n, s = len(taps), len(trials.states)
    reach = try_reach(bodies, paws, taps, trials)
    touched = FirstTouches(
        reach.states.reshape(n * s, -1), reach.orbs.reshape(n * s, 3),
        np.tile(trials.off_ahead_m, n), np.tile(trials.aside_m, n),
        np.tile(trials.noise[:, LONGEST_REACH:], (n, 1, 1)),
    )  # fmt: skip
    more = {k: v.reshape(n, s) for k, v in try_again(bodies, paws, taps, touched).items()}
    more["upright"] = np.minimum(more["upright"], reach.upright)
    more["success"] = more["success"] & reach.touched
    return TapResult(reach.nearest_m, reach.touched, reach.ticks, **more)


def _run(bodies: Bodies, begin: Array, actions: Array) -> tuple[Array, Array]:
    """States (n, ticks, state), and which (n,) diverged: those hold their first state throughout."""
    states, _ = bodies.run(begin, np.clip(actions, -1, 1))
    diverged = ~np.isfinite(states).all((1, 2))
    states[diverged] = begin[diverged][:, None]
    return states, diverged


def _orbs(bodies: Bodies, paws: Paws, trials: TapTrials, taps: list[Tap]) -> Array:
    """Positions (taps, s, 3) of the orbs, ahead and to the left of the trunk at the start."""
    trunks = [paws.trunk(qpos) for qpos in bodies.split(trials.states)[0]]
    x0, y0, yaw = np.array(trunks).T
    places = []
    for tap in taps:
        ahead = tap.ahead_m + trials.off_ahead_m
        x = x0 + ahead * np.cos(yaw) - trials.aside_m * np.sin(yaw)
        y = y0 + ahead * np.sin(yaw) + trials.aside_m * np.cos(yaw)
        places.append(np.stack([x, y, np.full(len(x), ORB_HEIGHT_M)], 1))
    return np.stack(places)
