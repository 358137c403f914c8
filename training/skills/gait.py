"""Find a running gait: an evolution-strategy search over a pattern generator of the limbs and spine.

The generator is one phase that advances at the stride frequency, and for each limb joint an offset, an
amplitude and a phase, plus a second harmonic for the joints that drive the leg, so that stance and swing may
differ. Left and right are half a cycle apart (a trot) or together (a bound). The stride frequency is bounded
to `STRIDE_HZ`, about where rats gallop; unbounded, the search finds a quicker shuffle that no rat makes.

The search starts in coarse physics, from parameters that the body's own kinematics give, and ends in stock
physics, where the same gait is slower. Every generation starts from a disturbed state and acts with motor
noise, because without them the search finds gaits that any disturbance ends.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from training.skills.body import FELL_BELOW_UP, SPEC, Bodies
from training.skills.search import SearchSettings, SearchState, read_arrays, search, write_arrays

Array = np.ndarray

STRIDE_HZ = (3.0, 5.7)
"""Least and greatest stride frequency."""
N_PHASES = 64
"""Rows of a gait's table, evenly over one cycle."""
OSCILLATING = (
    "hip_extend", "knee", "ankle", "shoulder", "elbow", "wrist",
    "scapula_extend", "hip_abduct", "scapula_abduct",
)  # fmt: skip
TWO_HARMONICS = ("hip_extend", "knee", "ankle", "shoulder", "elbow", "scapula_extend")
FORELIMB = ("shoulder", "elbow", "wrist", "scapula_extend", "scapula_abduct")
HELD = ("hip_supinate", "toe", "scapula_supinate", "shoulder_sup", "finger")
SPINE = ("lumbar_extend", "cervical_extend")
N_PARAMETERS = 2 + 3 * len(OSCILLATING) + 2 * len(TWO_HARMONICS) + len(HELD) + 3 * len(SPINE) + 2


@dataclass(frozen=True)
class GaitSettings:
    """Settings of the gait search.

    Attributes:
        style: "trot" or "bound".
        target_speed_m_s: faster does not lower the cost further.
        coarse_generations, stock_generations: in coarse, then in stock physics.
        coarse_population, stock_population: candidates in a generation.
        coarse_sigma, stock_sigma: first step sizes.
        action_noise: motor noise (sd).
        posture: weight of `sagging` in the cost; 0 allows a low trunk and running on the elbows.
        rollout_s: length of a trial.
        seed: of everything random in the search.
    """

    style: str = "trot"
    target_speed_m_s: float = 1.3
    coarse_generations: int = 200
    stock_generations: int = 80
    coarse_population: int = 40
    stock_population: int = 20
    coarse_sigma: float = 0.25
    stock_sigma: float = 0.1
    action_noise: float = 0.1
    posture: float = 0.0
    rollout_s: float = 2.0
    seed: int = 1


@dataclass(frozen=True)
class Gait:
    """A gait as a table over one cycle.

    Attributes:
        control: (N_PHASES, actuators) float64 in [-1, 1].
        stride_hz: cycles a second.
    """

    control: Array
    stride_hz: float

    def save(self, path: Path) -> None:
        """Write the gait; `load` reads it."""
        write_arrays(path, control=self.control, stride_hz=np.array(self.stride_hz))


def load(path: Path) -> Gait:
    """The gait that `Gait.save` wrote."""
    saved = read_arrays(path)
    return Gait(saved["control"], float(saved["stride_hz"]))


def sided(joint: str, side: str) -> str:
    """The name of a limb joint's actuator on one side: ("hip_extend", "L") -> "hip_L_extend"."""
    for girdle in ("hip", "scapula"):
        if joint.startswith(girdle + "_"):
            return joint.replace(girdle + "_", f"{girdle}_{side}_")
    return f"{joint}_{side}"


def stride_hz(parameters: Array) -> Array:
    """Stride frequencies (n,) of parameters (n, N_PARAMETERS), always inside `STRIDE_HZ`."""
    low, high = STRIDE_HZ
    hz = (low + high) / 2 + (high - low) / 2 * np.tanh(parameters[:, 0])
    return np.asarray(np.clip(hz, low, high))


def pattern(parameters: Array, phase: Array, actuators: Mapping[str, int], style: str) -> Array:
    """Control signals of the pattern generator.

    Args:
        parameters: (n, N_PARAMETERS) float64, all of order one.
        phase: (n, t) in cycles.
        actuators: index of each actuator by name.
        style: "trot" or "bound".

    Returns:
        (n, t, actuators) float64 in [-1, 1].
    """
    turn = 2 * np.pi * phase
    values = iter(parameters.T[1:, :, None])
    between_sides = np.pi if style == "trot" else 0.0
    between_girdles = np.pi + 2 * next(values)
    control = np.zeros((*phase.shape, len(actuators)))
    for joint in OSCILLATING:
        offset, amplitude, lag = 0.5 * next(values), 0.5 * next(values), 2 * next(values)
        if joint in TWO_HARMONICS:
            amplitude2, lag2 = 0.25 * next(values), 2 * next(values)
        else:
            amplitude2 = lag2 = np.zeros_like(lag)
        for index, side in enumerate("LR"):
            angle = turn + between_sides * index
            if joint in FORELIMB:
                angle = angle + between_girdles
            control[:, :, actuators[sided(joint, side)]] = (
                offset + amplitude * np.sin(angle + lag) + amplitude2 * np.sin(2 * angle + lag2)
            )
    for joint in HELD:
        offset = 0.5 * next(values)
        for side in "LR":
            control[:, :, actuators[sided(joint, side)]] = offset
    for joint in SPINE:
        offset, amplitude, lag = 0.5 * next(values), 0.5 * next(values), 2 * next(values)
        control[:, :, actuators[joint]] = offset + amplitude * np.sin(turn + lag)
    bend, lag = 0.5 * next(values), 2 * next(values)
    if style == "trot":
        control[:, :, actuators["lumbar_bend"]] = bend * np.sin(turn + lag)
    return np.clip(control, -1, 1)


def initial_parameters(bodies: Bodies) -> Array:
    """Parameters (N_PARAMETERS,) that move the paws roughly as a stepping animal does.

    Each joint of the left legs is moved alone in an animal that hangs in the air. Then every joint gets the
    part of the paw's target path (back on the ground, forward and up in the air) that it is able to give.
    """
    parameters = np.zeros(N_PARAMETERS)
    index = 2
    for joint in OSCILLATING:
        paw = "walker/hand_L" if joint in FORELIMB else "walker/foot_L"
        raised, lowered = (_hung_paw(bodies, joint, value, paw) for value in (0.5, -0.5))
        forward, _, up = raised - lowered
        # the target path is (-sin, -cos) of the phase; as amplitude and lag of one sine
        along, across = -forward, -0.6 * up
        reach = 12.0 if joint in FORELIMB else 8.0
        parameters[index + 1] = 2 * reach * np.hypot(along, across)
        parameters[index + 2] = np.arctan2(across, along) / 2
        index += 5 if joint in TWO_HARMONICS else 3
    return parameters


def _hung_paw(bodies: Bodies, joint: str, value: float, paw: str) -> Array:
    """Resting position (3,) of a paw (m), relative to the trunk, with one joint's control at `value`."""
    model = copy.copy(bodies.model)
    model.opt.gravity[:] = 0
    data = mujoco.MjData(model)
    held = np.array([0, 0, 1, 1, 0, 0, 0.0])
    data.ctrl[bodies.actuators[sided(joint, "L")]] = value
    for _ in range(round(0.24 / model.opt.timestep)):
        data.qpos[:7], data.qvel[:6] = held, 0
        mujoco.mj_step(model, data)
    data.qpos[:7] = held
    mujoco.mj_kinematics(model, data)
    return np.array(data.body(paw).xpos - data.body("walker/torso").xpos)


HELD_UP_M = {"torso": 0.052, "pelvis": 0.052, "lower_arm_L": 0.018, "lower_arm_R": 0.018}
"""Heights below which trunk and elbows sag. Standing, trunk, pelvis and elbows are at 65, 67 and 29 mm."""


def sagging(bodies: Bodies, states: Array) -> Array:
    """How far trunk and elbows are below `HELD_UP_M`, as a fraction of it; the mean over time.

    Args:
        bodies: the physics.
        states: (n, ticks, state).

    Returns:
        (n,) float64 from 0, never below, to 1.
    """
    data = mujoco.MjData(bodies.model)
    parts = [bodies.model.body(f"walker/{name}").id for name in HELD_UP_M]
    least = np.array(list(HELD_UP_M.values()))
    below = np.zeros(states.shape[:2])
    for index in np.ndindex(*below.shape):
        mujoco.mj_setState(bodies.model, data, states[index], SPEC)
        mujoco.mj_kinematics(bodies.model, data)
        below[index] = np.maximum(1 - data.xpos[parts, 2] / least, 0).mean()
    return np.asarray(below.mean(1))


def cost_of(
    bodies: Bodies,
    settings: GaitSettings,
    parameters: Array,
    start: Array,
    noise: Array,
    speed_only: bool = False,
) -> Array:
    """Cost of candidates: running slowly, drifting, tilting, turning and bouncing all cost.

    Args:
        bodies: the physics.
        settings: length of a trial, target speed and posture.
        parameters: (n, N_PARAMETERS) candidates.
        start: (state,) in which all begin.
        noise: (ticks, actuators) motor noise, the same for all.
        speed_only: return the speeds forward (m/s) instead, NaN where the simulation diverged.

    Returns:
        (n,) float64.
    """
    ticks = round(settings.rollout_s * 50)
    settled = ticks // 3
    phase = stride_hz(parameters)[:, None] * np.arange(ticks) * 0.02
    actions = pattern(parameters, phase, bodies.actuators, settings.style)
    states, _ = bodies.run(np.tile(start, (len(parameters), 1)), actions + noise)
    finite = np.isfinite(states).all((1, 2))
    motion = bodies.motion(np.where(finite[:, None, None], states, 0.0))
    speed = (motion.x_m[:, -1] - motion.x_m[:, settled]) / ((ticks - 1 - settled) * 0.02)
    if speed_only:
        return np.where(finite, speed, np.nan)
    upright = motion.upright
    bounce = np.abs(np.diff(motion.z_m[:, settled:], axis=1)).mean(1) / 0.02
    wobble = np.abs(np.diff(upright[:, settled:], axis=1)).mean(1) / 0.02
    cost = (
        -2 * np.minimum(speed, settings.target_speed_m_s)
        + 0.5 * np.abs(motion.y_m[:, -1])
        + 0.5 * (1 - upright).mean(1)
        + 0.5 * (1 - np.cos(motion.yaw_rad)).mean(1)
        + 0.2 * bounce
        + 0.02 * wobble
        + 0.02 * (parameters**2).mean(1)
        + 1.0 * (upright.min(1) < FELL_BELOW_UP)
    )
    if settings.posture:
        # every third tick is enough: a stride is nine
        some = np.where(finite[:, None, None], states, start)[:, settled::3]
        cost += settings.posture * sagging(bodies, some)
    return np.where(finite, cost, 10.0)


def find(
    settings: GaitSettings,
    folder: Path,
    threads: int,
    report: Callable[[str, SearchState, float, float], None],
) -> Gait:
    """Search in coarse, then in stock physics; resumes, and writes `gait.npz`.

    Args:
        settings: of the search.
        folder: for checkpoints and the result.
        threads: threads for physics.
        report: called after every generation with the physics' name, the search's state, the mean's speed
            (m/s; NaN but in every tenth generation) and its stride frequency (Hz).

    Returns:
        The gait.
    """
    bodies = Bodies(coarse=True, threads=threads)
    start, sigma = initial_parameters(bodies), settings.coarse_sigma
    shape = (round(settings.rollout_s * 50), len(bodies.actuators))
    plan = (
        ("coarse", True, settings.coarse_generations, settings.coarse_population),
        ("stock", False, settings.stock_generations, settings.stock_population),
    )
    for name, coarse, generations, population in plan:
        bodies = Bodies(coarse=coarse, threads=threads)

        rng = np.random.default_rng(settings.seed)

        def cost(
            candidates: Array, bodies: Bodies = bodies, rng: np.random.Generator = rng
        ) -> Array:
            # another disturbed start and other motor noise each generation, the same for all
            # candidates: only a gait that recovers from disturbances survives that
            noise = rng.normal(0, settings.action_noise, shape)
            return cost_of(bodies, settings, candidates, bodies.disturbed_start(rng), noise)

        def progress(state: SearchState, bodies: Bodies = bodies, name: str = name) -> None:
            speed = np.nan
            if state.generation % 10 == 0:
                quiet = np.zeros(shape)
                mean = state.mean[None]
                speed = float(cost_of(bodies, settings, mean, bodies.start, quiet, True)[0])
            report(name, state, speed, float(stride_hz(state.mean[None])[0]))

        result = search(
            cost,
            start,
            SearchSettings(generations, population, sigma, settings.seed),
            folder / f"gait-{name}.npz",
            progress,
        )
        start, sigma = result.mean, settings.stock_sigma
    phase = np.arange(N_PHASES)[None] / N_PHASES
    control = pattern(start[None], phase, bodies.actuators, settings.style)[0]
    gait = Gait(control, float(stride_hz(start[None])[0]))
    gait.save(folder / "gait.npz")
    return gait
