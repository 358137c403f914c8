"""The snapshots of a recording: body, task and network before a tick, as rows of a table and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from recorder.reading import Recording
from rig.bus.message_types import Array, Message, Snapshot
from rig.errors import UserError

_ARRAYS = ("physics", "sensors", "actuator_force", "random", "c", "h")
_NUMBERS = ("trial", "trial_tick", "reward", "discount")


class _Note(msgspec.Struct, frozen=True):
    """What is text of a snapshot."""

    task_events: tuple[str, ...]
    task: dict[str, Any]


def row_of(tick: int, snapshot: Snapshot, arrays: Mapping[str, Array]) -> dict[str, Any]:
    """A snapshot as a row of its table.

    Args:
        tick: the tick that it is before.
        snapshot: its numbers, and what the task remembers.
        arrays: 1-D: physics, sensors, actuator_force (float64), random (int32), c and h (float32).

    Raises:
        KeyError: where an array is missing.
    """
    note = msgspec.json.encode(_Note(snapshot.task_events, snapshot.task))
    numbers = {name: getattr(snapshot, name) for name in _NUMBERS}
    return {"tick": tick, "note": note, **numbers, **{name: arrays[name] for name in _ARRAYS}}


class Snapshots:
    """The snapshots of an open recording; `ticks` are theirs, in order. Earlier versions made none."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._rows = recording.table("processing/record/snapshots")
        self.ticks: list[int] = self._rows.column("tick").tolist() if self._rows.has("tick") else []

    def before(self, tick: int) -> Message | None:
        """The last one at or before a tick; None if there is none. Raises `UserError` if it is damaged."""
        row = int(np.searchsorted(self.ticks, tick, "right")) - 1
        return self._at(row) if row >= 0 else None

    def between(self, first: int, last: int) -> list[Message]:
        """Those before these ticks, both included. Raises `UserError` if one is damaged."""
        start, stop = np.searchsorted(self.ticks, [first, last + 1]).tolist()
        return [self._at(row) for row in range(start, stop)]

    def _at(self, row: int) -> Message:
        rows = self._rows
        try:
            note = msgspec.json.decode(rows.texts("note", row, row + 1)[0], type=_Note)
            numbers = {name: rows.column(name, row, row + 1).item() for name in _NUMBERS}
            arrays = {name: rows.ragged(name, row, row + 1)[0] for name in _ARRAYS}
            if not 0 <= numbers["trial"] <= self.ticks[row]:
                raise ValueError(f"trial {numbers['trial']} cannot be")
        except (msgspec.DecodeError, KeyError, IndexError, ValueError) as problem:
            raise UserError(
                f"The snapshot before tick {self.ticks[row]} of {self._recording.path} is damaged: {problem}."
            ) from None
        content = Snapshot(**numbers, task_events=note.task_events, task=note.task)
        return Message(content, self._recording.session, self.ticks[row], row, arrays)
