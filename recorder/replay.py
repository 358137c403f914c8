"""A recording as the messages that it was made from, so that a display cannot tell it from a session."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import numpy as np

from recorder.integrity import integrity_error, parsed
from recorder.opening import RecordingPath, open_recording
from recorder.reading import Recording
from recorder.tables import TableRows, Trial, read_events, read_inputs, read_task_events
from rig.bus.interventions import BusIntervention, pack
from rig.bus.message_types import (
    Array,
    Assets,
    End,
    EngineReply,
    Episode,
    Event,
    Fault,
    Input,
    Message,
    Tick,
)
from rig.bus.open_intervals import OpenIntervals
from rig.errors import UserError

_ARRAYS = (
    *("proprioception", "camera", "action", "c_natural", "h_natural", "c_applied", "h_applied"),
    *("qpos", "qvel", "act", "actuator_force", "body", "latency"),
)
_SCALARS = (
    *("trial", "reward", "discount", "value", "first", "overrun", "wall_s", "tick_sequence"),
    *("answer", "answer_sequence", "end_trial", "engine_ms"),
)

_MODELS_KEPT = 8
_LAST_TICK = 1 << 53


class ReplaySource:
    """The message stream of a recorded session, any part of it, in the order in which it was sent.

    Messages are as they were sent, numbers and arrays bit for bit; the camera's array is missing where
    it was not recorded, and so are ticks that the recording does not have. Opens the recording as
    `recorder.open` does, and raises what that raises.
    """

    def __init__(self, where: RecordingPath) -> None:
        with ExitStack() as opened:
            self.recording: Recording = opened.enter_context(open_recording(where))
            path, ticks = self.recording.path, self.recording.ticks
            if not len(ticks):
                raise UserError(f"{path} has no ticks: the session ended before its first.")
            if ticks[0] < 0 or ticks[-1] > _LAST_TICK or np.any(np.diff(ticks) <= 0):
                raise integrity_error(path, "its ticks do not follow each other")
            self._event_ticks = self._ticks_of("events", "answer_tick")
            self._intervention_ticks = self._ticks_of("interventions", "answer_tick")
            self._task_event_ticks = self._ticks_of("task_events", "tick")
            self._input_ticks = self._ticks_of("inputs", "tick")
            self._props = self.recording.props
            self._sent = [n for n in _ARRAYS if n != "camera" or self.recording.has_camera]
            self._sent += [signal.name for signal in self.recording.description.signals]
            # a model may be many trials' and megabytes of text
            self._models: dict[int, tuple[str, tuple[str, ...]]] = {}
            self._faults: dict[int, list[Message]] = {}
            for entry in self.recording.log:
                if entry.kind == "fault":
                    fault = parsed(path, entry.text, Fault)
                    message = self._message(fault, entry.tick, entry.sequence)
                    self._faults.setdefault(entry.tick, []).append(message)
            opened.pop_all()

    @property
    def n_ticks(self) -> int:
        """Ticks in the recording."""
        return self.recording.n_ticks

    @property
    def first_tick(self) -> int:
        """The first of them."""
        return self.recording.first_tick

    @property
    def last_tick(self) -> int:
        """The last of them."""
        return self.recording.last_tick

    @property
    def description(self) -> Message:
        """The session's description."""
        return self._message(self.recording.description, -1, 0)

    @property
    def assets(self) -> Message:
        """The files that the models of the episodes name."""
        return self._message(Assets(), -1, 0, self.recording.assets)

    @property
    def end(self) -> Message | None:
        """How the session ended; None if the recording did not see it."""
        for entry in self.recording.log:
            if entry.kind == "end":
                content = parsed(self.recording.path, entry.text, End)
                return self._message(content, entry.tick, entry.sequence)
        return None

    def episode(self, trial: int) -> Message:
        """The beginning of a trial, with its model. Raises `UserError` if it was not recorded."""
        for each in self.recording.trials:
            if each.trial == trial:
                return self._episode(each)
        raise UserError(f"{self.recording.path} has no trial {trial}.")

    def messages(self, first: int, last: int, only: Collection[str] | None = None) -> list[Message]:
        """What was sent for these ticks, both included: episodes, ticks, answers, faults.

        An episode stands before the first recorded tick of its trial.

        Args:
            first: the first tick.
            last: the last tick, included.
            only: the arrays that ticks have, and "interventions" for those of answers: enough for what a
                display draws of the past. None: all.

        Raises:
            UserError: if the recording is damaged there.
        """
        rows = self.recording.rows(first, last)
        if rows.stop <= rows.start:
            return []
        values = {name: self._values(name, rows) for name in _SCALARS}
        sent = self._sent if only is None else [name for name in self._sent if name in only]
        arrays = {name: self._array(name, rows) for name in sent}
        confidences = (
            self._values("confidence", rows) if "confidence" in self.recording.series else None
        )
        scalars = {name: column.tolist() for name, column in values.items()}
        ticks = self.recording.ticks[rows].tolist()
        events = self._events(ticks[0], ticks[-1])
        with_interventions = only is None or "interventions" in only
        interventions = self._interventions(ticks[0], ticks[-1]) if with_interventions else {}
        task_events = self._task_events(ticks[0], ticks[-1])
        inputs = self._inputs(ticks[0], ticks[-1])
        props = self._props.at(ticks) if only is None or "props" in only else [None] * len(ticks)
        starts = self._starts()
        out: list[Message] = []
        for k, tick in enumerate(ticks):
            if tick in starts:
                out.append(self._episode(starts[tick]))
            row: dict[str, Any] = {name: column[k] for name, column in scalars.items()}
            row["task_events"] = task_events.get(tick, ())
            row["inputs"] = inputs.get(tick, ())
            own = {name: column[k] for name, column in arrays.items()}
            if (present := props[k]) is not None:
                own["props"] = present
            out.append(self._tick(tick, row, own))
            if row["answer"]:
                confidence = None if confidences is None else confidences[k]
                out.append(
                    self._answer(
                        tick, row, confidence, events.get(tick, ()), interventions.get(tick, [])
                    )
                )
            out += self._faults.get(tick, [])
        return out

    def history(self, before_tick: int, n: int) -> list[Message]:
        """What a display needs to show tick `before_tick`: its episode, and the `n` ticks before it."""
        messages = self.messages(before_tick - n, before_tick - 1)
        if messages and isinstance(messages[0].content, Episode):
            return messages
        trial = self.recording.trial_of(max(before_tick - n, self.first_tick))
        return [self._episode(trial), *messages] if trial else messages

    def open_events(self, tick: int) -> tuple[Event, ...]:
        """The onsets before this tick whose offset had not come yet."""
        found = OpenIntervals()
        found.add(event for answered, event in self._all_events if answered < tick)
        return found.events

    def close(self) -> None:
        """Closes the recording."""
        self.recording.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def _all_events(self) -> list[tuple[int, Event]]:
        return self.recording.events

    # --- inside ---------------------------------------------------------------------------------

    def _values(self, name: str, rows: slice) -> Array:
        return self.recording.block(name, rows)

    def _array(self, name: str, rows: slice) -> Array:
        if name in self.recording.series:
            return self._values(name, rows)
        # a series without columns is not in the file
        dtype = np.float32 if name in ("proprioception", "latency") else np.float64
        return np.zeros((rows.stop - rows.start, 0), dtype)

    def _message(
        self, content: Any, tick: int, sequence: int, arrays: dict[str, Array] | None = None
    ) -> Message:
        return Message(content, self.recording.session, tick, sequence, arrays or {})

    def _episode(self, trial: Trial) -> Message:
        if trial.model not in self._models:
            if len(self._models) == _MODELS_KEPT:
                del self._models[next(iter(self._models))]
            recording = self.recording
            self._models[trial.model] = recording.model_xml(trial), recording.model_props(trial)
        content = Episode(trial.trial, *self._models[trial.model])
        return self._message(content, trial.first_tick, trial.sequence)

    def _starts(self) -> dict[int, Trial]:
        """The first recorded tick of each trial."""
        first = self.first_tick
        return {max(trial.first_tick, first): trial for trial in self.recording.trials}

    def _tick(self, tick: int, row: dict[str, Any], arrays: dict[str, Array]) -> Message:
        content = Tick(
            trial=row["trial"],
            reward=row["reward"],
            discount=row["discount"],
            value=row["value"],
            first=bool(row["first"]),
            overrun=bool(row["overrun"]),
            wall_s=row["wall_s"],
            task_events=row["task_events"],
            inputs=row["inputs"],
        )
        return self._message(content, tick, row["tick_sequence"], arrays)

    def _answer(
        self,
        tick: int,
        row: dict[str, Any],
        confidence: Array | None,
        events: tuple[Event, ...],
        interventions: list[BusIntervention],
    ) -> Message:
        arrays: dict[str, Array] = {}
        if row["answer"] == 2:
            arrays["confidence"] = np.zeros(0, np.float32) if confidence is None else confidence
        entries, numbers = pack(interventions)
        arrays |= numbers
        content = EngineReply(
            events=events,
            interventions=entries,
            end_trial=bool(row["end_trial"]),
            engine_ms=row["engine_ms"],
        )
        return self._message(content, tick, row["answer_sequence"], arrays)

    def _table(self, table: str) -> TableRows:
        return self.recording.table(f"processing/record/{table}")

    def _ticks_of(self, table: str, column: str) -> Array:
        return self._table(table).column(column)

    def _task_events(self, first: int, last: int) -> dict[int, tuple[str, ...]]:
        start, stop = np.searchsorted(self._task_event_ticks, [first, last + 1]).tolist()
        found: dict[int, tuple[str, ...]] = {}
        if stop > start:
            for each in read_task_events(self._table("task_events"), start, stop):
                found[each.tick] = (*found.get(each.tick, ()), each.name)
        return found

    def _inputs(self, first: int, last: int) -> dict[int, tuple[Input, ...]]:
        start, stop = np.searchsorted(self._input_ticks, [first, last + 1]).tolist()
        found: dict[int, tuple[Input, ...]] = {}
        if stop > start:
            for tick, given in read_inputs(self._table("inputs"), start, stop):
                found[tick] = (*found.get(tick, ()), given)
        return found

    def _events(self, first: int, last: int) -> dict[int, tuple[Event, ...]]:
        start, stop = np.searchsorted(self._event_ticks, [first, last + 1]).tolist()
        found: dict[int, tuple[Event, ...]] = {}
        if stop > start:
            for tick, event in read_events(self._table("events"), start, stop):
                found[tick] = (*found.get(tick, ()), event)
        return found

    def _interventions(self, first: int, last: int) -> dict[int, list[BusIntervention]]:
        start, stop = np.searchsorted(self._intervention_ticks, [first, last + 1]).tolist()
        found: dict[int, list[BusIntervention]] = {}
        if stop > start:
            rows = self._table("interventions")
            for tick, *change in zip(
                rows.column("answer_tick", start, stop).tolist(),
                rows.names("stimulus", start, stop),
                rows.names("layer", start, stop),
                rows.names("state", start, stop),
                (each.astype(np.int64) for each in rows.ragged("units", start, stop)),
                rows.ragged("gain", start, stop),
                rows.ragged("value", start, stop),
                strict=True,
            ):
                found.setdefault(tick, []).append(BusIntervention(*change))
        return found
