"""Runs the real command line, for tests that go through its doors."""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from cli.main import main
from rig.bus.client import BusClient
from rig.errors import RunError
from rig.session.directory import SessionDirectory, running_sessions, runtime_folder

ROOT = Path(__file__).resolve().parents[1]
NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
FIRST_LIGHT = ROOT / "protocols" / "first_light.yaml"


def rodent_rig(
    *arguments: object,
    timeout_s: float = 120,
    without: tuple[str, ...] = (),
    cwd: Path = ROOT,
    file_bytes: int | None = None,
    nobody: bool = False,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """`rodent-rig …`, to its end.

    Args:
        arguments: its words.
        timeout_s: how long it may take.
        without: variables of the environment that it does not get.
        cwd: the working folder; as the installed command does, it looks for no modules there.
        file_bytes: no file that it writes may be larger.
        nobody: run it as a user who owns nothing and may read everything, where we are root; else as we are.
        variables: more of the environment.
    """
    environment = {name: value for name, value in os.environ.items() if name not in without}

    def limit() -> None:
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    user = NOBODY if nobody and os.geteuid() == 0 and shutil.which("setpriv") else ()
    return subprocess.run(
        [*user, sys.executable, "-P", "-m", "cli", *map(os.fsencode, map(str, arguments))],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT)} | environment | variables,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        preexec_fn=limit,
    )


SHADOWS = (
    *("queue.py", "random.py", "select.py", "recorder.py", "cli.py", "parallel.py"),
    *("rig/__init__.py", "stim/__init__.py", "agent/__init__.py", "gui/__init__.py"),
)


def lay_shadows(folder: Path) -> None:
    """Puts files of the names that Python's own modules and ours have into a folder; run, they say so."""
    for name in SHADOWS:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"raise SystemExit({name!r} + ' was run')")


def rodent_rig_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`rodent-rig …` in this process: for what a command says and does, not for how it is started."""
    out, err = io.StringIO(), io.StringIO()
    words = ["rodent-rig", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ),  # a command changes it for the processes that it starts
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    status = ended.value.code
    assert status is None or isinstance(status, int), status
    return subprocess.CompletedProcess(words, status or 0, out.getvalue(), err.getvalue())


class RunningRig:
    """`rodent-rig …` while it runs; whatever is left of it is killed at the end of a `with`.

    Args:
        arguments: its words.
        cwd: the working folder.
        variables: more of the environment.
    """

    def __init__(self, *arguments: object, cwd: Path = ROOT, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._known: set[int] = set()

    def __enter__(self) -> RunningRig:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in [self.process.pid, *self.children().values()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.communicate(timeout=20)

    def children(self) -> dict[str, int]:
        """The session's processes by module, e.g. "stim.process", as long as they live."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            folder = str(runtime_folder()).encode()
            if state != "Z" and b"-m" in words and any(word.startswith(folder) for word in words):
                found[words[words.index(b"-m") + 1].decode()] = int(entry.name)
        return found

    def attach(self, timeout_s: float = 180) -> BusClient:
        """A client of the session, joined, once the animal runs."""
        wait_for(lambda: bool(running_sessions()) or self.process.poll() is not None, timeout_s)
        assert self.process.poll() is None, self.process.communicate(timeout=60)
        bus = BusClient.of(SessionDirectory(runtime_folder() / running_sessions()[0].session))
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                bus.join()
                wait_for(
                    lambda: any(message.topic == "tick" for message in bus.poll(0.1)), timeout_s
                )
                return bus
            except RunError:
                if time.monotonic() > deadline:
                    bus.close()
                    raise
                time.sleep(0.1)

    def end(self, timeout_s: float = 60) -> tuple[int, str, str]:
        """Waits for its end: exit status, standard output, standard error."""
        out, err = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, out, err


def free_port() -> int:
    """A port that is free, and the next one too.

    None of those that are given to who asks for any, nor of Ray's own workers (10002 to 19999), which a Ray
    cluster refuses to listen at.
    """
    for _ in range(100):
        port = random.SystemRandom().randrange(20_000, 32_000, 2)
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise AssertionError("no two ports are free")


def lose(client: BusClient, n: int) -> None:
    """Messages that a client never gets, as when its queue overflowed."""
    for _ in range(n):
        assert client._stream.poll(20_000), "nothing comes"
        client._stream.recv_multipart()


def wait_for(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Waits until it is so; fails if it never is."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
