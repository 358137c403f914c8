"""A session as a user has it: a command that runs, its folder of sockets, its bus, what it prints."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos.plan import DURATION_S, Plan
from chaos.processes import alive, children, send
from chaos.received import Received
from rig.bus.client import BusClient
from rig.errors import RunError
from rig.session.directory import SessionDirectory

ROOT = Path(__file__).resolve().parents[1]
LOOKS_EACH_S = 0.1
"""Looking through all processes takes a while: not more often than this."""
LONGEST_S = 400.0
"""After so long without an end a session has hung."""


class Door:
    """A session that was started by a command, and everything that it says.

    `follow` listens; leaving the `with` block ends whatever is still there, by its process number.
    """

    given_up = threading.Event()
    """Once set, every session is ended as soon as it can be."""

    def __init__(self, plan: Plan, folder: Path, file: Path) -> None:
        self.received = Received()
        self._folder = folder
        self._runtime = Path(
            tempfile.mkdtemp(prefix="rr-")
        )  # short, as paths of sockets have to be
        self._bus: BusClient | None = None
        self._known: set[int] = set()
        self._started_s = time.monotonic()
        self._looked_s = 0.0
        protocol = folder / "protocol.yaml"
        protocol.write_text(plan.protocol)
        words = ["gui", str(protocol), "--seed", str(plan.number)]
        if plan.kind != "window":
            words = ["run", str(protocol), "--out", str(file), "--seed", str(plan.number)]
            words += ["--pace", plan.pace, "--duration", str(DURATION_S)]
            words += [] if plan.camera else ["--no-camera"]
            words += [] if plan.picture else ["--no-picture"]
        environment = os.environ | {
            "XDG_RUNTIME_DIR": str(self._runtime),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "QT_QPA_PLATFORM": "offscreen",
        }
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", *words],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bus is not None:
            self._bus.close()
        self._note_processes()
        send(self.process.pid, signal.SIGKILL)
        for pid in self._known:
            if alive(pid):
                send(pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self._runtime, ignore_errors=True)

    # --- what it is -----------------------------------------------------------------------------

    @property
    def directory(self) -> SessionDirectory | None:
        """The session's folder, as long as the session is listed as running."""
        for note in self._runtime.glob("rodent-rig/*/session.json"):
            return SessionDirectory(note.parent)
        return None

    @property
    def supervisor(self) -> int:
        """The process that owns the session; 0 if there is none (yet, or any more)."""
        directory = self.directory
        note = directory.note() if directory else None
        return note.pid if note else 0

    def pid(self, module: str) -> int:
        """The session's process that runs a module; 0 if there is none."""
        return self._note_processes().get(module, 0)

    def has_begun(self, module: str) -> bool:
        """Whether the process that runs a module is there; for "", whether the session is."""
        now = time.monotonic()
        if module and now - self._looked_s > LOOKS_EACH_S:
            self._looked_s = now
            return bool(self.pid(module))
        return not module and bool(self.supervisor)

    @property
    def over(self) -> bool:
        """Whether the command has ended and nobody owns the session any more."""
        return self.process.poll() is not None and not alive(self.supervisor)

    @property
    def left(self) -> list[int]:
        """Processes of the session that are still alive."""
        self._note_processes()
        return [pid for pid in self._known if alive(pid)]

    @property
    def litter(self) -> list[str]:
        """Files and sockets that the session has left in the runtime folder."""
        return [
            path.name for path in self._runtime.rglob("*") if path.is_socket() or path.is_file()
        ]

    def windows(self) -> int:
        """How many clients hear the stream, besides this one: connections to its socket."""
        directory = self.directory
        if directory is None:
            return 0
        address = str(directory.path / "stream")
        table = Path("/proc/net/unix").read_text().splitlines()
        # one entry listens, one is the hub's, one our own
        return sum(line.endswith(f" {address}") for line in table) - 3

    @property
    def said(self) -> str:
        """What the command has printed."""
        return (self._folder / "out").read_text(errors="replace")

    @property
    def complained(self) -> str:
        """What the command has printed to its standard error."""
        return (self._folder / "err").read_text(errors="replace")

    def _note_processes(self) -> dict[str, int]:
        supervisor = self.supervisor
        if not supervisor:
            return {}
        found = children(supervisor)
        self._known |= {supervisor, *found.values()}
        return found

    # --- listening ------------------------------------------------------------------------------

    def follow(self, until: Callable[[], bool], limit_s: float = LONGEST_S) -> bool:
        """Listens until it is so, or the session is over, or the time is up. Whether it was so.

        Raises `TimeoutError` when the session has gone on for too long as a whole, or all are given up.
        """
        deadline = time.monotonic() + limit_s
        while True:
            over = self.over
            self._listen()
            if until():
                return True
            if over:
                return False
            now = time.monotonic()
            if now > deadline:
                return False
            if now - self._started_s > LONGEST_S or self.given_up.is_set():
                raise TimeoutError

    def wait_until_gone(self, limit_s: float) -> None:
        """Listens until no process of the session is left, also when nobody owns it any more."""
        deadline = time.monotonic() + limit_s
        while self.left and time.monotonic() < deadline:
            self._listen()
            time.sleep(0.05)

    def _listen(self) -> None:
        if self._bus is None:
            directory = self.directory
            if directory is None:
                time.sleep(0.02)
                return
            self._bus = BusClient.of(directory)
        self.received.take(self._bus.poll(0.02))

    @property
    def lost(self) -> int:
        """Ticks that did not come over the bus and could not be had from its history."""
        return self._bus.lost if self._bus else 0

    def command(self, verb: str, **args: object) -> str:
        """Asks the session for something; the sentence with which it refuses, or ""."""
        assert self._bus is not None
        try:
            self._bus.command(verb, 30.0, **args)
        except RunError as problem:
            return str(problem)
        return ""
