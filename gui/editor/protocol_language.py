"""What the protocol editor asks about a text: mistakes, words, completions, and what it would have done.

`cli.protocol_language` answers, with the functions that `rodent-rig check` and its `--schema` and `--against`
are made of. The window knows protocols by what is said of them here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gui.seen.intervals import Interval


class CancelledError(Exception):
    """Raised by a callback to end what is under way."""


@dataclass(frozen=True)
class ProtocolChoice:
    """A protocol's file, and what its author says it is for."""

    path: Path
    name: str
    line: str


@dataclass(frozen=True)
class Mistake:
    """What is wrong at a line and column of the text, both counted from 1."""

    line: int
    column: int
    sentence: str


@dataclass(frozen=True)
class CheckedText:
    """What is said of a text: what it will do, in words, or what is wrong with it.

    `name` and `parameters` (values by name) are the protocol's, as far as it could be read.
    """

    words: str = ""
    mistakes: tuple[Mistake, ...] = ()
    name: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Completion:
    """Something that may be written: `text` goes into the file, `name` is shown, `meaning` said beside it."""

    name: str
    text: str
    meaning: str


@dataclass(frozen=True)
class Completions:
    """What may be written from column `start` (from 0) on, in place of what stands there up to the cursor."""

    start: int = 0
    items: tuple[Completion, ...] = ()


@dataclass(frozen=True)
class DryRun:
    """What a protocol would have done in a recording: in the words of `check --against`, and its stimuli."""

    words: str
    stimuli: tuple[Interval, ...] = ()


class ProtocolLanguage(Protocol):
    """Knows the language of protocol files. Lines and columns that it is asked about count from 0."""

    def check(self, text: str, path: Path) -> CheckedText:
        """What a text would do, or its mistakes. Raises nothing; takes up to seconds with baselines."""

    def complete(self, text: str, line: int, column: int) -> Completions:
        """What may be written at a place, at once."""

    def about(self, text: str, line: int, column: int) -> str:
        """What the key or name at a place means; "" where there is nothing to say."""

    def dry_run(
        self,
        text: str,
        path: Path,
        recording: Path | tuple[Path, ...],
        on_progress: Callable[[float], None],
    ) -> DryRun:
        """What a text would have done in a recording. Raises `UserError`, and what `on_progress` raises."""

    def templates(self) -> tuple[ProtocolChoice, ...]:
        """The protocols that come with the rig, to begin from."""

    def own_folder(self) -> Path:
        """Where a user's own protocols are found by name."""

    def is_shipped(self, path: Path) -> bool:
        """Whether a file is one of those that come with the rig, which are not to be changed."""
