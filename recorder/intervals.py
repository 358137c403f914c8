"""Behaviours, stimuli and trials as intervals: a row when one begins, completed when it ends.

A trial's condition arrives as an event at its first tick, after its row was begun.

While an interval is open its stop is NaN and its `offset_tick` -1. One that is open when the recording
ends stops there and keeps `offset_tick` -1: its offset was not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

from recorder.appending import TableAppender
from recorder.schema import CALLED, NO_CONDITION
from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import Event
from rig.bus.open_intervals import occurrence
from rig.bus.stimulus_request import asked_for


@dataclass
class IntervalTables:
    """The three interval tables of a recording. `first_tick` is its first one, -1 before that."""

    behaviours: TableAppender
    stimuli: TableAppender
    trials: TableAppender
    tick_s: float
    first_tick: int = -1
    _open: dict[tuple[str, str, int], tuple[int, int]] = field(default_factory=dict)
    _trial: tuple[int, int] | None = None

    @property
    def n_open(self) -> int:
        """Behaviours and stimuli that have not ended."""
        return len(self._open)

    def add(self, event: Event) -> None:
        """Opens an interval at an onset and completes it at an offset; one without an onset began before."""
        if event.kind == "condition":
            if event.phase == "onset" and self._trial is not None:
                self.trials.change(self._trial[0], condition=event.name)
            return
        key = occurrence(event)
        table = self._table(event.kind)
        if event.phase == "onset":
            if event.tick < self.first_tick:  # in the part before
                self._open[key] = self._begin(table, event, -1, self.first_tick)
            else:
                self._open[key] = self._begin(table, event, event.tick, event.began_tick)
            return
        opened = self._open.pop(key, None)
        if opened is None:
            first = min(max(self.first_tick, 0), event.began_tick)
            opened = self._begin(table, event, -1, first)
        row, began_tick = opened
        ended_tick = max(event.began_tick, began_tick)
        table.change(
            row, stop_time=ended_tick * self.tick_s, offset_tick=event.tick, ended_tick=ended_tick
        )

    def add_trial(self, trial: int, tick: int, model: int, sequence: int) -> None:
        """Begins a trial, and ends the one before it.

        Args:
            trial: its number.
            tick: its first tick; before the recording's first if it began in the file before.
            model: row of its model in the table of models.
            sequence: number of its message.
        """
        self._end_trial(tick)
        row = self.trials.append(
            start_time=max(tick, self.first_tick) * self.tick_s,
            stop_time=nan,
            trial=trial,
            first_tick=tick,
            model=model,
            sequence=sequence,
            condition=NO_CONDITION,
        )
        self._trial = (row, max(tick, self.first_tick))

    def end_all(self, tick: int) -> None:
        """Ends whatever is open where the recording ends: before this tick."""
        for (kind, _, _), (row, began_tick) in self._open.items():
            self._table(kind).change(row, stop_time=max(tick, began_tick) * self.tick_s)
        self._open = {}
        self._end_trial(tick)
        self._trial = None

    def _begin(
        self, table: TableAppender, event: Event, onset_tick: int, began_tick: int
    ) -> tuple[int, int]:
        values = {
            "start_time": began_tick * self.tick_s,
            "stop_time": nan,
            event.kind: event.name,
            "number": event.number,
            "onset_tick": onset_tick,
            "began_tick": began_tick,
            "offset_tick": -1,
            "ended_tick": -1,
        }
        if event.kind == "stimulus":
            values["sham"] = event.sham
            name, _ = asked_for(event.cause) if event.name == OUTSIDE else ("", "")
            if name and table.has(CALLED):
                values[CALLED] = name.encode()
        return table.append(**values), began_tick

    def _end_trial(self, tick: int) -> None:
        if self._trial is not None:
            row, first_tick = self._trial
            self.trials.change(row, stop_time=max(tick, first_tick) * self.tick_s)

    def _table(self, kind: str) -> TableAppender:
        return self.stimuli if kind == "stimulus" else self.behaviours
