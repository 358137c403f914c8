"""Messages in, a recording on disk out: the one place that writes a session's file.

The file is made, empty, under a temporary name, switched to single-writer-multiple-reader mode and only
then given its own name: whoever finds it can read it, from the first moment on. `add` takes the messages
of the recorder's stream in order; `flush` puts what came on the disk and only then counts it.

A row is a tick with its answer, so the last tick waits for its answer before it is written. What is
wrong with the stream (a message missing, a tick skipped, an array that does not fit) is written into the
file's log, and `error` says it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np

from recorder import contents, layout
from recorder.appending import SeriesAppender, TableAppender
from recorder.place import check_target, free_bytes, give_name, reason, reserve
from recorder.snapshots import row_of as snapshot_row
from recorder.spans import Spans
from rig.errors import RunError
from rig.messages import (
    Answer,
    Array,
    Description,
    End,
    Episode,
    Event,
    Fault,
    Input,
    Message,
    Snapshot,
    Tick,
)

RESERVE_BYTES = 4 * 1024 * 1024
"""Free space below which a recording ends by itself, properly closed, before the disk is full."""
_MAX_COUNT = 1 << 53
"""No tick, and no number of an occurrence, is larger."""


class Writer:
    """A recording that is being written.

    `n_ticks` counts the rows that came, `ticks_on_disk` those that are flushed and synced, up to
    `last_tick_on_disk`. `error` is the latest sentence about something wrong with the stream, or "".

    Raises `UserError` if the file exists and `overwrite` is not set, or its folder does not; `RunError`
    with one sentence when writing fails, after which what was flushed is in the file and nothing more
    can be added.
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
        self._unsynced = False
        check_target(path, overwrite)
        try:
            self._lock = reserve(path, "part")
        except OSError as problem:
            raise self._not_made(problem) from None
        partial = Path(self._lock.name)
        try:
            layout.create(partial, description, assets, session, camera)
            self._file = h5py.File(partial, "r+", libver=layout.LIBVER)
            self._open_appenders(description, camera)
            self._file.swmr_mode = True
            self._descriptor = int(self._file.id.get_vfd_handle())
            give_name(partial, path, overwrite)
        except (OSError, RuntimeError) as problem:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            self._lock.close()
            raise self._not_made(problem) from None
        self._place = os.stat(path)

    @property
    def n_ticks(self) -> int:
        """Ticks that came, on disk or not yet."""
        return self._series.n_rows

    def add(self, message: Message) -> None:
        """Takes the next message of the stream."""
        content = message.content
        self._check_sequence(message)
        if isinstance(content, Tick):
            self._add_tick(message, content)
        elif isinstance(content, Answer):
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

    def note_malformed(self, sentence: str) -> None:
        """Writes into the log that something came that was no message."""
        self._wrong("malformed", sentence)

    def flush(self, sync: bool = True) -> None:
        """Puts every complete row on the disk, then counts it. Raises `RunError` when it cannot.

        Without `sync` the rows are handed to the system, which keeps them whatever happens to this
        process, though not if the power fails; they are not counted yet.
        """
        self._write(keep_last=not self._answered)
        if self._dirty or self._unsynced:
            try:
                if self._dirty:
                    self._file.flush()
                    self._unsynced = True
                if sync and self._unsynced:
                    os.fsync(self._descriptor)
                    self._unsynced = False
            except (OSError, RuntimeError) as problem:
                raise self._failed(reason(problem)) from None
            self._dirty = False
        if self._unsynced:
            return
        self.ticks_on_disk = self._series.n_written
        self.last_tick_on_disk = self._last_tick - (0 if self._answered else 1)
        if self.ticks_on_disk == 0:
            self.last_tick_on_disk = -1

    def close(self, why: str = "") -> None:
        """Ends what is open, writes the rest and closes the file, so that every reader opens it.

        `why` goes into the log. Raises `RunError` when the rest cannot be written.
        """
        if self._closed:
            return
        if why:
            self._log("note", why, self._last_tick, -1)
        self._spans.end_all(self._last_tick + 1)
        self._answered = True
        self.flush()
        self._closed = True
        try:
            self._close_file()
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None

    # --- one message ----------------------------------------------------------------------------

    def _add_tick(self, message: Message, tick: Tick) -> None:
        if self._last_tick >= 0 and message.tick != self._last_tick + 1:
            self._wrong("gap", f"After tick {self._last_tick} came tick {message.tick}.")
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
        if self._spans.first_tick < 0:
            self._spans.first_tick = message.tick
        if wrong:
            self._wrong(
                "malformed", f"Tick {message.tick} came without a fitting {', '.join(wrong)}."
            )
        for name in tick.task_events:
            if not self._task_events.knows("event", name):
                self._wrong("malformed", f"Tick {message.tick} brought the unknown {name!r}.")
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
            self._wrong("malformed", f"Tick {tick} brought an input that is no text: {problem}.")
            return
        self._inputs.append(tick=tick, kind=given.kind, name=given.name.encode(), args=args)

    def _add_answer(self, message: Message, answer: Answer) -> None:
        if self._answered or message.tick != self._last_tick:
            self._wrong("malformed", f"An answer to tick {message.tick} came where none was due.")
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
                self._wrong("malformed", f"Intervention {k} after tick {message.tick}: {problem}.")

    def _add_event(self, answer_tick: int, event: Event) -> None:
        if event.kind != "stimulus" and not self._events.knows("name", event.name):
            self._wrong("malformed", f"Tick {answer_tick} brought the unknown {event.name!r}.")
        if max(abs(event.tick), abs(event.began_tick), abs(event.number)) > _MAX_COUNT:
            self._wrong("malformed", f"Tick {answer_tick} brought an impossible {event.name!r}.")
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
        self._spans.add(event)

    def _add_episode(self, message: Message, episode: Episode) -> None:
        model = self._models.get(episode.xml)
        if model is None:
            model = self._model_table.append(xml=episode.xml.encode())
            self._models = {episode.xml: model}
        self._spans.add_trial(episode.trial, message.tick, model, message.sequence)

    def _add_snapshot(self, message: Message, snapshot: Snapshot) -> None:
        try:
            self._snapshots.append(**snapshot_row(message.tick, snapshot, message.arrays))
        except (KeyError, TypeError, ValueError) as problem:
            self._wrong("malformed", f"The snapshot before tick {message.tick}: {problem}.")

    def _check_sequence(self, message: Message) -> None:
        expected = self._expected.get(message.topic)
        if expected is not None and message.sequence != expected:
            self._wrong(
                "gap",
                f"{message.topic.capitalize()} messages are missing before tick {message.tick}: "
                f"number {expected} was due, {message.sequence} came.",
            )
        self._expected[message.topic] = message.sequence + 1

    def _wrong(self, kind: str, sentence: str) -> None:
        self.error = sentence
        self._log(kind, sentence, self._last_tick, -1)

    def _log(self, kind: str, text: str, tick: int, sequence: int) -> None:
        self._log_table.append(kind=kind, text=text.encode(), tick=tick, sequence=sequence)

    # --- the file -------------------------------------------------------------------------------

    def _open_appenders(self, description: Description, camera: bool) -> None:
        tables = {
            table.name: TableAppender(self._file, table)
            for table in contents.tables_of(description)
        }
        self._series = SeriesAppender(
            self._file, contents.series_of(description, camera), description.tick_s
        )
        self._no_confidence = np.full(len(description.behaviours), np.nan, np.float32)
        self._tables = tables
        self._events = tables["events"]
        self._interventions = tables["interventions"]
        self._task_events = tables["task_events"]
        self._inputs = tables["inputs"]
        self._snapshots = tables["snapshots"]
        self._model_table = tables["models"]
        self._log_table = tables["log"]
        self._spans = Spans(
            tables["behaviours"], tables["stimuli"], tables["trials"], description.tick_s
        )

    def _write(self, keep_last: bool = False) -> None:
        if self._closed:
            raise RunError(f"The recording {self.path} is closed.")
        self._check_place()
        try:
            if any([table.write() for table in self._tables.values()]):
                # events first: a killed writer must not leave a tick without what was found in it
                self._file.flush()
                self._dirty = True
            self._dirty |= self._series.write(keep_last)
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None

    def _check_place(self) -> None:
        """Ends the recording where its file was taken away or the disk is about to be full."""
        try:
            now = os.stat(self.path)
        except OSError:
            now = None
        if now is None or (now.st_ino, now.st_dev) != (self._place.st_ino, self._place.st_dev):
            gone = os.fstat(self._descriptor).st_nlink == 0
            self._close_early()
            raise RunError(
                f"The file {self.path} was {'removed' if gone else 'moved away'} while it was being "
                f"recorded; the recording ended after {self.ticks_on_disk} ticks"
                + ("." if gone else ", which are in the moved file.")
            )
        free = free_bytes(self.path)
        if free < RESERVE_BYTES:
            self._close_early()
            raise RunError(
                f"The disk of {self.path} is full ({free / 1e6:.1f} MB left); the recording ended there "
                f"and its {self.ticks_on_disk} ticks are whole."
            )

    def _close_early(self) -> None:
        """Closes properly before a write; what cannot be written any more is left out."""
        last_tick = self._last_tick - (0 if self._answered else 1)
        self._spans.end_all(last_tick + 1)
        self._closed = True
        with contextlib.suppress(OSError, RuntimeError):
            for table in self._tables.values():
                table.write()
            self._series.write(keep_last=not self._answered)
            self._file.flush()
            os.fsync(self._descriptor)
            self.ticks_on_disk = self._series.n_written
            self.last_tick_on_disk = last_tick if self.ticks_on_disk else -1
            self._close_file()

    def _close_file(self) -> None:
        """Ends the writing. The file is whole before and after the empty tables are dropped."""
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self.path), self._place):
                with h5py.File(self.path, "r+", libver=layout.LIBVER) as file:
                    layout.drop_empty_tables(file, self._description)
            os.fsync(self._lock.fileno())
        self._lock.close()

    def _not_made(self, problem: Exception) -> RunError:
        return RunError(f"The recording {self.path} cannot be made: {reason(problem)}.")

    def _failed(self, why: str) -> RunError:
        self._closed = True
        return RunError(
            f"Writing {self.path} failed: {why}; at least its first {self.ticks_on_disk} ticks are "
            "on the disk and stay readable."
        )
