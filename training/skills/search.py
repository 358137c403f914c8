"""CMA-ES that resumes: the search behind every skill.

Mean, step size, covariance, best candidate and generation are written to an `.npz` file every generation.
Evolution paths start afresh after a resume, which costs a few generations at most.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.errors import SubjectError
from rig.regular_file import open_regular

Array = np.ndarray
Cost = Callable[[Array], Array]
"""Candidates (n, parameters) to costs (n,); lower is better."""


@dataclass(frozen=True)
class SearchSettings:
    """How long and how wide to search.

    Attributes:
        generations: how many in all, those before a resume included.
        population: candidates in a generation.
        sigma: the first step size.
        seed: of the candidates.
    """

    generations: int
    population: int
    sigma: float
    seed: int


@dataclass(frozen=True)
class SearchState:
    """Where a search stands.

    Attributes:
        mean: (parameters,) the search's answer.
        sigma: step size.
        covariance: (parameters, parameters) of the candidates, without `sigma`.
        generation: generations done.
        best: (parameters,) the candidate that cost least in its own generation.
        best_cost: its cost.
    """

    mean: Array
    sigma: float
    covariance: Array
    generation: int
    best: Array
    best_cost: float


def write_arrays(path: Path, **arrays: Array) -> None:
    """Write arrays by name to an `.npz` file, in one step: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class _Arrays(dict[str, Array]):
    """The arrays of a file by name; one that it lacks is a `SubjectError`."""

    def __init__(self, path: Path, arrays: Mapping[str, Array]) -> None:
        super().__init__(arrays)
        self._path = path

    def __missing__(self, name: str) -> Array:
        raise SubjectError(_damaged(self._path, f"it has no array {name!r}"))


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays by name that `write_arrays` wrote.

    Raises:
        SubjectError: the file is damaged or something else; also where an array that is asked for is missing.
        OSError: it cannot be read.
    """
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as saved:
            return _Arrays(path, {name: saved[name] for name in saved.files})
    except OSError:
        raise
    except Exception as error:  # NumPy and zipfile raise a dozen kinds, by which bytes are wrong
        raise SubjectError(_damaged(path, " ".join(str(error).split())[:160])) from None


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} is damaged ({why}); put a whole one there, or delete it and train its stage again"
    )


def load_state(path: Path) -> SearchState | None:
    """The state saved at `path`, or None where there is none.

    Raises:
        SubjectError: the file is damaged.
    """
    if not path.exists():
        return None
    saved = read_arrays(path)
    return SearchState(
        mean=saved["mean"],
        sigma=float(saved["sigma"]),
        covariance=saved["covariance"],
        generation=int(saved["generation"]),
        best=saved["best"],
        best_cost=float(saved["best_cost"]),
    )


def search(
    cost: Cost,
    start: Array,
    settings: SearchSettings,
    checkpoint: Path,
    report: Callable[[SearchState], None],
    until: float = float("inf"),
) -> SearchState:
    """Minimise `cost`, from `start` or from the checkpoint where there is one.

    Args:
        cost: candidates (n, parameters) to costs (n,), lower is better.
        start: (parameters,) float64, the first mean.
        settings: length, width and seed.
        checkpoint: `.npz` file, written every generation.
        report: called with the state after every generation.
        until: time of `time.monotonic` after which no generation begins.

    Returns:
        The state after the last generation.
    """
    # here, because it brings matplotlib along, and who only uses a skill has nothing to search
    import cma

    state = load_state(checkpoint)
    if state is None:
        state = SearchState(start, settings.sigma, np.eye(len(start)), 0, start, float("inf"))
    while state.generation < settings.generations and time.monotonic() < until:
        strategy = cma.CMAEvolutionStrategy(
            state.mean,
            state.sigma,
            {
                "popsize": settings.population,
                "seed": settings.seed + 1000 * state.generation + 1,
                "verbose": -9,
                "maxiter": np.inf,
                "CMA_stds": np.sqrt(np.diag(state.covariance)),
            },
        )
        if state.generation:
            # `cma` scales coordinates by CMA_stds, so what is left to restore is the correlation
            spread = np.sqrt(np.diag(state.covariance))
            strategy.sm.C[:] = state.covariance / np.outer(spread, spread)
            strategy.sm.update_now()
        while state.generation < settings.generations and time.monotonic() < until:
            candidates = strategy.ask()
            costs = np.asarray(cost(np.asarray(candidates)), float)
            strategy.tell(candidates, list(costs))
            winner = int(costs.argmin())
            better = costs[winner] < state.best_cost
            scale = np.asarray(strategy.sigma_vec.scaling) * np.ones(len(start))
            state = SearchState(
                mean=np.asarray(strategy.mean),
                sigma=float(strategy.sigma),
                covariance=strategy.sm.C * np.outer(scale, scale),
                generation=state.generation + 1,
                best=np.asarray(candidates[winner]) if better else state.best,
                best_cost=float(costs[winner]) if better else state.best_cost,
            )
            write_arrays(
                checkpoint,
                mean=state.mean,
                sigma=np.array(state.sigma),
                covariance=state.covariance,
                generation=np.array(state.generation),
                best=state.best,
                best_cost=np.array(state.best_cost),
            )
            report(state)
    return state
