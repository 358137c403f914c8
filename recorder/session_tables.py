"""Messages into the tables of a recording: events, intervals, interventions, models, snapshots, log."""

from __future__ import annotations

import h5py
import msgspec

from recorder.appending import TableAppender
from recorder.applied import differences
from recorder.intervals import IntervalTables
from recorder.props import PropWriter
from recorder.snapshots import row_of as snapshot_row
from recorder.table_schema import tables_of
from rig.bus.interventions import unpack_one
from rig.bus.message_types import (
    Description,
    EngineReply,
    Episode,
    Event,
    Input,
    Message,
    Snapshot,
    Tick,
)

_MAX_COUNT = 1 << 53
"""No tick, and no number of an occurrence, is larger."""


class SessionTables:
    """The tables of a recording that is being written; rows wait in memory until `write`.

    What does not fit goes into the log; `error` is the latest sentence about it, or "".
    """

    def __init__(self, file: h5py.File, description: Description) -> None:
        self.error = ""
        self.last_tick = -1
        """The tick that entries of the log stand at."""
        self._tick_s = description.tick_s
        self._models: dict[str, int] = {}
        self._tables = {table.name: TableAppender(file, table) for table in tables_of(description)}
        self._events = self._tables["events"]
        self._task_events = self._tables["task_events"]
        self._applied = self._tables["applied"]
        self._n_units = sum(layer.n_units for layer in description.layers)
        self._props = PropWriter(self._tables["props"])
        self._intervals = IntervalTables(
            self._tables["behaviours"],
            self._tables["stimuli"],
            self._tables["trials"],
            description.tick_s,
        )

    def write(self) -> bool:
        """Writes the rows that wait. Returns whether there were any."""
        return any([table.write() for table in self._tables.values()])

    def begin(self, first_tick: int) -> None:
        """Sets the first tick of the recording, once."""
        if self._intervals.first_tick < 0:
            self._intervals.first_tick = first_tick

    def end_intervals(self, tick: int) -> None:
        """Ends every open interval where the recording ends: before this tick."""
        self._intervals.end_all(tick)

    def add_tick(self, message: Message, tick: Tick) -> None:
        """Takes the applied activity, props, task events and inputs of a tick."""
        if (changed := differences(message.arrays, self._n_units)) is not None:
            unit, c, h = changed
            self._applied.append(tick=message.tick, unit=unit, c=c, h=h)
        if not self._props.add(message.tick, message.arrays.get("props")):
            self.log_problem("malformed", f"Tick {message.tick} came without fitting props.")
        for name in tick.task_events:
            if not self._task_events.knows("event", name):
                self.log_problem("malformed", f"Tick {message.tick} brought the unknown {name!r}.")
            self._task_events.append(
                tick=message.tick,
                time=message.tick * self._tick_s,
                trial=tick.trial,
                event=name,
            )
        for given in tick.inputs:
            self._add_input(message.tick, given)

    def add_reply(self, message: Message, reply: EngineReply) -> None:
        """Takes the events and interventions that answer a tick."""
        for event in reply.events:
            self.add_event(message.tick, event)
        self.add_interventions(message, reply)

    def add_event(self, answer_tick: int, event: Event) -> None:
        """Takes an onset or offset, and the tick whose answer brought it."""
        if event.kind != "stimulus" and not self._events.knows("event_name", event.name):
            self.log_problem("malformed", f"Tick {answer_tick} brought the unknown {event.name!r}.")
        if max(abs(event.tick), abs(event.began_tick), abs(event.number)) > _MAX_COUNT:
            self.log_problem(
                "malformed", f"Tick {answer_tick} brought an impossible {event.name!r}."
            )
            return
        self._events.append(
            answer_tick=answer_tick,
            kind=event.kind,
            event_name=event.name,
            phase=event.phase,
            tick=event.tick,
            began_tick=event.began_tick,
            number=event.number,
            sham=event.sham,
            confidence=event.confidence,
            cause=event.cause.encode(),
        )
        self._intervals.add(event)

    def add_interventions(self, message: Message, reply: EngineReply) -> None:
        """Takes the interventions of an answer; they act on the next tick."""
        for k in range(len(reply.interventions)):
            try:
                change = unpack_one(reply, message.arrays, k)
                self._tables["interventions"].append(answer_tick=message.tick, **change._asdict())
            except (KeyError, ValueError, OverflowError) as problem:
                self.log_problem(
                    "malformed", f"Intervention {k} after tick {message.tick}: {problem}."
                )

    def add_episode(self, message: Message, episode: Episode) -> None:
        """Takes the beginning of a trial, with its model."""
        model = self._models.get(episode.xml)
        if model is None:
            model = self._tables["models"].append(
                xml=episode.xml.encode(), props=msgspec.json.encode(episode.props)
            )
            self._models = {episode.xml: model}
        self._intervals.add_trial(episode.trial, message.tick, model, message.sequence)
        self._props.begin_trial()

    def add_snapshot(self, message: Message, snapshot: Snapshot) -> None:
        """Takes a snapshot of body, task and network."""
        try:
            row = snapshot_row(message.tick, snapshot, message.arrays)
            self._tables["snapshots"].append(**row)
        except (KeyError, TypeError, ValueError) as problem:
            self.log_problem("malformed", f"The snapshot before tick {message.tick}: {problem}.")

    def log_problem(self, kind: str, sentence: str) -> None:
        """Writes into the log that something is wrong with the stream: a "gap" or "malformed"."""
        self.error = sentence
        self.log(kind, sentence)

    def log(self, kind: str, text: str, tick: int | None = None, sequence: int = -1) -> None:
        """Writes an entry into the log.

        Args:
            kind: one of `recorder.table_schema.LOG_KINDS`.
            text: a sentence; JSON for a fault or an end.
            tick: where it stands; None: at the last tick.
            sequence: number of its message; -1 if it had none.
        """
        self._tables["log"].append(
            kind=kind,
            text=text.encode(),
            tick=self.last_tick if tick is None else tick,
            sequence=sequence,
        )

    def _add_input(self, tick: int, given: Input) -> None:
        try:
            args = msgspec.json.encode(given.args)
        except (TypeError, ValueError) as problem:
            self.log_problem(
                "malformed", f"Tick {tick} brought an input that is no text: {problem}."
            )
            return
        self._tables["inputs"].append(
            tick=tick, kind=given.kind, input_name=given.name.encode(), args=args
        )
