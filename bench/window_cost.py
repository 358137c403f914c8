"""`python -m bench.window_cost`: what the window costs a session and the machine.

From the command to the first picture (raster and arena alive); ticks of one session in real time that are
late without the window and with it, in turns, so that whatever else the machine does falls on both; the
window's memory and processor time meanwhile; and its processor time while it shows the page that sets a
session up. The session is in a maze, whose arenas are the largest. The load of the machine stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.table import Table

from rig.bus.message_types import Tick
from rig.client import attach
from rig.errors import RunError
from rig.process_memory import memory_mb
from rig.session.directory import running_sessions

ROOT = Path(__file__).resolve().parents[1]
SIZE_PX = (1600, 1000)
SETTLED_S = 8.0
"""The window is measured so long after its first picture."""
PATIENCE_S = 240.0
AIMS = (
    "aims: first picture in 4 s; no more late ticks with the window than without;\n"
    "under 400 MB in a maze; under 5 % of a core where nothing moves"
)


@dataclass(frozen=True)
class Stretch:
    """Some seconds of the session, `with_window` or not: ticks, and those that were late."""

    with_window: bool
    ticks: int
    late: int
    load: float


@dataclass(frozen=True)
class Cost:
    """What the window took: seconds to the first picture, MB, and shares of a core."""

    first_tick_s: float
    first_picture_s: float
    memory_mb: float
    cpu_share: float
    idle_cpu_share: float
    stretches: tuple[Stretch, ...]


def measure(protocol: Path, seconds: float, rounds: int) -> Cost:
    """All of it, one after the other.

    Args:
        protocol: of the session.
        seconds: of each stretch.
        rounds: stretches without the window, and as many with it.
    """
    with _runtime() as environment:
        with _window(environment, "empty") as window:
            _line_of(window, "shown")
            time.sleep(SETTLED_S)
            idle = _cpu_share(window.pid, seconds)
        with _window(environment, str(protocol)) as window:
            first_tick_s = float(_line_of(window, "tick"))
            first_picture_s = float(_line_of(window, "picture"))
        stretches, memory, cpu = [], [], []
        with _session(environment, protocol) as session:
            for _ in range(rounds):
                stretches.append(_late(session, seconds, False))
                with _window(environment, f"attach {session}") as window:
                    _line_of(window, "picture")
                    time.sleep(SETTLED_S)
                    began = _cpu_s(window.pid)
                    stretches.append(_late(session, seconds, True))
                    cpu.append((_cpu_s(window.pid) - began) / seconds)
                    memory.append(memory_mb(window.pid))
                time.sleep(1.0)
    return Cost(first_tick_s, first_picture_s, max(memory), mean(cpu), idle, tuple(stretches))


@contextmanager
def _runtime() -> Iterator[dict[str, str]]:
    """An environment in which no other session runs."""
    with tempfile.TemporaryDirectory(prefix="bw-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        os.chmod(folder, 0o700)
        yield os.environ | {"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}


@contextmanager
def _session(environment: dict[str, str], protocol: Path) -> Iterator[str]:
    """A session without a window, in real time and recorded; its name."""
    with tempfile.TemporaryDirectory(prefix="bw-") as folder:
        command = [sys.executable, "-m", "cli", "run", str(protocol), "--seed", "1"]
        command += ["--pace", "realtime", "--out", f"{folder}/bench.nwb"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not running_sessions() and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(1.0)
            name = running_sessions()[0].session
            _late(name, 2.0, False)
            yield name
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@contextmanager
def _window(environment: dict[str, str], what: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.window_cost", "--child", what, repr(time.monotonic())]
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        deadline = time.monotonic() + PATIENCE_S
        while not what.startswith("attach") and running_sessions() and time.monotonic() < deadline:
            with suppress(RunError), attach(running_sessions()[0].session) as client:
                client.command("stop")
            time.sleep(1.0)


def _line_of(process: subprocess.Popen[str], word: str) -> str:
    """What a window has to say of something, once it does."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise SystemExit(f"The window ended before its {word}.")


def _late(session: str, seconds: float, with_window: bool) -> Stretch:
    """Counts a session's ticks for so long, from the first that comes."""
    ticks = late = 0
    began: float | None = None
    with attach(session) as client:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and (began is None or time.monotonic() - began < seconds):
            for message in client.poll(0.1):
                if isinstance(message.content, Tick):
                    began = began or time.monotonic()
                    ticks += 1
                    late += message.content.overrun
    return Stretch(with_window, ticks, late, os.getloadavg()[0])


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_share(pid: int, seconds: float) -> float:
    began = _cpu_s(pid)
    time.sleep(seconds)
    return (_cpu_s(pid) - began) / seconds


def child(what: str, began_s: float) -> None:
    """A window that says on its standard output when it shows something."""
    from PyQt6.QtCore import QTimer
    from PyQt6.QtWidgets import QApplication

    application = QApplication(["rodent-rig"])
    said: set[str] = set()

    def say(word: str, true: bool) -> None:
        if true and word not in said:
            said.add(word)
            print(word, f"{time.monotonic() - began_s:.2f}", flush=True)

    def look() -> None:
        from gui.main_window import MainWindow

        for window in application.topLevelWidgets():
            if isinstance(window, MainWindow):
                if "shown" not in said:
                    window.resize(*SIZE_PX)
                say("shown", window.isVisible())
                say("tick", window.panels.timeline.raster.last_tick >= 0)
                say("picture", "tick" in said and window.panels.arena.image is not None)

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(30)
    if what.startswith("attach"):
        from gui.app import open_window

        open_window(attach=what.split()[1])
    else:
        from cli.sessions import gui

        gui(None if what == "empty" else [Path(what)])


def main() -> None:
    """Prints the table and writes `bench/window_cost.json`."""
    parser = argparse.ArgumentParser(prog="bench.window_cost", description=__doc__)
    parser.add_argument("--protocol", type=Path, default=Path("protocols/forage.yaml"))
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stretch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], float(given.child[1]))
        return
    cost = measure(given.protocol.resolve(), given.seconds, given.rounds)
    console = Console(width=130)
    console.print(_table(cost))
    console.print(AIMS)
    path = Path(__file__).with_name("window_cost.json")
    path.write_text(json.dumps({"cores": os.cpu_count(), **asdict(cost)}, indent=2) + "\n")
    console.print(f"written to {path}")


def _table(cost: Cost) -> Table:
    table = Table(title="What the window costs, in a maze")
    table.add_column("")
    table.add_column("", justify="right")
    loads = [each.load for each in cost.stretches]
    for with_window in (False, True):
        found = [each for each in cost.stretches if each.with_window == with_window]
        share = 100 * sum(each.late for each in found) / max(sum(each.ticks for each in found), 1)
        table.add_row(
            f"late ticks {'with' if with_window else 'without'} the window", f"{share:.1f} %"
        )
    for words, value in (
        ("from the command to the first tick", f"{cost.first_tick_s:.1f} s"),
        ("… to the first picture of the arena", f"{cost.first_picture_s:.1f} s"),
        ("memory (PSS)", f"{cost.memory_mb:.0f} MB"),
        ("of a core, while the animal runs", f"{cost.cpu_share * 100:.0f} %"),
        ("of a core, on the page that sets a session up", f"{cost.idle_cpu_share * 100:.1f} %"),
        ("load of the machine", f"{min(loads):.1f} to {max(loads):.1f}"),
    ):
        table.add_row(words, value)
    return table


if __name__ == "__main__":
    main()
