"""Mistakes in a protocol file, each at its place, and the error that carries them to whoever shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rig.errors import UserError


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong at a line and column of the file, both counted from 1."""

    line: int
    column: int
    sentence: str


class ProtocolError(UserError):
    """A file with mistakes; as text, a line for each: `path:line:column: sentence`.

    Args:
        path: of the file.
        mistakes: in the order of the file.
    """

    def __init__(self, path: str, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(
            "\n".join(
                f"{path}:{each.line}:{each.column}: {each.sentence}" for each in self.mistakes
            )
        )
