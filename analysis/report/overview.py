"""What became of every claim, at a glance: a row for each claim of the paper, a column for each subject."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.report.stage import Outcome, Stage
from analysis.verdicts import by_another_rule

ALL = "all subjects"
"""What a stage is of that is made of everything."""
MARKS = {"agrees": "✓", "disagrees": "✗", "cannot tell": "?"}
_OTHER_RULE = by_another_rule("\0", ()).partition("\0")[0]
"""What stands between what was measured and what another rule says."""


@dataclass(frozen=True)
class Section:
    """A stage and what became of it."""

    stage: Stage
    outcome: Outcome


@dataclass(frozen=True)
class Judged:
    """A claim beside what was measured, in its parts.

    Attributes:
        subject: of which it was judged; "" where it compares several.
        verdict: by the rule that decides.
        measured: the numbers alone.
        other_rule: where the rule was chosen after data had been seen: another, and what it says, in words.
        other_verdicts: what that says, and further ones that are named with it.
    """

    subject: str
    verdict: str
    measured: str
    other_rule: str
    other_verdicts: tuple[str, ...]

    @property
    def undisputed(self) -> bool:
        """Whether no other rule says something else."""
        return all(each == self.verdict for each in self.other_verdicts)


@dataclass
class Row:
    """A claim of the paper.

    Attributes:
        figure: whose claim it is.
        source: section or figure of the paper.
        quote: its words.
        rule: that decides.
        several_rules: whether the same words are judged by another rule in another row.
        cells: what became of it, by subject ("" where it compares several), with the key of the stage.
    """

    figure: str
    source: str
    quote: str
    rule: str
    several_rules: bool = False
    cells: dict[str, tuple[Judged, str]] = field(default_factory=dict)


def judged(claim: Mapping[str, str], stage: Stage, subjects: Sequence[str]) -> Judged:
    """A claim in its parts.

    Args:
        claim: as text (`Claim.as_json`).
        stage: that made it.
        subjects: the names of all; what was measured begins with one of them where a stage has several.
    """
    measured, _, other_rule = claim["measured"].partition(_OTHER_RULE)
    subject = stage.subject
    if subject == ALL:
        of_one = [name for name in subjects if measured.startswith(f"{name}: ")]
        subject = of_one[0] if of_one else subjects[0] if len(subjects) == 1 else ""
        measured = measured.removeprefix(f"{subject}: ")
    said = re.findall(rf"says: ({'|'.join(MARKS)})", other_rule)
    return Judged(subject, claim["verdict"], measured, other_rule, tuple(said))


def rows_of(sections: Sequence[Section], subjects: Sequence[str]) -> list[Row]:
    """Every claim of the paper once by each rule, in the order of the sections.

    Args:
        sections: the stages.
        subjects: the names of all.
    """
    rows: dict[tuple[str, str, str, str], Row] = {}
    for each in sections:
        for claim in each.outcome.claims:
            key = (each.stage.name, claim["source"], claim["quote"], claim["rule"])
            row = rows.setdefault(key, Row(*key))
            found = judged(claim, each.stage, subjects)
            row.cells[found.subject] = (found, each.stage.key)
    by_words = Counter((row.figure, row.source, row.quote) for row in rows.values())
    for row in rows.values():
        row.several_rules = by_words[row.figure, row.source, row.quote] > 1
    order = list(dict.fromkeys(each.stage.name for each in sections))
    return sorted(rows.values(), key=lambda row: order.index(row.figure))


def all_judged(sections: Sequence[Section], subjects: Sequence[str]) -> list[Judged]:
    """Every claim of every section."""
    return [
        judged(claim, each.stage, subjects) for each in sections for claim in each.outcome.claims
    ]


def counted(claims: Sequence[Judged]) -> str:
    """How many claims agree, disagree, and are not decided, in words."""
    counts = Counter(each.verdict for each in claims)
    words = [f"{counts[verdict]} {verdict}" for verdict in MARKS if counts[verdict]]
    return ", ".join(words) or "no claim could be held against the recordings"


def disputed(claims: Sequence[Judged]) -> str:
    """How many verdicts rest on a rule that was chosen after data had been seen, in a sentence if any do."""
    two_rules = [each for each in claims if each.other_verdicts]
    if not two_rules:
        return ""
    other = sum(not each.undisputed for each in two_rules)
    return (
        f"{len(two_rules)} of these verdicts rest on a rule that was chosen after data had been seen; by "
        f"another rule, which stands beside them, {other} of them would be different."
    )


def subjects_of(sections: Sequence[Section], names: Sequence[str]) -> list[str]:
    """The names of subjects, as stages have them.

    Args:
        sections: the stages.
        names: of the recordings' subjects, for a report that has stages of all of them only.
    """
    own = [each.stage.subject for each in sections if each.stage.subject != ALL]
    return list(dict.fromkeys(own or names))
