"""Find a control law that steers a gait: how left and right have to differ for the animal to turn.

The control law is linear in the commanded yaw rate: for each limb joint a difference of offset and of
amplitude between the sides, plus a bend and twist of spine and tail. Each is first tried alone, at stock
physics; those that turn the animal are combined in proportion, and an evolution strategy over several
commands at once starts from there. Speed is commanded by the amplitude of the gait and, less, by its
frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.skills.body import FELL_BELOW_UP, Bodies
from training.skills.gait import N_PHASES, STRIDE_HZ, Gait, sided
from training.skills.search import SearchSettings, SearchState, read_arrays, search, write_arrays

Array = np.ndarray

LIMB = (
    "hip_extend", "knee", "ankle", "shoulder", "elbow", "scapula_extend", "hip_abduct",
    "scapula_abduct", "hip_supinate", "scapula_supinate",
)  # fmt: skip
TRUNK = ("lumbar_bend", "cervical_bend", "lumbar_twist", "cervical_twist", "caudal_bend")
N_PARAMETERS = 2 * len(LIMB) + len(TRUNK)
YAW_SCALE_RAD_S = 3.0
"""Yaw rate of one unit of yaw command."""
PROBE = 0.4
"""How far each parameter is moved to measure whether it turns the animal."""
COMMANDS = ((1.0, 2.0), (1.0, -0.8), (0.6, 1.5), (1.0, 0.0))
"""Commands (speed, yaw rate in rad/s) in the trials of a candidate; speed 1 is the gait's own."""


@dataclass(frozen=True)
class SteeringSettings:
    """Settings of the steering search."""

    generations: int = 10
    population: int = 8
    sigma: float = 0.15
    rollout_s: float = 2.0
    seed: int = 2


@dataclass(frozen=True)
class Steering:
    """A gait with the control law that steers it.

    Attributes:
        gait: the gait.
        held: (actuators,) float64 added to the control, per unit of yaw command.
        swing: (actuators,) float64, times the gait's deviation from its mean, added per unit of yaw command.
    """

    gait: Gait
    held: Array
    swing: Array

    def control(self, phase: Array, speed: Array, yaw_rad_s: Array) -> Array:
        """Control signals of the gait under commands.

        Args:
            phase: (n,) in cycles.
            speed: (n,) commands.
            yaw_rad_s: (n,) commands, left positive.

        Returns:
            (n, actuators) float64 in [-1, 1].
        """
        return np.clip(self.unclipped(self.table, phase, speed, yaw_rad_s), -1, 1)

    def unclipped(self, table: Array, phase: Array, speed: Array, yaw_rad_s: Array) -> Array:
        """As `control`, not clipped, for another table than the gait's own.

        Args:
            table: (N_PHASES, actuators).
            phase: (n,) in cycles.
            speed: (n,) commands.
            yaw_rad_s: (n,) commands.

        Returns:
            (n, actuators) float64.
        """
        mean = self.table.mean(0)
        row = (phase % 1.0) * N_PHASES
        low = row.astype(int) % N_PHASES
        fraction = (row - np.floor(row))[:, None]
        swing = table[low] * (1 - fraction) + table[(low + 1) % N_PHASES] * fraction - mean
        turn = (yaw_rad_s / YAW_SCALE_RAD_S)[:, None]
        amplitude = np.where(speed > 0.04, 0.35 + 0.65 * speed, 0.0)[:, None]
        return mean + amplitude * swing * (1 + turn * self.swing) + turn * self.held

    def cycles_per_tick(self, speed: Array) -> Array:
        """How far the phase advances in a tick of 20 ms, (n,) in cycles, for speed commands (n,)."""
        hz = self.gait.stride_hz * (0.7 + 0.3 * np.minimum(speed, 1.0))
        return 0.02 * np.clip(hz, *STRIDE_HZ)

    @property
    def table(self) -> Array:
        """(N_PHASES, actuators) the gait over one cycle."""
        return self.gait.control

    def save(self, path: Path) -> None:
        """Write the steering; `load` reads it."""
        write_arrays(
            path,
            control=self.gait.control,
            stride_hz=np.array(self.gait.stride_hz),
            held=self.held,
            swing=self.swing,
        )


def load(path: Path) -> Steering:
    """The steering that `Steering.save` wrote."""
    saved = read_arrays(path)
    gait = Gait(saved["control"], float(saved["stride_hz"]))
    return Steering(gait, saved["held"], saved["swing"])


def control_law(gait: Gait, parameters: Array, actuators: Mapping[str, int]) -> Steering:
    """The gait with a candidate's control law.

    Args:
        gait: the gait.
        parameters: (N_PARAMETERS,) float64.
        actuators: index of each actuator by name.
    """
    held, swing = np.zeros(len(actuators)), np.zeros(len(actuators))
    for k, joint in enumerate(LIMB):
        for side, sign in (("L", 1), ("R", -1)):
            index = actuators[sided(joint, side)]
            held[index] = sign * 0.5 * parameters[2 * k]
            swing[index] = sign * parameters[2 * k + 1]
    for k, joint in enumerate(TRUNK):
        held[actuators[joint]] = 0.5 * parameters[2 * len(LIMB) + k]
    return Steering(gait, held, swing)


def costs(
    bodies: Bodies, gait: Gait, settings: SteeringSettings, candidates: Array
) -> tuple[Array, Array, Array]:
    """Cost of candidates, and what they make of each command in `COMMANDS`.

    Args:
        bodies: the physics.
        gait: the gait.
        settings: length of a trial.
        candidates: (n, N_PARAMETERS).

    Returns:
        Costs (n,), yaw rates (n, commands) in rad/s, and speeds forward (n, commands) in m/s.
    """
    ticks = round(settings.rollout_s * 50)
    settled = ticks // 3
    speed, yaw = np.array(COMMANDS).T
    actions = []
    for candidate in candidates:
        steering = control_law(gait, candidate, bodies.actuators)
        phase = np.arange(ticks)[:, None] * steering.cycles_per_tick(speed)
        actions += [
            steering.control(phase[:, k], np.full(ticks, speed[k]), np.full(ticks, yaw[k]))
            for k in range(len(COMMANDS))
        ]
    states, _ = bodies.run(np.tile(bodies.start, (len(actions), 1)), np.stack(actions))
    finite = np.isfinite(states).all((1, 2))
    motion = bodies.motion(np.where(finite[:, None, None], states, 0.0))
    seconds = (ticks - 1 - settled) * 0.02
    turned = (motion.yaw_rad[:, -1] - motion.yaw_rad[:, settled]) / seconds
    dx, dy = np.diff(motion.x_m[:, settled:]), np.diff(motion.y_m[:, settled:])
    heading = motion.yaw_rad[:, settled:-1]
    ran = (dx * np.cos(heading) + dy * np.sin(heading)).sum(1) / seconds
    asked_yaw, asked_speed = np.tile(yaw, len(candidates)), np.tile(speed, len(candidates))
    cost = (
        np.abs(turned - asked_yaw) / YAW_SCALE_RAD_S
        + 0.7 * np.maximum(asked_speed - ran, 0.0)
        + 2 * (1 - motion.upright).mean(1)
        + 1.0 * (motion.upright.min(1) < FELL_BELOW_UP)
    )
    cost = np.where(finite, cost, 10.0).reshape(len(candidates), -1).mean(1)
    shape = (len(candidates), -1)
    return cost + 0.02 * (candidates**2).mean(1), turned.reshape(shape), ran.reshape(shape)


def responses(bodies: Bodies, gait: Gait, settings: SteeringSettings) -> Array:
    """How much each parameter alone turns the animal, from trials with it at +`PROBE` and -`PROBE`.

    Args:
        bodies: the physics.
        gait: the gait.
        settings: length of a trial.

    Returns:
        (N_PARAMETERS,) yaw rate in rad/s per unit of the parameter; 0 where the animal fell.
    """
    tried = np.concatenate([np.eye(N_PARAMETERS), -np.eye(N_PARAMETERS)]) * PROBE
    ticks = round(settings.rollout_s * 50)
    settled = ticks // 3
    full, turn = np.ones(ticks), np.full(ticks, YAW_SCALE_RAD_S)
    actions = []
    for one in tried:
        steering = control_law(gait, one, bodies.actuators)
        phase = np.arange(ticks) * steering.cycles_per_tick(np.ones(1))[0]
        actions.append(steering.control(phase, full, turn))
    states, _ = bodies.run(np.tile(bodies.start, (len(tried), 1)), np.stack(actions))
    finite = np.isfinite(states).all((1, 2))
    motion = bodies.motion(np.where(finite[:, None, None], states, 0.0))
    yaw = (motion.yaw_rad[:, -1] - motion.yaw_rad[:, settled]) / ((ticks - 1 - settled) * 0.02)
    stood = finite & (motion.upright.min(1) > FELL_BELOW_UP)
    one_way, other = np.where(stood, yaw, 0.0).reshape(2, -1)
    both = stood.reshape(2, -1).all(0)
    return np.where(both, (one_way - other) / (2 * PROBE), 0.0)


def find(
    gait: Gait,
    settings: SteeringSettings,
    folder: Path,
    threads: int,
    report: Callable[[str, SearchState, Array, Array], None],
) -> Steering:
    """Measure what turns the animal, and search from there; resumes, and writes `steering.npz`.

    Args:
        gait: the gait to steer.
        settings: of the search.
        folder: for the checkpoint and the result.
        threads: threads for physics.
        report: called after every generation with "stock", the search's state, and the mean's yaw rates
            (rad/s) and speeds (m/s) at `COMMANDS`, (commands,) each.

    Returns:
        The gait with its control law.
    """
    bodies = Bodies(coarse=False, threads=threads)
    checkpoint = folder / "steering-search.npz"
    start = np.zeros(N_PARAMETERS)
    if not checkpoint.exists():
        turns = responses(bodies, gait, settings)
        # the smallest parameters that, were all this linear, would give the commanded yaw rate
        start = turns * YAW_SCALE_RAD_S / max(float(turns @ turns), 1e-6)

    def progress(state: SearchState) -> None:
        _, yaws, speeds = costs(bodies, gait, settings, state.mean[None])
        report("stock", state, yaws[0], speeds[0])

    found = search(
        lambda candidates: costs(bodies, gait, settings, candidates)[0],
        start,
        SearchSettings(settings.generations, settings.population, settings.sigma, settings.seed),
        checkpoint,
        progress,
    )
    steering = control_law(gait, found.mean, bodies.actuators)
    steering.save(folder / "steering.npz")
    return steering
