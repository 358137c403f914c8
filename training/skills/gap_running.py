"""Running over gaps: the approach, the leap, its landing, and the reflexes that keep the animal on its feet.

One control law for as many animals as there are. It decides by what an animal feels (joints, activations,
tilt and turning of the trunk) and sees (the next gap's edges), and by how long ago it began to leap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from training.skills.gait import sided
from training.skills.locomotion import Locomotion
from training.skills.running_leap_approach import BEARS_M, NEAR_M, approach_speed
from training.skills.running_leap_table import (
    BEFORE_M,
    JOINTS,
    LEAP_TICKS,
    RunningLeap,
    leap_of,
)
from training.skills.running_leap_table import (
    N_PARAMETERS as N_LEAP_PARAMETERS,
)
from training.skills.running_leap_trials import (
    HEAD_DOWN,
    HEAD_DOWN_NEAR,
    REARED_BELOW,
    run_in_the_middle,
)
from training.skills.search import read_arrays, write_arrays

Array = np.ndarray

STEERS_WITHIN_M = 0.65
"""From so far on the speed is chosen so that a hit falls at the leap's place."""
MIDDLE_WIDTH_M, WIDTH_SCALE_M = 0.125, 0.075
"""Widths of gaps are counted from the middle of the arena's, in halves of their range."""
LANDING_KNOTS, TICKS_PER_LANDING_KNOT = 4, 4
LANDING_TICKS = LANDING_KNOTS * TICKS_PER_LANDING_KNOT
LATERAL_JOINTS = (
    "hip_abduct", "scapula_abduct", "hip_extend", "shoulder", "knee", "elbow", "lumbar_bend",
    "lumbar_twist",
)  # fmt: skip
"""What answers to roll: left and right oppositely."""
SIDED_JOINTS = ("hip_abduct", "scapula_abduct", "hip_extend", "shoulder", "lumbar_twist")
SIDED_KNOTS, TICKS_PER_SIDED_KNOT = 5, 6
"""What a leap does to the one side and the opposite to the other, by the phase at which it begins."""
N_SAGITTAL, N_LATERAL = 3, 2
RESTING, SCALE = np.array([0.21, 0.0, 0.5, 0.0, 0.0]), np.array([0.15, 4.0, 0.2, 0.15, 4.0])
"""What is felt of the trunk (pitch, its rate in rad/s, speed forward in m/s; roll, its rate) at a run, and
the unit in which the difference from that is counted."""
MOST_FELT = 3.0
LEAPS, RUNS = 0, 1
"""Rows of `GapRunning.reflexes`."""
LONG_AGO = 10_000

_SEGMENTS = {
    "leap": N_LEAP_PARAMETERS,
    "landing": LANDING_KNOTS * len(JOINTS),
    "wider": len(JOINTS) + 1,
    "reflexes": 2 * (N_SAGITTAL * len(JOINTS) + N_LATERAL * len(LATERAL_JOINTS)),
    "speed": 3 + N_SAGITTAL,
    "sided": SIDED_KNOTS * len(SIDED_JOINTS),
}
N_PARAMETERS = sum(_SEGMENTS.values())


@dataclass(frozen=True)
class GapRunning:
    """The skill.

    Attributes:
        leap: the table of the leap, for a gap of the middle width.
        landing: (LANDING_TICKS, actuators) added to the gait after the leap.
        wider: (actuators,) relative change of what the leap adds, per unit of width.
        wider_before_m: how much farther from the edge a leap begins, per unit of width.
        reflexes: (2, felt, actuators) control added per unit felt, in the leap and in the run.
        least_speed: command that is never undercut where the gait starts.
        landing_speed: command right after a leap.
        landing_speed_ticks: over which it becomes the run's.
        speed_reflexes: (N_SAGITTAL,) command added per unit felt of pitch, its rate and speed.
        sided: (LEAP_TICKS, actuators) added in a leap that begins at phase 0, and subtracted at one half.
    """

    leap: RunningLeap
    landing: Array
    wider: Array
    wider_before_m: float
    reflexes: Array
    least_speed: float
    landing_speed: float
    landing_speed_ticks: float
    speed_reflexes: Array
    sided: Array

    def before_m(self, width_m: Array) -> Array:
        """How far before a gap (n,) of a width the animal's root is as the leap begins."""
        wider = (width_m - MIDDLE_WIDTH_M) / WIDTH_SCALE_M
        return np.clip(self.leap.before_m + self.wider_before_m * wider, *BEFORE_M)

    def save(self, path: Path, **more: Array) -> None:
        """Write the skill, and `more` arrays beside it; `load` reads the skill."""
        own = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name != "leap"}
        table = {f.name: np.asarray(getattr(self.leap, f.name)) for f in fields(self.leap)}
        write_arrays(path, **own, **table, **more)


def load(path: Path) -> GapRunning:
    """The skill that `GapRunning.save` wrote."""
    saved = read_arrays(path)

    def read(name: str) -> Array | float:
        return saved[name] if saved[name].ndim else float(saved[name])

    leap = RunningLeap(*(read(f.name) for f in fields(RunningLeap)))  # type: ignore[arg-type]
    own = [read(f.name) for f in fields(GapRunning) if f.name != "leap"]
    return GapRunning(leap, *own)  # type: ignore[arg-type]


def initial_parameters(leap_parameters: Array) -> Array:
    """Parameters (N_PARAMETERS,) that run as the leap alone does: no landing, no reflexes."""
    return np.append(leap_parameters, np.zeros(N_PARAMETERS - len(leap_parameters)))


def skill_of(parameters: Array, actuators: Mapping[str, int]) -> GapRunning:
    """The skill that one candidate (N_PARAMETERS,) stands for.

    Args:
        parameters: (N_PARAMETERS,) float64.
        actuators: index of each actuator by name.
    """
    ends = np.cumsum(list(_SEGMENTS.values()))[:-1]
    part = dict(zip(_SEGMENTS, np.split(parameters, ends), strict=True))
    time = np.arange(LANDING_TICKS) / TICKS_PER_LANDING_KNOT
    # it comes in at once, where the leap's table ends at once, and fades
    knots = np.vstack([part["landing"].reshape(LANDING_KNOTS, len(JOINTS)), np.zeros(len(JOINTS))])
    landing = np.zeros((LANDING_TICKS, len(actuators)))
    wider = np.zeros(len(actuators))
    reflexes = np.zeros((2, N_SAGITTAL + N_LATERAL, len(actuators)))
    sagittal, lateral = np.split(part["reflexes"], [2 * N_SAGITTAL * len(JOINTS)])
    for k, joint in enumerate(JOINTS):
        for name in (joint,) if joint in actuators else (sided(joint, side) for side in "LR"):
            index = actuators[name]
            landing[:, index] = np.interp(time, np.arange(LANDING_KNOTS + 1), knots[:, k])
            wider[index] = part["wider"][k]
            reflexes[:, :N_SAGITTAL, index] += 0.5 * sagittal.reshape(2, N_SAGITTAL, -1)[:, :, k]
    for k, joint in enumerate(LATERAL_JOINTS):
        gains = 0.5 * lateral.reshape(2, N_LATERAL, -1)[:, :, k]
        if joint in actuators:
            reflexes[:, N_SAGITTAL:, actuators[joint]] += gains
        else:
            for side, sign in (("L", 1), ("R", -1)):
                reflexes[:, N_SAGITTAL:, actuators[sided(joint, side)]] += sign * gains
    sided_knots = part["sided"].reshape(SIDED_KNOTS, len(SIDED_JOINTS))
    sided_time = np.arange(LEAP_TICKS) / TICKS_PER_SIDED_KNOT
    of_a_side = np.zeros((LEAP_TICKS, len(actuators)))
    for k, joint in enumerate(SIDED_JOINTS):
        course = np.interp(sided_time, np.arange(SIDED_KNOTS), sided_knots[:, k])
        if joint in actuators:
            of_a_side[:, actuators[joint]] = course
        else:
            of_a_side[:, actuators[sided(joint, "L")]] = course
            of_a_side[:, actuators[sided(joint, "R")]] = -course
    least, landing_speed, ticks = part["speed"][:3]
    return GapRunning(
        leap=leap_of(part["leap"], actuators),
        landing=landing,
        wider=wider,
        wider_before_m=0.03 * float(part["wider"][-1]),
        reflexes=reflexes,
        least_speed=float(np.clip(0.5 + 0.5 * least, 0.2, 1)),
        landing_speed=float(np.clip(1 + landing_speed, 0.3, 1.1)),
        landing_speed_ticks=float(np.clip(15 * np.exp(ticks), 2, 60)),
        speed_reflexes=0.2 * part["speed"][3:],
        sided=of_a_side,
    )


def upright(qpos: Array) -> Array:
    """(n,) cosine of the trunk's tilt, in qpos (n, nq)."""
    return np.asarray(1 - 2 * (qpos[:, 4] ** 2 + qpos[:, 5] ** 2))


def felt(qpos: Array, qvel: Array) -> Array:
    """What is felt of the trunk, (n, felt): how far from the run's pitch, pitch rate, speed, roll and roll
    rate, in units of `SCALE`."""
    w, x, y, z = qpos[:, 3:7].T
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    forward = qvel[:, 0] * np.cos(yaw) + qvel[:, 1] * np.sin(yaw)
    of_trunk = np.stack(
        [2 * (x * z - w * y), qvel[:, 4], forward, 2 * (y * z + w * x), qvel[:, 3]], 1
    )
    return np.clip((of_trunk - RESTING) / SCALE, -MOST_FELT, MOST_FELT)


class Runner:
    """Animals that run over gaps.

    Args:
        locomotion: the gait they run by.
        skill: what they do at gaps.
        actuators: index of each actuator by name.
        animals: how many there are.

    Attributes:
        tick: (animals,) int, ticks since the last leap began.
        phase: (animals,) of the gait at the last tick, in cycles.
    """

    def __init__(
        self,
        locomotion: Locomotion,
        skill: GapRunning,
        actuators: Mapping[str, int],
        animals: int,
    ) -> None:
        self._locomotion, self.skill, self._actuators = locomotion, skill, actuators
        self._stand = locomotion.steering.table.mean(0)
        self._half = np.zeros(animals)
        self._width = np.zeros(animals)
        self._side = np.ones(animals)
        self.tick = np.full(animals, LONG_AGO)
        self.phase = np.zeros(animals)

    def act(
        self, i: Array, qpos: Array, qvel: Array, activation: Array, near: Array, far: Array
    ) -> Array:
        """Actions (n, actuators) of some animals, in [-1, 1]; call it once a tick for each.

        Args:
            i: (n,) which.
            qpos, qvel, activation: (n, ...) of their bodies.
            near, far: (n, gaps) x of the edges of gaps in order, in m; infinite where there is none.
        """
        rows, x, up = np.arange(len(i)), qpos[:, 0], upright(qpos)
        # the next gap is the first whose leap may still begin
        following = (near <= (x + self.skill.leap.before_m - BEARS_M)[:, None]).sum(1)
        following = np.minimum(following, near.shape[1] - 1)
        edge = near[rows, following]
        width = np.where(np.isfinite(edge), far[rows, following] - edge, MIDDLE_WIDTH_M)
        left = edge - x - self.skill.before_m(width)
        feels = felt(qpos, qvel)
        leaps = self.tick[i] < LEAP_TICKS
        full = np.ones(len(i))
        body = qpos, qvel, activation
        action, phase = self._run(body, full, HEAD_DOWN, up)
        running = np.flatnonzero(~leaps)
        if len(running):
            some = tuple(part[running] for part in body)
            speed = self._speed(i[running], phase[running], left[running], feels[running])
            speed = np.where(up[running] < REARED_BELOW, 0.0, speed)
            far_off, phase[running] = self._run(some, speed, HEAD_DOWN, up[running])
            close, _ = self._run(some, speed, HEAD_DOWN_NEAR, up[running])
            before = (edge - x)[running]
            action[running] = np.where((before < NEAR_M)[:, None], close, far_off)
        # where a leap was begun from outside, its first tick says at which phase
        first = self.tick[i] == 0
        self._side[i[first]] = _side(phase[first])
        self.phase[i] = phase
        half = (2 * phase) % 1.0
        hit, self._half[i] = half < self._half[i] - 0.5, half
        begins = ~leaps & hit & (np.abs(left) <= BEARS_M)
        if begins.any():
            action[begins] = self._run(
                tuple(part[begins] for part in body), full[begins], HEAD_DOWN, up[begins]
            )[0]
            self.begin(i[begins], width[begins])
            self._side[i[begins]] = _side(phase[begins])
        action = self._with_leap(i, action, feels)
        self.tick[i] += 1
        return np.clip(action, -1, 1)

    def expected_controls(self, k: int, phase: float) -> Array:
        """What an animal's leap asks for tick by tick, (LEAP_TICKS, actuators), where nothing disturbs it.

        Args:
            k: which animal; its leap has begun.
            phase: of the gait at the first tick, in cycles.
        """
        full = np.ones(LEAP_TICKS)
        steering, level = self._locomotion.steering, np.zeros(LEAP_TICKS)
        phases = phase + np.arange(LEAP_TICKS) * steering.cycles_per_tick(full)
        gait = steering.control(phases, full, level)
        for joint, flexion in HEAD_DOWN.items():
            gait[:, self._actuators[joint]] += flexion
        skill = self.skill
        wider = (self._width[k] - MIDDLE_WIDTH_M) / WIDTH_SCALE_M
        kept = skill.leap.share
        leap = kept * np.clip(gait, -1, 1) + (1 - kept) * self._stand
        leap += skill.leap.added * (1 + wider * skill.wider) + self._side[k] * skill.sided
        return np.clip(leap, -1, 1)

    def begin(self, i: Array, width_m: Array) -> None:
        """Let animals begin to leap at this tick.

        Args:
            i: (n,) which.
            width_m: (n,) of the gap.
        """
        self.tick[i], self._width[i] = 0, width_m

    def rest(self, i: int) -> None:
        """One animal does something else: it has no leap, landing or stride behind it when it runs again."""
        self.tick[i], self._half[i] = LONG_AGO, 0.0

    def _run(
        self, body: tuple[Array, ...], speed: Array, head: Mapping[str, float], up: Array
    ) -> tuple[Array, Array]:
        return run_in_the_middle(
            self._locomotion, self._actuators, body, speed, head, up, self.skill.least_speed
        )

    def _speed(self, i: Array, phase: Array, left: Array, feels: Array) -> Array:
        skill = self.skill
        speed = np.where(left < STEERS_WITHIN_M, approach_speed(phase, left), 1.0)
        since = np.clip((self.tick[i] - LEAP_TICKS) / skill.landing_speed_ticks, 0, 1)
        landed = skill.landing_speed + (1.15 - skill.landing_speed) * since
        reflex = feels[:, :N_SAGITTAL] @ skill.speed_reflexes
        return np.clip(np.minimum(speed, landed) + reflex, 0.0, 1.15)

    def _with_leap(self, i: Array, action: Array, feels: Array) -> Array:
        """Actions (n, actuators) with the leap, its landing and the reflexes."""
        skill, tick = self.skill, self.tick[i]
        leaps = tick < LEAP_TICKS
        at = np.minimum(tick, LEAP_TICKS - 1)
        wider = ((self._width[i] - MIDDLE_WIDTH_M) / WIDTH_SCALE_M)[:, None]
        kept = skill.leap.share[at]
        added = skill.leap.added[at] * (1 + wider * skill.wider)
        leap = kept * action + (1 - kept) * self._stand + added
        leap += self._side[i, None] * skill.sided[at]
        action = np.where(leaps[:, None], leap, action)
        landed = tick - LEAP_TICKS
        lands = (landed >= 0) & (landed < LANDING_TICKS)
        action[lands] += skill.landing[landed[lands]]
        reflexes = skill.reflexes[np.where(leaps, LEAPS, RUNS)]
        return np.asarray(action + np.einsum("nf,nfa->na", feels, reflexes))


def _side(phase: Array) -> Array:
    """1 for phases (n,) about 0, -1 about one half."""
    return np.where(np.cos(2 * np.pi * phase) >= 0, 1.0, -1.0)
