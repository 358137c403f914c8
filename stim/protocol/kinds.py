"""The kinds of values that a protocol file may have; `stim.protocol.keys` describes it in terms of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, inclusive; `whole` if it has no fraction."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Text:
    """Any text up to a length."""

    longest: int = 4000


@dataclass(frozen=True)
class Truth:
    """`true` or `false`."""


@dataclass(frozen=True)
class OneOf:
    """One of certain words."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """The name of something: a "task", "layer", "behaviour", "stimulus", "baseline" or "condition".

    A "trigger" is `NAME.onset`, `NAME.offset` or `trial.start`; "detected" is a behaviour or a detector;
    a "task event" is one of those that the task knows.
    """

    to: str


@dataclass(frozen=True)
class ListOf:
    """A list of `shortest` to `longest` items, all of a kind."""

    item: Kind
    shortest: int = 1
    longest: int = 50_000


@dataclass(frozen=True)
class Key:
    """One key of a mapping: what may stand there, and what it means in a sentence."""

    kind: Kind
    meaning: str
    required: bool = False


@dataclass(frozen=True)
class Variant:
    """What goes with one way to write a mapping: keys that it needs, and keys that it may have."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keys:
    """A mapping with these keys and no others.

    Where there are `variants`, exactly one of the keys that name them has to be there; a key that some
    variants need or take does not belong to the others.
    """

    noun: str
    keys: Mapping[str, Key]
    variants: Mapping[str, Variant] = field(default_factory=dict)

    def belongs_to(self, key: str) -> tuple[str, ...]:
        """The variants that need or take a key; none where it belongs to all."""
        return tuple(
            name for name, each in self.variants.items() if key in (*each.needs, *each.takes)
        )


@dataclass(frozen=True)
class Named:
    """A mapping from names of the user's own choice to values of one kind."""

    noun: str
    value: Kind
    longest: int = 64


@dataclass(frozen=True)
class Union:
    """One of several kinds, told apart by their form in the file (a word, a number, a list, a mapping)."""

    kinds: Sequence[Kind]


Kind: TypeAlias = Number | Text | Truth | OneOf | Reference | ListOf | Keys | Named | Union
