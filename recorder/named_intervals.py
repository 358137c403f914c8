"""What a closed recording has for programs that read NWB and know nothing of this one.

- `intervals/behaviour_NAME` and `intervals/stimulus_NAME`: the intervals of one name, in their order, none
  overlapping another (`recorder.interval_sets`), which pynapple takes as they are;
- `intervals/epochs`: what is going on, stretch by stretch, and `acquisition/events`: every onset and offset,
  which neo takes as its epochs and events.

They are made when nothing grows any more: from the tables that grew, and again by a repair.
"""

from __future__ import annotations

import heapq
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import h5py
import numpy as np

from recorder.interval_sets import Causes, causes_of, separated
from recorder.layout import SessionHeader
from recorder.table_schema import interval_table
from recorder.tables import (
    Interval,
    TableRows,
    note_tick,
    read_events,
    read_inputs,
    read_intervals,
    read_task_events,
)

EPOCHS = "intervals/epochs"
EVENTS = "acquisition/events"
_TEXT = h5py.string_dtype()
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")

Mark = tuple[float, str]
"""When something happened, s of animal time, and what it was."""
_Column = tuple[str, Any, str]
"""A column's name, its values, and what it is."""


def lacks_intervals(file: h5py.File, header: SessionHeader) -> bool:
    """Whether a closed recording has none of them, because its recorder was killed just then.

    A recording in which there is nothing to mark (only parts of its protocol began, say) lacks nothing.
    """
    if header.layout < 3 or EVENTS in file:
        return False
    found = _found(file, header)
    return bool(found.behaviours or found.stimuli or found.marks)


def complete_intervals(file: h5py.File, header: SessionHeader) -> None:
    """Makes those of a recording, all anew; a file of an earlier layout has none.

    Args:
        file: open for writing, its tables complete.
        header: its own.
    """
    if header.layout < 3:
        return
    for name in [name for name in file["intervals"] if name != "trials"]:
        del file["intervals"][name]
    if EVENTS in file:
        del file[EVENTS]
    found = _found(file, header)
    write_intervals(file, found.behaviours, found.stimuli, found.causes, found.marks)


@dataclass(frozen=True)
class _Found:
    behaviours: Sequence[Interval]
    stimuli: Sequence[Interval]
    causes: Causes
    marks: Sequence[Mark]


def _found(file: h5py.File, header: SessionHeader) -> _Found:
    """What the tables of a recording say of it."""
    record = {
        name: TableRows(file.get(f"processing/record/{name}"))
        for name in ("events", "task_events", "inputs")
    }
    behaviours, stimuli = (
        read_intervals(TableRows(file.get(interval_table(name, header.layout))), name, np.inf)
        for name in ("behaviours", "stimuli")
    )
    tick_s = header.description.tick_s
    marks = [(each.time_s, each.name) for each in read_task_events(record["task_events"])]
    for tick, given in read_inputs(record["inputs"]):
        at = note_tick(given, tick) if given.kind == "note" else tick
        marks.append((at * tick_s, f"{given.kind} {given.name}".strip()))
    return _Found(behaviours, stimuli, causes_of(read_events(record["events"])), marks)


def write_intervals(
    file: h5py.File,
    behaviours: Sequence[Interval],
    stimuli: Sequence[Interval],
    causes: Causes,
    marks: Sequence[Mark],
) -> None:
    """Writes them into an NWB file.

    Each is written aside and then linked to its place by one small write, so that the file is whole at any
    moment.

    Args:
        file: open for writing; has none of them.
        behaviours: in the order in which they began.
        stimuli: likewise.
        causes: of the stimuli.
        marks: what else happened.
    """
    made: dict[str, h5py.Group] = {}
    for prefix, found in (("behaviour", behaviours), ("stimulus", stimuli)):
        for sets in separated(found, (), causes).values():
            for key, own in sets.items():
                path = _free(f"intervals/{prefix}_{_NOT_IN_NAMES.sub('_', key)}", made)
                about = f"Intervals of the {prefix} {key!r}, in their order; none overlaps another."
                made[path] = _intervals(file, about, _columns(own, prefix == "stimulus", causes))
    both = [*behaviours, *stimuli]
    if stretches := _stretches(both):
        made[EPOCHS] = _intervals(
            file,
            "What is going on, stretch by stretch: behaviours and stimuli, as the session has them.",
            _epoch_columns(stretches),
        )
    if ordered := sorted([*_onsets_and_offsets(both), *marks], key=lambda mark: mark[0]):
        made[EVENTS] = _annotations(file, ordered)
    file.flush()
    file.require_group("intervals")
    for path, group in made.items():
        file[path] = group


def _free(path: str, taken: Mapping[str, object]) -> str:
    while path in taken or path in (EPOCHS, "intervals/trials"):
        path += "_"
    return path


def _columns(found: Sequence[Interval], stimuli: bool, causes: Causes) -> list[_Column]:
    def numbers(name: str) -> np.ndarray:
        return np.array([getattr(each, name) for each in found])

    columns: list[_Column] = [
        ("start_time", numbers("start_s"), "Start, s of animal time."),
        ("stop_time", numbers("stop_s"), "Stop, s of animal time."),
        ("number", numbers("number"), "Counts the occurrences of this name in the session."),
        ("onset_tick", numbers("onset_tick"), "Tick of the onset; -1 if before the recording."),
        ("offset_tick", numbers("offset_tick"), "Tick of the offset; -1 if after the recording."),
    ]
    if stimuli:
        texts = [causes.get((each.called or each.name, each.number), "") for each in found]
        columns += [
            ("sham", numbers("sham"), "Drawn, timed and recorded, but not delivered."),
            ("cause", _texts(texts), "What caused it."),
        ]
    return columns


def _label(each: Interval) -> str:
    return f"{each.called or each.name}{' (sham)' if each.sham else ''}"


def _stretches(found: Sequence[Interval]) -> list[tuple[float, float, str]]:
    """From one beginning or end to the next: start, stop, and what is going on; nothing is no stretch."""
    ordered = sorted(
        (each for each in found if each.stop_s > each.start_s), key=lambda e: e.start_s
    )
    cuts = sorted({time_s for each in ordered for time_s in (each.start_s, each.stop_s)})
    open_now: list[tuple[float, int, str]] = []
    result = []
    at = 0
    for start_s, stop_s in pairwise(cuts):
        while at < len(ordered) and ordered[at].start_s <= start_s:
            heapq.heappush(open_now, (ordered[at].stop_s, at, _label(ordered[at])))
            at += 1
        while open_now and open_now[0][0] <= start_s:
            heapq.heappop(open_now)
        if open_now:
            labels = [label for _, _, label in sorted(open_now, key=lambda each: each[1])]
            result.append((start_s, stop_s, " + ".join(labels)))
    return result


def _epoch_columns(stretches: Sequence[tuple[float, float, str]]) -> list[_Column]:
    starts, stops, labels = zip(*stretches, strict=True)
    return [
        ("start_time", np.array(starts), "Start, s of animal time."),
        ("stop_time", np.array(stops), "Stop, s of animal time."),
        ("tags", _texts(labels), "The behaviours and stimuli that are going on."),
    ]


def _onsets_and_offsets(found: Sequence[Interval]) -> list[Mark]:
    marks = []
    for each in found:
        what = f"{_label(each)} {each.number}"
        marks.append((each.start_s, f"{what} onset"))
        if each.offset_tick >= 0:
            marks.append((each.stop_s, f"{what} offset"))
    return marks


def _texts(values: Sequence[str]) -> np.ndarray:
    """Texts as HDF5 takes them: none has the character 0, which what a client sends may have."""
    return np.array([each.replace("\0", "\N{SYMBOL FOR NULL}") for each in values], object)


def _intervals(file: h5py.File, about: str, columns: Sequence[_Column]) -> h5py.Group:
    """A `TimeIntervals`, which has no place in the file yet."""
    group = file.create_group(None)
    _as_type(group, "core", "TimeIntervals", about)
    group.attrs["colnames"] = _texts([name for name, _, _ in columns])
    ids = group.create_dataset("id", data=np.arange(len(columns[0][1]), dtype=np.int64))
    _as_type(ids, "hdmf-common", "ElementIdentifiers")
    for name, values, column_about in columns:
        dtype = _TEXT if values.dtype == object else values.dtype
        column = group.create_dataset(name, data=values, dtype=dtype)
        _as_type(column, "hdmf-common", "VectorData", column_about)
    return group


def _annotations(file: h5py.File, marks: Sequence[Mark]) -> h5py.Group:
    """An `AnnotationSeries`, which has no place in the file yet."""
    group = file.create_group(None)
    about = "Onsets and offsets of behaviours and stimuli, events of the task, inputs from outside."
    _as_type(group, "core", "AnnotationSeries", about)
    group.attrs["comments"] = "NAME NUMBER onset, NAME NUMBER offset, or the event's name."
    data = group.create_dataset("data", data=_texts([text for _, text in marks]), dtype=_TEXT)
    data.attrs["conversion"] = 1.0
    data.attrs["offset"] = 0.0
    data.attrs["resolution"] = -1.0
    data.attrs["unit"] = "n/a"
    times = group.create_dataset("timestamps", data=np.array([time_s for time_s, _ in marks]))
    times.attrs["interval"] = np.int32(1)
    times.attrs["unit"] = "seconds"
    return group


def _as_type(
    node: h5py.Group | h5py.Dataset, namespace: str, neurodata_type: str, about: str = ""
) -> None:
    node.attrs["namespace"] = namespace
    node.attrs["neurodata_type"] = neurodata_type
    node.attrs["object_id"] = str(uuid.uuid4())
    if about:
        node.attrs["description"] = about
