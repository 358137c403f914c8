"""Find the tap of `training.skills.tap`, at stock physics.

A candidate is tried with motor noise from several disturbed starts, with the orb in several places
(`training.skills.tap_trials`): first both parts together, then the second part alone, from touches that the
first makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from training.skills.body import TOPPLED_BELOW_UP, Bodies
from training.skills.search import SearchSettings, SearchState, search
from training.skills.steering import Steering
from training.skills.tap import (
    BENDS,
    DUE_TICK,
    N_KNOTS,
    N_PARAMETERS,
    N_SIGNALS,
    REACH_KNOTS,
    Tap,
    tap_of,
)
from training.skills.tap_initial_parameters import INITIAL_PARAMETERS
from training.skills.tap_trials import (
    TICKS_AGAIN,
    FirstTouches,
    Paws,
    TapResult,
    TapTrials,
    sample_trials,
    standing_states,
    try_again,
    try_out,
    try_reach,
)

Array = np.ndarray


def cost_of(result: TapResult, parameters: Array) -> Array:
    """Cost (n,) of candidates `parameters` (n, N_PARAMETERS), by their `result`, whose arrays are (n, s)."""
    cost = (
        12 * np.maximum(result.reached_m - 0.012, 0)
        + 0.5 * ~result.touched
        + 0.01 * result.reach_ticks
        + _cost_again({f.name: getattr(result, f.name) for f in fields(result)})
    )
    # an orb that is farther ahead is longer in view
    near = 1 - np.tanh(parameters[:, -1])
    return np.asarray(cost.mean(1) + 0.1 * near + _distance_from_initial(parameters))


def _distance_from_initial(parameters: Array) -> Array:
    return np.asarray(0.01 * ((parameters - INITIAL_PARAMETERS) ** 2).mean(1))


def _cost_again(of: Mapping[str, Array]) -> Array:
    too_soon = (of["second_tick"] > 0) & (of["second_tick"] < 35)
    return np.asarray(
        12 * np.maximum(0.05 - of["lingered_m"], 0)
        + 0.3 * too_soon
        + 12 * np.maximum(of["again_m"] - 0.012, 0)
        + 0.7 * ~of["success"]
        + 0.04 * np.maximum(np.abs(of["second_tick"] - DUE_TICK) - 1, 0) * (of["second_tick"] > 0)
        + 1.0 * np.maximum(TOPPLED_BELOW_UP - of["upright"], 0)
    )


@dataclass(frozen=True)
class TappingSettings:
    """Settings of the search.

    Attributes:
        generations: of both parts together; none by default, because the initial first part is good enough.
        again_generations: of the second part alone.
        population: candidates in a generation.
        starts, again_starts: trials of a candidate.
        sigma, again_sigma: first step sizes.
        action_noise: motor noise (sd).
        spread_ahead_m, spread_aside_m: greatest deviation of the orb from its best distance.
        touches: trials of the first part, from whose touches the second part is searched.
        seed: of everything random in the search.
    """

    generations: int = 0
    again_generations: int = 30
    population: int = 12
    starts: int = 6
    again_starts: int = 8
    sigma: float = 0.05
    again_sigma: float = 0.04
    action_noise: float = 0.08
    spread_ahead_m: float = 0.02
    spread_aside_m: float = 0.02
    touches: int = 120
    seed: int = 6


Report = Callable[[str, SearchState, TapResult], None]
"""Called with the phase ("both" or "again"), the search's state, and what came of its mean in new trials."""

_AGAIN = np.r_[
    len(REACH_KNOTS) * N_SIGNALS : N_KNOTS * N_SIGNALS,
    (N_KNOTS + 1) * N_SIGNALS : (N_KNOTS + 3) * N_SIGNALS,
    (N_KNOTS + 3) * N_SIGNALS + len(BENDS) : N_PARAMETERS - 1,
]
"""The parameters of the second part."""


def find(
    steering: Steering, settings: TappingSettings, folder: Path, threads: int, report: Report
) -> Tap:
    """Search from `INITIAL_PARAMETERS`, resuming what `folder` holds; writes `tapping.npz`.

    Args:
        steering: the gait in which the animal comes and stands.
        settings: of the search.
        folder: for checkpoints and the result.
        threads: threads for physics.
        report: called every fifth generation.

    Returns:
        The tap.
    """
    start = INITIAL_PARAMETERS
    bodies = Bodies(coarse=False, threads=threads)
    for name, generations, sigma in (
        ("both", settings.generations, settings.sigma),
        ("again", settings.again_generations, settings.again_sigma),
    ):
        phase = _Phase(name, bodies, steering, settings, start)

        def progress(state: SearchState, phase: _Phase = phase, name: str = name) -> None:
            tap = phase.tap(phase.whole(state.mean[None])[0])
            tap.save(folder / "tapping.npz")
            if state.generation % 5 == 0:
                result = try_out(bodies, phase.paws, [tap], phase.sample_trials(20))
                report(name, state, result)

        found = search(
            phase.cost,
            start[phase.searched],
            SearchSettings(generations, settings.population, sigma, settings.seed),
            folder / f"tapping-{name}.npz",
            progress,
        )
        start = phase.whole(found.mean[None])[0]
    tap = tap_of(start, bodies.actuators)
    tap.save(folder / "tapping.npz")
    return tap


class _Phase:
    """One phase of the search: which parameters vary, from which starts, and what candidates cost."""

    def __init__(
        self, name: str, bodies: Bodies, steering: Steering, settings: TappingSettings, base: Array
    ) -> None:
        self.bodies, self.paws = bodies, Paws(bodies)
        self._settings, self._base = settings, base
        self._rng = np.random.default_rng(settings.seed)
        self._standing = standing_states(bodies, steering, 40, self._rng)
        self.searched = np.arange(N_PARAMETERS) if name == "both" else _AGAIN
        self._touched = None if name == "both" else self._touches()

    def tap(self, parameters: Array) -> Tap:
        """The tap of parameters (N_PARAMETERS,)."""
        return tap_of(parameters, self.bodies.actuators)

    def whole(self, searched: Array) -> Array:
        """All parameters (n, N_PARAMETERS) for those that are searched (n, searched)."""
        parameters = np.tile(self._base, (len(searched), 1))
        parameters[:, self.searched] = searched
        return parameters

    def sample_trials(self, n: int) -> TapTrials:
        """n new trials."""
        of = self._settings
        spread = (of.spread_ahead_m, of.spread_aside_m)
        return sample_trials(self.bodies, self._standing, n, of.action_noise, spread, self._rng)

    def cost(self, searched: Array) -> Array:
        """Cost (n,) of candidates (n, searched), all in the same trials."""
        parameters = self.whole(searched)
        taps = [self.tap(p) for p in parameters]
        if self._touched is None:
            trials = self.sample_trials(self._settings.starts)
            return cost_of(try_out(self.bodies, self.paws, taps, trials), parameters)
        n, s = len(taps), self._settings.again_starts
        shape = (s, TICKS_AGAIN, len(self.bodies.actuators))
        noise = np.tile(self._rng.normal(0, self._settings.action_noise, shape), (n, 1, 1))
        chosen = np.tile(self._rng.choice(len(self._touched.states), s, replace=False), n)
        result = try_again(self.bodies, self.paws, taps, self._touched.select(chosen, noise))
        return np.asarray(
            _cost_again(result).reshape(n, s).mean(1) + _distance_from_initial(parameters)
        )

    def _touches(self) -> FirstTouches:
        """Animals that have just touched, by the first part of the initial tap."""
        trials = self.sample_trials(self._settings.touches)
        reach = try_reach(self.bodies, self.paws, [self.tap(self._base)], trials)
        good = np.flatnonzero(reach.touched[0])
        nothing = trials.noise[:, :0]
        everyone = FirstTouches(
            reach.states[0], reach.orbs[0], trials.off_ahead_m, trials.aside_m, nothing
        )
        return everyone.select(good, nothing[good])
