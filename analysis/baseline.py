"""Baseline recordings: from what stimuli want of natural activity to the numbers, read from the files.

A baseline is a recording of the same subject in which nothing was stimulated (`protocols/baseline.yaml`
makes one). It is known by the hash of its file. Natural activity is what the network computed before
interventions; without any, that is all of its activity.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis import core
from analysis.core import Rows
from recorder.opening import open_recording
from recorder.reading import Recording
from rig.bus.message_types import Array
from rig.errors import UserError
from rig.regular_file import open_regular
from stim.stimuli.baselines import BaselineFile, BaselineRequest, BaselineUsed, Values

STATES: tuple[Literal["c"], Literal["h"]] = ("c", "h")
MIN_PERFORMANCES = 3
"""A ranking or a template needs at least so many: of fewer, an average says little."""


def resolve(
    named: Mapping[str, BaselineFile],
    requests: Iterable[BaselineRequest],
    subject_sha256: str,
    layers: Mapping[str, int],
) -> tuple[Values, tuple[BaselineUsed, ...]]:
    """What is asked for of baseline recordings, and the recordings that it comes from, by hash.

    Args:
        named: the baselines by the names that `requests` use.
        requests: the means, rankings and templates; recordings that none of them names are not opened.
        subject_sha256: of the session's subject.
        layers: layer name to number of units of the session's subject.

    Raises:
        UserError: one sentence about what is missing, different or too little, and in which file.
    """
    of_baseline: defaultdict[str, list[BaselineRequest]] = defaultdict(list)
    for each in dict.fromkeys(requests):
        of_baseline[each.baseline].append(each)
    values: dict[BaselineRequest, Array] = {}
    used = []
    for name, several in of_baseline.items():
        if name not in named:
            raise UserError(
                f"There is no baseline {name!r}; there is {', '.join(named) or 'none'}."
            )
        file = named[name]
        if os.path.isdir(file.path):
            raise UserError(
                f"{file.path}, the baseline {name!r}, is a folder; name the recording in it."
            )
        if not os.path.exists(file.path):
            raise UserError(
                f"There is no recording {file.path} for the baseline {name!r}; make one with "
                "`rodent-rig run protocols/baseline.yaml --out FILE`."
            )
        with open_recording(file.path) as recording:
            sha256 = _checked_sha256(recording, file, subject_sha256, layers)
            baseline = Baseline(recording)
            for each in several:
                values[each] = baseline.value(each)
        used.append(BaselineUsed(name, str(file.path), sha256))
    return values, tuple(used)


def layer_means(
    path: Path, subject_sha256: str, layers: Mapping[str, int]
) -> dict[tuple[str, str], NDArray[np.float32]]:
    """The mean of every unit over a whole baseline recording: (units,) float32 by layer and state (c, h).

    Args:
        path: the recording.
        subject_sha256: of the subject that it has to be of.
        layers: layer name to number of units of that subject.

    Raises:
        UserError: as `resolve`.
    """
    requests = [
        BaselineRequest("baseline", "mean", layer, state) for layer in layers for state in STATES
    ]
    values, _ = resolve({"baseline": BaselineFile(path)}, requests, subject_sha256, layers)
    return {(each.layer, each.state): np.asarray(values[each], np.float32) for each in requests}


def _checked_sha256(
    recording: Recording, file: BaselineFile, subject_sha256: str, layers: Mapping[str, int]
) -> str:
    """The hash of a recording that can be the baseline of this subject's sessions."""
    path, described = file.path, recording.description
    if recording.state == "live":
        raise UserError(f"{path} is still being recorded; a baseline has to be complete.")
    sha256 = sha256_of(path)
    if file.sha256 and sha256 != file.sha256.lower():
        raise UserError(
            f"{path} is not the baseline that the protocol asks for: its SHA-256 is {sha256}, "
            f"not {file.sha256}."
        )
    if described.subject_sha256 != subject_sha256:
        raise UserError(
            f"{path} was recorded from another subject ({described.subject}, "
            f"{described.subject_sha256[:12]}…) than this session's ({subject_sha256[:12]}…); a baseline is "
            "of the same network."
        )
    if {layer.name: layer.n_units for layer in described.layers} != dict(layers):
        had = ", ".join(f"{layer.name} {layer.n_units}" for layer in described.layers)
        has = ", ".join(f"{name} {n_units}" for name, n_units in layers.items())
        raise UserError(f"{path} has the layers {had}; this session's subject has {has}.")
    delivered = [each for each in recording.intervals("stimuli") if not each.sham]
    if delivered:
        first = delivered[0]
        raise UserError(
            f"{path} is no baseline: stimuli were delivered in it ({len(delivered)}, the first of them "
            f"{first.name} at {first.start_s:.2f} s)."
        )
    return sha256


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Baseline:
    """The natural activity of a recording, as means, rankings and templates.

    Only whole performances count: those that were seen from their beginning, with no recorded tick
    missing and no trial ending in their midst.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._path = recording.path
        ticks, trials = recording.ticks, recording.values("trial")
        breaks = np.flatnonzero((np.diff(ticks) != 1) | (np.diff(trials) != 0)) + 1
        self._bounds = np.concatenate([[0], breaks, [len(ticks)]])
        self._layer: tuple[tuple[str, str], NDArray[np.float32]] | None = None

    def value(self, request: BaselineRequest) -> Array:
        """What a request asks for, of the shape and dtype that `BaselineRequest` says.

        Raises `UserError` as `resolve`.
        """
        if request.kind == "template":
            value: Array = self._template(request)
        else:
            spans = self._spans(request)
            activity = self._activity(request)
            if request.kind == "mean":
                value = core.mean_during(activity, spans)
            else:
                return core.ranking(core.modulation(activity, spans))
        if not np.isfinite(value).all():
            raise UserError(f"{self._path} has activity of {request.layer} that is not finite.")
        return value

    # --- rows of what is asked for -----------------------------------------------------------------

    def _spans(self, request: BaselineRequest) -> list[Rows]:
        span = request.span
        if span.during:
            spans = self._performances(span.during)
            found = f"{span.during} was performed whole {_times(len(spans))}"
        elif span.begin:
            begins, ends = self._moments(span.begin), self._moments(span.end)
            spans = self._between(begins, ends)
            found = (
                f"a whole span from {span.begin} ({_times(len(begins))}) to {span.end} "
                f"({_times(len(ends))}) occurred {_times(len(spans))}"
            )
        elif request.kind == "ranking":
            raise UserError("A ranking needs a behaviour or a span that it is about.")
        else:
            return [(0, self._recording.n_ticks)]
        self._require_enough(len(spans), request, found)
        return spans

    def _template(self, request: BaselineRequest) -> NDArray[np.float32]:
        name, before, after = request.around, request.before_ticks, request.after_ticks
        if name in self._recording.description.behaviours:
            moments = [start for start, _ in self._performances(name)]
        else:
            moments = self._moments(name)
        whole = [
            moment
            for moment in moments
            if (segment := self._segment(moment))[0] <= moment - before
            and moment + after <= segment[1]
        ]
        found = f"{name} began {_times(len(moments))}"
        if len(whole) < len(moments):
            found += f", but only {len(whole)} of these with the whole window within one trial"
        self._require_enough(len(whole), request, found)
        return core.template(self._activity(request), whole, before, after)

    def _require_enough(self, n: int, request: BaselineRequest, found: str) -> None:
        needed = 1 if request.kind == "mean" else MIN_PERFORMANCES
        if n < needed:
            raise UserError(
                f"In {self._path}, {found}; a {request.kind} needs at least {needed}: record a longer "
                "baseline, or choose what this animal does more often."
            )

    def _performances(self, behaviour: str) -> list[Rows]:
        """The rows of each whole performance of a behaviour."""
        known = self._recording.description.behaviours
        if behaviour not in known:
            raise UserError(
                f"{self._path} has no behaviour {behaviour!r}; it has {', '.join(known)}. A detector of "
                "a protocol's own has to be in the protocol of its baseline, too."
            )
        found = []
        for each in self._recording.intervals("behaviours"):
            if each.name != behaviour or each.onset_tick < 0 or each.offset_tick < 0:
                continue  # began before the recording, or was still going on at its end
            start = self._row(each.began_tick)
            length = each.offset_tick - each.began_tick
            if start is not None and 0 < length <= self._segment(start)[1] - start:
                found.append((start, start + length))
        return found

    def _moments(self, name: str) -> list[int]:
        """The rows of a task event, or of the onsets or offsets of a behaviour."""
        recording = self._recording
        behaviour, _, phase = name.rpartition(".")
        if phase in ("onset", "offset") and behaviour:
            spans = self._performances(behaviour)
            # an offset that ends a trial belongs to the next one's first tick, which is another span
            return [start if phase == "onset" else stop for start, stop in spans]
        events = recording.task_events
        known = dict.fromkeys((*recording.description.task_events, *(each.name for each in events)))
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "its task has none"
            raise UserError(f"{self._path} has no task event {name!r}; {there}.")
        rows = [self._row(each.tick) for each in events if each.name == name]
        return [row for row in rows if row is not None]

    def _between(self, begins: Sequence[int], ends: Sequence[int]) -> list[Rows]:
        """From the last beginning before each end up to that end, where both are in one trial."""
        found = []
        last_end = -1
        for end in sorted(ends):
            since = [begin for begin in begins if last_end <= begin < end]
            if since and end <= self._segment(max(since))[1]:
                found.append((max(since), end))
            last_end = end
        return found

    def _segment(self, row: int) -> Rows:
        """The rows around one that follow each other without a gap and belong to the same trial."""
        at = int(np.searchsorted(self._bounds, row, "right"))
        return int(self._bounds[at - 1]), int(self._bounds[min(at, len(self._bounds) - 1)])

    def _row(self, tick: int) -> int | None:
        """The row of a tick; None where it was not recorded."""
        ticks = self._recording.ticks
        row = int(np.searchsorted(ticks, tick))
        return row if row < len(ticks) and ticks[row] == tick else None

    def _activity(self, request: BaselineRequest) -> NDArray[np.float32]:
        """The natural activity of a layer, (ticks, units); the last layer that was read is kept."""
        key = (request.layer, request.state)
        if self._layer is None or self._layer[0] != key:
            frame = self._recording.activity(request.layer, request.state, applied=False)
            self._layer = (key, np.asarray(frame.values, np.float32))
        return self._layer[1]


def _times(n: int) -> str:
    return {0: "never", 1: "once"}.get(n, f"{n} times")
