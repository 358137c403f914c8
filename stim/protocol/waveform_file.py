"""Waveforms from CSV files: a row a tick, one column for all units alike or one for each unit."""

from __future__ import annotations

import csv
import math
from io import TextIOWrapper

from rig.regular_file import open_regular
from stim.protocol.nodes import Context
from stim.protocol.source import Node, shorten
from stim.stimuli.stimuli import Waveform

MOST_TICKS = 10_000
MOST_BYTES = 64_000_000
LARGEST = 1000.0


def read_waveform(name: Node, n_units: int | None, context: Context) -> Waveform:
    """The waveform in a file beside the protocol; notes at the file's name what is wrong with it.

    Args:
        name: the node that names the file.
        n_units: how many units the waveform is for; None where that is not known.
        context: of the protocol.

    Returns:
        A value for each tick, or for each unit a value for each tick; empty where the file is not valid.
    """
    problems = context.problems
    path = context.file(str(name.value))
    try:
        with TextIOWrapper(
            open_regular(path, MOST_BYTES), newline="", encoding="utf-8-sig"
        ) as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, ValueError, csv.Error) as problem:
        reason = getattr(problem, "strerror", None) or problem
        problems.add(name, f"the time course {path} cannot be read: {reason}")
        return ()
    if not 1 <= len(rows) <= MOST_TICKS:
        problems.add(name, f"{path} has {len(rows)} rows; a course has 1 to {MOST_TICKS} ticks")
        return ()
    wide = len(rows[0])
    if wide != 1 and n_units is not None and wide != n_units:
        problems.add(
            name, f"{path} has {wide} columns for {n_units} units; it has to have 1 or as many"
        )
        return ()
    values: list[list[float]] = []
    for number, row in enumerate(rows, 1):
        try:
            line = [float(cell) for cell in row]
        except ValueError:
            shown = shorten(",".join(row))
            problems.add(
                name,
                f"row {number} of {path} is {shown}, not a row of numbers with a decimal point, separated by "
                "commas",
            )
            return ()
        if len(line) != wide:
            problems.add(
                name, f"row {number} of {path} has {len(line)} values, the first has {wide}"
            )
            return ()
        if not all(math.isfinite(value) and abs(value) <= LARGEST for value in line):
            problems.add(name, f"row {number} of {path} has values beyond ±{LARGEST:g}")
            return ()
        values.append(line)
    if wide == 1:
        return tuple(line[0] for line in values)
    return tuple(tuple(line[k] for line in values) for k in range(wide))
