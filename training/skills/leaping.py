"""Find a leap: how the animal gets from a stand before a gap to a stand behind it.

The leap is a table of control signals over time, the same left and right, that begins in the stand at the
near edge: every leap from a stand is the same leap. (For leaps out of the run see
`training.skills.running_leap`.)

The initial parameters were made by hand: crouch, pitch up by the lumbar spine, push, fold the hindlimbs and
carry them forward. The search starts from there, on gaps that widen as they are crossed, from stands with
motor noise, at distances from the edge at which the animal comes to a stand.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from mujoco import rollout

from rig.body_quantities import UPRIGHT_ABOVE_UP
from training.skills.body import FELL_BELOW_UP, SPEC, Bodies
from training.skills.gait import sided
from training.skills.search import SearchSettings, SearchState, read_arrays, search, write_arrays
from training.skills.steering import Steering

Array = np.ndarray

SIGNALS: Mapping[str, tuple[float, ...]] = {
    "hip_extend": (-0.2, -0.3, 0.1, 0.8, 1, -0.4, -1, -0.5, 0, 0),
    "knee": (-0.3, -0.5, 0, 0.8, 1, -0.6, -0.3, 0.4, 0.2, 0),
    "ankle": (-0.3, -0.5, 0, 0.8, 1, -0.5, -0.3, 0.2, 0, 0),
    "lumbar_extend": (0, 0, 0.4, 0.7, 0.5, -0.1, -0.5, -0.3, 0, 0),
    "shoulder": (0, 0.2, 0.3, -0.4, -0.8, -0.6, -0.3, 0, 0, 0),
    "elbow": (0, -0.2, 0.6, 0.4, 0.1, 0.4, 0.5, 0.3, 0, 0),
    "cervical_extend": (0,) * 10,
}
"""Joints that move, and the leap made by hand: at each knot, what is added to the control of the stand."""
N_KNOTS, TICKS_PER_KNOT = 10, 3
N_PARAMETERS = N_KNOTS * len(SIGNALS)
LEAP_TICKS = (N_KNOTS - 1) * TICKS_PER_KNOT
"""Length of the leap, without the stand after it."""
SETTLING_TICKS = 14
"""How many ticks the animal stands after a leap before it is judged whether it crossed."""
BEFORE_M = (0.075, 0.11)
"""Least and greatest distance of the body's root from the near edge as a leap begins; the forepaws are 6 cm
ahead."""
PAWS, PAW_IN_M = ("hand", "foot"), -0.006
"""Paws that are tracked, and the height of a paw's joint below which the paw is in the gap."""
FAST_TIMESTEP_S = 0.002
"""Physics step of the fast phase."""
WIDER_M, WIDER_WHEN = 0.005, 0.45
"""The widest gap grows by so much after every generation that crossed more than this fraction of the gaps."""


@dataclass(frozen=True)
class LeapingSettings:
    """Settings of the search.

    Attributes:
        fast_generations, stock_generations: at 2 ms without self-collisions, then at stock physics.
        population: candidates in a generation.
        cases: trials of a candidate, over gaps from the narrowest to the present widest.
        fast_sigma, stock_sigma: first step sizes.
        action_noise: motor noise (sd).
        narrowest_m, wide_at_first_m, widest_m: least gap, and the widest at first and at last.
        seed: of everything random in the search.
    """

    fast_generations: int = 60
    stock_generations: int = 60
    population: int = 14
    cases: int = 3
    fast_sigma: float = 0.25
    stock_sigma: float = 0.15
    action_noise: float = 0.07
    narrowest_m: float = 0.04
    wide_at_first_m: float = 0.05
    widest_m: float = 0.2
    seed: int = 3


@dataclass(frozen=True)
class Leap:
    """A leap.

    Attributes:
        control: (ticks, actuators) float64 in [-1, 1], from one stand to the next.
    """

    control: Array

    def save(self, path: Path) -> None:
        """Write the leap; `load` reads it."""
        write_arrays(path, control=self.control)


@dataclass(frozen=True)
class Crossings:
    """What came of leaps; every array is (candidates, cases).

    Attributes:
        cost: float64.
        crossed: bool, whether the animal ended behind the gap, on its feet.
    """

    cost: Array
    crossed: Array


def load(path: Path) -> Leap:
    """The leap that `Leap.save` wrote."""
    return Leap(read_arrays(path)["control"])


def initial_parameters() -> Array:
    """Parameters (N_PARAMETERS,) of the leap made by hand (`SIGNALS`)."""
    return np.array(list(SIGNALS.values())).T.ravel()


def leap_of(parameters: Array, stand: Array, actuators: Mapping[str, int]) -> Leap:
    """The leap of a candidate.

    Args:
        parameters: (N_PARAMETERS,) float64.
        stand: (actuators,) control of the standing posture, to which the leap is added.
        actuators: index of each actuator by name.
    """
    values = parameters.reshape(N_KNOTS, len(SIGNALS))
    time = np.arange(LEAP_TICKS + SETTLING_TICKS) / TICKS_PER_KNOT
    control = np.tile(stand, (len(time), 1))
    for joint, knots in zip(SIGNALS, values.T, strict=True):
        added = np.interp(time, np.arange(N_KNOTS), knots, right=0)
        for name in (joint,) if joint in actuators else (sided(joint, side) for side in "LR"):
            control[:, actuators[name]] += added
    return Leap(np.clip(control, -1, 1))


class Platforms:
    """Physics of animals before one gap each: the plain corridor, its second floor moved away.

    Args:
        base: the gait, whose mean is the stand.
        fast: 2 ms steps and no self-collisions.

    Attributes:
        bodies: the copies of the animal.
        edge_m: x of the gap's near edge.
        stand: (actuators,) control of the standing posture.
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
                # with no affinity among themselves, the animal's parts collide with the ground alone
                if "walker" in name and model.geom_contype[i]:
                    model.geom_conaffinity[i] = 0
        self._start = next(i for i, n in enumerate(names) if n.split("/")[-1] == "start_floor")
        self._floor = next(i for i, n in enumerate(names) if n.split("/")[-1] == "floor_0")
        self.edge_m = float(model.geom_pos[self._start, 0] + model.geom_size[self._start, 0])
        self.stand = base.table.mean(0)
        self._rollout = rollout.Rollout(nthread=0)
        self._data = mujoco.MjData(model)
        self._scratch = mujoco.MjData(model)
        self._paws = [model.body(f"walker/{paw}_{side}").id for paw in PAWS for side in "LR"]
        self._models: dict[float, mujoco.MjModel] = {}

    def with_gap(self, width_m: float) -> mujoco.MjModel:
        """The model with a gap of a width, to the millimetre."""
        width_m = round(width_m, 3)
        if width_m not in self._models:
            model = copy.copy(self.bodies.model)
            model.geom_pos[self._floor, 0] = self.edge_m + width_m + model.geom_size[self._floor, 0]
            self._models[width_m] = model
        return self._models[width_m]

    def run(self, states: Array, actions: Array, widths_m: Array) -> Array:
        """Advance n animals, each before a gap of its own width.

        Args:
            states: (n, state) float64.
            actions: (n, ticks, actuators), clipped to [-1, 1].
            widths_m: (n,) of the gaps.

        Returns:
            (n, ticks, state) float64 at the end of each tick; zeros in place of what is not finite.
        """
        substeps = self.bodies.substeps
        control = np.repeat(np.clip(actions, -1, 1), substeps, axis=1)
        models = [self.with_gap(float(width)) for width in widths_m]
        after, _ = self._rollout.rollout(models, [self._data], states, control)
        return np.nan_to_num(after[:, substeps - 1 :: substeps]).copy()

    def standing(self, n: int, rng: np.random.Generator, noise: float) -> Array:
        """States of animals that have stood for half a second.

        Args:
            n: how many.
            rng: for posture and noise.
            noise: motor noise (sd).

        Returns:
            (n, state) float64.
        """
        states = np.tile(self.bodies.start, (n, 1))
        qpos = self.bodies.split(states)[0]
        qpos[:, 7:] += rng.normal(0, 0.04, (n, qpos.shape[1] - 7))
        actions = self.stand + rng.normal(0, noise, (n, 25, len(self.stand)))
        return self.run(states, actions, np.zeros(n))[:, -1]

    def paws(self, states: Array) -> Array:
        """How far past the near edge and how high (m) the paws are: (..., 4, 2), in states (..., state)."""
        found = np.zeros((*states.shape[:-1], 4, 2))
        for index in np.ndindex(*states.shape[:-1]):
            mujoco.mj_setState(self.bodies.model, self._scratch, states[index], SPEC)
            mujoco.mj_kinematics(self.bodies.model, self._scratch)
            found[index] = self._scratch.xpos[self._paws][:, [0, 2]] - [self.edge_m, 0]
        return found

    def cross(
        self, leaps: list[Leap], starts: Array, before_m: Array, widths_m: Array, noise: Array
    ) -> Crossings:
        """Try every leap in every case.

        Args:
            leaps: candidates.
            starts: (cases, state) standing animals.
            before_m: (cases,) distance before the near edge at which they are put.
            widths_m: (cases,) of the gap.
            noise: (cases, ticks, actuators) motor noise.
        """
        shape = (len(leaps), len(starts))
        states = np.tile(starts, (shape[0], 1))
        qpos = self.bodies.split(states)[0]
        qpos[:, 0], qpos[:, 1] = self.edge_m - np.tile(before_m, shape[0]), 0
        actions = np.repeat(np.stack([leap.control for leap in leaps]), shape[1], axis=0)
        widths = np.tile(widths_m, shape[0])
        states = self.run(states, actions + np.tile(noise, (shape[0], 1, 1)), widths)
        qpos = self.bodies.split(states)[0]
        upright = 1 - 2 * (qpos[..., 4] ** 2 + qpos[..., 5] ** 2)
        paws = self.paws(states[:, 5::3])
        deep = np.clip(-0.004 - paws[..., 1], 0, 0.04).mean((1, 2)) / 0.04
        places, heights = paws[:, -1, :, 0], paws[:, -1, :, 1]
        behind = ((places > widths[:, None]) & (heights > PAW_IN_M)).all(1)
        crossed = behind & (upright[:, -1] > UPRIGHT_ABOVE_UP)
        begun = -float(before_m.max())
        # how far each paw got tells candidates apart before any of them crosses
        cost = (
            -3 * np.clip((places - begun) / (widths + 0.02 - begun)[:, None], 0, 1).mean(1)
            + 3 * deep
            + 1.5 * (1 - upright[:, -8:]).mean(1)
            + 0.5 * (1 - upright).mean(1)
            - 1.5 * crossed
            - np.clip((qpos[:, -1, 0] - self.edge_m - widths) / 0.1, -1, 1)
            + 4 * np.clip(FELL_BELOW_UP - upright.min(1), 0, 1)
        )
        return Crossings(cost.reshape(shape), crossed.reshape(shape))


def find(
    base: Steering,
    settings: LeapingSettings,
    folder: Path,
    report: Callable[[str, SearchState, float], None],
) -> Leap:
    """Search at fast, then at stock physics; resumes, and writes `leaping.npz`.

    Gaps begin narrow again after a resume.

    Args:
        base: the gait, whose mean is the stand.
        settings: of the search.
        folder: for checkpoints and the result.
        report: called after every generation with the physics' name, the search's state, and the fraction of
            the generation's gaps that were crossed.

    Returns:
        The leap.
    """
    start, sigma, generations = initial_parameters(), settings.fast_sigma, settings.fast_generations
    widest_m, fraction_crossed = settings.wide_at_first_m, 0.0
    for name, fast in (("fast", True), ("stock", False)):
        platforms = Platforms(base, fast)
        actuators, stand = platforms.bodies.actuators, platforms.stand
        rng = np.random.default_rng(settings.seed)
        bank = platforms.standing(12, rng, settings.action_noise)
        if not fast:
            sigma, generations = settings.stock_sigma, settings.stock_generations
        shape = (settings.cases, LEAP_TICKS + SETTLING_TICKS, len(stand))

        def cost(
            candidates: Array,
            platforms: Platforms = platforms,
            rng: np.random.Generator = rng,
            bank: Array = bank,
            shape: tuple[int, ...] = shape,
        ) -> Array:
            nonlocal widest_m, fraction_crossed
            found = platforms.cross(
                [leap_of(c, platforms.stand, platforms.bodies.actuators) for c in candidates],
                bank[rng.integers(0, len(bank), shape[0])],
                rng.uniform(*BEFORE_M, shape[0]),
                np.linspace(settings.narrowest_m, widest_m, shape[0]),
                rng.normal(0, settings.action_noise, shape),
            )
            fraction_crossed = float(found.crossed.mean())
            if fraction_crossed > WIDER_WHEN:
                widest_m = min(widest_m + WIDER_M, settings.widest_m)
            away = ((candidates - initial_parameters()) ** 2).mean(1)
            return np.asarray(found.cost.mean(1) + 0.02 * away)

        def progress(state: SearchState, name: str = name) -> None:
            report(name, state, fraction_crossed)

        result = search(
            cost,
            start,
            SearchSettings(generations, settings.population, sigma, settings.seed),
            folder / f"leaping-{name}.npz",
            progress,
        )
        start = result.mean
    found = leap_of(start, stand, actuators)
    found.save(folder / "leaping.npz")
    return found
