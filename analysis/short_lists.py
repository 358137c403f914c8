"""Long lists in few words: sentences about files, runs of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MOST_NAMED = 5
"""So many files of those that are left out are named."""


def grouped(sentences: Sequence[str]) -> list[str]:
    """Sentences about files, those that say the same of several as one, which names the first of them.

    >>> grouped(["a.nwb: too short.", "b.nwb: too short.", "c.nwb: stimulated."])
    ['2 recordings: too short (a.nwb, b.nwb).', 'c.nwb: stimulated.']
    """
    said: dict[str, list[str]] = {}
    for sentence in sentences:
        file, _, why = sentence.rpartition(": ")
        said.setdefault(why, []).append(file)

    def names(files: list[str]) -> str:
        first = ", ".join(Path(each).name for each in files[:MOST_NAMED])
        return first if len(files) <= MOST_NAMED else f"{first} and {len(files) - MOST_NAMED} more"

    return [
        f"{len(files)} recordings: {why.rstrip('.')} ({names(files)})."
        if len(files) > 1
        else f"{files[0]}: {why}".removeprefix(": ")
        for why, files in said.items()
    ]


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in ascending order, runs of them as one.

    >>> ranges([1, 2, 3, 7])
    '1–3, 7'
    """
    runs: list[list[int]] = []
    for each in numbers:
        if runs and each == runs[-1][1] + 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)
