"""The processes of a session: started as commands, watched, ended; none is left behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM

from rig.child_python import ONE_THREAD, PARENT, environment, python

_ONE_THREAD = ONE_THREAD | {"LP_NUM_THREADS": "0"}
"""A session has about as many processes as a laptop has cores: none of them gets threads of its own, and
software OpenGL (llvmpipe) draws the animal's 64×64 pixels fastest in the thread that asks."""


class ChildProcess:
    """One process of a session, running a module of ours; its standard error goes to a log in the folder."""

    def __init__(self, name: str, module: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._asked_to_end = False
        given = environment() | _ONE_THREAD
        given.setdefault("MUJOCO_GL", "egl")
        given.setdefault("PYTHONUNBUFFERED", "1")
        given[PARENT] = str(os.getpid())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                python("-m", module, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=given,
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    @property
    def state(self) -> str:
        """As in a `Status`: "alive", "ended" (its work done, or as it was asked to) or "dead"."""
        status = self.status
        if status is None:
            return "alive"
        return "ended" if status == 0 or (self._asked_to_end and status == -SIGTERM) else "dead"

    def stderr_tail(self) -> str:
        """Why it failed: the last line of its log is its one sentence, or the error it stumbled over."""
        try:
            log = self._log.read_text(errors="replace").strip()
        except OSError:
            return ""
        last = log.splitlines()[-1] if log else ""
        if "Traceback (most recent call last)" in log:
            return f"The {self.name} process stumbled over an error of its own: {last}."
        return last

    def end(self, wait_s: float = 5.0, meanwhile: Callable[[], object] | None = None) -> None:
        """Asks it to end (SIGTERM), waits, and kills it if it does not.

        Args:
            wait_s: how long it may take.
            meanwhile: is called again and again until then; it should return soon.
        """
        if self.status is None:
            self._asked_to_end = True
            self._process.terminate()
            if not self.wait(wait_s, meanwhile):
                self.kill()

    def kill(self) -> None:
        """Ends it at once, also one that does not listen; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def wait(self, wait_s: float, meanwhile: Callable[[], object] | None = None) -> bool:
        """Whether it ended by itself within the time; arguments as of `end`."""
        deadline = time.monotonic() + wait_s
        while self.status is None:
            if time.monotonic() > deadline:
                return False
            if meanwhile is not None:
                meanwhile()
            time.sleep(0.01)
        return True
