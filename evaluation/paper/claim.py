"""A statement of the paper beside what is measured, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MARGIN = 0.05
"""By how much shares, overlaps and alignments (all from 0 to 1) have to differ."""


@dataclass(frozen=True)
class Statement:
    """One statement of the paper, and what became of it.

    `verdict` is "agrees", "in direction only" (so, but by less than the rule asks), "disagrees" or "cannot
    be told".
    """

    section: str
    quote: str
    rule: str
    measured: str
    verdict: str

    def as_json(self) -> dict[str, str]:
        """All of it."""
        return dict(vars(self))


def verdict(holds: bool | None, direction: bool = False) -> str:
    """The word for whether a statement holds; None where that cannot be told.

    `direction` is whether it would hold if the least difference were enough.
    """
    if holds is None:
        return "cannot be told"
    return "agrees" if holds else "in direction only" if direction else "disagrees"


def listed(values: Mapping[str, float], unit: str = "") -> str:
    """As "core 0.20, policy_0 4.00 Hz"; what was not measured is a dash."""
    told = [f"{n} {one:.2f}" if np.isfinite(one) else f"{n} –" for n, one in values.items()]
    return f"{', '.join(told)} {unit}".rstrip()
