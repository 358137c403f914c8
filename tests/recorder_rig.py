"""A recorder process with the sockets around it, for tests."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

import recorder.process
from rig.bus.encoding import decode, encode
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import Message, RecorderReport
from rig.session.directory import SessionDirectory

ROOT = Path(__file__).parent.parent

LIMIT_S = 60.0
"""How long a recorder process is waited for: it imports pynwb, which takes its time on a busy machine."""


def _run(arguments: list[str]) -> None:
    sys.exit(recorder.process.main(arguments))  # else its status would be lost


class WarmProcess:
    """A recorder process forked from one that has its imports done, for tests that start many."""

    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["recorder.process", "recorder.nwb_objects"])
    stderr = None

    def __init__(self, arguments: list[str]) -> None:
        self._process = self._context.Process(target=_run, args=(arguments,))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout_s: float | None = None) -> int | None:
        self._process.join(timeout_s)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class Rig:
    """The sockets around a recorder process, and the process itself."""

    def __init__(
        self, folder: Path, file: Path, *options: str, limit_bytes: int = 0, warm: bool = False
    ) -> None:
        self.directory = SessionDirectory(folder)
        self.file = file
        self._inner = InnerSockets(self.directory)
        self.stream = self._inner.bind(zmq.PUSH, "recorder", sndhwm=1000, linger=0)
        self._reports = self._inner.bind(zmq.PULL, "recorder_report")
        self.reports: list[RecorderReport] = []
        arguments = [str(folder), str(file), *options]
        self.process: subprocess.Popen[str] | WarmProcess
        if warm:
            self.process = WarmProcess(arguments)
            return
        command = [sys.executable, "-m", "recorder.process", *arguments]
        if limit_bytes:
            shell = f'ulimit -f {limit_bytes // 1024}; exec "$@"'
            command = ["bash", "-c", shell, "bash", *command]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def send(self, message: Message, timeout_s: float = LIMIT_S) -> None:
        frames = encode(message)
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.stream.send_multipart(frames, zmq.NOBLOCK)
            except zmq.Again:
                # not a blocking send: its peer may be gone by then, and it would wait for ever
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError("the recorder takes no more messages") from None
                self.stream.poll(min(100, int(left_s * 1000) + 1), zmq.POLLOUT)

    def send_all(self, messages: Iterator[Message]) -> list[Message]:
        sent = list(messages)
        for message in sent:
            self.send(message)
        return sent

    def listen(self, timeout_s: float = 0.0) -> list[RecorderReport]:
        """The reports that came, waiting up to `timeout_s` for the first."""
        new: list[RecorderReport] = []
        while self._reports.poll(0 if new else int(timeout_s * 1000)):
            content = decode(self._reports.recv_multipart()).content
            assert isinstance(content, RecorderReport)
            new.append(content)
        self.reports += new
        return new

    def wait_for(self, state: str, ticks: int = 0, timeout_s: float = LIMIT_S) -> RecorderReport:
        """Waits for a report with this state and at least so many ticks on disk."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for report in self.listen(0.2):
                if report.state == state and report.ticks_on_disk >= ticks:
                    return report
        raise TimeoutError(f"no report of {state} with {ticks} ticks; last: {self.reports[-1:]}")

    def wait(self, timeout_s: float = LIMIT_S) -> int:
        """The exit status of the process."""
        status = self.process.wait(timeout_s)
        self.listen()
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        if self.process.stderr:
            self.process.stderr.close()
        self.stream.close()
        self._reports.close()
        self._inner.close()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
