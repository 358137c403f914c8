"""Opens recordings as a user would, in a process that may crash, hang or eat memory.

`Opener.attempt(path)` opens a file in every way and tells what came of it.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rig.errors import RunError, UserError

MOST_BYTES = 1_500_000_000
"""How much more memory than it has at its start the opening process may take."""
CPU_LIMIT_S = 20
"""For all ways of opening a file together; the whole one takes less than two."""
TIME_LIMIT_S = 200.0
REPLAY_S = 2.0


class OpenResult(NamedTuple):
    """What came of one way of opening a file: exit status, and what stood on standard error."""

    way: str
    status: int
    said: str


def _touch_everything(path: Path) -> None:
    import recorder

    with recorder.open(path) as recording:
        for name in recording.series:
            recording.values(name)
        recording.times_s()
        recording.activity()
        recording.frame("body")
        assert recording.behaviours.keys() == set(recording.description.behaviours)
        assert recording.stimuli
        assert recording.trial_set is not None
        assert recording.task_event_times is not None
        assert recording.inputs is not None
        assert recording.events is not None
        assert recording.faults is not None
        assert recording.assets is not None
        for trial in recording.trials[:5]:
            recording.model_xml(trial)
            recording.trial_of(trial.first_tick)
        assert recorder.info(path)


def _command(*arguments: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        from cli.main import main

        sys.argv = ["rodent-rig", *(str(path) if each == "F" else each for each in arguments)]
        main()

    return run


WAYS: dict[str, Callable[[Path], None]] = {
    "open": _touch_everything,
    "info": _command("info", "F"),
    "replay": _command("replay", "F", "--bus", "--speed", "20"),
    "recover": _command("recover", "F"),
}


def _open_in_every_way(path: Path, results: int) -> None:
    """Runs in a process of its own, which it ends; writes what it is about to do, and what came of it."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_BYTES, now + MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = int(used.ru_utime + used.ru_stime) + CPU_LIMIT_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
    os.dup2(said.fileno(), 2)
    for way, act in WAYS.items():
        os.write(results, json.dumps([way]).encode() + b"\n")
        start = said.seek(0, os.SEEK_END)
        status = 0
        if way == "replay":
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
            signal.setitimer(signal.ITIMER_REAL, REPLAY_S)
        try:
            act(path)
        except SystemExit as left:
            status = int(left.code or 0)
        except (UserError, RunError) as problem:
            print(problem, file=sys.stderr)
            status = 2 if isinstance(problem, UserError) else 1
        except BaseException:
            traceback.print_exc()
            status = 70
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stderr.flush()
        said.seek(start)
        text = said.read().decode("utf-8", "replace")
        os.write(results, json.dumps(OpenResult(way, status, text)).encode() + b"\n")
    os._exit(0)


def _attempt(path: Path) -> list[OpenResult]:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        try:
            _open_in_every_way(path, theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    way, found, late = "start", [], False
    with open(ours, "rb") as lines:
        while True:
            if not select.select([lines], [], [], TIME_LIMIT_S)[0]:
                late = True
                os.kill(pid, signal.SIGKILL)
            line = lines.readline()
            if not line:
                break
            way, *rest = json.loads(line)
            if rest:
                found.append(OpenResult(way, *rest))
    _, status = os.waitpid(pid, 0)
    if late:
        found.append(OpenResult(way, -999, f"no end within {TIME_LIMIT_S:g} s"))
    elif status:
        found.append(OpenResult(way, -status, "the process did not survive it"))
    return found


class Opener:
    """Opens files in every way, each in a new process, made from one that has its imports done."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.guarded_opening"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def attempt(self, path: Path) -> list[OpenResult]:
        """What came of each way; one that the process did not survive has a status below 0."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return [OpenResult(*each) for each in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=60)


def _serve() -> None:
    import pynapple  # noqa: F401
    import rich.console  # noqa: F401

    import cli.main
    import recorder.replay_session  # noqa: F401

    assert cli.main
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(_attempt(Path(line.rstrip("\n")))), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
