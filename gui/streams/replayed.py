"""Recordings that are replayed, and what they are called beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Replayed = Path | tuple[Path, ...]
"""A recording: its file, or the files that are read as one."""


def told_apart(recordings: Sequence[Replayed]) -> tuple[str, ...]:
    """The names of recordings: of their files, with as many folders as tell them apart ("monday/rat.nwb").

    One that is there twice has a number behind it, "rat.nwb (2)".
    """
    files = [(each if isinstance(each, Path) else each[0]).absolute().parts for each in recordings]
    names: list[str] = []
    for number, (own, recording) in enumerate(zip(files, recordings, strict=True)):
        others = [each for each in files if each != own]
        n_parts = 1
        while any(each[-n_parts:] == own[-n_parts:] for each in others):
            n_parts += 1
        name = str(Path(*own[-n_parts:]))
        if not isinstance(recording, Path) and len(recording) > 1:
            name += f" and {len(recording) - 1} more"
        before = files[:number].count(own)
        names.append(f"{name} ({before + 1})" if before else name)
    return tuple(names)
