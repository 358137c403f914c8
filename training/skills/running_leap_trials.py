"""Running animals that come to a gap: where trials of a running leap begin, and how they are judged.

A trial begins at the tick at which the gait's phase passes 0 or one half, with the animal as far before the
edge as the leap asks for, and a little off. The leap is the same left and right, and the second half of a
trot's cycle mirrors the first, so that both phases begin the same leap: hits come every half stride.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco import rollout

from training.skills.locomotion import Locomotion
from training.skills.platforms import Platforms
from training.skills.running_leap_table import LEAP_TICKS, RunningLeap
from training.skills.steering import Steering

Array = np.ndarray

WINDOW_TICKS = 75
"""A trial is followed for 1.5 s from the leap's first tick on: the animal has to run on behind the gap."""
STOCK_TIMESTEP_S, FAST_TIMESTEP_S = 0.001, 0.002
APPROACH_SPEEDS = (0.85, 1.05)
"""Commanded speeds at which the animals of a bank run, so that an approach may choose its speed."""
HEAD_DOWN: Mapping[str, float] = {"cervical_extend": 0.6, "atlas": -0.6}
HEAD_DOWN_NEAR: Mapping[str, float] = {"cervical_extend": 0.8, "atlas": -0.8}
"""Added to the gait, for eyes that have to see the edge. Always: 25 degrees down, so that an edge is in view
until it is 12 cm away; by itself the gait carries the head 30 degrees up. In the last strides before a leap:
35 degrees down; farther away a head so low makes the gait rear up. An animal less upright than `REARED_BELOW`
holds its head as the gait does; where it is after a leap it stands until it has come down."""
REARED_BELOW = 0.75
SETTLING_TICKS, LOOKING_TICKS, BANK_TICKS = 50, 12, 80
"""A bank's animals run until the first to settle, then with the head down as near an edge; their states are
kept from so many ticks later on."""
PAW_IN_M, FALLEN_IN_M = -0.008, -0.06
"""A paw whose joint is below the first height is in the gap; with three below the second a trial is over."""
SETTLED_TICKS = 45
"""From this tick on a quick trial ends where the animal runs on behind the gap."""


@dataclass(frozen=True)
class Trials:
    """What every candidate is tried on.

    Attributes:
        starts: (cases, state) running animals at the leap's first tick.
        offset_m: (cases,) how much farther from the edge than the leap asks for each is put.
        widths_m: (cases,) of the gaps.
        noise: (ticks, cases, actuators) added to the actions.
    """

    starts: Array
    offset_m: Array
    widths_m: Array
    noise: Array


@dataclass(frozen=True)
class Crossings:
    """How candidates did: arrays are (candidates, cases); `ticks` were simulated in all."""

    cost: Array
    crossed: Array
    speed_m_s: Array
    ticks: int


def run_in_the_middle(
    locomotion: Locomotion,
    actuators: Mapping[str, int],
    body: tuple[Array, ...],
    speed: Array,
    head: Mapping[str, float],
    upright: Array,
    least_speed: float = 0.5,
) -> tuple[Array, Array]:
    """Run along the corridor's middle, as `training.experts.corridor.run_along` does.

    Args:
        locomotion: the gait.
        actuators: index of each actuator by name.
        body: qpos, qvel and activations (n, ...).
        speed: (n,) commanded, 1 is the gait's own.
        head: added to the gait where the trunk is level, by actuator.
        upright: (n,) of the trunk.
        least_speed: command with which a standing animal starts.

    Returns:
        Actions (n, actuators) and the phases (n,) in cycles that they belong to.
    """
    qpos, qvel, activation = body
    w, x, y, z = qpos[:, 3:7].T
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    error = (np.clip(-qpos[:, 1], -0.5, 0.5) - yaw + np.pi) % (2 * np.pi) - np.pi
    forward = qvel[:, 0] * np.cos(yaw) + qvel[:, 1] * np.sin(yaw)
    command = np.minimum(least_speed + np.clip(forward, 0, 0.5) * (2 - 2 * least_speed), speed)
    command = np.where(forward < 0.5, command, speed)
    yaw_rate = np.clip(3 * error, -1.6, 1.6)
    phase = locomotion.phase(activation, command, yaw_rate)
    actions = locomotion.steering.control(phase, command, yaw_rate)
    level = upright >= REARED_BELOW
    for joint, flexion in head.items():
        actions[level, actuators[joint]] += flexion
    return np.clip(actions, -1, 1), phase


class Runway:
    """Running animals before one gap each, in the plain corridor with its second floor moved away.

    Args:
        base: the gait they run by.
        timestep_s: of the physics; the rest, self-collisions too, is as in the arena.
    """

    def __init__(self, base: Steering, timestep_s: float = STOCK_TIMESTEP_S) -> None:
        self.platforms = Platforms(base)
        self.bodies = self.platforms.bodies
        self.bodies.model.opt.timestep = timestep_s
        self.bodies.substeps = round(0.02 / timestep_s)
        self.locomotion = Locomotion(base)
        self._rollout = rollout.Rollout(nthread=0)
        self._data = mujoco.MjData(self.bodies.model)

    def gait(
        self, states: Array, speed: Array, head: Mapping[str, float] = HEAD_DOWN
    ) -> tuple[Array, Array]:
        """Run along the corridor's middle, as `training.experts.corridor.run_along` does.

        Args:
            states: (n, state).
            speed: (n,) commanded, 1 is the gait's own.
            head: added to the gait, by actuator.

        Returns:
            Actions (n, actuators) and the phases (n,) in cycles that they belong to.
        """
        return run_in_the_middle(
            self.locomotion,
            self.bodies.actuators,
            self.bodies.split(states),
            speed,
            head,
            self.upright(states),
        )

    def step(self, states: Array, actions: Array, models: Sequence[mujoco.MjModel]) -> Array:
        """States (n, state) one tick after actions (n, actuators), each in its own model."""
        control = np.repeat(np.clip(actions, -1, 1)[:, None], self.bodies.substeps, axis=1)
        after, _ = self._rollout.rollout(list(models), [self._data], states, control)
        return np.nan_to_num(after[:, -1]).copy()

    def upright(self, states: Array) -> Array:
        """(n,) cosine of the trunk's tilt, in states (n, state)."""
        qpos = self.bodies.split(states)[0]
        return np.asarray(1 - 2 * (qpos[:, 4] ** 2 + qpos[:, 5] ** 2))

    def bank(self, rng: np.random.Generator, action_noise: float, animals: int) -> Array:
        """States (n, state) of running animals at the ticks at which a leap may begin, about 3.5 an animal.

        Args:
            rng: draws the starts, the speeds and the noise.
            action_noise: standard deviation of what is added to the actions.
            animals: that run at the same time.
        """
        states = np.tile(self.bodies.start, (animals, 1))
        qpos = self.bodies.split(states)[0]
        qpos[:, 7:] += rng.normal(0, 0.03, (animals, qpos.shape[1] - 7))
        speed = rng.uniform(*APPROACH_SPEEDS, animals)
        models = [self.platforms.with_gap(0.0)] * animals
        kept: list[Array] = []
        last = np.zeros(animals)
        for tick in range(BANK_TICKS):
            head = HEAD_DOWN if tick < SETTLING_TICKS else HEAD_DOWN_NEAR
            actions, phase = self.gait(states, speed, head)
            half = (2 * phase) % 1.0
            if tick >= SETTLING_TICKS + LOOKING_TICKS:
                hit = (half < last - 0.5) & (self.upright(states) > 0.85)
                kept.append(states[hit].copy())
            last = half
            states = self.step(states, actions + rng.normal(0, action_noise, actions.shape), models)
        return np.concatenate(kept)

    def cross(self, leaps: Sequence[RunningLeap], trials: Trials, quick: bool = False) -> Crossings:
        """Let every candidate try every case.

        Args:
            leaps: candidates.
            trials: cases.
            quick: end a trial where the animal runs on behind the gap, instead of following it to the end.
        """
        shape = len(leaps), len(trials.starts)
        n, ticks = shape[0] * shape[1], len(trials.noise)
        leap, case = np.divmod(np.arange(n), shape[1])
        added, share = (
            np.stack([getattr(one, name) for one in leaps]) for name in ("added", "share")
        )
        widths = trials.widths_m[case]
        models = [self.platforms.with_gap(float(width)) for width in widths]
        states = trials.starts[case]
        qpos = self.bodies.split(states)[0]
        before = np.array([one.before_m for one in leaps])[leap]
        qpos[:, 0] = self.platforms.edge_m - before - trials.offset_m[case]
        qpos[:, 1] = 0
        begun = qpos[:, 0].copy()
        deep, tilt, depth = np.zeros(n), np.zeros(n), np.zeros(n)
        upright, least = np.ones(n), np.ones(n)
        end, going, fallen = np.full(n, ticks), np.ones(n, bool), np.zeros(n, bool)
        stand = self.platforms.stand
        for tick in range(ticks):
            i = np.flatnonzero(going)
            if len(i):
                reared = (tick >= LEAP_TICKS) & (upright[i] < REARED_BELOW)
                actions, _ = self.gait(states[i], np.where(reared, 0.0, 1.0))
                if tick < LEAP_TICKS:
                    kept = share[leap[i], tick]
                    actions = kept * actions + (1 - kept) * stand + added[leap[i], tick]
                actions += trials.noise[tick, case[i]]
                states[i] = self.step(states[i], actions, [models[k] for k in i])
                upright[i] = self.upright(states[i])
                least[i] = np.minimum(least[i], upright[i])
                if tick % 2:
                    paws = self.platforms.paws(states[i])
                    depth[i] = np.clip(-0.004 - paws[..., 1], 0, 0.04).mean(1) / 0.04
                    over = ((paws[..., 1] < FALLEN_IN_M).sum(1) >= 3) | (upright[i] < 0)
                    going[i[over]], fallen[i[over]] = False, True
                    if quick and tick >= SETTLED_TICKS:
                        behind = (paws[..., 0] > widths[i, None] + 0.05) & (paws[..., 1] > PAW_IN_M)
                        speed = self.bodies.split(states[i])[1][:, 0]
                        runs = behind.all(1) & (upright[i] > 0.9) & (speed > 0.35) & ~over
                        going[i[runs]], end[i[runs]] = False, tick + 1
            # a trial that is over goes on counting as it ended
            deep += depth / ticks
            tilt += (1 - upright) / ticks
        paws = self.platforms.paws(states)
        places, heights = paws[..., 0], paws[..., 1]
        beyond = ((places > widths[:, None]) & (heights > PAW_IN_M)).all(1)
        crossed = np.asarray(~fallen & beyond & (upright > 0.7) & (least > 0.3))
        qpos = self.bodies.split(states)[0]
        speed = (qpos[:, 0] - begun) / (end * 0.02)
        # how far each paw got, without those in the gap, counts before anything else succeeds
        cost = (
            -3 * np.clip((places + 0.12) / (widths + 0.15)[:, None], 0, 1).mean(1)
            + 6 * deep
            + 2 * tilt
            - 2 * crossed
            - 2 * np.clip(speed, -0.2, 1.1)
            + 4 * np.clip(0.5 - least, 0, 1)
            + 3 * np.abs(qpos[:, 1])
        )
        simulated = int(np.where(fallen, ticks, end).sum())
        return Crossings(
            cost.reshape(shape), crossed.reshape(shape), speed.reshape(shape), simulated
        )
