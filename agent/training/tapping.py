"""Find the tap: rear up, touch an orb 14 cm above the ground with the forepaws, withdraw, touch it again.

The tap has two parts, each a spline of the two sides' joints alike and of the spine. The first begins
on four feet and ends at the touch, however soon that comes; the second begins at the touch, so that the
time to the second touch is counted from the first. Both are linear in where the orb was when the tap
began: nearer or farther, to the left or right. Both forepaws reach together, which leaves room to the sides.

Coarse physics find the movement, stock physics finish it. A candidate is tried with motor noise from
several disturbed starts and several places of the orb.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import mujoco
import numpy as np

from agent.training.body import Bodies
from agent.training.gait import sided
from agent.training.search import SearchSettings, SearchState, search, write_arrays
from agent.training.steering import Steering

Array = np.ndarray

LIMB = (
    "hip_extend", "knee", "ankle", "toe", "hip_abduct", "shoulder", "elbow", "scapula_extend",
    "scapula_abduct", "wrist",
)  # fmt: skip
SPINE = ("lumbar_extend", "cervical_extend", "caudal_extend")
BENDS = ("lumbar_bend", "cervical_bend", "lumbar_twist", "cervical_twist")
N_SIGNALS = len(LIMB) + len(SPINE)

REACH_KNOTS = (0, 9, 18, 27)
"""Ticks since the tap began."""
AGAIN_KNOTS = (0, 8, 16, 24, 32, 40, 50)
"""Ticks since the first touch; the second is due at 40."""
DUE_TICK = 40
"""Ticks from the first to the second touch: 0.8 s, of which the task allows 5 more or less."""
LOOK_AGAIN_TICK = 16
"""Ticks since the first touch, when the animal is down again and reckons anew where the orb is."""
LONGEST_REACH = 34
"""Ticks after which a reach that touched nothing is given up."""
N_KNOTS = len(REACH_KNOTS) + len(AGAIN_KNOTS)
N_PARAMETERS = N_KNOTS * N_SIGNALS + 3 * N_SIGNALS + 3 * len(BENDS) + 2

ORB_HEIGHT_M, ORB_RADIUS_M = 0.14, 0.025
PAW_RADIUS_M = 0.004
NEAR_M, FAR_M = 0.06, 0.18
"""Between these the search chooses how far ahead of the trunk the orb is best."""
AHEAD_SCALE_M, ASIDE_SCALE_M = 0.03, 0.03


@dataclass(frozen=True)
class Tap:
    """The tap as splines of control.

    Attributes:
        reach: (REACH_KNOTS, actuators).
        again: (AGAIN_KNOTS, actuators).
        reach_ahead, again_ahead: (actuators,) added per `AHEAD_SCALE_M` that the orb is farther ahead.
        reach_aside, again_aside: (actuators,) added per `ASIDE_SCALE_M` that it is to the left.
        more_ahead, more_aside: as those, from `LOOK_AGAIN_TICK` on, for where it is then.
        ahead_m: how far ahead of the trunk the orb is best when the tap begins.
        more_ahead_m: how far ahead it is best at `LOOK_AGAIN_TICK`.
    """

    reach: Array
    again: Array
    reach_ahead: Array
    again_ahead: Array
    reach_aside: Array
    again_aside: Array
    more_ahead: Array
    more_aside: Array
    ahead_m: float
    more_ahead_m: float

    def reaching(self, tick: int, ahead_m: float, aside_m: float) -> Array:
        """Control (actuators,) `tick` ticks after the tap began."""
        part = _steer(self.reach_ahead, self.reach_aside, ahead_m - self.ahead_m, aside_m)
        return np.clip(_spline(self.reach, REACH_KNOTS, tick) + part, -1, 1)

    def touching_again(self, tick: int, ahead_m: float, aside_m: float) -> Array:
        """Control (actuators,) `tick` ticks after the first touch.

        Before `LOOK_AGAIN_TICK` the orb's place is that at which the tap began, then that at this tick.
        """
        if tick < LOOK_AGAIN_TICK:
            part = _steer(self.again_ahead, self.again_aside, ahead_m - self.ahead_m, aside_m)
        else:
            part = _steer(self.more_ahead, self.more_aside, ahead_m - self.more_ahead_m, aside_m)
        return np.clip(_spline(self.again, AGAIN_KNOTS, tick) + part, -1, 1)

    def save(self, path: Path) -> None:
        """Write the tap; `load` reads it."""
        write_arrays(path, **{f.name: np.asarray(getattr(self, f.name)) for f in fields(self)})


def load(path: Path) -> Tap:
    """The tap that `Tap.save` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        arrays = {n: saved[n] for n in saved.files if saved[n].ndim}
        ahead_m, more_ahead_m = float(saved["ahead_m"]), float(saved["more_ahead_m"])
        return Tap(**arrays, ahead_m=ahead_m, more_ahead_m=more_ahead_m)


def _spline(knots: Array, ticks: tuple[int, ...], tick: int) -> Array:
    at = float(np.interp(tick, ticks, range(len(ticks))))
    low = min(int(at), len(ticks) - 2)
    return knots[low] + (at - low) * (knots[low + 1] - knots[low])


def _steer(ahead: Array, aside: Array, off_ahead_m: float, aside_m: float) -> Array:
    farther = np.clip(off_ahead_m / AHEAD_SCALE_M, -2, 2)
    return farther * ahead + np.clip(aside_m / ASIDE_SCALE_M, -2, 2) * aside


def tap_of(parameters: Array, actuators: Mapping[str, int], stand: Array) -> Tap:
    """The tap that one candidate (N_PARAMETERS,) stands for, about the posture `stand` (actuators,)."""

    def spread(signals: Array) -> Array:
        control = np.zeros((len(signals), len(actuators)))
        for k, joint in enumerate(LIMB):
            for side in "LR":
                control[:, actuators[sided(joint, side)]] = signals[:, k]
        for k, joint in enumerate(SPINE):
            control[:, actuators[joint]] = signals[:, len(LIMB) + k]
        return control

    def bent(bends: Array) -> Array:
        control = np.zeros(len(actuators))
        for joint, bend in zip(BENDS, bends, strict=True):
            control[actuators[joint]] = bend
        return control

    end = N_KNOTS * N_SIGNALS
    knots = stand + spread(parameters[:end].reshape(N_KNOTS, N_SIGNALS))
    farther = spread(0.3 * parameters[end : end + 3 * N_SIGNALS].reshape(3, N_SIGNALS))
    end += 3 * N_SIGNALS
    aside = 0.5 * parameters[end : end + 3 * len(BENDS)].reshape(3, len(BENDS))
    middle, half = (NEAR_M + FAR_M) / 2, (FAR_M - NEAR_M) / 2
    return Tap(
        reach=knots[: len(REACH_KNOTS)],
        again=knots[len(REACH_KNOTS) :],
        reach_ahead=farther[0],
        again_ahead=farther[1],
        more_ahead=farther[2],
        reach_aside=bent(aside[0]),
        again_aside=bent(aside[1]),
        more_aside=bent(aside[2]),
        ahead_m=middle + half * float(np.tanh(parameters[-1])),
        more_ahead_m=0.05 + 0.05 * float(np.tanh(parameters[-2])),
    )


@dataclass(frozen=True)
class Trial:
    """What a candidate is tried from: s starts.

    Attributes:
        states: (s, state).
        off_ahead_m, aside_m: (s,) where the orb is, beyond the tap's own distance, and to the left.
        noise: (s, ticks, actuators) added to the actions.
    """

    states: Array
    off_ahead_m: Array
    aside_m: Array
    noise: Array


@dataclass(frozen=True)
class Touched:
    """Animals that have just touched the orb: s of them.

    Attributes:
        states: (s, state).
        orbs: (s, 3) the orbs' places.
        off_ahead_m, aside_m: (s,) as in the `Trial` that they come from.
        noise: (s, ticks, actuators) to come.
    """

    states: Array
    orbs: Array
    off_ahead_m: Array
    aside_m: Array
    noise: Array

    def some(self, chosen: Array, noise: Array) -> Touched:
        """Those with the indices `chosen`, with other noise to come."""
        return Touched(
            self.states[chosen], self.orbs[chosen], self.off_ahead_m[chosen],
            self.aside_m[chosen], noise,
        )  # fmt: skip


TICKS_AGAIN = 47
"""Until the second touch comes too late; the landing after it is not tried."""


def draw(
    bodies: Bodies,
    starts: Array,
    n: int,
    noise: float,
    spread_m: tuple[float, float],
    rng: np.random.Generator,
) -> Trial:
    """A trial: n of the `starts` (any, state), with the orb off by up to `spread_m` (ahead, aside)."""
    return Trial(
        states=starts[rng.integers(len(starts), size=n)],
        off_ahead_m=rng.uniform(-spread_m[0], spread_m[0], n),
        aside_m=rng.uniform(-spread_m[1], spread_m[1], n),
        noise=rng.normal(0, noise, (n, LONGEST_REACH + TICKS_AGAIN, len(bodies.actuators))),
    )


@dataclass(frozen=True)
class Outcome:
    """What came of a trial; every array is (candidates, s).

    Attributes:
        reached_m: the least distance of a paw from the orb's centre in the reach.
        touched: whether that was a touch.
        reach_ticks: when the first touch was, or the nearest moment.
        lingered_m: the least distance from 0.2 s to 0.68 s after the first touch.
        again_m: the least distance when the second touch is due.
        second_tick: the tick of the second touch after the first (0: none).
        success: the task's rule.
        upright: the least uprightness; upright_end: at the end.
        height_end_m: the trunk's height at the end.
    """

    reached_m: Array
    touched: Array
    reach_ticks: Array
    lingered_m: Array
    again_m: Array
    second_tick: Array
    success: Array
    upright: Array
    upright_end: Array
    height_end_m: Array


class Paws:
    """Where the forepaws are in given states, by forward kinematics."""

    def __init__(self, bodies: Bodies) -> None:
        self._model, self._data = bodies.model, mujoco.MjData(bodies.model)
        self._torso = self._model.body("walker/torso").id
        self._hands = [self._model.body(f"walker/hand_{side}").id for side in "LR"]

    def trunk(self, qpos: Array) -> tuple[float, float, float]:
        """The trunk's x and y (m) and heading (rad) in a pose (nq,)."""
        # not the first numbers of the pose: those are of a frame beside the trunk
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        x, y, _ = self._data.xpos[self._torso]
        matrix = self._data.xmat[self._torso].reshape(3, 3)
        return float(x), float(y), float(np.arctan2(matrix[1, 0], matrix[0, 0]))

    def ahead_and_aside(self, qpos: Array, point: Array) -> tuple[float, float]:
        """How far (m) a point (3,) is ahead of the trunk and to its left, in a pose (nq,)."""
        x, y, heading = self.trunk(qpos)
        dx, dy = point[0] - x, point[1] - y
        ahead = dx * np.cos(heading) + dy * np.sin(heading)
        return float(ahead), float(dy * np.cos(heading) - dx * np.sin(heading))

    def distances(self, qpos: Array, point: Array) -> Array:
        """(..., nq), (..., 3) to the distance (...) of the nearer paw's middle from the point."""
        flat, points = qpos.reshape(-1, qpos.shape[-1]), point.reshape(-1, 3)
        found = np.empty(len(flat))
        for k, pose in enumerate(flat):
            self._data.qpos[:] = pose
            mujoco.mj_kinematics(self._model, self._data)
            found[k] = np.sqrt(((self._data.xpos[self._hands] - points[k]) ** 2).sum(1).min())
        return found.reshape(qpos.shape[:-1])


@dataclass(frozen=True)
class Reach:
    """What came of the first reach; arrays are (candidates, s) and more.

    Attributes:
        nearest_m, touched, ticks, upright: see `Outcome`.
        states: (candidates, s, state) at the touch, or at the nearest moment.
        orbs: (candidates, s, 3).
    """

    nearest_m: Array
    touched: Array
    ticks: Array
    upright: Array
    states: Array
    orbs: Array


def try_reach(bodies: Bodies, paws: Paws, taps: list[Tap], trial: Trial) -> Reach:
    """The first part of each tap, from each start of the trial."""
    n, s = len(taps), len(trial.states)
    actions = np.stack(
        [
            [tap.reaching(t, tap.ahead_m + off, left) for t in range(LONGEST_REACH)]
            for tap in taps
            for off, left in zip(trial.off_ahead_m, trial.aside_m, strict=True)
        ]
    )
    noise = np.tile(trial.noise[:, :LONGEST_REACH], (n, 1, 1))
    states, lost = _run(bodies, np.tile(trial.states, (n, 1)), actions + noise)
    orbs = _orbs(bodies, paws, trial, taps).reshape(n * s, 3)
    distance = paws.distances(bodies.split(states)[0], np.repeat(orbs[:, None], LONGEST_REACH, 1))
    touching = distance < ORB_RADIUS_M + PAW_RADIUS_M
    touched = touching.any(1) & ~lost
    when = np.where(touched, touching.argmax(1), distance.argmin(1))
    upright = np.where(lost, -1.0, bodies.motion(states).upright.min(1))
    at_touch = states[np.arange(n * s), when]
    values = (distance.min(1), touched, when, upright, at_touch, orbs)
    return Reach(*(v.reshape(n, s, *v.shape[1:]) for v in values))


def try_again(bodies: Bodies, paws: Paws, taps: list[Tap], touched: Touched) -> dict[str, Array]:
    """The second part: each of the n taps goes on from its own s of the (n * s) touches.

    Returns what `Outcome` tells of it, by name, each (n * s,).
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
    down, lost = _run(bodies, touched.states, actions + noise[:, :LOOK_AGAIN_TICK])
    low = bodies.split(down[:, -1])[0]
    places = [paws.ahead_and_aside(q, o) for q, o in zip(low, touched.orbs, strict=True)]
    actions = np.array(
        [
            [tap.touching_again(t, *place) for t in range(LOOK_AGAIN_TICK, TICKS_AGAIN)]
            for tap, place in zip(own, places, strict=True)
        ]
    )
    up, also_lost = _run(bodies, down[:, -1], actions + noise[:, LOOK_AGAIN_TICK:TICKS_AGAIN])
    lost |= also_lost
    states = np.concatenate([down, up], 1)
    distance = paws.distances(
        bodies.split(states)[0], np.repeat(touched.orbs[:, None], TICKS_AGAIN, 1)
    )
    # tick k ends k + 1 ticks after the first touch; the debounce ends with tick 10
    counts = distance < ORB_RADIUS_M + PAW_RADIUS_M
    counts[:, :10] = False
    second = np.where(counts.any(1) & ~lost, counts.argmax(1) + 1, 0)
    motion = bodies.motion(states)
    return {
        "lingered_m": distance[:, 9:33].min(1),
        "again_m": distance[:, 36:43].min(1),
        "second_tick": second,
        "success": (second >= DUE_TICK - 4) & (second <= DUE_TICK + 4),
        "upright": np.where(lost, -1.0, motion.upright.min(1)),
        "upright_end": np.where(lost, -1.0, motion.upright[:, -1]),
        "height_end_m": motion.z_m[:, -1],
    }


def try_out(bodies: Bodies, paws: Paws, taps: list[Tap], trial: Trial) -> Outcome:
    """Each tap from each start of the trial."""
    n, s = len(taps), len(trial.states)
    reach = try_reach(bodies, paws, taps, trial)
    touched = Touched(
        reach.states.reshape(n * s, -1), reach.orbs.reshape(n * s, 3),
        np.tile(trial.off_ahead_m, n), np.tile(trial.aside_m, n),
        np.tile(trial.noise[:, LONGEST_REACH:], (n, 1, 1)),
    )  # fmt: skip
    more = {k: v.reshape(n, s) for k, v in try_again(bodies, paws, taps, touched).items()}
    more["upright"] = np.minimum(more["upright"], reach.upright)
    more["success"] = more["success"] & reach.touched
    return Outcome(reach.nearest_m, reach.touched, reach.ticks, **more)


def _run(bodies: Bodies, begin: Array, actions: Array) -> tuple[Array, Array]:
    """States (n, ticks, state), and which (n,) were lost to numbers that are none."""
    states, _ = bodies.run(begin, np.clip(actions, -1, 1))
    lost = ~np.isfinite(states).all((1, 2))
    states[lost] = begin[lost][:, None]
    return states, lost


def _orbs(bodies: Bodies, paws: Paws, trial: Trial, taps: list[Tap]) -> Array:
    """(taps, s, 3): ahead and to the left of the trunk as it is at the start."""
    trunks = [paws.trunk(qpos) for qpos in bodies.split(trial.states)[0]]
    x0, y0, yaw = np.array(trunks).T
    places = []
    for tap in taps:
        ahead = tap.ahead_m + trial.off_ahead_m
        x = x0 + ahead * np.cos(yaw) - trial.aside_m * np.sin(yaw)
        y = y0 + ahead * np.sin(yaw) + trial.aside_m * np.cos(yaw)
        places.append(np.stack([x, y, np.full(len(x), ORB_HEIGHT_M)], 1))
    return np.stack(places)


def cost_of(outcome: Outcome, parameters: Array) -> Array:
    """Cost (n,) of candidates (n, N_PARAMETERS)."""
    cost = (
        12 * np.maximum(outcome.reached_m - 0.012, 0)
        + 0.5 * ~outcome.touched
        + 0.01 * outcome.reach_ticks
        + _cost_again({f.name: getattr(outcome, f.name) for f in fields(outcome)})
    )
    # an orb that is farther ahead is longer in view
    near = 1 - np.tanh(parameters[:, -1])
    return np.asarray(cost.mean(1) + 0.1 * near + 0.01 * (parameters**2).mean(1))


def _cost_again(of: Mapping[str, Array]) -> Array:
    too_soon = (of["second_tick"] > 0) & (of["second_tick"] < 35)
    return np.asarray(
        12 * np.maximum(0.05 - of["lingered_m"], 0)
        + 0.3 * too_soon
        + 12 * np.maximum(of["again_m"] - 0.012, 0)
        + 0.7 * ~of["success"]
        + 0.04 * np.maximum(np.abs(of["second_tick"] - DUE_TICK) - 1, 0) * (of["second_tick"] > 0)
        + 1.0 * np.maximum(0.1 - of["upright"], 0)
    )


@dataclass(frozen=True)
class TappingSettings:
    """Settings of the search; lengths in metres.

    First both parts together, in coarse physics; then the second part alone, from touches that the first
    makes, in coarse and in stock physics.
    """

    coarse_generations: int = 60
    again_generations: int = 30
    stock_generations: int = 40
    population: int = 14
    starts: int = 4
    again_starts: int = 5
    sigma: float = 0.15
    again_sigma: float = 0.1
    stock_sigma: float = 0.06
    action_noise: float = 0.07
    spread_ahead_m: float = 0.02
    spread_aside_m: float = 0.02
    touches: int = 120
    seed: int = 6


Report = Callable[[str, SearchState, Outcome], None]

_AGAIN = np.r_[
    len(REACH_KNOTS) * N_SIGNALS : N_KNOTS * N_SIGNALS,
    (N_KNOTS + 1) * N_SIGNALS : (N_KNOTS + 3) * N_SIGNALS,
    (N_KNOTS + 3) * N_SIGNALS + len(BENDS) : N_PARAMETERS - 1,
]
"""The parameters of the second part."""


def find(
    steering: Steering,
    settings: TappingSettings,
    folder: Path,
    threads: int,
    report: Report,
    first_guess: Array | None = None,
) -> Tap:
    """Search in coarse, then in stock physics, resuming what `folder` holds; writes `tapping.npz`.

    Args:
        steering: how the animal comes and stands.
        settings: how to search.
        folder: for the checkpoints and the result.
        threads: threads for physics.
        report: gets the stage ("coarse", "again" or "stock"), the search's state, and every fifth
            generation what came of the mean in a fresh trial.
        first_guess: (N_PARAMETERS,) to begin with; otherwise zeros.
    """
    start = np.zeros(N_PARAMETERS) if first_guess is None else first_guess
    stand = steering.table.mean(0)
    plan = (
        ("coarse", settings.coarse_generations, settings.sigma),
        ("again", settings.again_generations, settings.again_sigma),
        ("stock", settings.stock_generations, settings.stock_sigma),
    )
    for name, generations, sigma in plan:
        if not generations:
            continue
        stage = _Stage(
            name, Bodies(coarse=name != "stock", threads=threads), steering, settings, start
        )

        def progress(state: SearchState, stage: _Stage = stage, name: str = name) -> None:
            tap = tap_of(stage.whole(state.mean[None])[0], stage.bodies.actuators, stand)
            tap.save(folder / "tapping.npz")
            if state.generation % 5 == 0:
                outcome = try_out(stage.bodies, stage.paws, [tap], stage.draw(20, 1.0))
                success = float(outcome.success.mean())
                stage.hardness = max(stage.hardness, min(1.0, 0.3 + 1.5 * success))
                report(name, state, outcome)

        found = search(
            stage.cost,
            start[stage.searched],
            SearchSettings(generations, settings.population, sigma, settings.seed),
            folder / f"tapping-{name}.npz",
            progress,
        )
        start = stage.whole(found.mean[None])[0]
    tap = tap_of(start, Bodies(coarse=True, threads=threads).actuators, stand)
    tap.save(folder / "tapping.npz")
    return tap


class _Stage:
    """One search: what is searched, from which starts, and what it costs."""

    def __init__(
        self, name: str, bodies: Bodies, steering: Steering, settings: TappingSettings, base: Array
    ) -> None:
        self.bodies, self.paws = bodies, Paws(bodies)
        self._settings, self._base = settings, base
        self._stand = steering.table.mean(0)
        self._rng = np.random.default_rng(settings.seed)
        self._arrivals = arrivals(bodies, steering, 40, self._rng)
        # easy at first: what has to be found is the movement
        self.hardness = 0.3 if name == "coarse" else 1.0
        self.searched = np.arange(N_PARAMETERS) if name == "coarse" else _AGAIN
        self._touched = None if name == "coarse" else self._touches()

    def whole(self, searched: Array) -> Array:
        """(n, searched) to (n, N_PARAMETERS)."""
        parameters = np.tile(self._base, (len(searched), 1))
        parameters[:, self.searched] = searched
        return parameters

    def draw(self, n: int, hardness: float) -> Trial:
        """A fresh trial from n starts."""
        of = self._settings
        spread = (hardness * of.spread_ahead_m, hardness * of.spread_aside_m)
        return draw(self.bodies, self._arrivals, n, of.action_noise, spread, self._rng)

    def cost(self, searched: Array) -> Array:
        """Cost (n,) of candidates (n, searched), all tried from the same starts."""
        parameters = self.whole(searched)
        taps = [tap_of(p, self.bodies.actuators, self._stand) for p in parameters]
        if self._touched is None:
            trial = self.draw(self._settings.starts, self.hardness)
            return cost_of(try_out(self.bodies, self.paws, taps, trial), parameters)
        n, s = len(taps), self._settings.again_starts
        shape = (s, TICKS_AGAIN, len(self.bodies.actuators))
        noise = np.tile(self._rng.normal(0, self._settings.action_noise, shape), (n, 1, 1))
        chosen = np.tile(self._rng.choice(len(self._touched.states), s, replace=False), n)
        outcome = try_again(self.bodies, self.paws, taps, self._touched.some(chosen, noise))
        cost = _cost_again(outcome).reshape(n, s).mean(1)
        return np.asarray(cost + 0.01 * (searched**2).mean(1))

    def _touches(self) -> Touched:
        """Animals that have just touched, by the first part as it is."""
        trial = self.draw(self._settings.touches, 1.0)
        tap = tap_of(self._base, self.bodies.actuators, self._stand)
        reach = try_reach(self.bodies, self.paws, [tap], trial)
        good = np.flatnonzero(reach.touched[0])
        nothing = trial.noise[:, :0]
        everyone = Touched(
            reach.states[0], reach.orbs[0], trial.off_ahead_m, trial.aside_m, nothing
        )
        return everyone.some(good, nothing[good])


def arrivals(bodies: Bodies, steering: Steering, n: int, rng: np.random.Generator) -> Array:
    """(n, state) animals that came with some speed and have stood for 0.12 to 0.3 s."""
    ticks, stop = 44, 30
    control = np.empty((n, ticks, len(bodies.actuators)))
    for k in range(n):
        speed = rng.uniform(0.2, 0.7)
        phase = rng.random() + np.arange(ticks) * steering.cycles_per_tick(np.array([speed]))
        going = stop + rng.integers(0, 9)
        speeds = np.where(np.arange(ticks) < going, speed, 0.0)
        control[k] = steering.control(phase, speeds, np.zeros(ticks))
    starts = np.stack([bodies.disturbed_start(rng) for _ in range(n)])
    noisy = np.clip(control + rng.normal(0, 0.07, control.shape), -1, 1)
    arrived = bodies.run(starts, noisy)[0][:, -1:]
    return arrived[bodies.motion(arrived).upright[:, 0] > 0.9, 0]
