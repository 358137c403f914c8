"""Find how to run over gaps: leap, land and go on, in the task's own corridors, at stock physics.

    python -m training.skills.running_over_gaps search subjects/rodent/skills runs/gaps --jobs 16
    python -m training.skills.running_over_gaps measure runs/gaps/gap_running.npz subjects/rodent/skills

The search begins with the running leap and no reflexes. A candidate's trials are several seconds long, so
that a landing out of which the animal cannot run on costs as much as a gap that is not crossed. Every
generation draws new trials, the same for all its candidates.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.cluster_statistics import wilson
from parallel.processes import in_processes, process_pool
from training.skills import gap_running
from training.skills.body import Bodies
from training.skills.gap_courses import Courses, Runs, Trials, bank_of
from training.skills.gap_running import GapRunning, initial_parameters, skill_of
from training.skills.search import SearchSettings, SearchState, load_state, read_arrays, search

Array = np.ndarray


@dataclass(frozen=True)
class GapSearchSettings:
    """Settings of the search.

    Attributes:
        generations: at most.
        population: candidates in a generation.
        cases: trials of a candidate.
        sigma: first step size.
        trial_s: length of a trial.
        away_cost: what it costs to be far from where the search began, per mean square.
        action_noise: standard deviation of what is added to the actions.
        animals: that run at the same time to fill the bank of starts.
        arenas: corridors of the task's own, with about 50 gaps each.
        seed: of candidates and trials.
    """

    generations: int = 100
    population: int = 96
    cases: int = 4
    sigma: float = 0.08
    trial_s: float = 3.0
    away_cost: float = 0.2
    action_noise: float = 0.07
    animals: int = 48
    arenas: int = 4
    seed: int = 40


FIRST_ARENA = 300
"""Seed of the search's first corridor; the others follow."""
MEASURED_ARENAS = (700, 701, 702, 703)
"""Seeds of corridors that no search has seen."""


@functools.cache
def _courses(stepping: str, arenas: tuple[int, ...]) -> Courses:
    return Courses(Path(stepping), arenas)


@functools.cache
def _bank(stepping: str, seed: int, action_noise: float, animals: int) -> Array:
    return bank_of(Path(stepping), seed, action_noise, animals)


def _try(
    candidate: int, stepping: str, arenas: tuple[int, ...], parameters: Array, trials: Trials
) -> Runs:
    courses = _courses(stepping, arenas)
    return courses.run(skill_of(parameters, courses.bodies.actuators), trials)


def find(
    skills: Path,
    settings: GapSearchSettings,
    folder: Path,
    report: Callable[[SearchState, list[Runs]], None],
    start: Array,
    jobs: int = 1,
    minutes: float = float("inf"),
) -> GapRunning:
    """Search, resuming what `folder` holds; writes `gap_running.npz` after every generation.

    Args:
        skills: folder with `stepping.npz`.
        settings: length and width of the search.
        folder: for the checkpoint and the result.
        report: called after every generation with what its candidates did.
        start: (N_PARAMETERS,) where the search begins.
        jobs: processes.
        minutes: after which no generation begins.
    """
    until = time.monotonic() + 60 * minutes
    stepping, checkpoint = skills / "stepping.npz", folder / "gap_running-search.npz"
    saved = load_state(checkpoint)
    generation = saved.generation if saved else 0
    mean = saved.mean if saved else start
    actuators = Bodies(coarse=True, threads=1).actuators
    arenas = tuple(range(FIRST_ARENA, FIRST_ARENA + settings.arenas))
    courses = _courses(str(stepping), arenas)
    bank = _bank(str(stepping), settings.seed, settings.action_noise, settings.animals)
    last: list[Runs] = []
    with process_pool(jobs) as run:

        def cost(candidates: Array) -> Array:
            # a generation's trials depend on its number alone: a resumed search meets the same ones
            rng = np.random.default_rng([settings.seed, generation])
            ticks = round(settings.trial_s / 0.02)
            trials = courses.draw(
                bank, settings.cases, rng, ticks, action_noise=settings.action_noise
            )
            calls = [(k, str(stepping), arenas, one, trials) for k, one in enumerate(candidates)]
            runs = {call[0]: found for call, found in run(_try, calls)}
            last[:] = [runs[k] for k in range(len(candidates))]
            away = ((candidates - start) ** 2).mean(1)
            return np.array([one.cost.mean() for one in last]) + settings.away_cost * away

        def progress(state: SearchState) -> None:
            nonlocal generation
            generation = state.generation
            skill = skill_of(state.mean, actuators)
            skill.save(folder / "gap_running.npz", parameters=state.mean)
            report(state, last)

        wanted = SearchSettings(
            settings.generations, settings.population, settings.sigma, settings.seed
        )
        mean = search(cost, start, wanted, checkpoint, progress, until).mean
    skill = skill_of(mean, actuators)
    skill.save(folder / "gap_running.npz", parameters=mean)  # also where there was no generation
    return skill


def measure(
    skills: Path,
    parameters: Array,
    tries: int,
    trial_s: float,
    seed: int,
    jobs: int = 1,
) -> list[Runs]:
    """Run a candidate on corridors that no search has seen.

    Args:
        skills: folder with `stepping.npz`.
        parameters: (N_PARAMETERS,).
        tries: trials.
        trial_s: length of each.
        seed: of starts, places and noise.
        jobs: processes.
    """
    stepping, settings = skills / "stepping.npz", GapSearchSettings()
    courses = _courses(str(stepping), MEASURED_ARENAS)
    bank = bank_of(stepping, seed, settings.action_noise, settings.animals)
    rng = np.random.default_rng([seed, 7])
    ticks = round(trial_s / 0.02)
    calls: list[tuple[int, str, tuple[int, ...], Array, Trials]] = []
    while tries > 0:
        cases = min(tries, 5)
        drawn = courses.draw(bank, cases, rng, ticks, action_noise=settings.action_noise)
        calls.append((len(calls), str(stepping), MEASURED_ARENAS, parameters, drawn))
        tries -= cases
    found = {call[0]: runs for call, runs in in_processes(_try, calls, jobs)}
    return [found[k] for k in range(len(calls))]


def _sentence(runs: Sequence[Runs]) -> str:
    """What came of trials, in one line."""
    met, crossed = (
        int(sum(getattr(one, name).sum() for one in runs)) for name in ("met", "crossed")
    )
    fell = np.concatenate([one.fell for one in runs])
    seconds = 0.02 * sum(int(one.lasted.sum()) for one in runs)
    low, high = wilson(crossed / met, met)
    ran = sum(float(one.ran_m.sum()) for one in runs)
    return (
        f"{crossed} of {met} gaps crossed ({crossed / met:.1%}, {low:.1%} to {high:.1%}), "
        f"{fell.mean():.0%} of {len(fell)} trials ended in a fall ({fell.sum() / met:.1%} a gap), "
        f"{ran / seconds:.3f} m/s until then"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: `search` and `measure`."""
    own = GapSearchSettings()
    parser = argparse.ArgumentParser(prog="python -m training.skills.running_over_gaps")
    commands = parser.add_subparsers(dest="command", required=True)
    searching = commands.add_parser("search", help="search, or go on where the search stopped")
    searching.add_argument("skills", type=Path, help="folder with stepping.npz, running_leap.npz")
    searching.add_argument("runs", type=Path, help="folder for checkpoint and gap_running.npz")
    searching.add_argument("--start", type=Path, help="gap_running.npz to begin with")
    searching.add_argument("--generations", type=int, default=own.generations)
    searching.add_argument("--population", type=int, default=own.population)
    searching.add_argument("--cases", type=int, default=own.cases)
    searching.add_argument("--sigma", type=float, default=own.sigma)
    searching.add_argument("--trial-s", type=float, default=own.trial_s)
    searching.add_argument("--minutes", type=float, default=float("inf"))
    measuring = commands.add_parser("measure", help="how often gaps are crossed and animals fall")
    measuring.add_argument("skill", type=Path, help="gap_running.npz or running_leap.npz")
    measuring.add_argument("skills", type=Path, help="folder with stepping.npz")
    measuring.add_argument("--tries", type=int, default=50)
    measuring.add_argument("--trial-s", type=float, default=10.0)
    for one in (searching, measuring):
        one.add_argument("--seed", type=int, default=own.seed if one is searching else 900)
        one.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args(arguments)
    if given.command == "search":
        _search_command(given)
    else:
        parameters = parameters_of(given.skill)
        runs = measure(given.skills, parameters, given.tries, given.trial_s, given.seed, given.jobs)
        print(f"{given.skill}: {_sentence(runs)}")


def parameters_of(path: Path) -> Array:
    """The parameters (N_PARAMETERS,) kept in a file of this skill, or of the running leap alone."""
    parameters = read_arrays(path)["parameters"]
    if len(parameters) == gap_running.N_PARAMETERS:
        return np.asarray(parameters)
    return initial_parameters(parameters)


def _search_command(given: argparse.Namespace) -> None:
    settings = GapSearchSettings(
        generations=given.generations,
        population=given.population,
        cases=given.cases,
        sigma=given.sigma,
        trial_s=given.trial_s,
        seed=given.seed,
    )
    began, ticks = time.monotonic(), 0

    def report(state: SearchState, last: list[Runs]) -> None:
        nonlocal ticks
        ticks += sum(one.ticks for one in last)
        cost = np.mean([one.cost.mean() for one in last])
        print(
            f"{state.generation}: cost {cost:.3f}, {_sentence(last)}, step {state.sigma:.3f}, "
            f"{ticks} ticks in {time.monotonic() - began:.0f} s",
            flush=True,
        )

    start = parameters_of(given.start or given.skills / "running_leap.npz")
    find(given.skills, settings, given.runs, report, start, given.jobs, given.minutes)


if __name__ == "__main__":
    main()
