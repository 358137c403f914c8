"""The processes of a session from outside: those that its supervisor has started, found in /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def children(pid: int) -> dict[str, int]:
    """The processes that a process has started and that are alive, by the module that they run."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _state_and_parent(int(entry.name))[1] == pid:
            module = _module(int(entry.name))
            if module and alive(int(entry.name)):
                found[module] = int(entry.name)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs (a dead one that was not waited for does not)."""
    return _state_and_parent(pid)[0] not in ("", "Z", "X")


def send(pid: int, number: signal.Signals) -> bool:
    """Sends a signal to one process. Whether it was still there."""
    if pid <= 0:
        return False  # to the system, 0 would mean every process of ours
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return words[0], int(words[1])


def _module(pid: int) -> str:
    """The module that a Python process runs (`python -m MODULE`), else ""."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return words[words.index(b"-m") + 1].decode() if b"-m" in words[:-1] else ""
