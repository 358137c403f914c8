"""Messages in, a recording on disk out: the only module that writes a session's file.

`add` takes the messages of the recorder's stream in order; `flush` puts what came on the disk and only then
counts it.

A row is a tick with its answer, so the last tick waits for its answer before it is written. What is
wrong with the stream (a message missing, a tick skipped, an array that does not fit) is written into the
file's log, and `error` says it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorder.appending import SeriesAppender
from recorder.clip import mark_as_clip
from recorder.completion import complete
from recorder.empty_file import empty_recording, mark_as_part
from recorder.file_rotation import OpenState, RotationState
from recorder.growing_file import READERS_S, ROTATION_READERS_S, GrowingFile
from recorder.output_path import check_target
from recorder.series_schema import stored_series
from recorder.session_tables import SessionTables
from rig.bus.message_types import (
    Array,
    Description,
    End,
    EngineReply,
    Episode,
    Fault,
    Message,
    Snapshot,
    Tick,
)
from rig.errors import RunError
from rig.output_file import reason

WAIT_FOR_CHUNK_S = 0.25
"""How long rows wait for those that fill a chunk with them: a kill costs less than half a second."""


class Writer:
    """A recording that is being written.

    `n_ticks` counts the rows that came, `ticks_on_disk` those that are flushed and synced, up to
    `last_tick_on_disk`. `error` is the latest sentence about something wrong with the stream, or "".

    Args:
        path: the file to make.
        description: of the session: its units, behaviours, body, task and clock.
        assets: files that the models of its episodes name: uint8 arrays by file name.
        session: the session's id.
        overwrite: whether an existing file is replaced.
        camera: whether the animal's camera is recorded.
        image: the empty recording, if it was made before.
        rotation: what the file continues; it has no name then until `publish` gives it.
        clip: what a clip begins with.

    Raises:
        UserError: if the file exists and `overwrite` is not set, or its folder does not.
        RunError: with one sentence, when writing fails; what was flushed is in the file, and nothing more can
            be added.
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
        clip: OpenState | None = None,
    ) -> None:
        self.path = path
        self.ticks_on_disk = 0
        self.last_tick_on_disk = -1
        self._description = description
        self._expected: dict[str, int] = {}
        self._last_tick = -1
        self._answered = True
        self._closed = False
        self._dirty = False
        self._no_confidence = np.full(len(description.behaviours), np.nan, np.float32)
        check_target(path, overwrite)
        image = image or empty_recording(description, assets, session, camera)
        self._file = GrowingFile(path, image, overwrite)
        try:
            if rotation is not None:
                mark_as_part(self._file.h5, rotation)
            if clip is not None:
                mark_as_clip(self._file.h5, clip.first_tick)
            self._tables = SessionTables(self._file.h5, description)
            self._series = SeriesAppender(
                self._file.h5, stored_series(description, camera), description.tick_s
            )
            self._file.h5.swmr_mode = True
        except (OSError, RuntimeError) as problem:
            self._file.discard()
            raise self._file.creation_error(problem) from None
        if rotation is None:
            self._file.publish()
        else:
            self._begin_in_the_middle(
                rotation,
                "continues",
                f"Continues {rotation.previous_file}, which ends with tick {rotation.first_tick - 1}",
            )
        if clip is not None:
            self._begin_in_the_middle(
                clip, "note", f"A clip of the session, from its tick {clip.first_tick} on"
            )

    @property
    def error(self) -> str:
        """The latest sentence about something wrong with the stream, or ""."""
        return self._tables.error

    @property
    def n_ticks(self) -> int:
        """Ticks that came, on disk or not yet."""
        return self._series.n_rows

    @property
    def file_bytes(self) -> int:
        """The size of the file in bytes."""
        return self._file.size_bytes

    @property
    def answered(self) -> bool:
        """Whether the last tick has its answer, so that its row is complete."""
        return self._answered

    @property
    def expected(self) -> dict[str, int]:
        """The sequence number that is due next, by topic."""
        return dict(self._expected)

    def publish(self) -> None:
        """Gives a part its name. Raises `RunError` where that is impossible; the part is gone then."""
        self._file.publish()

    def discard(self) -> None:
        """Removes a part that has no name yet."""
        self._closed = True
        self._file.discard()

    def add(self, message: Message) -> None:
        """Takes the next message of the stream. Raises `RunError` when writing fails."""
        content = message.content
        self._check_sequence(message)
        if isinstance(content, Tick):
            self._add_tick(message, content)
        elif isinstance(content, EngineReply):
            self._add_reply(message, content)
        elif isinstance(content, Episode):
            self._tables.add_episode(message, content)
        elif isinstance(content, Snapshot):
            self._tables.add_snapshot(message, content)
        elif isinstance(content, Fault | End):
            self._tables.log(
                "fault" if isinstance(content, Fault) else "end",
                msgspec.json.encode(content).decode(),
                message.tick,
                message.sequence,
            )

    def log_note(self, sentence: str) -> None:
        """Writes a sentence into the log."""
        self._tables.log("note", sentence)

    def log_malformed(self, sentence: str) -> None:
        """Writes into the log that something came that was no message."""
        self._tables.log_problem("malformed", sentence)

    def flush(self, sync: bool = True, final: bool = False) -> None:
        """Puts every complete row on the disk, then counts it. Raises `RunError` when it cannot.

        Rows with a camera wait, for `WAIT_FOR_CHUNK_S` at most, until they fill a chunk of it.

        Args:
            sync: without it the rows are handed to the system, which keeps them whatever happens to this
                process, though not if the power fails; they are not counted yet.
            final: no more rows come.
        """
        keep_last = not self._answered
        late = self._series.waited_s > WAIT_FOR_CHUNK_S
        self._write(keep_last, whole=not (late or final), final=final)
        try:
            if self._dirty:
                self._file.flush()
                self._dirty = False
            if not sync:
                return
            self._file.sync()
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None
        self._count()

    def close(self, why: str = "", next_file: str = "") -> None:
        """Ends what is open, writes the rest and closes the file, so that every reader opens it.

        `why` goes into the log; `next_file` says in which file the recording continues.
        Raises `RunError` when the rest cannot be written.
        """
        if self._closed:
            return
        if why or next_file:
            self._tables.log("goes on" if next_file else "note", next_file or why)
        self._tables.end_intervals(self._last_tick + 1)
        self._answered = True
        self.flush(final=True)
        self._closed = True
        try:
            moved = self._close_file(ROTATION_READERS_S if next_file else READERS_S)
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None
        if moved:
            raise RunError(f"{moved}; it ended after {self.ticks_on_disk} ticks.")
        if self.ticks_on_disk:
            self._file.drop_before()

    # --- one message ----------------------------------------------------------------------------

    def _add_tick(self, message: Message, tick: Tick) -> None:
        if self._last_tick >= 0 and message.tick != self._last_tick + 1:
            self._tables.log_problem(
                "gap", f"After tick {self._last_tick} came tick {message.tick}."
            )
        if self._series.full:
            self._write(whole=True)
        elif self._series.chunks_due:
            self._write_chunks()
        wrong = self._series.append(
            message.tick * self._description.tick_s,
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
        self._last_tick = self._tables.last_tick = message.tick
        self._answered = False
        self._tables.begin(message.tick)
        if wrong:
            self._tables.log_problem(
                "malformed", f"Tick {message.tick} came without a fitting {', '.join(wrong)}."
            )
        self._tables.add_tick(message, tick)

    def _add_reply(self, message: Message, reply: EngineReply) -> None:
        if self._answered or message.tick != self._last_tick:
            self._tables.log_problem(
                "malformed", f"An answer to tick {message.tick} came where none was due."
            )
            return
        values: dict[str, Any] = {
            "answer": 1,
            "answer_sequence": message.sequence,
            "end_trial": reply.end_trial,
            "engine_ms": reply.engine_ms,
        }
        confidence = message.arrays.get("confidence")
        if confidence is not None and confidence.shape == self._no_confidence.shape:
            values |= {"confidence": confidence, "answer": 2}
        self._series.amend_last(values)
        self._answered = True
        self._tables.add_reply(message, reply)

    def _check_sequence(self, message: Message) -> None:
        expected = self._expected.get(message.topic)
        if expected is not None and message.sequence != expected:
            self._tables.log_problem(
                "gap",
                f"{message.topic.capitalize()} messages are missing before tick {message.tick}: "
                f"number {expected} was due, {message.sequence} came.",
            )
        self._expected[message.topic] = message.sequence + 1

    # --- the file -------------------------------------------------------------------------------

    def _begin_in_the_middle(self, state: OpenState, kind: str, words: str) -> None:
        """Begins in the middle of a session: with the trial and the intervals that are open.

        Args:
            state: what is so then.
            kind: of the entry in the log.
            words: what it says.
        """
        self._expected = dict(state.expected)
        self._last_tick = self._tables.last_tick = state.first_tick - 1
        self._tables.begin(state.first_tick)
        if state.episode is not None and isinstance(state.episode.content, Episode):
            self._tables.add_episode(state.episode, state.episode.content)
        for answer_tick, event in state.open_events:
            self._tables.add_event(answer_tick, event)
        if state.answer is not None and isinstance(state.answer.content, EngineReply):
            self._tables.add_interventions(state.answer, state.answer.content)
        names = ", ".join(f"{event.kind} {event.name}" for _, event in state.open_events)
        self._tables.log(kind, f"{words}; open then: {names or 'nothing'}.")

    def _count(self) -> None:
        """What was written is on the disk."""
        self.ticks_on_disk = self._series.n_written
        self.last_tick_on_disk = self._series.last_written

    def _write(self, keep_last: bool = False, whole: bool = False, final: bool = False) -> None:
        if self._closed:
            raise RunError(f"The recording {self.path} is closed.")
        self._check_output()
        try:
            if self._tables.write():
                # events first: a killed writer must not leave a tick without what was found in it
                self._file.flush()
                self._dirty = True
            self._dirty |= self._series.write(keep_last, whole, final)
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None

    def _write_chunks(self) -> None:
        """Writes what fills whole chunks of the file; other rows and what they count wait for a flush."""
        if self._closed:
            raise RunError(f"The recording {self.path} is closed.")
        self._check_output()
        try:
            self._series.write_chunks()
        except (OSError, RuntimeError) as problem:
            raise self._failed(reason(problem)) from None
        self._dirty = True

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
        self._tables.end_intervals(last_tick + 1)
        self._closed = True
        with contextlib.suppress(OSError, RuntimeError):
            self._tables.write()
            self._series.write(keep_last=not self._answered, final=True)
            self._file.flush()
            self._file.sync()
            self._count()
            self._close_file()

    def _close_file(self, readers_s: float = READERS_S) -> str:
        return self._file.close(complete, readers_s)

    def _failed(self, why: str) -> RunError:
        self._closed = True
        return RunError(
            f"Writing {self.path} failed: {why}; at least its first {self.ticks_on_disk} ticks are "
            "on the disk and stay readable."
        )
