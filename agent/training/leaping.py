"""Find a leap: what the body has to do near a gap for the running animal to get across.

The leap is a table of control signals over *place*, how far the trunk is past the near edge of the gap, and
not over time. So it needs no clock and no memory, it waits when the animal is slow, and it labels any
state. Left and right do the same; a part of the gait, one for the hindlimbs and one for the forelimbs,
may go on underneath.

The first guess was made by hand, from what the runner's gait lacks: it runs on its toes and *elbows*, which
drop into the first gap. So the forelimbs straighten to lift the chest before the edge, and reach for the far
side, while the hindlimbs run on. The search goes on from there on real gaps, each candidate from several
states of a noisy run, at any phase of the gait, with motor noise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from mujoco import rollout

from agent.training.body import Bodies
from agent.training.experts.locomotion import Locomotion
from agent.training.gait import sided
from agent.training.search import SearchSettings, SearchState, search, write_arrays
from agent.training.steering import Steering

Array = np.ndarray

HINDLIMB = ("hip_extend", "knee", "ankle", "hip_abduct")
FORELIMB = ("shoulder", "elbow", "wrist", "scapula_abduct")
SPINE = ("lumbar_extend", "cervical_extend")
SIGNALS = (*HINDLIMB, *FORELIMB, *SPINE, "hind_gait", "fore_gait")
N_KNOTS = 9
N_PARAMETERS = N_KNOTS * len(SIGNALS)
FROM_M, TO_M = -0.16, 0.20
"""Where the leap begins and ends: places of the trunk past the near edge of the gap."""
CROSSED_M = 0.12
"""A gap is behind the animal when its trunk, on its feet, is this far past the far edge."""
LOST_BELOW_M = -0.07
"""Height of the trunk's joint below which the animal has fallen in; it runs at -0.02."""
FAST_TIMESTEP_S = 0.002

FIRST_GUESS: Mapping[str, tuple[float, ...]] = {
    "shoulder": (0.5, 0.5, 0.5, -0.5, -0.6, -0.6, -0.2, 0, 0),
    "elbow": (1, 1.8, 1.8, 0.5, 0.6, 1, 1, 0.3, 0),
    "wrist": (0, -0.8, -0.8, 0, 0, -0.5, -0.5, 0, 0),
    "cervical_extend": (0.5, 0.5, 0.5, 0.5, 0.5, 0.3, 0, 0, 0),
    "fore_gait": (0, -1, -1, -1, -1, -1, -1, -0.5, 0),
}


@dataclass(frozen=True)
class LeapingSettings:
    """Settings of the search: `fast` is at 2 ms without self-collisions, `stock` as in the arena."""

    fast_generations: int = 200
    stock_generations: int = 40
    population: int = 20
    cases: int = 3
    fast_sigma: float = 0.25
    stock_sigma: float = 0.08
    action_noise: float = 0.07
    rollout_s: float = 0.72
    narrowest_m: float = 0.05
    widest_m: float = 0.17
    seed: int = 5


@dataclass(frozen=True)
class Leap:
    """Control by place.

    Attributes:
        control: (knots, actuators) added to the gait.
        gait_share: (knots, actuators) how much of the gait goes on, in [0, 1].
        from_m: place of the first knot; they are evenly spaced.
        to_m: place of the last.
    """

    control: Array
    gait_share: Array
    from_m: float
    to_m: float

    def act(self, gait: Array, place_m: Array) -> Array:
        """Actions (n, actuators) in [-1, 1].

        Args:
            gait: (n, actuators) what running would do.
            place_m: (n,) the trunk's place past the near edge; outside the leap, the gait is left.
        """
        knots = len(self.control)
        position = (place_m - self.from_m) / (self.to_m - self.from_m) * (knots - 1)
        low = np.clip(position.astype(int), 0, knots - 2)
        part = np.clip(position - low, 0, 1)[:, None]
        added = self.control[low] * (1 - part) + self.control[low + 1] * part
        share = self.gait_share[low] * (1 - part) + self.gait_share[low + 1] * part
        inside = ((position >= 0) & (position <= knots - 1))[:, None]
        return np.clip(np.where(inside, share * gait + added, gait), -1, 1)

    def save(self, path: Path) -> None:
        """Write the leap; `load` reads it."""
        write_arrays(
            path,
            control=self.control,
            gait_share=self.gait_share,
            reach=np.array([self.from_m, self.to_m]),
        )


@dataclass(frozen=True)
class Crossings:
    """How candidates did: arrays are (candidates, cases)."""

    cost: Array
    crossed: Array
    past_far_edge_m: Array


def load(path: Path) -> Leap:
    """The leap that `Leap.save` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        from_m, to_m = saved["reach"]
        return Leap(saved["control"], saved["gait_share"], float(from_m), float(to_m))


def first_guess() -> Array:
    """Parameters (N_PARAMETERS,) of the leap made by hand."""
    values = np.zeros((N_KNOTS, len(SIGNALS)))
    for name, knots in FIRST_GUESS.items():
        values[:, SIGNALS.index(name)] = knots
    return values.ravel()


def leap_of(parameters: Array, gait_mean: Array, actuators: Mapping[str, int]) -> Leap:
    """The leap that one candidate (N_PARAMETERS,) stands for, about the mean of the gait (actuators,)."""
    values = parameters.reshape(N_KNOTS, len(SIGNALS))
    girdle = ("scapula", "shoulder", "elbow", "wrist", "finger")
    fore = np.zeros(len(actuators), bool)
    for name, index in actuators.items():
        fore[index] = name.startswith(girdle)
    share = np.clip(1 + np.where(fore, values[:, -1:], values[:, -2:-1]), 0, 1)
    control = (1 - share) * gait_mean
    for k, joint in enumerate(HINDLIMB + FORELIMB):
        for side in "LR":
            control[:, actuators[sided(joint, side)]] += values[:, k]
    for k, joint in enumerate(SPINE):
        control[:, actuators[joint]] += values[:, len(HINDLIMB) + len(FORELIMB) + k]
    return Leap(control, share, FROM_M, TO_M)


class Platforms:
    """Running animals before one gap each: the plain corridor, its second floor moved away.

    Args:
        base: the gait and how to turn.
        fast: 2 ms steps and no self-collisions, in which the gait runs as in stock physics.
    """

    def __init__(self, base: Steering, fast: bool) -> None:
        self.bodies = Bodies(coarse=False, threads=1)
        model = self.bodies.model
        names = [model.geom(i).name for i in range(model.ngeom)]
        if fast:
            model.opt.timestep = FAST_TIMESTEP_S
            model.opt.iterations, model.opt.ls_iterations = 8, 12
            self.bodies.substeps = round(0.02 / FAST_TIMESTEP_S)
            for i, name in enumerate(names):
                # an animal's parts that are only affine to nothing touch the ground alone
                if "walker" in name and model.geom_contype[i]:
                    model.geom_conaffinity[i] = 0
        self._start = next(i for i, n in enumerate(names) if n.split("/")[-1] == "start_floor")
        self._floor = next(i for i, n in enumerate(names) if n.split("/")[-1] == "floor_0")
        self.edge_m = float(model.geom_pos[self._start, 0] + model.geom_size[self._start, 0])
        self.locomotion = Locomotion(base)
        self.gait_mean = base.table.mean(0)
        self._rollout = rollout.Rollout(nthread=0)
        self._data = mujoco.MjData(model)
        self._models: dict[float, mujoco.MjModel] = {}

    def with_gap(self, width_m: float) -> mujoco.MjModel:
        """The model with a gap of a width, to the millimetre."""
        width_m = round(width_m, 3)
        if width_m not in self._models:
            model = copy.copy(self.bodies.model)
            model.geom_pos[self._floor, 0] = self.edge_m + width_m + model.geom_size[self._floor, 0]
            self._models[width_m] = model
        return self._models[width_m]

    def gait(self, states: Array) -> Array:
        """What the runner would do in `states` (n, state): (n, actuators)."""
        qpos, qvel, act = self.bodies.split(states)
        w, a, b, c = qpos[:, 3:7].T
        yaw = np.arctan2(2 * (w * c + a * b), 1 - 2 * (b * b + c * c))
        error = (np.clip(-qpos[:, 1], -0.5, 0.5) - yaw + np.pi) % (2 * np.pi) - np.pi
        forward = qvel[:, 0] * np.cos(yaw) + qvel[:, 1] * np.sin(yaw)
        command = np.minimum(1.0, 0.5 + 0.5 * np.clip(forward / 0.5, 0, 1))
        return self.locomotion.act(act, command, np.clip(3 * error, -1.6, 1.6))

    def step(self, states: Array, actions: Array, models: list[mujoco.MjModel]) -> Array:
        """States (n, state) after a tick of actions (n, actuators), each in its own model."""
        control = np.repeat(actions[:, None], self.bodies.substeps, axis=1)
        after, _ = self._rollout.rollout(models, [self._data], states, control)
        return np.nan_to_num(after[:, -1]).copy()

    def running(self, n: int, rng: np.random.Generator, noise: float) -> Array:
        """States of `n` noisy animals, upright, at many phases of a run: (many, state)."""
        states = np.tile(self.bodies.start, (n, 1))
        qpos = self.bodies.split(states)[0]
        qpos[:, 7:] += rng.normal(0, 0.04, (n, qpos.shape[1] - 7))
        model, kept = [self.with_gap(0.0)] * n, []
        for tick in range(75):
            actions = self.gait(states) + rng.normal(0, noise, (n, self.bodies.model.nu))
            states = self.step(states, np.clip(actions, -1, 1), model)
            if tick >= 40 and tick % 2 == 0:
                qpos = self.bodies.split(states)[0]
                kept.append(states[1 - 2 * (qpos[:, 4] ** 2 + qpos[:, 5] ** 2) > 0.8])
        return np.concatenate(kept)

    def cross(
        self, leaps: list[Leap], starts: Array, before_m: Array, widths_m: Array, noise: Array
    ) -> Crossings:
        """Let every candidate try every case.

        Args:
            leaps: candidates.
            starts: (cases, state) running animals.
            before_m: (cases,) how far before the near edge they are put.
            widths_m: (cases,) of the gap.
            noise: (ticks, cases, actuators) added to the actions.
        """
        n, k, ticks = len(leaps), len(starts), len(noise)
        states, widths = np.tile(starts, (n, 1)), np.tile(widths_m, n)
        self.bodies.split(states)[0][:, 0] = self.edge_m - np.tile(before_m, n)
        models = [self.with_gap(float(w)) for w in widths]
        alive, tilt = np.ones(n * k, bool), np.zeros(n * k)
        farthest = np.full(n * k, -0.2)
        for tick in range(ticks):
            gait = self.gait(states)
            place = self.bodies.split(states)[0][:, 0] - self.edge_m
            actions = np.concatenate(
                [
                    leap.act(gait[i * k : (i + 1) * k], place[i * k : (i + 1) * k])
                    for i, leap in enumerate(leaps)
                ]
            )
            noisy = np.clip(actions + np.tile(noise[tick], (n, 1)), -1, 1)
            states = self.step(states, noisy, models)
            qpos = self.bodies.split(states)[0]
            upright = 1 - 2 * (qpos[:, 4] ** 2 + qpos[:, 5] ** 2)
            tilt += (1 - upright) / ticks
            alive &= (qpos[:, 2] > LOST_BELOW_M) & (upright > 0.3)
            farthest = np.where(alive, np.maximum(farthest, qpos[:, 0] - self.edge_m), farthest)
        past = qpos[:, 0] - self.edge_m - widths
        crossed = alive & (past > CROSSED_M)
        speed = np.clip((past + widths) / (0.02 * ticks), 0, 1.1)
        cost = (
            -2 * np.clip(farthest / (widths + 0.25), 0, 1.2)
            - crossed * (2 + 0.8 * speed)
            + tilt
            + 6 * np.clip(-0.03 - qpos[:, 2], 0, 0.1)
            + np.abs(qpos[:, 3] * qpos[:, 6])
        )
        return Crossings(cost.reshape(n, k), crossed.reshape(n, k), past.reshape(n, k))


def find(
    base: Steering,
    settings: LeapingSettings,
    folder: Path,
    report: Callable[[str, SearchState, float], None],
) -> Leap:
    """Search at fast, then at stock physics, resuming what `folder` holds; writes `leaping.npz`.

    `report` gets the stage, the search's state, and now and then the share of gaps that the mean crosses.
    """
    start, sigma, generations = first_guess(), settings.fast_sigma, settings.fast_generations
    ticks = round(settings.rollout_s / 0.02)
    for name, fast in (("fast", True), ("stock", False)):
        platforms = Platforms(base, fast)
        actuators, mean = platforms.bodies.actuators, platforms.gait_mean
        rng = np.random.default_rng(settings.seed)
        bank = platforms.running(24, rng, settings.action_noise)
        if not fast:
            sigma, generations = settings.stock_sigma, settings.stock_generations

        def attempt(
            candidates: Array,
            k: int,
            platforms: Platforms = platforms,
            rng: np.random.Generator = rng,
            bank: Array = bank,
        ) -> Crossings:
            # the same cases for all candidates, one of each part of the widths
            parts = np.linspace(settings.narrowest_m, settings.widest_m, k + 1)
            return platforms.cross(
                [leap_of(c, mean, actuators) for c in candidates],  # noqa: B023 - used at once
                bank[rng.integers(0, len(bank), k)],
                rng.uniform(0.2, 0.28, k),
                rng.uniform(parts[:-1], parts[1:]),
                rng.normal(0, settings.action_noise, (ticks, k, len(mean))),  # noqa: B023
            )

        def cost(candidates: Array, attempt: Callable[[Array, int], Crossings] = attempt) -> Array:
            away = ((candidates - first_guess()) ** 2).mean(1)
            return np.asarray(attempt(candidates, settings.cases).cost.mean(1) + 0.02 * away)

        def progress(
            state: SearchState,
            name: str = name,
            attempt: Callable[[Array, int], Crossings] = attempt,
        ) -> None:
            share = np.nan
            if state.generation % 10 == 0:
                share = float(attempt(state.mean[None], 12).crossed.mean())
            report(name, state, share)

        result = search(
            cost,
            start,
            SearchSettings(generations, settings.population, sigma, settings.seed),
            folder / f"leaping-{name}.npz",
            progress,
        )
        start = result.mean
    found = leap_of(start, mean, actuators)
    found.save(folder / "leaping.npz")
    return found
