"""Sessions that several files of tests read: recorded once for all processes that run tests."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rodent_rig import FIRST_LIGHT, rodent_rig


@dataclass(frozen=True)
class Recorded:
    """A session that `rodent-rig run` recorded: its file, and what the command printed."""

    file: Path
    said: str


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process that asks for it fills; the others wait until it is whole.

    Args:
        factory: pytest's; under pytest-xdist each process has a folder of its own below a common one.
        name: of the folder.
        make: fills the folder that it is given.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / f"{name}.whole").exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed to fill it
            folder.mkdir()
            make(folder)
            (base / f"{name}.whole").touch()
    return folder


FIRST_LIGHT_OPTIONS = ("--seed", 2, "--duration", 7)
"""350 ticks, two trials; with this seed there are stimuli and a sham."""


def first_light(factory: pytest.TempPathFactory) -> Recorded:
    """A session of the shipped protocol `first_light`, with camera and picture."""

    def make(folder: Path) -> None:
        out = folder / "first.nwb"
        done = rodent_rig("run", FIRST_LIGHT, "--out", out, *FIRST_LIGHT_OPTIONS)
        assert done.returncode == 0, done.stderr
        (folder / "said").write_text(done.stdout)

    folder = made_once(factory, "first_light", make)
    return Recorded(folder / "first.nwb", (folder / "said").read_text())
