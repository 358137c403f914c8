"""How fast whole sessions run, with network, bus, recorder and protocol, beside limit and stock."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from bench.parts import SEED, WARM_UP, Limit, limit, stock_ms
from rig.bus.message_types import TICK_S
from rig.errors import RunError

ROOT = Path(__file__).resolve().parents[1]
ARENAS = ("corridor", "gaps", "forage", "escape", "two_tap")


@dataclass(frozen=True)
class Speed:
    """One arena's row: milliseconds a tick or step, all from one run.

    The plain corridor has no stock environment of its own: it is held against stock gaps.
    """

    task: str
    session_ms: float
    limit: Limit
    stock_ms: float

    @property
    def times_limit(self) -> float:
        """Session against the limit; 1 would be no overhead at all."""
        return self.session_ms / self.limit.total_ms

    @property
    def times_physics(self) -> float:
        """Session against its physics alone, which no rig can do without."""
        return self.session_ms / self.limit.physics_and_hooks_ms

    @property
    def times_real_time(self) -> float:
        """How many seconds of animal time pass in a second."""
        return TICK_S * 1e3 / self.session_ms

    @property
    def times_stock(self) -> float:
        """How many times as many ticks a second as dm_control's environment takes steps."""
        return self.stock_ms / self.session_ms


def session_ms(task: str, subject: str, animal_s: float) -> float:
    """Median wall milliseconds a tick of a real session at --pace max, arena compilation left out."""
    text = (ROOT / "protocols" / "first_light.yaml").read_text()
    text = text.replace("task: corridor", f"task: {task}")
    text = text.replace("subject: runner", f"subject: {subject}")
    text = re.sub(r"(?m)^trial_s:.*$", "", text)  # one long trial
    with tempfile.TemporaryDirectory() as folder:
        protocol, out = Path(folder) / "bench.yaml", Path(folder) / "bench.nwb"
        protocol.write_text(text)
        command = [sys.executable, "-m", "cli", "run", str(protocol), "--out", str(out)]
        command += ["--seed", str(SEED), "--duration", str(animal_s), "--pace", "max"]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it said nothing"]
            raise RunError(f"The session in {task} failed: {said[-1]}")
        with h5py.File(out) as file:
            wall_s = file["processing/rig/wall_s/data"][:]
            first = file["processing/rig/first/data"][:].astype(bool)
    steps = np.diff(wall_s)[~first[1:]]  # a trial's first tick comes after a compilation
    return float(np.median(steps[WARM_UP:]) * 1e3)


def measure(subject: str, seconds: float, rounds: int) -> list[Speed]:
    """Every arena's row: the best of several rounds, each of which times all parts once.

    Whatever else the machine does only adds time; taking turns and keeping the best of each part is
    what makes the ratios hold. `seconds` is how long a part is timed in a round.
    """
    rows = []
    animal_s = max(4.0, 3 * seconds)
    for task in ARENAS:
        stock = "gaps" if task == "corridor" else task
        sessions, limits, stocks = [], [], []
        for _ in range(rounds):
            limits.append(limit(task, subject, round(animal_s / TICK_S)))
            sessions.append(session_ms(task, subject, animal_s))
            stocks.append(stock_ms(stock, seconds))
        best = Limit(
            min(each.physics_and_hooks_ms for each in limits),
            min(each.camera_ms for each in limits),
            min(each.network_ms for each in limits),
        )
        rows.append(Speed(task, min(sessions), best, min(stocks)))
        print(f"  {task} measured", file=sys.stderr)
    return rows
