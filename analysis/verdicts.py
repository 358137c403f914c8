"""A statement of the paper beside what was measured, by a rule that is written down before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.cluster_statistics import Estimate, Events, share

LEAST_EVENTS = 20
LEAST_SEEDS = 5
"""Of less than so many events of a kind, from less than so many seeds, nothing is concluded."""


@dataclass(frozen=True)
class Verdict:
    """A statement of the paper beside what was measured: "agrees", "disagrees" or "cannot tell"."""

    panel: str
    paper: str
    rule: str
    measured: str
    verdict: str


def enough(groups: Sequence[Events]) -> bool:
    """Whether there is enough of each group to conclude anything from it."""
    return all(
        len(hits) >= LEAST_EVENTS and len(set(seeds)) >= LEAST_SEEDS for hits, seeds in groups
    )


def judged(panel: str, paper: str, rule: str, found: Estimate, groups: Sequence[Events]) -> Verdict:
    """What the paper says holds where an estimate is above 0, with its whole interval.

    Args:
        panel: where it is drawn.
        paper: what the paper says.
        rule: what the estimate is of.
        found: the estimate.
        groups: the events that it was made from; with too few of any, nothing is concluded.
    """
    shares = ", ".join(str(share(*group)) for group in groups)
    measured = f"{found}; shares {shares}"
    if not enough(groups):
        few = f"too few: at least {LEAST_EVENTS} events from {LEAST_SEEDS} seeds each are needed"
        return Verdict(panel, paper, rule, f"{measured}; {few}", "cannot tell")
    verdict = "agrees" if found.low > 0 else "disagrees" if found.high < 0 else "cannot tell"
    return Verdict(panel, paper, rule, measured, verdict)
