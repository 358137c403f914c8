"""Courses over the task's own gaps: where trials of running over gaps begin, and how they are judged.

A trial begins at the tick at which a leap begins, before a gap of one of the task's corridors; the gaps
after it, which the animal meets as it comes to them, are the corridor's too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from mujoco import rollout

from rig.arenas.gaps import gaps_of
from rig.body_quantities import FALLEN_BELOW_UP
from training.skills import steering
from training.skills.body import SPEC, Bodies
from training.skills.gap_running import GapRunning, Runner, upright
from training.skills.locomotion import Locomotion
from training.skills.platforms import PAWS
from training.skills.running_leap_trials import Runway

Array = np.ndarray

GAPS_AHEAD = 8
"""A course begins at a gap with so many after it."""
FALLEN_M = -0.03
"""An animal whose root is below this height has fallen, and one less upright than `FALLEN_BELOW_UP`."""
BEYOND_M = 0.03
"""A gap is crossed when the animal's root is so far behind it."""


@dataclass(frozen=True)
class Trials:
    """What candidates are tried on.

    Attributes:
        starts: (cases, state) running animals at the leap's first tick.
        offset_m: (cases,) how much farther from the edge than the leap asks for each is put.
        arena: (cases,) which of the arenas.
        gap: (cases,) which gap of its corridor is leapt over first.
        noise_seed: of the noise.
        ticks: how long a trial is.
        action_noise: standard deviation of what is added to the actions.
    """

    starts: Array
    offset_m: Array
    arena: Array
    gap: Array
    noise_seed: int
    ticks: int
    action_noise: float


@dataclass(frozen=True)
class Runs:
    """How one candidate did: arrays are (cases,); `ticks` were simulated in all.

    `met` gaps were come to, `crossed` of them crossed; `lasted` ticks until the fall or the end.
    """

    cost: Array
    fell: Array
    met: Array
    crossed: Array
    ran_m: Array
    lasted: Array
    ticks: int


class Courses:
    """The arenas, with the animals in them.

    Args:
        stepping: file of the gait.
        arena_seeds: of the corridors.
    """

    def __init__(self, stepping: Path, arena_seeds: Sequence[int]) -> None:
        self.base = steering.load(stepping)
        self._locomotion = Locomotion(self.base)
        arenas = [Bodies(coarse=False, threads=1, task="gaps", seed=one) for one in arena_seeds]
        self.bodies = arenas[0]
        self._models = [one.model for one in arenas]
        self._rollout = rollout.Rollout(nthread=0)
        self._data = mujoco.MjData(self.bodies.model)
        self._paws = [
            self.bodies.model.body(f"walker/{paw}_{side}").id for paw in PAWS for side in "LR"
        ]
        edges = []
        for one in arenas:
            mujoco.mj_setState(one.model, self._data, one.start, SPEC)
            mujoco.mj_kinematics(one.model, self._data)
            edges.append(gaps_of(one.model, self._data))
        most = max(len(near) for near, _ in edges)
        self.near, self.far = (
            np.stack([np.pad(e[k], (0, most - len(e[k])), constant_values=np.inf) for e in edges])
            for k in (0, 1)
        )

    def draw(
        self,
        bank: Array,
        cases: int,
        rng: np.random.Generator,
        ticks: int,
        off_m: float = 0.02,
        action_noise: float = 0.07,
    ) -> Trials:
        """Trials whose first gaps' widths are drawn from equal parts of the arena's range.

        Args:
            bank: (n, state) running animals to choose from.
            cases: how many.
            rng: draws all of it.
            ticks: length of a trial.
            off_m: how far from the leap's own place an animal may be, either way.
            action_noise: standard deviation of what is added to the actions.
        """
        arena, gap = np.nonzero(np.isfinite(self.near[:, GAPS_AHEAD:]))
        width = self.far[arena, gap] - self.near[arena, gap]
        parts = np.array_split(width.argsort(), cases)
        chosen = np.array([rng.choice(part) for part in parts])
        return Trials(
            bank[rng.integers(0, len(bank), cases)],
            rng.uniform(-off_m, off_m, cases),
            arena[chosen],
            gap[chosen],
            int(rng.integers(2**31)),
            ticks,
            action_noise,
        )

    def run(self, skill: GapRunning, trials: Trials) -> Runs:
        """Let one candidate try every case."""
        n, split = len(trials.starts), self.bodies.split
        models = [self._models[k] for k in trials.arena]
        near, far = self.near[trials.arena], self.far[trials.arena]
        first = near[np.arange(n), trials.gap]
        width = far[np.arange(n), trials.gap] - first
        states = trials.starts.copy()
        qpos = split(states)[0]
        qpos[:, 0] = first - skill.before_m(width) - trials.offset_m
        qpos[:, 1] = 0
        begun = qpos[:, 0].copy()
        runner = Runner(self._locomotion, skill, self.bodies.actuators, n)
        runner.begin(np.arange(n), width)
        rng = np.random.default_rng(trials.noise_seed)
        going, lasted = np.ones(n, bool), np.full(n, trials.ticks)
        tilt, deep = np.zeros(n), np.zeros(n)
        for tick in range(trials.ticks):
            noise = rng.normal(0, trials.action_noise, (n, self.bodies.model.nu))
            i = np.flatnonzero(going)
            if not len(i):
                break
            actions = runner.act(i, *split(states[i]), near[i], far[i]) + noise[i]
            states[i] = self._step(states[i], actions, [models[k] for k in i])
            qpos = split(states[i])[0]
            up = upright(qpos)
            tilt[i] += (1 - up) / trials.ticks
            if tick % 3 == 0:
                height = self._paw_heights(states[i])
                deep[i] += 3 * np.clip(-0.006 - height, 0, 0.04).mean(1) / 0.04 / trials.ticks
            fallen = (up < FALLEN_BELOW_UP) | (qpos[:, 2] < FALLEN_M)
            going[i[fallen]], lasted[i[fallen]] = False, tick + 1
        qpos = split(states)[0]
        end, fell = qpos[:, 0], ~going
        met = (near > begun[:, None]) & (near < (end + skill.leap.before_m)[:, None])
        crossed = met & (end[:, None] > far + BEYOND_M)
        ran = end - begun
        left = 1 - lasted / trials.ticks
        # a fall costs, the earlier the more; what was run before it counts by the time of a whole trial
        cost = (
            2 * fell
            + 3 * left
            + 3 * tilt
            + 4 * deep
            - 3 * np.clip(ran / (0.02 * trials.ticks), -0.2, 1.0)
            + 0.5 * np.abs(qpos[:, 1])
        )
        return Runs(cost, fell, met.sum(1), crossed.sum(1), ran, lasted, int(lasted.sum()))

    def _step(self, states: Array, actions: Array, models: Sequence[mujoco.MjModel]) -> Array:
        control = np.repeat(np.clip(actions, -1, 1)[:, None], self.bodies.substeps, axis=1)
        after, _ = self._rollout.rollout(list(models), [self._data], states, control)
        return np.nan_to_num(after[:, -1]).copy()

    def _paw_heights(self, states: Array) -> Array:
        """(n, 4) heights of the paws in states (n, state)."""
        found = np.zeros((len(states), 4))
        for k, state in enumerate(states):
            mujoco.mj_setState(self.bodies.model, self._data, state, SPEC)
            mujoco.mj_kinematics(self.bodies.model, self._data)
            found[k] = self._data.xpos[self._paws, 2]
        return found


def bank_of(stepping: Path, seed: int, action_noise: float, animals: int) -> Array:
    """States (n, state) of running animals at the ticks at which a leap may begin.

    Args:
        stepping: file of the gait.
        seed: of starts, speeds and noise.
        action_noise: standard deviation of what is added to the actions.
        animals: that run at the same time; each gives about 3.5 states.
    """
    runway = Runway(steering.load(stepping))
    return runway.bank(np.random.default_rng(seed), action_noise, animals)
