"""Where one may want to go in recordings: the beginnings of behaviours, stimuli and trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from rig.bus.message_types import Event, KnownFault

BEHAVIOURS, STIMULI, TRIALS = "any behaviour", "any stimulus", "trials"
NOTES = "notes"
DIVERGENCE = "first difference"


@dataclass(frozen=True)
class Extent:
    """What there is of a recording: its ticks, what happened and went wrong in it, when its trials begin.

    `first_trial` is the number of the first of them. `offset`: a tick here is so many more in the recording
    itself, where it is aligned with another one. `notes` are the operator's, each with its tick; `disarmed`
    says from which tick to which (-1: the end) the protocol delivered nothing. `task_events` are those of the
    task, each with its tick and trial.
    """

    name: str
    first_tick: int
    last_tick: int
    events: tuple[Event, ...]
    trial_starts: tuple[int, ...]
    behaviours: tuple[str, ...]
    stimuli: tuple[str, ...]
    faults: tuple[KnownFault, ...] = ()
    session: str = ""
    first_trial: int = 0
    offset: int = 0
    notes: tuple[tuple[int, str], ...] = ()
    disarmed: tuple[tuple[int, int], ...] = ()
    task_events: tuple[tuple[int, int, str], ...] = ()

    @property
    def happened(self) -> frozenset[tuple[str, str]]:
        """Kind and name of what happened in it at all."""
        return frozenset((event.kind, event.name) for event in self.events)


def moved(extent: Extent, offset: int) -> Extent:
    """A recording on the ticks of another one: its tick `t` is there at `t - offset`."""
    return replace(
        extent,
        first_tick=extent.first_tick - offset,
        last_tick=extent.last_tick - offset,
        events=tuple(
            msgspec.structs.replace(
                each, tick=each.tick - offset, began_tick=each.began_tick - offset
            )
            for each in extent.events
        ),
        trial_starts=tuple(start - offset for start in extent.trial_starts),
        notes=tuple((tick - offset, text) for tick, text in extent.notes),
        disarmed=tuple(
            (first - offset, end - offset if end >= 0 else end) for first, end in extent.disarmed
        ),
        offset=extent.offset + offset,
    )


def rows_of(extents: Sequence[Extent]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The behaviours and the stimuli that happened in any of these recordings, each in its own order."""
    happened = frozenset[tuple[str, str]]().union(*(each.happened for each in extents))
    behaviours = (name for each in extents for name in each.behaviours)
    stimuli = (name for each in extents for name in each.stimuli)
    return (
        tuple(dict.fromkeys(name for name in behaviours if ("behaviour", name) in happened)),
        tuple(dict.fromkeys(name for name in stimuli if ("stimulus", name) in happened)),
    )


@dataclass(frozen=True)
class Place:
    """Something that lasts from `tick` up to and with `last_tick`, and its name."""

    tick: int
    last_tick: int
    name: str


def places(
    events: Sequence[Event], trial_starts: Sequence[int], last_tick: int
) -> dict[str, tuple[Place, ...]]:
    """What one can go to, by what a user may choose: "any behaviour", "run", …, "trials".

    Each in the order of time; what has no end lasts until `last_tick`. Choices without a place are left
    out.
    """
    ends = {
        (event.kind, event.name, event.number): event.tick - 1
        for event in events
        if event.phase == "offset"
    }
    found: dict[str, list[Place]] = {BEHAVIOURS: [], STIMULI: [], TRIALS: []}
    for event in events:
        if event.phase != "onset" or event.kind not in ("behaviour", "stimulus"):
            continue
        end = ends.get((event.kind, event.name, event.number), last_tick)
        begin = max(event.began_tick, min(trial_starts, default=0))
        place = Place(begin, max(end, begin), event.name)
        found[BEHAVIOURS if event.kind == "behaviour" else STIMULI].append(place)
        found.setdefault(event.name, []).append(place)
    starts = sorted(trial_starts)
    for number, start in enumerate(starts):
        end = starts[number + 1] - 1 if number + 1 < len(starts) else last_tick
        found[TRIALS].append(Place(start, end, "trial"))
    return {
        choice: tuple(sorted(listed, key=lambda place: place.tick))
        for choice, listed in found.items()
        if listed
    }


def places_of_all(extents: Sequence[Extent]) -> dict[str, tuple[Place, ...]]:
    """The same for recordings in step: what happened in any of them, at the same ticks in several once."""
    found: dict[str, set[Place]] = {}
    for each in extents:
        for choice, listed in places(each.events, each.trial_starts, each.last_tick).items():
            found.setdefault(choice, set()).update(listed)
        if each.notes:
            notes = (Place(tick, tick, text) for tick, text in each.notes)
            found.setdefault(NOTES, set()).update(notes)
    return {
        choice: tuple(sorted(listed, key=lambda place: (place.tick, place.last_tick)))
        for choice, listed in found.items()
    }


def neighbour(listed: Sequence[Place], tick: int, step: int) -> Place | None:
    """The next place after a tick (`step` 1), or the last before it (-1); None if there is none."""
    if step > 0:
        return next((place for place in listed if place.tick > tick), None)
    return next((place for place in reversed(listed) if place.tick < tick), None)


def around(listed: Sequence[Place], tick: int) -> Place | None:
    """The place that a tick lies in: the one that began last, where there are several."""
    return next(
        (place for place in reversed(listed) if place.tick <= tick <= place.last_tick), None
    )
