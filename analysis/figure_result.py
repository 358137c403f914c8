"""What a figure's drawing returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.verdicts import Claim


@dataclass(frozen=True)
class FigureResult:
    """The files that were written, the paper's claims beside the data, and notes about the data."""

    files: tuple[Path, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]
