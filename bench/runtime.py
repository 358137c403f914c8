"""`python -m bench.runtime`: the network's step on onnxruntime beside PyTorch, and what each costs to have.

Milliseconds a step are measured in one process with the two runtimes in turn, step by step on the same
observation: plain, and with 64 units clamped. Both run in the calling thread alone, so that its processor
time is what a step takes, whatever else the machine does. Seconds to the first step and memory are those
of a process of its own that loads the subject on one runtime and steps it, and imports nothing of the other:
onnxruntime with its graph built, and with its graph from the cache, as every session but a subject's first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import agent
from agent.runtime import RuntimeName
from agent.subject import CAMERA

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 100
_ALONE = """
import time
begin = time.perf_counter()
import numpy, agent
subject = agent.load({subject!r}, {runtime!r})
seen = {{name: numpy.zeros(size) for name, size in subject.proprioception}}
seen["{camera}"] = numpy.zeros((64, 64, 3), numpy.uint8)
subject.step(seen)
first_s = time.perf_counter() - begin
for _ in range(100):
    subject.step(seen)
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(first_s, int(lines["VmRSS"].split()[0]) / 1e3)
"""


def _medians_ms(
    ways: dict[str, Callable[[], object]], seconds: float, rounds: int
) -> dict[str, float]:
    """Median milliseconds of this thread's processor time of each call, the best of several rounds.

    Args:
        ways: what is called, all in turn.
        seconds: how long a round takes, in wall time.
        rounds: whatever else the machine does only adds time, so that the best of them counts.
    """
    best = dict.fromkeys(ways, np.inf)
    for _ in range(WARM_UP):
        for do in ways.values():
            do()
    for _ in range(rounds):
        found: dict[str, list[float]] = {name: [] for name in ways}
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for name, do in ways.items():
                start = time.thread_time()
                do()
                found[name].append((time.thread_time() - start) * 1e3)
        best = {name: min(best[name], float(np.median(each))) for name, each in found.items()}
    return best


def steps_ms(name: str, seconds: float, rounds: int) -> dict[str, float]:
    """Milliseconds a step on each runtime, and with a clamp of 64 units of the last layer."""
    random = np.random.default_rng(0)
    onnx, torch = agent.load(name, "onnx"), agent.load(name, "torch")
    seen = {sense: random.normal(size=size) for sense, size in onnx.proprioception}
    seen[CAMERA] = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    clamp = agent.Intervention(
        onnx.layers[-1].name, "c", np.arange(64), np.zeros(64), np.full(64, 0.5)
    )
    return _medians_ms(
        {
            "onnx": lambda: onnx.step(seen),
            "torch": lambda: torch.step(seen),
            "onnx, clamped": lambda: onnx.step(seen, [clamp]),
            "torch, clamped": lambda: torch.step(seen, [clamp]),
        },
        seconds,
        rounds,
    )


def alone(subject: str, runtime: RuntimeName, cache: str) -> tuple[float, float]:
    """Seconds from a program's first line to its first step, and its memory in MB after a hundred more."""
    program = _ALONE.format(subject=subject, runtime=runtime, camera=CAMERA)
    environment = os.environ | {"XDG_CACHE_HOME": cache}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    first_s, memory_mb = (float(word) for word in done.stdout.split())
    return first_s, memory_mb


def processes(subject: str, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds to the first step and memory of each way to have it; the best of several rounds."""
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for way, runtime in (
                ("onnx, graph built", "onnx"),
                ("onnx, graph cached", "onnx"),
                ("torch", "torch"),
            ):
                found.setdefault(way, []).append(alone(subject, runtime, cache))  # type: ignore[arg-type]
    return {
        way: {
            "first_step_s": min(first for first, _ in each),
            "memory_mb": min(memory for _, memory in each),
        }
        for way, each in found.items()
    }


def main() -> None:
    """Measures, prints, writes `bench/runtime.json`."""
    parser = argparse.ArgumentParser(prog="bench.runtime", description=__doc__)
    parser.add_argument("--subjects", nargs="+", default=["rodent", "runner"])
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="how long steps are timed in a round"
    )
    parser.add_argument("--rounds", type=int, default=4, help="how often; the best counts")
    given = parser.parse_args()
    results: dict[str, Any] = {}
    console = Console(width=120)
    for subject in given.subjects:
        steps, having = (
            steps_ms(subject, given.seconds, given.rounds),
            processes(subject, given.rounds),
        )
        results[subject] = {"step_ms": steps, "process": having}
        console.print(_table(subject, steps, having))
    path = Path(__file__).with_name("runtime.json")
    path.write_text(json.dumps({"cores": os.cpu_count(), "subjects": results}, indent=2) + "\n")
    console.print(f"written to {path.relative_to(ROOT)}")


def _table(subject: str, steps: dict[str, float], having: dict[str, dict[str, float]]) -> Table:
    table = Table(title=f"{subject}: onnxruntime beside PyTorch, one thread each")
    for name in ("", "onnx", "torch", "torch / onnx"):
        table.add_column(name, justify="left" if not name else "right")

    def row(name: str, onnx: float, torch: float, digits: int) -> None:
        table.add_row(name, f"{onnx:.{digits}f}", f"{torch:.{digits}f}", f"{torch / onnx:.1f} x")

    row("ms a step", steps["onnx"], steps["torch"], 2)
    row("ms a step, 64 units clamped", steps["onnx, clamped"], steps["torch, clamped"], 2)
    torch = having["torch"]
    for how in ("built", "cached"):
        onnx = having[f"onnx, graph {how}"]
        row(f"s to the first step, graph {how}", onnx["first_step_s"], torch["first_step_s"], 2)
        row(f"MB of the process, graph {how}", onnx["memory_mb"], torch["memory_mb"], 0)
    return table


if __name__ == "__main__":
    main()
