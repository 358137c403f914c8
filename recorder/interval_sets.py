"""Intervals as sets in which none overlaps another, which is what pynapple calls an interval set.

pynapple joins intervals that overlap and drops what is known of each. Stimuli of one name do overlap: a sham
and a delivered one, those of two rules, those of two clients. They are handed out in several sets then, never
joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from recorder.tables import Interval
from rig.bus.message_types import Event
from rig.errors import UserError

if TYPE_CHECKING:
    import pynapple as nap

Causes = Mapping[tuple[str, int], str]
"""What caused a stimulus, by its name and number."""

APART_S = 1e-6
"""Taken off the end of an interval that another follows at once: pynapple would do so, with a warning."""
_TOGETHER_S = 1e-9
_RULE = re.compile(r"rule (\d+)")


class IntervalSets(dict[str, "nap.IntervalSet"]):
    """Interval sets by name. A name whose intervals overlap stands for none: its parts do.

    Args:
        sets: by name.
        parts: the names of the sets that a name's intervals are in, where they are in several.
    """

    def __init__(
        self, sets: Mapping[str, nap.IntervalSet], parts: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__(sets)
        self._parts = dict(parts)

    def __missing__(self, name: str) -> nap.IntervalSet:
        if name not in self._parts:
            raise KeyError(name)
        raise UserError(
            f"Intervals of {name!r} overlap, and one set of them would join them; they are in the sets "
            f"{', '.join(map(repr, self._parts[name]))}."
        )


def causes_of(events: Iterable[tuple[int, Event]]) -> Causes:
    """What caused each stimulus among these events."""
    return {
        (event.name, event.number): event.cause
        for _, event in events
        if event.kind == "stimulus" and event.phase == "onset"
    }


def separated(
    found: Sequence[Interval], names: Iterable[str], causes: Causes
) -> dict[str, dict[str, list[Interval]]]:
    """Intervals by name, and for each name in sets in which none overlaps another, by the name of the set.

    Those that overlap are told apart by the client's name of them, by sham, by rule, by both, and where that
    is not enough each goes into the first set where there is room. Intervals without any length are left out.

    Args:
        found: intervals in the order in which they began.
        names: in whose order the result is; those without intervals have an empty set.
        causes: what caused stimuli.
    """
    by_name: dict[str, list[Interval]] = {name: [] for name in names}
    for each in found:
        if each.stop_s > each.start_s:
            by_name.setdefault(each.name, []).append(each)
    taken = set(by_name)
    result = {}
    for name, own in by_name.items():
        sets = {}
        for suffix, members in _apart(own, causes).items():
            key = f"{name}_{suffix}" if suffix else name
            while suffix and key in taken:
                key += "_"
            taken.add(key)
            sets[key] = members
        result[name] = sets
    return result


def interval_sets(
    found: Sequence[Interval], names: Iterable[str], columns: Sequence[str], causes: Causes
) -> IntervalSets:
    """Intervals as pynapple's sets by name, in seconds, none of them joined.

    Args:
        found: intervals in the order in which they began.
        names: those that have a set, be it empty.
        columns: fields of `Interval` that become metadata of each.
        causes: what caused stimuli.
    """
    import pynapple as nap

    by_name = separated(found, names, causes)
    sets = {}
    for parts in by_name.values():
        for key, own in parts.items():
            starts = np.array([each.start_s for each in own])
            stops = np.array([each.stop_s for each in own])
            stops[:-1] -= np.where(stops[:-1] > starts[1:] - _TOGETHER_S, APART_S, 0.0)
            metadata = {name: np.array([getattr(each, name) for each in own]) for name in columns}
            sets[key] = nap.IntervalSet(starts, stops, metadata=metadata)
    split = {name: list(parts) for name, parts in by_name.items() if name not in parts}
    return IntervalSets(sets, split)


def _apart(found: list[Interval], causes: Causes) -> dict[str, list[Interval]]:
    """Sets of intervals that do not overlap, by what tells them apart; "" where one is enough."""
    if not _overlap(found):
        return {"": found}

    def sham(each: Interval) -> str:
        return "sham" if each.sham else "delivered"

    def rule(each: Interval) -> str:
        known = _RULE.match(causes.get((each.called or each.name, each.number), ""))
        return f"rule_{known[1]}" if known else "other"

    tellers: tuple[Callable[[Interval], str], ...] = (
        lambda each: each.called,
        sham,
        rule,
        lambda each: f"{rule(each)}_{sham(each)}",
    )
    for told in tellers:
        groups = _groups(found, told)
        if "" not in groups and not any(_overlap(each) for each in groups.values()):
            return groups
    result = {}
    for name, own in _groups(found, sham).items():
        for number, lane in enumerate(_lanes(own), start=1):
            result[f"{name}_{number}"] = lane
    return result


def _groups(
    found: Iterable[Interval], told: Callable[[Interval], str]
) -> dict[str, list[Interval]]:
    groups: dict[str, list[Interval]] = {}
    for each in found:
        groups.setdefault(told(each), []).append(each)
    return groups


def _lanes(found: Iterable[Interval]) -> list[list[Interval]]:
    """Each interval in the first lane that is free when it begins."""
    lanes: list[list[Interval]] = []
    for each in found:
        free = (lane for lane in lanes if not _overlap([lane[-1], each]))
        lane = next(free, None)
        if lane is None:
            lanes.append([each])
        else:
            lane.append(each)
    return lanes


def _overlap(found: Sequence[Interval]) -> bool:
    return any(one.stop_s > other.start_s + _TOGETHER_S for one, other in pairwise(found))
