"""`python -m bench.detection`: how well the rig's behaviours are found, against takes with known times."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

os.environ.setdefault("MUJOCO_GL", "egl")

import numpy as np

from bench.stage import Take
from rig.body_quantities import NAMES
from stim.detectors.behaviours import BEHAVIOURS
from stim.detectors.definition import Behaviour
from stim.detectors.online import Detectors

SLACK_TICKS = 3
"""A find that misses the truth by no more than this still meets it: a touch may last one tick."""


@dataclass
class Score:
    """Counts over takes: true onsets, those found, finds that were none; and how far onsets are off."""

    true: int = 0
    hits: int = 0
    false: int = 0
    began_error: list[int] = field(default_factory=list)
    """Ticks from the true onset to where the find says that it began."""
    delay: list[int] = field(default_factory=list)
    """Ticks from the true onset to the tick at which it was found."""

    @property
    def precision(self) -> float:
        found = self.hits + self.false
        return self.hits / found if found else float("nan")

    @property
    def recall(self) -> float:
        return self.hits / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        whole = 2 * self.hits + self.false + self.true - self.hits
        return 2 * self.hits / whole if whole else float("nan")


@dataclass(frozen=True)
class Find:
    """A behaviour that was found: where it began, the tick of that find, and its end (excluded)."""

    name: str
    began: int
    found: int
    end: int


def finds(take: Take, behaviours: Sequence[Behaviour] = BEHAVIOURS) -> list[Find]:
    """What the detectors find in a take, as in a session of one trial."""
    detectors = Detectors(behaviours, NAMES)
    opened: dict[str, tuple[int, int]] = {}
    result = []
    for tick, (body, events) in enumerate(zip(take.body, take.events, strict=True)):
        for event in detectors.step(tick, body, events)[1]:
            if event.phase == "onset":
                opened[event.name] = (event.began_tick, tick)
            else:
                result.append(Find(event.name, *opened.pop(event.name), tick))
    result += [Find(name, *each, len(take.body)) for name, each in opened.items()]
    return result


def score(take: Take, found: Sequence[Find], scores: dict[str, Score]) -> None:
    """Adds a take to the scores: each true interval is met by at most one find, and each find meets one."""
    for name, intervals in take.truth.items():
        own = sorted((each for each in found if each.name == name), key=lambda each: each.began)
        into = scores.setdefault(name, Score())
        into.true += len(intervals)
        used: set[int] = set()
        for begin, end in intervals:
            for k, each in enumerate(own):
                meets = each.began < end + SLACK_TICKS and each.end > begin - SLACK_TICKS
                if k not in used and meets:
                    used.add(k)
                    into.hits += 1
                    if begin > 12:  # what is there from the beginning has no onset to be late for
                        into.began_error.append(each.began - begin)
                        into.delay.append(each.found - begin)
                    break
        unclear = [
            k
            for k, each in enumerate(own)
            if any(begin - 12 <= each.began < end for begin, end in take.unclear)
        ]
        into.false += len(set(range(len(own))) - used - set(unclear))


def main() -> None:
    """Prints the table."""
    from rich.console import Console
    from rich.table import Table

    from bench.ground_truth import TAKES

    parser = argparse.ArgumentParser(prog="bench.detection", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="takes of this kind alone, such as taps")
    parser.add_argument("--list", action="store_true", help="show each take's finds and truth")
    given = parser.parse_args()
    scores: dict[str, Score] = {}
    tick_us = []
    for make in TAKES:
        if given.only and make.__name__ != given.only:
            continue
        for seed in range(given.seeds):
            for take in make(seed):
                began = time.perf_counter()
                found = finds(take)
                tick_us.append((time.perf_counter() - began) / len(take.body) * 1e6)
                score(take, found, scores)
                if given.list:
                    print(f"{take.name}, seed {seed}, {len(take.body)} ticks")
                    for name, intervals in take.truth.items():
                        own = [(e.began, e.found, e.end) for e in found if e.name == name]
                        if intervals or own:
                            print(f"  {name}: true {intervals} found {own}")
    table = Table(title="Behaviours against the truth; onset errors in ticks of 20 ms")
    for title in ("behaviour", "true", "precision", "recall", "F1", "onset, looking back",
                  "|onset|", "found after"):  # fmt: skip
        table.add_column(title, justify="left" if title == "behaviour" else "right")
    for name in (behaviour.name for behaviour in BEHAVIOURS):
        if name not in scores:
            continue
        own = scores[name]
        errors, delays = own.began_error or [np.nan], own.delay or [np.nan]
        table.add_row(name, str(own.true), *(f"{x:.2f}" for x in (own.precision, own.recall, own.f1)),
                      f"{np.median(errors):+.1f}", f"{np.median(np.abs(errors)):.1f}",
                      f"{np.median(delays):.1f}")  # fmt: skip
    console = Console(width=120)
    console.print(table)
    console.print(
        f"{len(BEHAVIOURS)} behaviours together: {np.median(tick_us):.0f} microseconds a tick (aim 200)"
    )


if __name__ == "__main__":
    main()
