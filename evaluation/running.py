"""Episodes of all conditions, in processes beside each other, each episode kept as soon as it is over.

A condition's episodes are lines of one file in the work folder, below a line that says what they are of: who
acted, for how long, and in which version of the code. An evaluation that finds the same again goes on from
there; anything else is measured anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.errors import SubjectError
from analysis.code_identity import code_identity
from evaluation.conditions import EvaluationCondition
from evaluation.episode import EpisodeResult, policy_of, run_episode
from evaluation.scores import Score
from parallel.processes import in_processes

OnProgress = Callable[[float, str], None]
"""Called with the part that is done (0 to 1) and a line of text."""

# what one tick costs beside a blind one in the corridor; for the time left only
_RENDERING = {None: 1.0, "fast": 1.6, "soft": 4.0, "stock": 9.0}
_ARENA = {"corridor": 1.0, "gaps": 1.2, "forage": 2.0, "escape": 3.0, "two_tap": 1.8}


def cost(condition: EvaluationCondition) -> float:
    """About how long an episode takes, in no unit."""
    return condition.time_limit_s * _RENDERING[condition.quality] * _ARENA[condition.task]


def episode_identity(condition: EvaluationCondition) -> str:
    """Equal for conditions whose episodes are equal: who acts, and the code that episodes depend on."""
    code = code_identity("evaluation.episode")
    return f"{policy_of(condition).identity()} {code}"


def run(
    conditions: Sequence[EvaluationCondition],
    work: Path | None = None,
    jobs: int = 1,
    on_progress: OnProgress = lambda done, text: None,
) -> list[Score]:
    """Measure conditions, in their order; how many `jobs` run at once does not change any number.

    Args:
        conditions: what to measure.
        work: where finished episodes are kept and found again; None keeps none.
        jobs: processes.
        on_progress: called with the part that is done (0 to 1) and what is being done.

    Raises:
        SubjectError: `work` cannot be written, or is taken away meanwhile.
    """
    files = {one.key: _EpisodeFile(work, one) for one in conditions}
    total = sum(cost(one) * one.episodes for one in conditions) or 1.0
    open_jobs = [
        (one, seed) for one in conditions for seed in one.seeds if seed not in files[one.key].found
    ]
    done = total - sum(cost(condition) for condition, _ in open_jobs)
    if open_jobs:
        on_progress(done / total, "begins" if done == 0 else "goes on from what was kept")
    for (condition, _), episode in in_processes(run_episode, open_jobs, jobs):
        files[condition.key].add(episode)
        done += cost(condition)
        have = len(files[condition.key].found)
        on_progress(
            done / total,
            f"{', '.join(condition.key).replace('_', ' ')}: {have} of {condition.episodes}",
        )
    on_progress(1.0, "done")
    return [
        Score(one, tuple(files[one.key].found[seed] for seed in one.seeds)) for one in conditions
    ]


class _EpisodeFile:
    """The kept episodes of a condition."""

    def __init__(self, work: Path | None, condition: EvaluationCondition) -> None:
        self.found: dict[int, EpisodeResult] = {}
        self._path: Path | None = None
        if work is None:
            return
        heading = json.dumps(
            {
                "condition": condition.key,
                "time_limit_s": condition.time_limit_s,
                "identity": episode_identity(condition),
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

    def add(self, episode: EpisodeResult) -> None:
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


def _episode(line: str) -> EpisodeResult | None:
    try:
        return EpisodeResult(**json.loads(line))
    except (json.JSONDecodeError, TypeError):
        return None
