"""Messages in, a recording on disk out: the one place that writes a session's file.

`add` takes the messages of the recorder's stream in order; `flush` puts what came on the disk and only then
counts it.

A row is a tick with its answer, so the last tick waits for its answer before it is written. What is
wrong with the stream (a message missing, a tick skipped, an array that does not fit) is written into the
file's log, and `error` says it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorder import layout, schema
from recorder.appending import SeriesAppender, TableAppender
from recorder.growing_file import READERS_S, ROTATION_READERS_S, GrowingFile
from recorder.intervals import IntervalTables
from recorder.output_path import check_target, reason
from recorder.props import PropWriter
from recorder.snapshots import row_of as snapshot_row
from rig.bus.messages import (
    Array,
    Description,
    End,
    EngineReply,
    Episode,
    Event,
    Fault,
    Input,
    Message,
    Snapshot,
    Tick,
)
from rig.errors import RunError

_MAX_COUNT = 1 << 53
"""No tick, and no number of an occurrence, is larger."""


@dataclass(frozen=True)
class RotationState:
    """What the next file of a recording starts from when the file before is full.

    Args:
        number: of the file, from 1; the first file of the recording is 0.
        previous_file: the name of the file before.
        first_tick: the tick that it begins with.
        expected: the sequence number that is due, by topic.
        episode: the trial that continues; None if one begins with the file.
        open_events: the onsets of open intervals, each with the tick whose answer brought it.
        answer: the last one; its interventions act on the first tick.
    """

    number: int
    previous_file: str
    first_tick: int
    expected: Mapping[str, int]
    episode: Message | None
    open_events: tuple[tuple[int, Event], ...]
    answer: Message | None


class Writer:
    """A recording that is being written.

    `n_ticks` counts the rows that came, `ticks_on_disk` those that are flushed and synced, up to
    `last_tick_on_disk`. `error` is the latest sentence about something wrong with the stream, or "".

    Raises `UserError` if the file exists and `overwrite` is not set, or its folder does not; `RunError`
    with one sentence when writing fails, after which what was flushed is in the file and nothing more
    can be added.

    `image` is the empty recording, if it was made before. With a `rotation` the file continues another
    one and has no name until `publish` gives it.
    """

    def __init__(
        self,
        path: Path,
        description: Description,
        assets: Mapping[str, Array],
        *,
        session: str = "",
        overwrite: bool = False,
        camera: bool = False,
        image: bytes = b"",
        rotation: RotationState | None = None,
    ) -> None:
        self.path = path
        self.error = ""
        self.ticks_on_disk = 0
        self.last_tick_on_disk = -1
        self._description = description
        self._tick_s = description.tick_s
        self._expected: dict[str, int] = {}
        self._models: dict[str, int] = {}
        self._last_tick = -1
        self._answered = True
        self._closed = False
        self._dirty = False
        check_target(path, overwrite)
        image = image or layout.empty_recording(description, assets, session, camera)
        self._file = GrowingFile(path, image, overwrite)
        try:
            if rotation is not None:
                layout.mark_as_part(self._file.h5, rotation.number, rotation.previous_file)
            self._open_appenders(description, camera)
            self._file.h5.swmr_mode = True
        except (OSError, RuntimeError) as problem:
            self._file.discard()
            raise self._file.creation_error(problem) from None
        if rotation is None:
            self._file.publish()
        else:
            self._continue_from(rotation)

    @property
    def n_ticks(self) -> int:
        """Ticks that came, on disk or not yet."""
        return self._series.n_rows

    @property
    def file_bytes(self) -> int:
        """The size of the file."""
        return self._file.size_bytes

    @property
    def answered(self) -> bool:
        """Whether the last tick has its answer, so that a tick is whole here."""
        return self._answered

    @property
    def expected(self) -> dict[str, int]:
        """The sequence number that is due next, by topic."""
        return dict(self._expected)

    def publish(self) -> None:
        """Gives a part its name. Raises `RunError` where that is impossible; the part is gone then."""
        self._file.publish()

    def discard(self) -> None:
        """Takes away a part that has no name yet."""
        self._closed = True
        self._file.discard()

    def add(self, message: Message) -> None:
        """Takes the next message of the stream."""
        content = message.content
        self._check_sequence(message)
        if isinstance(content, Tick):
            self._add_tick(message, content)
        elif isinstance(content, EngineReply):
            self._add_answer(message, content)
        elif isinstance(content, Episode):
            self._add_episode(message, content)
        elif isinstance(content, Snapshot):
            self._add_snapshot(message, content)
        elif isinstance(content, Fault | End):
            self._log(
                "fault" if isinstance(content, Fault) else "end",
                msgspec.json.encode(content).decode(),
                message.tick,
                message.sequence,
            )

    def log_note(self, sentence: str) -> None:
        """Writes a sentence into the log."""
        self._log("note", sentence, self._last_tick, -1)

    def log_malformed(self, sentence: str) -> None:
        """Writes into the log that something came that was no message."""
        self._log_problem("malformed", sentence)

    def flush(self, sync: bool = True) -> None:
        """Puts every complete row on the disk, then counts it. Raises `RunError` when it cannot.

        Without `sync` the rows are handed to the system, which keeps them whatever happens to this
        process, though not if the power fails; they are not counted yet.
        """
        self._write(keep_last=not self._answered)
        try:
            if self._dirty:
                self._file.flush()
                self._dirty = False
            if not sync:
                return
            self._file.sync()
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None
        self.ticks_on_disk = self._series.n_written
        self.last_tick_on_disk = self._last_tick - (0 if self._answered else 1)
        if self.ticks_on_disk == 0:
            self.last_tick_on_disk = -1

    def close(self, why: str = "", next_file: str = "") -> None:
        """Ends what is open, writes the rest and closes the file, so that every reader opens it.

        `why` goes into the log; `next_file` says in which file the recording continues.
        Raises `RunError` when the rest cannot be written.
        """
        if self._closed:
            return
        if why or next_file:
            self._log("goes on" if next_file else "note", next_file or why, self._last_tick, -1)
        self._intervals.end_all(self._last_tick + 1)
        self._answered = True
        self.flush()
        self._closed = True
        try:
            moved = self._close_file(ROTATION_READERS_S if next_file else READERS_S)
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None
        if moved:
            raise RunError(f"{moved}; it ended after {self.ticks_on_disk} ticks.")

    # --- one message ----------------------------------------------------------------------------

    def _add_tick(self, message: Message, tick: Tick) -> None:
        if self._last_tick >= 0 and message.tick != self._last_tick + 1:
            self._log_problem("gap", f"After tick {self._last_tick} came tick {message.tick}.")
        if self._series.full:
            self._write()
        wrong = self._series.append(
            message.tick * self._tick_s,
            {
                **message.arrays,
                "confidence": self._no_confidence,
                "tick": message.tick,
                "trial": tick.trial,
                "first": tick.first,
                "reward": tick.reward,
                "discount": tick.discount,
                "value": tick.value,
                "overrun": tick.overrun,
                "wall_s": tick.wall_s,
                "tick_sequence": message.sequence,
                "answer_sequence": -1,
                "answer": 0,
                "end_trial": 0,
                "engine_ms": 0.0,
            },
        )
        self._last_tick = message.tick
        self._answered = False
        if self._intervals.first_tick < 0:
            self._intervals.first_tick = message.tick
        if wrong:
            self._log_problem(
                "malformed", f"Tick {message.tick} came without a fitting {', '.join(wrong)}."
            )
        if not self._props.add(message.tick, message.arrays.get("props")):
            self._log_problem("malformed", f"Tick {message.tick} came without fitting props.")
        for name in tick.task_events:
            if not self._task_events.knows("event", name):
                self._log_problem("malformed", f"Tick {message.tick} brought the unknown {name!r}.")
            self._task_events.append(
                tick=message.tick,
                time=message.tick * self._tick_s,
                trial=tick.trial,
                event=name,
            )
        for given in tick.inputs:
            self._add_input(message.tick, given)

    def _add_input(self, tick: int, given: Input) -> None:
        try:
            args = msgspec.json.encode(given.args)
        except (TypeError, ValueError) as problem:
            self._log_problem(
                "malformed", f"Tick {tick} brought an input that is no text: {problem}."
            )
            return
        self._inputs.append(tick=tick, kind=given.kind, name=given.name.encode(), args=args)

    def _add_answer(self, message: Message, answer: EngineReply) -> None:
        if self._answered or message.tick != self._last_tick:
            self._log_problem(
                "malformed", f"An answer to tick {message.tick} came where none was due."
            )
            return
        values: dict[str, Any] = {
            "answer": 1,
            "answer_sequence": message.sequence,
            "end_trial": answer.end_trial,
            "engine_ms": answer.engine_ms,
        }
        confidence = message.arrays.get("confidence")
        if confidence is not None and confidence.shape == self._no_confidence.shape:
            values |= {"confidence": confidence, "answer": 2}
        self._series.amend_last(values)
        self._answered = True
        for event in answer.events:
            self._add_event(message.tick, event)
        self._add_interventions(message, answer)

    def _add_interventions(self, message: Message, answer: EngineReply) -> None:
        for k, change in enumerate(answer.interventions):
            try:
                self._interventions.append(
                    answer_tick=message.tick,
                    stimulus=change.stimulus,
                    layer=change.layer,
                    state=change.state,
                    units=message.arrays[f"{k}.units"],
                    gain=message.arrays[f"{k}.gain"],
                    value=message.arrays[f"{k}.value"],
                )
            except (KeyError, ValueError, OverflowError) as problem:
                self._log_problem(
                    "malformed", f"Intervention {k} after tick {message.tick}: {problem}."
                )

    def _add_event(self, answer_tick: int, event: Event) -> None:
        if event.kind != "stimulus" and not self._events.knows("name", event.name):
            self._log_problem(
                "malformed", f"Tick {answer_tick} brought the unknown {event.name!r}."
            )
        if max(abs(event.tick), abs(event.began_tick), abs(event.number)) > _MAX_COUNT:
            self._log_problem(
                "malformed", f"Tick {answer_tick} brought an impossible {event.name!r}."
            )
            return
        self._events.append(
            answer_tick=answer_tick,
            kind=event.kind,
            name=event.name,
            phase=event.phase,
            tick=event.tick,
            began_tick=event.began_tick,
            number=event.number,
            sham=event.sham,
            confidence=event.confidence,
            cause=event.cause.encode(),
        )
        self._intervals.add(event)

    def _add_episode(self, message: Message, episode: Episode) -> None:
        model = self._models.get(episode.xml)
        if model is None:
            model = self._model_table.append(
                xml=episode.xml.encode(), props=msgspec.json.encode(episode.props)
            )
            self._models = {episode.xml: model}
        self._intervals.add_trial(episode.trial, message.tick, model, message.sequence)
        self._props.begin_trial()

    def _add_snapshot(self, message: Message, snapshot: Snapshot) -> None:
        try:
            self._snapshots.append(**snapshot_row(message.tick, snapshot, message.arrays))
        except (KeyError, TypeError, ValueError) as problem:
            self._log_problem("malformed", f"The snapshot before tick {message.tick}: {problem}.")

    def _check_sequence(self, message: Message) -> None:
        expected = self._expected.get(message.topic)
        if expected is not None and message.sequence != expected:
            self._log_problem(
                "gap",
                f"{message.topic.capitalize()} messages are missing before tick {message.tick}: "
                f"number {expected} was due, {message.sequence} came.",
            )
        self._expected[message.topic] = message.sequence + 1

    def _log_problem(self, kind: str, sentence: str) -> None:
        self.error = sentence
        self._log(kind, sentence, self._last_tick, -1)

    def _log(self, kind: str, text: str, tick: int, sequence: int) -> None:
        self._log_table.append(kind=kind, text=text.encode(), tick=tick, sequence=sequence)

    # --- the file -------------------------------------------------------------------------------

    def _continue_from(self, rotation: RotationState) -> None:
        """Begins as a part of a recording: with the trial and the intervals that are open."""
        self._expected = dict(rotation.expected)
        self._last_tick = rotation.first_tick - 1
        self._intervals.first_tick = rotation.first_tick
        if rotation.episode is not None and isinstance(rotation.episode.content, Episode):
            self._add_episode(rotation.episode, rotation.episode.content)
        for answer_tick, event in rotation.open_events:
            self._add_event(answer_tick, event)
        if rotation.answer is not None and isinstance(rotation.answer.content, EngineReply):
            self._add_interventions(rotation.answer, rotation.answer.content)
        names = ", ".join(f"{event.kind} {event.name}" for _, event in rotation.open_events)
        self._log(
            "continues",
            f"Continues {rotation.previous_file}, which ends with tick {rotation.first_tick - 1}; open then: "
            f"{names or 'nothing'}.",
            rotation.first_tick - 1,
            -1,
        )

    def _open_appenders(self, description: Description, camera: bool) -> None:
        tables = {
            table.name: TableAppender(self._file.h5, table)
            for table in schema.tables_of(description)
        }
        self._series = SeriesAppender(
            self._file.h5, schema.series_of(description, camera), description.tick_s
        )
        self._no_confidence = np.full(len(description.behaviours), np.nan, np.float32)
        self._tables = tables
        self._events = tables["events"]
        self._interventions = tables["interventions"]
        self._task_events = tables["task_events"]
        self._inputs = tables["inputs"]
        self._props = PropWriter(tables["props"])
        self._snapshots = tables["snapshots"]
        self._model_table = tables["models"]
        self._log_table = tables["log"]
        self._intervals = IntervalTables(
            tables["behaviours"], tables["stimuli"], tables["trials"], description.tick_s
        )

    def _write(self, keep_last: bool = False) -> None:
        if self._closed:
            raise RunError(f"The recording {self.path} is closed.")
        self._check_output()
        try:
            if any([table.write() for table in self._tables.values()]):
                # events first: a killed writer must not leave a tick without what was found in it
                self._file.flush()
                self._dirty = True
            self._dirty |= self._series.write(keep_last)
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None

    def _check_output(self) -> None:
        """Ends the recording where its file was taken away or the disk is about to be full."""
        problem = self._file.write_problem(self._series.waiting_bytes)
        if problem:
            removed = self._file.removed
            self._close_early()
            n_ticks = self.ticks_on_disk
            if removed:
                self.ticks_on_disk, self.last_tick_on_disk = 0, -1
                raise RunError(
                    f"{problem}; the recording ended, and the {n_ticks} ticks in it are lost."
                )
            raise RunError(
                f"{problem}; the recording ended after {n_ticks} ticks, which are whole."
            )

    def _close_early(self) -> None:
        """Closes properly before a write; what cannot be written any more is left out."""
        last_tick = self._last_tick - (0 if self._answered else 1)
        self._intervals.end_all(last_tick + 1)
        self._closed = True
        with contextlib.suppress(OSError, RuntimeError):
            for table in self._tables.values():
                table.write()
            self._series.write(keep_last=not self._answered)
            self._file.flush()
            self._file.sync()
            self.ticks_on_disk = self._series.n_written
            self.last_tick_on_disk = last_tick if self.ticks_on_disk else -1
            self._close_file()

    def _close_file(self, readers_s: float = READERS_S) -> str:
        return self._file.close(
            lambda file: layout.drop_empty_tables(file, self._description), readers_s
        )

    def _failed(self, why: str) -> RunError:
        self._closed = True
        return RunError(
            f"Writing {self.path} failed: {why}; at least its first {self.ticks_on_disk} ticks are "
            "on the disk and stay readable."
        )
