"""What is in a recording after a fault: whether it is whole, and whether it is what the session sent."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import recorder
from chaos.door import ROOT
from chaos.received import Received
from recorder.replay import ReplaySource
from rig.bus.message_types import Message
from rig.errors import RunError, UserError

_ONE_AT_A_TIME = threading.Lock()


@dataclass
class Found:
    """What a file was found to hold. `problems` are what is wrong with it: it is corrupted if there are any.

    `exists`: whether there is a file. `repaired`: whether it had to be. `first_tick`: of a recording that was
    begun while the session ran, not 0.
    """

    exists: bool = False
    repaired: bool = False
    n_ticks: int = 0
    first_tick: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def end_tick(self) -> int:
        """The tick after the last one."""
        return self.first_tick + self.n_ticks


def examine(path: Path, received: Received, *, by_command: bool, inspect: bool) -> Found:
    """Opens a recording as a user would, repairing it if need be, and holds it against what was received.

    `by_command` has it repaired with `rodent-rig recover` first; `inspect` has nwbinspector look at it.
    """
    found = Found(exists=path.exists())
    if not found.exists:
        return found
    if by_command:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "recover", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found.repaired = "whole again" in done.stdout
        if done.returncode:
            found.problems.append(f"rodent-rig recover: {done.stderr.strip()}")
    with _ONE_AT_A_TIME:
        try:
            with recorder.open(path) as recording:
                found.repaired |= recording.state == "recovered"
                found.n_ticks = recording.n_ticks
                found.first_tick = max(0, recording.first_tick)
                found.problems += _unfit(recording)
            if found.n_ticks:
                found.problems += _differing(path, received)
            found.problems += _foreign(path, found.n_ticks, inspect)
        except (UserError, RunError, OSError, ValueError, KeyError) as problem:
            found.problems.append(f"{type(problem).__name__}: {problem}")
    return found


def _unfit(recording: recorder.Recording) -> list[str]:
    """What is wrong with a recording by itself."""
    problems = []
    if recording.state in ("live", "unrecovered"):
        problems.append(f"it is {recording.state}")
    first = recording.first_tick
    if not np.array_equal(recording.ticks, np.arange(first, first + recording.n_ticks)):
        problems.append("ticks are missing in its middle")
    for name in recording.series:
        if len(recording.values(name)) != recording.n_ticks:
            problems.append(f"{name} has another length")
    for name in ("qpos", "c_applied", "h_natural", "action"):
        if not np.isfinite(recording.values(name)).all():
            problems.append(f"{name} has rows that were never written")
    for table in ("behaviours", "stimuli"):
        if any(each.ongoing for each in recording.intervals(table)):
            problems.append(f"{table} have no end")
    return problems


def _differing(path: Path, received: Received) -> list[str]:
    """Where ticks, answers and trials are not bit for bit what was sent."""
    with ReplaySource(path) as source:
        got = source.messages(source.first_tick, source.last_tick)
    expected = {"tick": received.ticks, "answer": received.answers}
    expected["episode"] = {message.tick: message for message in received.episodes}
    problems = []
    for message in got:
        sent = expected.get(message.topic, {}).get(message.tick)
        if sent is not None and not _same(message, sent):
            problems.append(f"{message.topic} {message.tick} is not what was sent")
    return problems[:3]


def _same(got: Message, sent: Message) -> bool:
    """Whether a message out of a file is the one that was sent (a camera may have been left out)."""
    if got.content != sent.content or got.sequence != sent.sequence:
        return False
    if set(sent.arrays) - set(got.arrays) - {"camera"}:
        return False
    return all(
        array.dtype == sent.arrays[name].dtype and array.tobytes() == sent.arrays[name].tobytes()
        for name, array in got.arrays.items()
    )


def _foreign(path: Path, n_ticks: int, inspect: bool) -> list[str]:
    """What other programs find: pynwb, and nwbinspector if asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynwb import NWBHDF5IO

        with NWBHDF5IO(path, "r") as io:
            series = io.read().acquisition["c_natural"]
            if len(series.data) != n_ticks:
                return [f"pynwb finds {len(series.data)} ticks"]
        if not inspect or n_ticks == 0:  # nwbinspector stumbles over what is empty
            return []
        from nwbinspector import Importance, inspect_nwbfile

        return [
            f"nwbinspector: {found.check_function_name}: {found.message}"
            for found in inspect_nwbfile(nwbfile_path=str(path))
            if found.importance.value >= Importance.CRITICAL.value
            # fewer ticks than units: it takes that for a transposed array
            and found.check_function_name != "check_data_orientation"
        ]
