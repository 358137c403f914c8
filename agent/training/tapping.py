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
from dataclasses import dataclass
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
LONGEST_REACH = 34
"""Ticks after which a reach that touched nothing is given up."""
N_KNOTS = len(REACH_KNOTS) + len(AGAIN_KNOTS)
N_PARAMETERS = N_KNOTS * N_SIGNALS + 2 * N_SIGNALS + 2 * len(BENDS) + 1

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
        ahead_m: how far ahead of the trunk the orb is best when the tap begins.
    """

    reach: Array
    again: Array
    reach_ahead: Array
    again_ahead: Array
    reach_aside: Array
    again_aside: Array
    ahead_m: float

    def reaching(self, tick: int, ahead_m: float, aside_m: float) -> Array:
        """Control (actuators,) `tick` ticks after the tap began."""
        part = _steer(self.reach_ahead, self.reach_aside, ahead_m - self.ahead_m, aside_m)
        return np.clip(_spline(self.reach, REACH_KNOTS, tick) + part, -1, 1)

    def touching_again(self, tick: int, ahead_m: float, aside_m: float) -> Array:
        """Control (actuators,) `tick` ticks after the first touch."""
        part = _steer(self.again_ahead, self.again_aside, ahead_m - self.ahead_m, aside_m)
        return np.clip(_spline(self.again, AGAIN_KNOTS, tick) + part, -1, 1)

    def save(self, path: Path) -> None:
        """Write the tap; `load` reads it."""
        write_arrays(
            path, reach=self.reach, again=self.again, reach_ahead=self.reach_ahead,
            again_ahead=self.again_ahead, reach_aside=self.reach_aside,
            again_aside=self.again_aside, ahead_m=np.array(self.ahead_m),
        )  # fmt: skip


def load(path: Path) -> Tap:
    """The tap that `Tap.save` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files if name != "ahead_m"}
        return Tap(**arrays, ahead_m=float(saved["ahead_m"]))


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
    farther = spread(0.3 * parameters[end : end + 2 * N_SIGNALS].reshape(2, N_SIGNALS))
    end += 2 * N_SIGNALS
    n = len(BENDS)
    middle, half = (NEAR_M + FAR_M) / 2, (FAR_M - NEAR_M) / 2
    return Tap(
        reach=knots[: len(REACH_KNOTS)],
        again=knots[len(REACH_KNOTS) :],
        reach_ahead=farther[0],
        again_ahead=farther[1],
        reach_aside=bent(0.5 * parameters[end : end + n]),
        again_aside=bent(0.5 * parameters[end + n : end + 2 * n]),
        ahead_m=middle + half * float(np.tanh(parameters[-1])),
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


TICKS_AGAIN = 60


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

    def distances(self, qpos: Array, point: Array) -> Array:
        """(..., nq), (..., 3) to the distance (...) of the nearer paw's middle from the point."""
        flat, points = qpos.reshape(-1, qpos.shape[-1]), point.reshape(-1, 3)
        found = np.empty(len(flat))
        for k, pose in enumerate(flat):
            self._data.qpos[:] = pose
            mujoco.mj_kinematics(self._model, self._data)
            found[k] = np.sqrt(((self._data.xpos[self._hands] - points[k]) ** 2).sum(1).min())
        return found.reshape(qpos.shape[:-1])


def try_out(bodies: Bodies, paws: Paws, taps: list[Tap], trial: Trial) -> Outcome:
    """Each tap from each start of the trial."""
    n, s = len(taps), len(trial.states)
    aside = trial.aside_m
    reaching = np.stack(
        [
            [tap.reaching(t, tap.ahead_m + off, left) for t in range(LONGEST_REACH)]
            for tap in taps
            for off, left in zip(trial.off_ahead_m, aside, strict=True)
        ]
    )
    noise = np.tile(trial.noise, (n, 1, 1))
    begin = np.tile(trial.states, (n, 1))
    states, _ = bodies.run(begin, np.clip(reaching + noise[:, :LONGEST_REACH], -1, 1))
    orb = _orbs(bodies, paws, trial, taps).reshape(n * s, 3)
    lost = ~np.isfinite(states).all((1, 2))
    states[lost] = begin[lost][:, None]
    qpos = bodies.split(states)[0]
    distance = paws.distances(qpos, np.repeat(orb[:, None], LONGEST_REACH, 1))
    touching = distance < ORB_RADIUS_M + PAW_RADIUS_M
    touched = touching.any(1) & ~lost
    when = np.where(touched, touching.argmax(1), distance.argmin(1))
    rows = np.arange(n * s)

    again = np.stack(
        [
            [tap.touching_again(t, tap.ahead_m + off, left) for t in range(TICKS_AGAIN)]
            for tap in taps
            for off, left in zip(trial.off_ahead_m, aside, strict=True)
        ]
    )
    after, _ = bodies.run(states[rows, when], np.clip(again + noise[:, LONGEST_REACH:], -1, 1))
    lost |= ~np.isfinite(after).all((1, 2))
    after[lost] = begin[lost][:, None]
    later = paws.distances(bodies.split(after)[0], np.repeat(orb[:, None], TICKS_AGAIN, 1))
    # tick k of `after` ends k + 1 ticks after the first touch; the debounce ends with tick 10
    counts = later < ORB_RADIUS_M + PAW_RADIUS_M
    counts[:, :10] = False
    second = np.where(counts.any(1), counts.argmax(1) + 1, 0)
    both = bodies.motion(np.concatenate([states, after], 1))
    upright = np.where(lost, -1.0, both.upright[:, :].min(1))
    shape = (n, s)
    values = (
        distance.min(1), touched, when, later[:, 9:33].min(1), later[:, 36:44].min(1), second,
        touched & (second >= 35) & (second <= 45), upright,
        np.where(lost, -1.0, both.upright[:, -1]), both.z_m[:, -1],
    )  # fmt: skip
    return Outcome(*(np.asarray(v).reshape(shape) for v in values))


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
    too_soon = outcome.touched & (outcome.second_tick > 0) & (outcome.second_tick < 35)
    cost = (
        12 * np.maximum(outcome.reached_m - 0.012, 0)
        + 0.5 * ~outcome.touched
        + 0.01 * outcome.reach_ticks
        + 12 * np.maximum(0.05 - outcome.lingered_m, 0)
        + 0.3 * too_soon
        + 12 * np.maximum(outcome.again_m - 0.012, 0)
        + 0.7 * ~outcome.success
        + 0.7 * (1 - outcome.upright_end)
        + 0.5 * np.maximum(0.2 - outcome.upright, 0)
    )
    # an orb that is farther ahead is longer in view
    near = 1 - np.tanh(parameters[:, -1])
    return np.asarray(cost.mean(1) + 0.1 * near + 0.01 * (parameters**2).mean(1))


@dataclass(frozen=True)
class TappingSettings:
    """Settings of the search; lengths in metres."""

    coarse_generations: int = 60
    stock_generations: int = 40
    coarse_population: int = 20
    stock_population: int = 16
    coarse_starts: int = 4
    stock_starts: int = 6
    coarse_sigma: float = 0.15
    stock_sigma: float = 0.06
    action_noise: float = 0.07
    spread_ahead_m: float = 0.025
    spread_aside_m: float = 0.02
    seed: int = 6


Report = Callable[[str, SearchState, Outcome], None]


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
        report: gets the stage, the search's state, and what came of the mean in a fresh trial.
        first_guess: (N_PARAMETERS,) to begin with; otherwise zeros.
    """
    start = np.zeros(N_PARAMETERS) if first_guess is None else first_guess
    stand = steering.table.mean(0)
    plan = (
        ("coarse", settings.coarse_generations, settings.coarse_population, settings.coarse_starts,
         settings.coarse_sigma),
        ("stock", settings.stock_generations, settings.stock_population, settings.stock_starts,
         settings.stock_sigma),
    )  # fmt: skip
    for name, generations, population, n_starts, sigma in plan:
        bodies = Bodies(coarse=name == "coarse", threads=threads)
        paws = Paws(bodies)
        rng = np.random.default_rng(settings.seed)
        standing = arrivals(bodies, steering, 24, rng)
        # easy at first: what has to be found is the movement
        spread = np.array([settings.spread_ahead_m, settings.spread_aside_m])

        def trial(
            hard: float,
            n: int,
            standing: Array = standing,
            bodies: Bodies = bodies,
            rng: np.random.Generator = rng,
            spread: Array = spread,
        ) -> Trial:
            off = tuple(hard * spread)
            return draw(bodies, standing, n, settings.action_noise, (off[0], off[1]), rng)

        hardness = [0.3 if name == "coarse" else 1.0]

        def cost(
            candidates: Array,
            bodies: Bodies = bodies,
            paws: Paws = paws,
            n: int = n_starts,
            hardness: list[float] = hardness,
        ) -> Array:
            taps = [tap_of(c, bodies.actuators, stand) for c in candidates]
            return cost_of(try_out(bodies, paws, taps, trial(hardness[0], n)), candidates)

        def progress(
            state: SearchState,
            bodies: Bodies = bodies,
            paws: Paws = paws,
            name: str = name,
            hardness: list[float] = hardness,
        ) -> None:
            tap = tap_of(state.mean, bodies.actuators, stand)
            tap.save(folder / "tapping.npz")
            if state.generation % 5 == 0:
                outcome = try_out(bodies, paws, [tap], trial(1.0, 16))
                hardness[0] = max(hardness[0], min(1.0, 0.3 + 1.5 * float(outcome.success.mean())))
                report(name, state, outcome)

        found = search(
            cost,
            start,
            SearchSettings(generations, population, sigma, settings.seed),
            folder / f"tapping-{name}.npz",
            progress,
        )
        start = found.mean
    tap = tap_of(start, bodies.actuators, stand)
    tap.save(folder / "tapping.npz")
    return tap


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
