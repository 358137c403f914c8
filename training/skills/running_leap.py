"""Find a leap out of the run: it begins at a phase of the stride, and the gait goes on behind the gap.

    python -m training.skills.running_leap search subjects/rodent/skills runs/running-leap
    python -m training.skills.running_leap measure subjects/rodent/skills/running_leap.npz

Every generation mixes gap widths from 5 to 20 cm, running starts out of a bank, places up to 2 cm off and
motor noise, the same for all candidates: a leap that needs one start state is worth nothing. The search is
short in 2 ms steps and ends in stock physics, self-collisions included in both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.cluster_statistics import wilson
from training.skills import steering
from training.skills.running_leap_initial_parameters import INITIAL_PARAMETERS
from training.skills.running_leap_table import RunningLeap, leap_of, load
from training.skills.running_leap_trials import (
    FAST_TIMESTEP_S,
    WINDOW_TICKS,
    Crossings,
    Runway,
    Trials,
)
from training.skills.search import SearchSettings, SearchState, load_state, read_arrays, search
from training.skills.steering import Steering

Array = np.ndarray

Report = Callable[[str, SearchState, Crossings], None]
"""Gets the part of the search, its state, and how the last generation's candidates did."""


N_ACTUATORS = 38
MEASURED_M = (0.05, 0.08, 0.11, 0.14, 0.17, 0.20)


@dataclass(frozen=True)
class RunningLeapSettings:
    """Settings of the search: `fast` in 2 ms steps, `stock` in the arena's own physics.

    Attributes:
        animals: that run at the same time to fill the bank of starts.
        off_m: how far from the leap's own place an animal may be, either way.
        away_cost: what it costs to be far from where a part of the search began, per mean square.
    """

    fast_generations: int = 18
    fast_population: int = 24
    fast_cases: int = 8
    fast_sigma: float = 0.15
    stock_generations: int = 60
    stock_population: int = 20
    stock_cases: int = 6
    stock_sigma: float = 0.1
    narrowest_m: float = 0.05
    widest_m: float = 0.20
    off_m: float = 0.02
    action_noise: float = 0.07
    animals: int = 56
    away_cost: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class Measured:
    """How often gaps were crossed: arrays are (widths,); speeds are means of what crossed."""

    widths_m: Array
    tried: Array
    crossed: Array
    speed_m_s: Array


def mixed_trials(
    bank: Array, settings: RunningLeapSettings, cases: int, rng: np.random.Generator
) -> Trials:
    """Trials with one width out of each of `cases` equal parts of the range, in any order.

    Args:
        bank: (n, state) running animals to choose from.
        settings: range of widths and places, and the noise.
        cases: how many.
        rng: draws all of it.
    """
    edges = np.linspace(settings.narrowest_m, settings.widest_m, cases + 1)
    widths = rng.permutation(rng.uniform(edges[:-1], edges[1:]))
    return _trials(bank, settings, widths, rng)


def _trials(
    bank: Array, settings: RunningLeapSettings, widths_m: Array, rng: np.random.Generator
) -> Trials:
    cases = len(widths_m)
    starts = bank[rng.integers(0, len(bank), cases)]
    offset = rng.uniform(-settings.off_m, settings.off_m, cases)
    noise = rng.normal(0, settings.action_noise, (WINDOW_TICKS, cases, N_ACTUATORS))
    return Trials(starts, offset, widths_m, noise)


def find(
    base: Steering,
    settings: RunningLeapSettings,
    folder: Path,
    report: Report,
    start: Array = INITIAL_PARAMETERS,
) -> RunningLeap:
    """Search at fast, then at stock physics, resuming what `folder` holds; writes `running_leap.npz`.

    Args:
        base: the gait that is leapt from.
        settings: length and width of the search, and what it mixes.
        folder: where its checkpoints are, one for each part.
        report: called after every generation.
        start: (N_PARAMETERS,) where the search begins.
    """
    fast = SearchSettings(
        settings.fast_generations, settings.fast_population, settings.fast_sigma, settings.seed
    )
    stock = SearchSettings(
        settings.stock_generations,
        settings.stock_population,
        settings.stock_sigma,
        settings.seed + 1,
    )
    runway = Runway(base, FAST_TIMESTEP_S)
    checkpoint = folder / "running_leap-fast.npz"
    mean = _part(runway, settings, fast, settings.fast_cases, checkpoint, start, report)
    runway = Runway(base)
    checkpoint = folder / "running_leap-stock.npz"
    mean = _part(runway, settings, stock, settings.stock_cases, checkpoint, mean, report)
    found = leap_of(mean, runway.bodies.actuators)
    found.save(folder / "running_leap.npz", parameters=mean)
    return found


def _part(
    runway: Runway,
    settings: RunningLeapSettings,
    wanted: SearchSettings,
    cases: int,
    checkpoint: Path,
    start: Array,
    report: Report,
) -> Array:
    """The mean (N_PARAMETERS,) that one part of the search ends with."""
    saved = load_state(checkpoint)
    generation = saved.generation if saved else 0
    if generation >= wanted.generations:
        return saved.mean if saved else start
    bank_rng = np.random.default_rng(wanted.seed + 1000)
    bank = runway.bank(bank_rng, settings.action_noise, settings.animals)
    last: Crossings | None = None

    def cost(candidates: Array) -> Array:
        nonlocal last
        # a generation's trials depend on its number alone: a resumed search meets the same ones
        trials = mixed_trials(
            bank, settings, cases, np.random.default_rng([wanted.seed, generation])
        )
        leaps = [leap_of(one, runway.bodies.actuators) for one in candidates]
        last = runway.cross(leaps, trials, quick=True)
        away = ((candidates - start) ** 2).mean(1)
        return np.asarray(last.cost.mean(1) + settings.away_cost * away)

    def progress(state: SearchState) -> None:
        nonlocal generation
        generation = state.generation
        assert last is not None
        report(checkpoint.stem, state, last)

    return search(cost, start, wanted, checkpoint, progress).mean


def measure(
    base: Steering,
    leap: RunningLeap,
    settings: RunningLeapSettings,
    widths_m: Sequence[float],
    tries: int,
    seed: int,
) -> Measured:
    """Try a leap at stock physics, every trial followed to its end.

    Args:
        base: the gait that is leapt from.
        leap: what is tried.
        settings: places, noise and the size of the bank.
        widths_m: of the gaps.
        tries: at each width.
        seed: of starts, places and noise; another than the search's.
    """
    rng = np.random.default_rng([seed, 7])
    runway = Runway(base)
    bank = runway.bank(rng, settings.action_noise, settings.animals)
    trials = _trials(bank, settings, np.repeat(widths_m, tries), rng)
    found = runway.cross([leap], trials)
    crossed = found.crossed.reshape(-1, tries)
    ran = np.where(crossed, found.speed_m_s.reshape(-1, tries), 0.0).sum(1)
    over = crossed.sum(1)
    speed = ran / np.maximum(over, 1)
    return Measured(np.asarray(widths_m), np.full(len(over), tries), over, speed)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: `search` and `measure`."""
    parser = argparse.ArgumentParser(prog="python -m training.skills.running_leap")
    commands = parser.add_subparsers(dest="command", required=True)
    searching = commands.add_parser("search", help="search, or go on where the search stopped")
    searching.add_argument("skills", type=Path, help="folder with stepping.npz")
    searching.add_argument("runs", type=Path, help="folder for checkpoints and running_leap.npz")
    searching.add_argument("--start", type=Path, help="running_leap.npz to begin with")
    for part in ("fast", "stock"):
        default = getattr(RunningLeapSettings, f"{part}_generations")
        searching.add_argument(f"--{part}-generations", type=int, default=default)
    measuring = commands.add_parser("measure", help="how often gaps are crossed, by width")
    measuring.add_argument("leap", type=Path, help="running_leap.npz, beside its stepping.npz")
    measuring.add_argument("--tries", type=int, default=50)
    measuring.add_argument("--seed", type=int, default=900)
    given = parser.parse_args(arguments)
    if given.command == "search":
        _search_command(given)
    else:
        _measure_command(given)


def _search_command(given: argparse.Namespace) -> None:
    settings = RunningLeapSettings(
        fast_generations=given.fast_generations, stock_generations=given.stock_generations
    )
    start = INITIAL_PARAMETERS
    if given.start:
        start = read_arrays(given.start)["parameters"]

    def report(part: str, state: SearchState, last: Crossings) -> None:
        print(
            f"{part} {state.generation}: cost {last.cost.mean():.2f}, "
            f"{last.crossed.mean():.0%} crossed, step {state.sigma:.3f}, {last.ticks} ticks",
            flush=True,
        )

    find(steering.load(given.skills / "stepping.npz"), settings, given.runs, report, start)


def _measure_command(given: argparse.Namespace) -> None:
    base = steering.load(given.leap.parent / "stepping.npz")
    found = measure(
        base, load(given.leap), RunningLeapSettings(), MEASURED_M, given.tries, given.seed
    )
    for width, tried, crossed, speed in zip(
        found.widths_m, found.tried, found.crossed, found.speed_m_s, strict=True
    ):
        low, high = wilson(crossed / tried, tried)
        print(
            f"{100 * width:.0f} cm: {crossed} of {tried} ({low:.0%} to {high:.0%}), {speed:.2f} m/s"
        )


if __name__ == "__main__":
    main()
