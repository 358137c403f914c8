"""The recorder process: `python -m recorder.process DIR FILE.nwb [--socket NAME] [--overwrite] [--camera]`
`[--roll-over LIMIT] [--clip] [--reports NAME]`.

It takes the session's lossless stream, writes it with `recorder.writer`, and reports several times a
second what is on the disk: from the loop that writes, so that a recorder that hangs falls silent. Its
first report, "starting", says that it is ready and that the file can be made where it was asked for. It
ends with the session's `End`, at SIGTERM, and when its parent dies, each time with the file closed. A clip is
written by a process that gives way to all others (`recorder.clip`).

Exit status: 0 the recording is closed and complete; 1 it failed; 2 it could not be made as asked.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import zmq

from recorder.clip import opening_of
from recorder.file_rotation import RotationLimit, check_parts, parse_rotation_limit
from recorder.output_path import check_target, free_bytes
from recorder.rotating_writer import RotatingWriter
from rig.bus.encoding import MessageError, decode, encode
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import Array, Assets, Description, End, Message, RecorderReport, Tick
from rig.errors import RunError, UserError
from rig.session.directory import SessionDirectory
from rig.session.exit_with_parent import exit_with_parent

FLUSH_EVERY_S = 0.15
"""How often rows are handed to the system, which keeps them when this process is killed; every second
time they are synced to the disk, too, and acknowledged: within half a second, also where that takes long."""

REPORT_EVERY_S = 0.2
GENTLE = 15
"""How much a process that saves a clip gives way: there is no hurry, and an animal may be running."""
DRAIN_S = 2.0
"""How long to go on taking what is still in the pipe after SIGTERM."""


class Recorder:
    """The loop of the process: socket → writer → reports.

    Args:
        directory: of the session, with its sockets.
        socket: name of the one that brings the stream.
        path: the file to make.
        overwrite: whether an existing file is replaced.
        camera: whether the animal's camera is recorded.
        limit: when the recording continues in a next file; None: never.
        clip: whether the stream is that of a clip, which begins with what was open then.
        reports: the socket that takes the reports.
    """

    def __init__(
        self,
        directory: SessionDirectory,
        socket: str,
        path: Path,
        overwrite: bool,
        camera: bool,
        limit: RotationLimit | None = None,
        clip: bool = False,
        reports: str = "recorder_report",
    ) -> None:
        self._path = path
        self._overwrite = overwrite
        self._camera = camera
        self._limit = limit
        self._clip = clip
        self._assets: Mapping[str, Array] = {}
        self._inner = InnerSockets(directory)
        self._stream = self._inner.connect(zmq.PULL, socket)
        self._reports = self._inner.connect(zmq.PUSH, reports, linger=1000)
        self._n_reports = 0
        self._session = directory.session
        self._description: Description | None = None
        self._waiting: list[Message] = []
        self._writer: RotatingWriter | None = None
        self._ended = False
        self.stopping = False

    def run(self) -> None:
        """Records until the session ends or `stopping` is set. Raises `UserError`, `RunError`."""
        check_target(self._path, self._overwrite)
        if self._limit is not None:
            check_parts(self._path, self._overwrite)
        self._report("starting", "")
        flushed = reported = time.monotonic()
        stop_at = float("inf")
        syncing = False
        while not self._ended:
            came = self._receive(0.05)
            now = time.monotonic()
            if self.stopping:
                stop_at = min(stop_at, now + DRAIN_S)
                if not came or now > stop_at:
                    break
            if self._writer is not None and now - flushed > FLUSH_EVERY_S:
                syncing = not syncing
                self._writer.flush(sync=syncing)
                flushed = now
                reported = 0.0
            if self._writer is not None and now - reported > REPORT_EVERY_S:
                self._report("recording", self._writer.error)
                reported = now
        self._finish()

    def report_failure(self, sentence: str) -> None:
        """Reports that the recording failed."""
        self._report("failed", sentence)

    def close(self) -> None:
        """Closes the sockets, the last report sent."""
        self._stream.close(linger=0)
        self._reports.close()
        self._inner.close()

    def _finish(self) -> None:
        if self._writer is None:
            raise RunError(
                f"The recorder was stopped before the session described itself; {self._path} was not made."
            )
        self._writer.close(
            "" if self._ended else "The recorder was stopped before the session's end."
        )
        self._report("closed", self._writer.error)

    def _receive(self, timeout_s: float) -> bool:
        """Takes what has come, at most a block of it. Whether anything had."""
        if not self._stream.poll(int(timeout_s * 1000)):
            return False
        for _ in range(128):
            try:
                frames = self._stream.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            try:
                message = decode(_buffers(frames))
            except MessageError as problem:
                if self._writer is not None:
                    self._writer.log_malformed(str(problem))
                continue
            self._handle(message)
            if self._ended:
                break
        return True

    def _handle(self, message: Message) -> None:
        if self._writer is not None:
            self._writer.add(message)
            self._ended = isinstance(message.content, End)
        elif isinstance(message.content, Description):
            self._description = message.content
            self._session = message.session or self._session
        elif isinstance(message.content, Assets):
            self._assets = message.arrays
            if not self._clip:
                self._start()
        elif isinstance(message.content, End):
            self._ended = True
        else:
            self._waiting.append(message)
            if isinstance(message.content, Tick) and self._clip:
                self._start()

    def _start(self) -> None:
        if self._description is None:
            raise RunError(
                "The session's stream began without a description; nothing was recorded."
            )
        opening, waiting = opening_of(self._waiting) if self._clip else (None, self._waiting)
        self._writer = RotatingWriter(
            self._path,
            self._description,
            self._assets,
            session=self._session,
            overwrite=self._overwrite,
            camera=self._camera,
            limit=self._limit,
            clip=opening,
        )
        self._assets = {}
        for message in waiting:
            self._writer.add(message)
        self._waiting = []
        self._report("recording", "")

    def _report(self, state: str, error: str) -> None:
        writer = self._writer
        path = writer.path if writer else self._path
        size = writer.bytes_before if writer else 0
        free = -1
        with contextlib.suppress(OSError):
            free = free_bytes(path)
        with contextlib.suppress(OSError):  # it may not be made yet
            size += path.stat().st_size
        report = RecorderReport(
            state=state,
            file=str(path),
            ticks_on_disk=writer.ticks_on_disk if writer else 0,
            last_tick=writer.last_tick_on_disk if writer else -1,
            file_bytes=size,
            free_bytes=free,
            error=error,
            part=writer.part if writer else 0,
        )
        message = Message(report, self._session, report.last_tick, self._n_reports)
        self._n_reports += 1
        with contextlib.suppress(zmq.Again):  # nobody has read a thousand of them: go on writing
            self._reports.send_multipart(encode(message), zmq.NOBLOCK)


def _buffers(frames: list[zmq.Frame]) -> list[Any]:
    """What decoding needs of received frames: the first two as bytes, the arrays' as it lies in memory."""
    return [frame.bytes if k < 2 else frame.buffer.toreadonly() for k, frame in enumerate(frames)]


def main(arguments: list[str] | None = None) -> int:
    """Runs the recorder process. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="recorder.process", description="Records a session.")
    parser.add_argument("directory", type=Path, help="folder of the session's sockets")
    parser.add_argument("file", type=Path, help="the recording to make")
    parser.add_argument("--socket", default="recorder", help="the socket of the session's stream")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.add_argument("--camera", action="store_true", help="record what the animal sees, too")
    parser.add_argument(
        "--roll-over", default="", help="begin a next file after, e.g. 10min, 500MB"
    )
    parser.add_argument("--clip", action="store_true", help="the stream is that of a clip")
    parser.add_argument(
        "--reports", default="recorder_report", help="the socket that takes the reports"
    )
    given = parser.parse_args(arguments)
    if given.clip:
        os.nice(GENTLE)
    try:
        recorder = Recorder(
            SessionDirectory(given.directory),
            given.socket,
            given.file,
            given.overwrite,
            given.camera,
            parse_rotation_limit(given.roll_over) if given.roll_over else None,
            given.clip,
            given.reports,
        )
    except (UserError, RunError) as problem:
        print(problem, file=sys.stderr)
        return 2 if isinstance(problem, UserError) else 1

    def stop(number: int, frame: FrameType | None) -> None:
        recorder.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    exit_with_parent()
    if not given.clip:
        import pynwb  # noqa: F401  (slow: now, while the session starts, and not at its first message)

    status = 0
    try:
        recorder.run()
    except (UserError, RunError) as problem:
        recorder.report_failure(str(problem))
        print(problem, file=sys.stderr)
        status = 2 if isinstance(problem, UserError) else 1
    except Exception as problem:
        recorder.report_failure(f"The recorder failed ({type(problem).__name__}: {problem}).")
        traceback.print_exc()
        status = 1
    recorder.close()
    return status


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # after a failed write HDF5 would try again at exit, and complain
    os._exit(code)
