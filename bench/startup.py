"""`python -m bench.startup`: from the command to the first tick, and the memory of each process of a session.

`--beside FOLDER` measures a checkout of another version in turns with this one, in the same run.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import zmq
from rich.console import Console
from rich.table import Table

from rig.process_memory import family, memory_mb, module_of

ROOT = Path(__file__).resolve().parents[1]
SETTLED_S = 2.0
"""Memory is read so long after the first tick."""
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Start:
    """One start of a recorded corridor session without a window.

    Attributes:
        first_tick_s: from the command until its first tick is on the bus.
        memory_mb: proportional set size of each process, by its module.
    """

    first_tick_s: float
    memory_mb: dict[str, float]


def start(checkout: Path) -> Start:
    """Starts a session of a checkout, measures it, and ends it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        runtime, out = Path(folder) / "run", Path(folder) / "bench.nwb"
        runtime.mkdir(mode=0o700)
        environment = os.environ | {"XDG_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(checkout)}
        command = [sys.executable, "-m", "cli", "run", "protocols/first_light.yaml"]
        command += ["--out", str(out), "--seed", "1", "--pace", "realtime", "--duration", "600"]
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=checkout,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for_tick(runtime, began + PATIENCE_S)
            first_tick_s = time.monotonic() - began
            time.sleep(SETTLED_S)
            memory = {module_of(pid): memory_mb(pid) for pid in family(process.pid)}
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        return Start(first_tick_s, memory)


def _wait_for_tick(runtime: Path, deadline: float) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as stream:
        stream.linger = 0
        stream.subscribe(b"tick")
        connected: set[Path] = set()
        while time.monotonic() < deadline:
            for path in set(runtime.glob("rodent-rig/*/stream")) - connected:
                stream.connect(f"ipc://{path}")
                connected.add(path)
            if stream.poll(5):
                return
    raise SystemExit("The session had no tick within 90 s.")


def main() -> None:
    """Prints the table and writes `bench/startup.json`."""
    parser = argparse.ArgumentParser(prog="bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="a checkout of another version")
    given = parser.parse_args()
    checkouts = {"this version": ROOT}
    if given.beside is not None:
        checkouts["the other"] = given.beside.resolve()
    starts: dict[str, list[Start]] = {name: [] for name in checkouts}
    for _ in range(given.rounds):
        for name, checkout in checkouts.items():
            starts[name].append(start(checkout))
    table = Table(title="A recorded corridor session without a window, median of the rounds")
    for column in ("", "command to first tick (s)", "memory (MB)", "by process (MB, PSS)"):
        table.add_column(column)
    for name, found in starts.items():
        modules = found[0].memory_mb
        parts = {m: median(each.memory_mb.get(m, 0.0) for each in found) for m in modules}
        table.add_row(
            name,
            f"{median(each.first_tick_s for each in found):.1f}",
            f"{sum(parts.values()):.0f}",
            ", ".join(f"{module} {size:.0f}" for module, size in parts.items()),
        )
    Console(width=140).print(table)
    path = Path(__file__).with_name("startup.json")
    results = {name: [asdict(each) for each in found] for name, found in starts.items()}
    path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
