"""Episodes of all conditions, in processes beside each other, each episode kept as soon as it is over.

A condition's episodes are lines of one file in the work folder, below a line that says what they are of: who
acted, for how long, and in which version of the code. An evaluation that finds the same again goes on from
there; anything else is measured anew.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch

from agent.errors import SubjectError
from evaluation.actors import Actor, Source, digest
from evaluation.conditions import Condition
from evaluation.episode import Episode, Watcher, play
from evaluation.scores import Score

Report = Callable[[float, str], None]
Job = tuple[Condition, int]
Input = TypeVar("Input", bound=tuple[Any, ...])
Result = TypeVar("Result")

_HERE = Path(__file__).resolve().parent
_ARENAS = _HERE.parent / "rig" / "arenas"
# what one tick costs beside a blind one in the corridor; for the time left only
_LOOKING = {None: 1.0, "fast": 1.6, "soft": 4.0, "stock": 9.0}
_ARENA = {"corridor": 1.0, "gaps": 1.2, "forage": 2.0, "escape": 3.0, "two_tap": 1.8}


def cost(condition: Condition) -> float:
    """About how long an episode takes, in no unit."""
    return condition.duration_s * _LOOKING[condition.quality] * _ARENA[condition.task]


@lru_cache(maxsize=4)
def _actor(source: Source) -> Actor:
    return source.make()


def run_episode(condition: Condition, seed: int, watch: Watcher | None = None) -> Episode:
    """Play one episode of a condition."""
    torch.set_num_threads(1)  # one animal is too small a load to share
    actor = _actor(condition.source)
    return play(actor, condition.task, seed, condition.duration_s, condition.quality, watch)


def run(
    conditions: Sequence[Condition],
    work: Path | None = None,
    jobs: int = 1,
    report: Report = lambda done, text: None,
) -> list[Score]:
    """Measure conditions, in their order; how many `jobs` run at once does not change any number.

    Args:
        conditions: what to measure.
        work: where finished episodes are kept and found again; None keeps none.
        jobs: processes.
        report: called with the part that is done (0 to 1) and what is being done.

    Raises:
        SubjectError: `work` cannot be written, or is taken away meanwhile.
    """
    files = {one.key: _File(work, one) for one in conditions}
    total = sum(cost(one) * one.episodes for one in conditions) or 1.0
    open_jobs = [
        (one, seed) for one in conditions for seed in one.seeds if seed not in files[one.key].found
    ]
    done = total - sum(cost(condition) for condition, _ in open_jobs)
    if open_jobs:
        report(done / total, "begins" if done == 0 else "goes on from what was kept")
    for (condition, _), episode in _played(open_jobs, jobs):
        files[condition.key].add(episode)
        done += cost(condition)
        have = len(files[condition.key].found)
        report(
            done / total,
            f"{', '.join(condition.key).replace('_', ' ')}: {have} of {condition.episodes}",
        )
    report(1.0, "done")
    return [
        Score(one, tuple(files[one.key].found[seed] for seed in one.seeds)) for one in conditions
    ]


def _played(open_jobs: Sequence[Job], jobs: int) -> Iterator[tuple[Job, Episode]]:
    return side_by_side(run_episode, open_jobs, jobs)


def side_by_side(
    work: Callable[..., Result], inputs: Sequence[Input], jobs: int
) -> Iterator[tuple[Input, Result]]:
    """Call a module's function on each input (a tuple of arguments), in as many processes as `jobs`.

    Yields:
        input and result, as they are done.
    """
    if jobs <= 1 or len(inputs) <= 1:
        for one in inputs:
            yield one, work(*one)
        return
    with _one_thread_each():
        pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
        try:
            running: dict[Future[Result], Input] = {}
            rest = iter(inputs)
            while True:
                # few are handed over at a time, so that an interruption does not wait for the rest
                for one in rest:
                    running[pool.submit(work, *one)] = one
                    if len(running) > jobs:
                        break
                if not running:
                    return
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes begun inside use one thread for linear algebra: there is one for each core already."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@lru_cache(maxsize=1)
def code_identity() -> str:
    """A digest of the code and libraries that decide what happens in an episode and how it is read."""
    own = [_HERE / name for name in ("actors.py", "episode.py", "metrics.py")]
    libraries = [f"{name} {version(name)}" for name in ("mujoco", "dm_control", "torch", "numpy")]
    return digest([*own, *_ARENAS.glob("*.py")], *libraries)


class _File:
    """The kept episodes of a condition."""

    def __init__(self, work: Path | None, condition: Condition) -> None:
        self.found: dict[int, Episode] = {}
        self._path: Path | None = None
        if work is None:
            return
        heading = json.dumps(
            {
                "condition": condition.key,
                "duration_s": condition.duration_s,
                "actor": condition.source.identity(),
                "code": code_identity(),
            }
        )
        # the name tells what it is of, so that a quick try does not replace hours of another length
        tag = hashlib.sha256(heading.encode()).hexdigest()[:8]
        self._path = work / ("-".join([*condition.key, tag]).replace(" ", "_") + ".jsonl")
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            lines = []
        if lines and lines[0] == heading:
            # the piece after the last line end is a line that was cut off
            self.found = {one.seed: one for one in map(_episode, lines[1:-1]) if one is not None}
        kept = [json.dumps(one.as_json()) for one in self.found.values()]
        fresh = self._path.with_name(self._path.name + ".partial")
        with _kept_in(work):
            work.mkdir(parents=True, exist_ok=True)
            fresh.write_text("\n".join([heading, *kept, ""]), encoding="utf-8")
            os.replace(fresh, self._path)

    def add(self, episode: Episode) -> None:
        """Keep an episode."""
        self.found[episode.seed] = episode
        if self._path is not None:
            # "r+": a file that was taken away is not begun again without its heading
            with _kept_in(self._path.parent), self._path.open("r+", encoding="utf-8") as file:
                file.seek(0, os.SEEK_END)
                file.write(json.dumps(episode.as_json()) + "\n")


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Where episodes are written; `SubjectError` where they cannot be."""
    try:
        yield
    except OSError as error:
        raise SubjectError(
            f"episodes cannot be kept in {folder}: {error.strerror or error}; put that right and evaluate "
            "again, which goes on from those that are there"
        ) from None


def _episode(line: str) -> Episode | None:
    try:
        return Episode(**json.loads(line))
    except (json.JSONDecodeError, TypeError):
        return None
