"""The numbers of a figure as a CSV file beside it: one row for each, with interval and null."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from analysis.cluster_statistics import Estimate
from analysis.resampling import Null
from rig.output_file import replacing


@dataclass(frozen=True)
class Number:
    """A number of a figure; what does not apply to it is empty.

    Attributes:
        measure: what it is, with its unit.
        task: of the episodes.
        layer: of the units; or another signal.
        state: "h" or "c".
        value: the number.
        low95: the lower bound of its 95 % interval over episodes.
        high95: the upper one.
        episodes: how many were resampled.
        shuffled95: the 95th percentile of the null.
        p: the share of the null that is as high or higher.
    """

    measure: str
    task: str = ""
    layer: str = ""
    state: str = ""
    value: float = float("nan")
    low95: float | str = ""
    high95: float | str = ""
    episodes: int | str = ""
    shuffled95: float | str = ""
    p: float | str = ""


def number(
    measure: str,
    found: Estimate | float,
    null: Null | None = None,
    *,
    task: str = "",
    layer: str = "",
    state: str = "",
) -> Number:
    """A number with what is known about it.

    Args:
        measure: what it is, with its unit.
        found: the number, or it and its interval.
        null: its null, if it has one.
        task: of the episodes.
        layer: of the units; or another signal.
        state: "h" or "c".
    """
    level, p = (null.level, null.p) if null else ("", "")
    if not isinstance(found, Estimate):
        return Number(measure, task, layer, state, float(found), shuffled95=level, p=p)
    low, high = (found.low, found.high) if found.bounded else ("", "")
    return Number(measure, task, layer, state, found.value, low, high, found.clusters, level, p)


def write_numbers(path: Path, numbers: Iterable[Number]) -> None:
    """Writes numbers as CSV; six digits."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([each.name for each in fields(Number)])
        for each in numbers:
            writer.writerow([f"{x:.6g}" if isinstance(x, float) else x for x in astuple(each)])


def picture_and_numbers(out: Path) -> tuple[Path, ...]:
    """What most figures write: the picture, and its numbers as CSV beside it."""
    return out, out.with_suffix(".csv")
