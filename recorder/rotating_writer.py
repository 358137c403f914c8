"""A recording in several files: each is whole by itself, with no tick missing or twice between them.

A rotation happens between two ticks: the next file is made under a hidden name, the present one is closed,
and only then does the next one get its name. What fails before that leaves the present file growing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recorder.empty_file import empty_recording
from recorder.file_rotation import (
    OpenState,
    RotationLimit,
    RotationState,
    check_parts,
    part_path,
)
from recorder.output_path import check_target
from recorder.writer import Writer
from rig.bus.external_inputs import armed_after
from rig.bus.message_types import (
    Array,
    Description,
    End,
    EngineReply,
    Episode,
    Fault,
    Message,
    Tick,
)
from rig.bus.open_intervals import OpenIntervals
from rig.errors import RunError, UserError

RETRY_S = 10.0
"""Animal time until a failed rotation is tried again."""


class RotatingWriter:
    """A recording in one file, or with a `limit` in several; otherwise like `Writer`.

    `part` is the number of the present file, from 0, `path` its name; counts are those of all files.

    Args:
        path: the first file.
        description: of the session.
        assets: files that the models of its episodes name: (bytes,) uint8 by file name.
        session: the session's id.
        overwrite: whether existing files are replaced.
        camera: whether the animal's camera is recorded.
        limit: when a file is full; None: never.
        clip: what a clip begins with.

    Raises:
        UserError: as `Writer`, and where a further file would replace another.
        RunError: as `Writer`.
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
        limit: RotationLimit | None = None,
        clip: OpenState | None = None,
    ) -> None:
        check_target(path, overwrite)
        if limit is not None:
            check_parts(path, overwrite)
        self.part = 0
        self._first_path = path
        self._description = description
        self._overwrite = overwrite
        self._camera = camera
        self._limit = limit
        image = empty_recording(description, assets, session, camera)
        self._image = image if limit is not None else b""
        self._writer = self._open(path, image, clip=clip)
        self._ticks_before = self._bytes_before = 0
        self._last_tick_before = -1
        self._error = ""
        self._retry_after = 0
        self._open_intervals = OpenIntervals()
        self._armed = description.armed
        self._answer: Message | None = None
        self._episode: Message | None = None
        self._waiting: list[Message] = []  # what belongs to the next tick, and so to its file

    @property
    def path(self) -> Path:
        """The present file."""
        return self._writer.path

    @property
    def error(self) -> str:
        """The latest sentence about something wrong, or ""."""
        return self._writer.error or self._error

    @property
    def ticks_on_disk(self) -> int:
        """Ticks that are flushed and synced, in all files."""
        return self._ticks_before + self._writer.ticks_on_disk

    @property
    def last_tick_on_disk(self) -> int:
        """The last of them; -1 if there is none."""
        last = self._writer.last_tick_on_disk
        return last if last >= 0 else self._last_tick_before

    @property
    def bytes_before(self) -> int:
        """Size in bytes of the files before the present one."""
        return self._bytes_before

    def add(self, message: Message) -> None:
        """Takes the next message of the stream."""
        content = message.content
        if self._limit is None or isinstance(content, Fault | End):
            self._add_waiting()
            self._writer.add(message)
        elif isinstance(content, Tick):
            if self._is_due():
                self._rotate(message.tick)
            self._add_waiting()
            self._writer.add(message)
            self._armed = armed_after(content.inputs, self._armed)
        elif isinstance(content, EngineReply):
            self._writer.add(message)
            self._open_intervals.add(content.events, message.tick)
            self._answer = message
        else:
            self._waiting.append(message)

    def log_malformed(self, sentence: str) -> None:
        """Writes into the log that something came that was no message."""
        self._writer.log_malformed(sentence)

    def flush(self, sync: bool = True) -> None:
        """As `Writer.flush`."""
        self._writer.flush(sync)

    def close(self, why: str = "") -> None:
        """As `Writer.close`."""
        self._add_waiting()
        self._writer.close(why)

    # --- from one file to the next --------------------------------------------------------------

    def _add_waiting(self) -> None:
        for message in self._waiting:
            if isinstance(message.content, Episode):
                self._episode = message
            self._writer.add(message)
        self._waiting = []

    def _is_due(self) -> bool:
        assert self._limit is not None
        writer = self._writer
        if not writer.answered or writer.n_ticks <= self._retry_after:
            return False
        return self._limit.is_due(writer.n_ticks * self._description.tick_s, writer.file_bytes)

    def _rotate(self, first_tick: int) -> None:
        begins = any(isinstance(message.content, Episode) for message in self._waiting)
        rotation = RotationState(
            number=self.part + 1,
            previous_file=self.path.name,
            first_tick=first_tick,
            expected=self._writer.expected,
            episode=None if begins else self._episode,
            open_events=self._open_intervals.answered,
            answer=self._answer,
            armed=self._armed,
        )
        try:
            following = self._open(
                part_path(self._first_path, rotation.number), self._image, rotation
            )
        except (RunError, UserError) as problem:
            self._error = f"{self.path} continues without a next file: {problem}"
            self._writer.log_note(self._error)
            retry_ticks = round(RETRY_S / self._description.tick_s)
            self._retry_after = self._writer.n_ticks + retry_ticks
            return
        try:
            self._writer.close(
                next_file=f"Continues in {following.path.name} with tick {first_tick}."
            )
        except RunError:
            following.discard()
            raise
        self._ticks_before += self._writer.ticks_on_disk
        self._last_tick_before = self._writer.last_tick_on_disk
        self._bytes_before += self.path.stat().st_size
        self._error = self._writer.error
        self._retry_after = 0
        following.publish()
        self._writer = following
        self.part = rotation.number

    def _open(
        self,
        path: Path,
        image: bytes,
        rotation: RotationState | None = None,
        clip: OpenState | None = None,
    ) -> Writer:
        return Writer(
            path,
            self._description,
            {},
            overwrite=self._overwrite,
            camera=self._camera,
            image=image,
            rotation=rotation,
            clip=clip,
        )
