"""Recordings of an earlier version (tests/data): they open, replay, and re-run to the bit."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import numpy as np
import pytest

import recorder
from recorder.replay import ReplaySource
from rig.bus.message_types import EngineReply, Tick
from tests.rodent_rig import rodent_rig_here

ROUNDING = 1e-5
DATA = Path(__file__).parent / "data"
TICKS = {"corridor_before": 80, "two_tap_before": 100}
STIMULI = {
    "corridor_before": {"silence": (1, 1)},
    "two_tap_before": {"clamp": (2, 0), "noise": (2, 0), "lesion": (0, 2)},
}
"""Delivered and sham, as the version that made the files printed them."""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    for packed in DATA.glob("*.nwb.xz"):
        (folder / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
    return folder


@pytest.mark.parametrize("name", TICKS)
def test_it_opens_and_holds_what_was_recorded(earlier: Path, name: str) -> None:
    with recorder.open(earlier / f"{name}.nwb") as recording:
        assert recording.state == "closed"
        assert recording.n_ticks == TICKS[name]
        natural, applied = recording.values("h_natural"), recording.values("h_applied")
        assert natural.shape == applied.shape == (TICKS[name], 512)
        acted = np.flatnonzero((natural != applied).any(axis=1))
        found = {}
        delivered = np.zeros(TICKS[name], bool)
        for each in recording.intervals("stimuli"):
            counts = found.setdefault(each.name, [0, 0])
            counts[each.sham] += 1
            if not each.sham:
                delivered[each.onset_tick : each.offset_tick] = True
        assert {stimulus: tuple(counts) for stimulus, counts in found.items()} == STIMULI[name]
        # units differ from their natural values just where a stimulus was on
        assert len(acted)
        assert delivered[acted].all()


@pytest.mark.parametrize("name", TICKS)
def test_its_replay_is_the_stream(earlier: Path, name: str) -> None:
    with ReplaySource(earlier / f"{name}.nwb") as source:
        messages = list(source.messages(0, TICKS[name] - 1))
    ticks = [each.tick for each in messages if isinstance(each.content, Tick)]
    replies = [each.tick for each in messages if isinstance(each.content, EngineReply)]
    assert ticks == replies == list(range(TICKS[name]))


@pytest.mark.parametrize("name", TICKS)
def test_it_runs_again_on_the_reference_runtime(
    earlier: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit on a processor like the one that made it; another one rounds differently, a little."""
    if name == "two_tap_before":  # `rodent` ships with other weights now
        refused = rodent_rig_here("rerun", earlier / f"{name}.nwb")
        assert refused.returncode == 2
        assert "name the folder that has it in RODENT_RIG_SUBJECTS" in refused.stderr
    monkeypatch.setenv("RODENT_RIG_SUBJECTS", str(DATA / "subjects"))
    again = rodent_rig_here("rerun", earlier / f"{name}.nwb")
    if again.returncode == 0:
        assert f"identical for {TICKS[name]} ticks" in again.stdout
        return
    first = re.search(r"by at most (\S+)$", again.stdout, re.MULTILINE)
    assert first, again.stdout + again.stderr
    assert float(first[1].rstrip(".")) < ROUNDING, again.stdout
