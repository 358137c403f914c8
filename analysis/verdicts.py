"""Claims of the paper beside what was measured: one rule, by intervals, for the whole project.

A claim is written down as one or more numbers that are above 0 where it holds, each with an interval over
seeds (`analysis.cluster_statistics`):

    agrees        every interval is above 0
    disagrees     an interval is below 0
    cannot tell   otherwise; so always where there are too few seeds for an interval

With several numbers their intervals are simultaneous (Bonferroni): together they hold with 95 %. Where six
seeds are enough for one number, two or three take seven, four to six take eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from analysis.cluster_statistics import (
    CONFIDENCE,
    FEWEST_CLUSTERS,
    Estimate,
    Events,
    Floats,
    interval_of_mean,
    share,
)

Verdict: TypeAlias = Literal["agrees", "disagrees", "cannot tell"]

FEWEST_EVENTS = 20
"""Of fewer events of a kind nothing is concluded."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, and what became of it.

    Attributes:
        source: section or figure of the paper.
        quote: its words.
        rule: what has to be above 0.
        measured: the numbers, with their intervals; and, where the rule was chosen after data had been seen,
            what another would have said (`by_another_rule`).
        verdict: see `judge`.
    """

    source: str
    quote: str
    rule: str
    measured: str
    verdict: Verdict

    def as_json(self) -> dict[str, str]:
        """All of it, as text."""
        return dict(vars(self))


def judge(estimates: Sequence[Estimate]) -> Verdict:
    """Whether a claim holds that says of each of these that it is above 0; see this module.

    >>> judge([Estimate(0.3, 0.1, 0.5, 12)])
    'agrees'
    >>> judge([Estimate(0.3, 0.1, 0.5, 12), Estimate(-0.2, -0.3, -0.1, 12)])
    'disagrees'
    >>> judge([Estimate(0.3, -0.1, 0.7, 12)])
    'cannot tell'
    """
    if estimates and all(each.low > 0 for each in estimates):
        return "agrees"
    return "disagrees" if any(each.high < 0 for each in estimates) else "cannot tell"


def by_another_rule(rule: str, estimates: Sequence[Estimate]) -> str:
    """What stands beside a claim whose rule was chosen after data had been seen.

    >>> by_another_rule("from 5 Hz on", [Estimate(0.3, -0.1, 0.7, 12)])
    '; this rule was chosen after data had been seen; another, from 5 Hz on, says: cannot tell'

    Args:
        rule: the other one, in words.
        estimates: its margins.
    """
    said = judge(estimates)
    return f"; this rule was chosen after data had been seen; another, {rule}, says: {said}"


def judge_beside_null(found: Estimate, p: float) -> Verdict:
    """Whether a claim holds that says of a number that it is above 0, and not by chance alone.

    >>> judge_beside_null(Estimate(0.3, 0.1, 0.5, 12), p=0.01)
    'agrees'
    >>> judge_beside_null(Estimate(0.3, 0.1, 0.5, 12), p=0.2)
    'cannot tell'

    Args:
        found: the number.
        p: the share of shuffled data in which it is as high or higher.
    """
    verdict = judge([found])
    return "cannot tell" if verdict == "agrees" and p >= 1 - CONFIDENCE else verdict


def simultaneous(parts: int) -> float:
    """The confidence of each of several intervals that together hold with 95 % (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / max(1, parts)


def estimates_of(margins: Sequence[Sequence[float] | Floats]) -> list[Estimate]:
    """The means of several margins, each (seeds,), with simultaneous intervals."""
    return [interval_of_mean(each, simultaneous(len(margins))) for each in margins]


def has_enough_data(groups: Sequence[Events]) -> bool:
    """Whether each group has enough events from enough seeds to conclude anything from it."""
    return all(
        len(hits) >= FEWEST_EVENTS and len(set(seeds)) >= FEWEST_CLUSTERS for hits, seeds in groups
    )


def judge_shares(claim: tuple[str, str, str], found: Estimate, groups: Sequence[Events]) -> Claim:
    """A claim about shares of events: `judge`, and "cannot tell" of too few events.

    Args:
        claim: source, quote and rule.
        found: what the rule says is above 0.
        groups: the events that it was made from.
    """
    shares = ", ".join(str(share(*group)) for group in groups)
    measured = f"{found}; shares {shares}"
    if not has_enough_data(groups):
        few = f"at least {FEWEST_EVENTS} events from {FEWEST_CLUSTERS} seeds each are needed"
        return Claim(*claim, f"{measured}; too few: {few}", "cannot tell")
    return Claim(*claim, measured, judge([found]))
