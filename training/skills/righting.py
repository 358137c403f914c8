"""Find how to get up: a movement of 1.6 s that rolls the fallen animal onto its feet.

A rat rights itself front first: it twists its spine until the forelimbs are on the ground, and the hind body
follows. The movement is a spline for spine and limbs, mirrored by the side that the animal lies on, that ends
in the gait's mean posture. In a trial an animal is dropped in a random orientation in the bowl, makes the
movement to its end with motor noise, and then has to stand. Both trunk and pelvis have to be upright: with
the trunk alone, the search finds a twist of the spine that leaves the hind body on its back. The search
starts from `righting_initial_parameters`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from training.skills.body import SPEC, Bodies
from training.skills.gait import sided
from training.skills.righting_initial_parameters import INITIAL_PARAMETERS
from training.skills.search import SearchSettings, SearchState, search, write_arrays

Array = np.ndarray

STANDS_ABOVE_UP = 0.7
"""Uprightness of trunk and pelvis above which the animal has got up (46 degrees)."""
DROPPED_BELOW_UP = 0.5
"""Greatest uprightness of an animal that is dropped to be righted."""
TRUNK_ODD = ("lumbar_twist", "lumbar_bend", "cervical_twist", "cervical_bend")
TRUNK_EVEN = ("lumbar_extend", "cervical_extend")
"""Trunk joints that change sign in the mirrored movement, and those that do not."""
LIMB = (
    "hip_extend", "hip_abduct", "knee", "shoulder", "scapula_abduct", "elbow", "hip_supinate",
)  # fmt: skip
KNOT_TICKS = tuple(1.15 * t for t in (0.0, 29 / 3, 58 / 3, 29.0, 37.0, 47.0, 57.0, 67.0))
"""Ticks of the knots; the last is the posture to stand in."""
KNOTS = len(KNOT_TICKS) - 1
TICKS = 78
"""Length of the movement in ticks."""
STAND_TICKS = 20
"""How many ticks the animal has to stand afterwards in the search."""
N_PARAMETERS = KNOTS * (len(TRUNK_ODD) + len(TRUNK_EVEN) + 2 * len(LIMB))
START_RADIUS_M = 4.5
"""Greatest distance from the centre of the bowl at which animals are dropped."""


@dataclass(frozen=True)
class RightingSettings:
    """Settings of the search; `starts` are the trials of a candidate."""

    coarse_generations: int = 60
    stock_generations: int = 20
    population: int = 16
    starts: int = 12
    coarse_sigma: float = 0.2
    stock_sigma: float = 0.08
    action_noise: float = 0.1
    seed: int = 4


class BowlBodies(Bodies):
    """Copies of the rodent in the bowl of escape.

    Args:
        coarse: 4 ms steps, as in `Bodies`.
        threads: threads that step the copies.
        seed: of the terrain.

    Attributes:
        heights_m: (rows, columns) float64, the height field; rows along y.
        half_width_m: of the square field.
    """

    def __init__(self, coarse: bool, threads: int, seed: int = 0) -> None:
        super().__init__(coarse, threads, "escape", seed)
        data = mujoco.MjData(self.model)
        data.qpos[:] = self.model.qpos0
        data.qpos[3:7] = (1, 0, 0, 0)
        mujoco.mj_getState(self.model, data, self.start, SPEC)
        self._scratch = data
        size = self.model.hfield_size[0]
        shape = (int(self.model.hfield_nrow[0]), int(self.model.hfield_ncol[0]))
        self.heights_m = size[2] * np.asarray(self.model.hfield_data).reshape(shape) - 0.01
        self.half_width_m = float(size[0])

    def free_state(
        self, x_m: float, y_m: float, quaternion: Array, joints: float, rng: np.random.Generator
    ) -> Array:
        """A state at rest just above the ground.

        Args:
            x_m: position.
            y_m: position.
            quaternion: (4,) orientation of the trunk; need not have length one.
            joints: sd (rad) by which the joints are off the model's posture.
            rng: for the joints.

        Returns:
            (state,) float64.
        """
        data = self._scratch
        mujoco.mj_resetData(self.model, data)
        data.qpos[7:] = self.model.qpos0[7:] + rng.normal(0, joints, self.model.nq - 7)
        data.qpos[3:7] = quaternion / np.linalg.norm(quaternion)
        data.qpos[:2] = x_m, y_m
        cell = 2 * self.half_width_m / (len(self.heights_m) - 1)
        i, j = (round((v + self.half_width_m) / cell) for v in (y_m, x_m))
        data.qpos[2] = self.heights_m[i, j]
        while True:
            mujoco.mj_fwdPosition(self.model, data)
            # the animal alone can be in contact with itself, because its joints are disturbed
            ground = data.contact.geom[: data.ncon]
            if not (self.model.geom_bodyid[ground] == 0).any():
                break
            data.qpos[2] += 0.01
        state = np.zeros_like(self.start)
        mujoco.mj_getState(self.model, data, state, SPEC)
        return state

    def dropped(
        self,
        n: int,
        rng: np.random.Generator,
        radius_m: float = START_RADIUS_M,
        fallen: bool = True,
    ) -> Array:
        """States of animals that are dropped in random orientations, moving, their muscles partly active.

        Args:
            n: how many.
            rng: for everything random.
            radius_m: greatest distance from the centre of the bowl.
            fallen: only orientations in which the animal is not upright.

        Returns:
            (n, state) float64.
        """
        states: list[Array] = []
        while len(states) < n:
            quaternion = rng.normal(size=4)
            up = up_in_body(np.r_[0, 0, 0, quaternion / np.linalg.norm(quaternion)])[2]
            if fallen and up > DROPPED_BELOW_UP:
                continue
            r, angle = radius_m * rng.random() ** 2, rng.uniform(-np.pi, np.pi)
            state = self.free_state(r * np.cos(angle), r * np.sin(angle), quaternion, 0.06, rng)
            _, qvel, act = self.split(state)
            qvel[:3] += rng.normal(0, 0.2, 3)
            qvel[3:6] += rng.normal(0, 2.0, 3)
            act += rng.normal(0, 0.2, len(act))
            states.append(state)
        return np.stack(states)


def up_in_body(qpos: Array) -> Array:
    """The world's up axis (..., 3) in the trunk's frame (forward, left, up), of poses (..., nq)."""
    w, a, b, c = (qpos[..., 3 + i] for i in range(4))
    return np.stack([2 * (a * c - w * b), 2 * (b * c + w * a), 1 - 2 * (a * a + b * b)], -1)


def movements(parameters: Array, actuators: Mapping[str, int], stand: Array) -> Array:
    """The movements of candidates.

    Args:
        parameters: (n, N_PARAMETERS) float64.
        actuators: index of each actuator by name.
        stand: (actuators,) control of the standing posture, in which the movements end.

    Returns:
        (n, 2, TICKS, actuators) float64 in [-1, 1]. The first of the two is for an animal whose left side is
        up, the second its mirror image.
    """
    knots = parameters.reshape(len(parameters), KNOTS, -1)
    hat = np.stack(
        [np.interp(np.arange(TICKS), KNOT_TICKS, row) for row in np.eye(len(KNOT_TICKS))], 1
    )
    values = iter(np.moveaxis(np.einsum("tk,nkj->ntj", hat[:, :-1], knots), 2, 0))
    control = np.zeros((len(parameters), 2, TICKS, len(actuators)))
    for joint in TRUNK_ODD:
        value = next(values)
        control[:, 0, :, actuators[joint]], control[:, 1, :, actuators[joint]] = value, -value
    for joint in TRUNK_EVEN:
        control[:, :, :, actuators[joint]] = next(values)[:, None]
    for joint in LIMB:
        left, right = actuators[sided(joint, "L")], actuators[sided(joint, "R")]
        upper, lower = next(values), next(values)
        control[:, 0, :, left], control[:, 0, :, right] = upper, lower
        control[:, 1, :, left], control[:, 1, :, right] = lower, upper
    return np.clip(control + hat[:, -1:] * stand, -1, 1)


def uprightness(bodies: Bodies, moves: Array, stand: Array, states: Array, noise: Array) -> Array:
    """Uprightness of animals that make the movement and then stand.

    Args:
        bodies: the physics.
        moves: (n, 2, TICKS, actuators) as of `movements`.
        stand: (actuators,) control after the movement.
        states: (n, state) to begin with.
        noise: (n, ticks, actuators) motor noise.

    Returns:
        (n, ticks) float64, the lesser of trunk's and pelvis's; -1 where the simulation diverged.
    """
    lies_on_left = up_in_body(bodies.split(states)[0])[:, 1] < 0
    actions = np.broadcast_to(stand, noise.shape).copy()
    actions[:, :TICKS] = moves[np.arange(len(states)), lies_on_left.astype(int)]
    after, _ = bodies.run(states, np.clip(actions + noise, -1, 1))
    finite = np.isfinite(after).all((1, 2))
    after = np.where(finite[:, None, None], after, 0.0)
    trunk = up_in_body(bodies.split(after)[0])[..., 2]
    hind = _pelvis_up(bodies, after[:, ::5]).repeat(5, 1)[:, : trunk.shape[1]]
    return np.where(finite[:, None], np.minimum(trunk, hind), -1.0)


def _pelvis_up(bodies: Bodies, states: Array) -> Array:
    """Upward part (n, ticks) of the pelvis's own up axis, in states (n, ticks, state)."""
    data, pelvis = mujoco.MjData(bodies.model), bodies.model.body("walker/pelvis").id
    up = np.zeros(states.shape[:2])
    for index in np.ndindex(up.shape):
        data.qpos[:] = bodies.split(states[index])[0]
        mujoco.mj_kinematics(bodies.model, data)
        up[index] = data.xmat[pelvis][8]
    return up


def find(
    settings: RightingSettings,
    stand: Array,
    folder: Path,
    threads: int,
    report: Callable[[str, SearchState, float], None],
) -> None:
    """Search in coarse, then in stock physics; resumes, and writes `righting.npz`.

    Args:
        settings: of the search.
        stand: (actuators,) control of the standing posture.
        folder: for checkpoints and the result.
        threads: threads for physics.
        report: called after every generation with the physics' name, the search's state, and the fraction of
            animals that the mean gets up (NaN but in every fifth generation).
    """
    mean, sigma = INITIAL_PARAMETERS, settings.coarse_sigma
    ticks = TICKS + STAND_TICKS
    for name, generations in (
        ("coarse", settings.coarse_generations),
        ("stock", settings.stock_generations),
    ):
        bodies = BowlBodies(name == "coarse", threads)
        rng = np.random.default_rng(settings.seed)

        def cost(
            candidates: Array, bodies: BowlBodies = bodies, rng: np.random.Generator = rng
        ) -> Array:
            n, starts = len(candidates), settings.starts
            states = bodies.dropped(starts, rng)
            noise = rng.normal(0, settings.action_noise, (starts, ticks, len(bodies.actuators)))
            moves = movements(candidates, bodies.actuators, stand).repeat(starts, 0)
            upright = uprightness(
                bodies, moves, stand, np.tile(states, (n, 1)), np.tile(noise, (n, 1, 1))
            )
            low = (1 - np.clip(upright, -1, 0.9)).mean(1) + (1 - upright[:, TICKS:]).mean(1)
            last = 1.0 * (upright[:, -5:].mean(1) < STANDS_ABOVE_UP)
            far = ((candidates - INITIAL_PARAMETERS) ** 2).mean(1)
            return np.asarray((low + last).reshape(n, starts).mean(1) + 0.01 * far)

        def progress(state: SearchState, bodies: BowlBodies = bodies, name: str = name) -> None:
            stands = np.nan
            if state.generation % 5 == 0:
                stands = fraction_righted(bodies, state.mean, stand, 48, settings)
            report(name, state, stands)

        found = search(
            cost,
            mean,
            SearchSettings(generations, settings.population, sigma, settings.seed),
            folder / f"righting-{name}.npz",
            progress,
        )
        mean, sigma = found.mean, settings.stock_sigma
    # not in between: a finished skill would be overwritten by what its first part found
    write_arrays(
        folder / "righting.npz",
        control=movements(mean[None], bodies.actuators, stand)[0],
        knots=mean,
    )


def fraction_righted(
    bodies: BowlBodies, parameters: Array, stand: Array, n: int, settings: RightingSettings
) -> float:
    """Fraction of n fallen animals that stand after one movement.

    Args:
        bodies: the physics.
        parameters: (N_PARAMETERS,) float64 of the movement.
        stand: (actuators,) control of the standing posture.
        n: how many animals.
        settings: motor noise.
    """
    rng = np.random.default_rng(99)
    noise = rng.normal(0, settings.action_noise, (n, TICKS + STAND_TICKS, len(bodies.actuators)))
    moves = movements(parameters[None], bodies.actuators, stand).repeat(n, 0)
    upright = uprightness(bodies, moves, stand, bodies.dropped(n, rng), noise)
    return float((upright[:, -5:].mean(1) > STANDS_ABOVE_UP).mean())
