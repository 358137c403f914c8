"""Waveforms from CSV files: a row a tick, one column for all units alike or one for each unit."""

from __future__ import annotations

import csv
import math
from io import TextIOWrapper
from pathlib import Path

from rig.errors import UserError
from rig.regular_file import open_regular

MOST_TICKS = 10_000
MOST_BYTES = 64_000_000
LARGEST = 1000.0


def read_rows(path: Path) -> list[list[float]]:
    """The rows of a file: a list of numbers for each tick, all of the same length.

    Raises:
        UserError: it cannot be read, or is no table of numbers of a possible size.
    """
    try:
        with TextIOWrapper(
            open_regular(path, MOST_BYTES), newline="", encoding="utf-8-sig"
        ) as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, ValueError, csv.Error) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UserError(f"the time course {path} cannot be read: {reason}") from None
    if not 1 <= len(rows) <= MOST_TICKS:
        raise UserError(f"{path} has {len(rows)} rows; a course has 1 to {MOST_TICKS} ticks")
    wide = len(rows[0])
    values: list[list[float]] = []
    for number, row in enumerate(rows, 1):
        try:
            line = [float(cell) for cell in row]
        except ValueError:
            text = ",".join(row)
            shown = repr(text if len(text) <= 40 else text[:39] + "…")
            raise UserError(
                f"row {number} of {path} is {shown}, not a row of numbers with a decimal point, separated by "
                "commas"
            ) from None
        if len(line) != wide:
            raise UserError(f"row {number} of {path} has {len(line)} values, the first has {wide}")
        if not all(math.isfinite(value) and abs(value) <= LARGEST for value in line):
            raise UserError(f"row {number} of {path} has values beyond ±{LARGEST:g}")
        values.append(line)
    return values
