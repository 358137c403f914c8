"""Recordings of an earlier version give every reader the numbers that they gave then, to the bit."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

import recorder
from tests.recorder_checks import flag_as_killed, nwb_problems
from tests.recording_digest import digest

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", ["corridor_before", "two_tap_before"])
def test_every_reader_gives_the_same_numbers(tmp_path: Path, name: str) -> None:
    """Series, pynapple objects, tables, models, props, snapshots and the replay's messages."""
    path = tmp_path / f"{name}.nwb"
    path.write_bytes(lzma.decompress((DATA / f"{name}.nwb.xz").read_bytes()))
    then = json.loads((DATA / f"{name}.json").read_text())
    now = digest(path)
    assert now.keys() == then.keys()
    assert {what: value for what, value in now.items() if value != then[what]} == {}


@pytest.mark.parametrize("name", ["corridor_before", "two_tap_before"])
def test_one_whose_recorder_was_killed_is_repaired_as_what_it_is(tmp_path: Path, name: str) -> None:
    """In the layout that it has: its numbers are those of then, and only its log has one entry more."""
    path = tmp_path / f"{name}.nwb"
    path.write_bytes(lzma.decompress((DATA / f"{name}.nwb.xz").read_bytes()))
    flag_as_killed(path)
    assert recorder.recover(path).repaired
    then = json.loads((DATA / f"{name}.json").read_text())
    now = digest(path)
    assert {what for what, value in now.items() if value != then[what]} <= {"log", "replay ends"}
    assert nwb_problems(path) == []
