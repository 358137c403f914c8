"""A damaged or forged recording is read as far as it goes, or refused with a sentence: nothing else.

More of them: RODENT_RIG_FUZZ=50 pytest tests/test_fuzz_recordings.py (times as many), from another seed with
RODENT_RIG_FUZZ_SEED.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from bench.synthetic_session import Stream, description
from recorder.writer import Writer
from rig.bus.message_types import Signal
from tests.damaged_recordings import corrupt
from tests.guarded_opening import Opener, OpenResult

TIMES = int(os.environ.get("RODENT_RIG_FUZZ", "1"))
SEED = int(os.environ.get("RODENT_RIG_FUZZ_SEED", "0"))
N_TICKS = 110


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small recording that was closed, and one whose recorder was killed."""
    folder = tmp_path_factory.mktemp("whole")
    described = description(1, signals=(Signal("probe", 3, 20, 1e-6),))
    stream = Stream(described)
    _, files = stream.beginning()
    writer = Writer(folder / "closed.nwb", described, files.arrays, session="fuzz")
    for message in stream.ticks(0, N_TICKS):
        writer.add(message)
    writer.add(stream.fault(N_TICKS - 1))
    writer.flush()
    shutil.copyfile(folder / "closed.nwb", folder / "killed.nwb")
    writer.add(stream.end(N_TICKS))
    writer.close()
    return [folder / "closed.nwb", folder / "killed.nwb"]


@pytest.fixture(scope="module")
def opener() -> Iterator[Opener]:
    made = Opener()
    yield made
    made.close()


def wrong(result: OpenResult) -> bool:
    """Whether it is anything but success, or one sentence and status 2."""
    if result.status == 0:
        return False
    return result.status != 2 or len(result.said.strip().splitlines()) != 1


def test_what_is_whole_is_read(recordings: list[Path], opener: Opener, tmp_path: Path):
    for path in recordings:
        copy = tmp_path / path.name
        shutil.copyfile(path, copy)
        assert [result.status for result in opener.attempt(copy)] == [0, 0, 0, 0]


def test_damaged_recordings(recordings: list[Path], opener: Opener, tmp_path: Path):
    found = []
    for k in range(12 * TIMES):
        random = Random(f"{SEED} {k}")
        path = tmp_path / "damaged.nwb"
        shutil.copyfile(random.choice(recordings), path)
        what = corrupt(path, random)
        found += [(k, what, result) for result in opener.attempt(path) if wrong(result)]
    assert found == [], "\n".join(f"{k} {what}: {result}" for k, what, result in found)
