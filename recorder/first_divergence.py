"""Where two recordings part: the first tick at which one is not the other to the bit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recorder.reading import Recording
from rig.bus.message_types import Array

SERIES = ("qpos", "c_applied", "h_applied", "action")
"""What an animal is at a tick: where two differ, one of these does."""
CHECKED_TICKS = 10
"""Of the ticks that two recordings share by their origin, so many are looked at all the same."""
_PIECE_TICKS = 1000


@dataclass(frozen=True)
class Divergence:
    """The ticks that two recordings have in common, and the first at which they differ; None: nowhere.

    `first` is after `last` where they have no tick in common.
    """

    first: int
    last: int
    tick: int | None

    @property
    def from_the_start(self) -> bool:
        """Whether they have nothing in common: two sessions, or no tick that is in both."""
        return self.first > self.last or self.tick == self.first


def find_divergence(one: Recording, other: Recording) -> Iterator[Divergence | None]:
    """Looks for it piece by piece: None after each piece in which they are the same, at last what was found.

    A branch says which session it left at which tick, and is the same up to there: the search begins a few
    ticks before.
    """
    first = max(one.first_tick, other.first_tick)
    last = min(one.last_tick, other.last_tick)
    begin = max(first, min(_shared_up_to(one, other), last) - CHECKED_TICKS)
    while begin <= last:
        end = min(begin + _PIECE_TICKS - 1, last)
        tick = _first_difference(one, other, begin, end)
        if tick is not None:
            yield Divergence(first, last, tick)
            return
        yield None
        begin = end + 1
    yield Divergence(first, last, None)


def _shared_up_to(one: Recording, other: Recording) -> int:
    """The last tick up to which both are one session by what they say of their origin; -1: not at all."""
    mine, theirs = _origin(one), _origin(other)
    shared = [min(mine[session], theirs[session]) for session in mine.keys() & theirs.keys()]
    return int(min(max(shared, default=-1), max(one.last_tick, other.last_tick)))


def _origin(recording: Recording) -> dict[str, float]:
    """The sessions that a recording is, each up to which tick: those that it left, and itself."""
    left = {each.session: float(each.tick) for each in recording.description.branched}
    return {**left, recording.session: math.inf}


def _first_difference(one: Recording, other: Recording, first: int, last: int) -> int | None:
    rows_of_one, rows_of_other = one.rows(first, last), other.rows(first, last)
    ticks, in_one, in_other = np.intersect1d(
        one.ticks[rows_of_one], other.ticks[rows_of_other], return_indices=True
    )
    if not len(ticks):
        return None
    differs = np.zeros(len(ticks), bool)
    for name in SERIES:
        a = one.values(name, first, last)[in_one]
        b = other.values(name, first, last)[in_other]
        differs |= _rows_differ(a, b)
    return int(ticks[np.argmax(differs)]) if differs.any() else None


def _rows_differ(a: Array, b: Array) -> NDArray[np.bool_]:
    """Which rows have other bits."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.ones(len(a), bool)
    if not a.size:
        return np.zeros(len(a), bool)
    bits_of_a, bits_of_b = (np.ascontiguousarray(each).view(np.uint8) for each in (a, b))
    differ: NDArray[np.bool_] = (bits_of_a != bits_of_b).any(axis=1)
    return differ
