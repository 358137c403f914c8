"""The recorder when the disk is the fault: full, failing, taken away, or a folder that is not there."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import h5py
import pytest

import recorder
from bench.synthetic_session import Stream, description
from recorder.replay import ReplaySource
from rig.bus.message_types import Message
from tests.recorder_checks import assert_same, nwb_problems
from tests.recorder_rig import LIMIT_S, Rig
from tests.small_disk import small_disk


def _fill(rig: Rig, stream: Stream) -> None:
    """Sends ticks until the recorder ends by itself."""
    tick = 0
    deadline = time.monotonic() + LIMIT_S
    while rig.process.poll() is None and time.monotonic() < deadline:
        for message in stream.ticks(tick, 100):
            if not _sent(rig, message):
                return
        tick += 100


def _sent(rig: Rig, message: Message) -> bool:
    """Sends a message, waiting while the queue is full; False when the recorder has ended meanwhile."""
    while rig.process.poll() is None:
        try:
            rig.send(message, timeout_s=0.2)
        except TimeoutError:
            continue
        return True
    return False


def test_a_full_disk_ends_the_recording_with_everything_before_it_whole(
    sockets: Path, tmp_path: Path
) -> None:
    """Before nothing fits any more the file is closed, and the sentence says so."""
    with small_disk(tmp_path / "disk", 24) as disk:
        if disk is None:
            pytest.skip("this machine does not let us mount a small disk")
        stream = Stream(description())
        with Rig(sockets, disk / "full.nwb") as rig:
            rig.send_all(stream.beginning())
            rig.wait_for("recording")
            _fill(rig, stream)
            assert rig.wait() == 1
            last = rig.reports[-1]
            assert last.state == "failed"
            assert "is full" in last.error
            assert last.ticks_on_disk > 100
            assert rig.process.stderr is not None
            assert rig.process.stderr.read().strip() == last.error
        with recorder.open(disk / "full.nwb") as recording:
            assert recording.state == "closed"
            assert recording.n_ticks == last.ticks_on_disk


def test_a_write_that_fails_leaves_what_was_flushed(sockets: Path, tmp_path: Path) -> None:
    """A quota that nobody announced: the write fails in the middle, the rows before it are exact."""
    stream = Stream(description())
    file = tmp_path / "quota.nwb"
    with Rig(sockets, file, limit_bytes=6_000_000) as rig:
        rig.send_all(stream.beginning())
        rig.wait_for("recording")
        _fill(rig, stream)
        assert rig.wait() == 1
        last = rig.reports[-1]
        assert last.state == "failed"
        assert "File too large" in last.error
    report = recorder.recover(file)
    assert report.n_ticks >= last.ticks_on_disk
    assert report.n_ticks > 100
    again = Stream(description())
    list(again.beginning())
    with ReplaySource(file) as replay:
        got = [m for m in replay.messages(0, 10**6) if m.topic != "episode"]
        sent = (m for m in again.ticks(0, report.n_ticks) if m.topic != "episode")
        for mine, theirs in zip(got, sent, strict=True):
            assert_same(mine, theirs)
    assert nwb_problems(file) == []


@pytest.mark.parametrize("moved", [False, True])
def test_a_file_that_is_taken_away_ends_the_recording(
    sockets: Path, tmp_path: Path, moved: bool
) -> None:
    """Said at once, though no tick comes: nothing is recorded into a file that is not there any more."""
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "gone.nwb"
    stream = Stream(description())
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.send_all(stream.ticks(0, 30))
        rig.wait_for("recording", 30)
        if moved:
            file.rename(tmp_path / "elsewhere.nwb")
        else:
            shutil.rmtree(folder)
        rig.wait_for("failed")
        assert rig.wait() == 1
        assert rig.reports[-1].state == "failed"
        assert ("moved away" if moved else "removed") in rig.reports[-1].error
        assert rig.reports[-1].ticks_on_disk == (30 if moved else 0)
    if moved:
        with recorder.open(tmp_path / "elsewhere.nwb") as recording:
            assert recording.state == "closed"
            assert recording.n_ticks >= 30


def test_a_file_that_is_moved_while_it_is_being_closed_is_not_called_recorded(
    sockets: Path, tmp_path: Path
) -> None:
    """Closing waits a second for whoever reads it; the file is gone from its place when it goes on."""
    file = tmp_path / "here.nwb"
    stream = Stream(description())
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.send_all(stream.ticks(0, 30))
        rig.wait_for("recording", 30)
        with h5py.File(file, "r", swmr=True):
            rig.send(stream.end(30))
            time.sleep(0.2)  # of the second that closing waits
            file.rename(tmp_path / "there.nwb")
        assert rig.wait() == 1
        assert rig.reports[-1].state == "failed"
        assert "moved away" in rig.reports[-1].error
    with recorder.open(tmp_path / "there.nwb") as recording:
        assert recording.n_ticks == 30


def test_no_folder_to_record_into(sockets: Path, tmp_path: Path) -> None:
    """One sentence, exit status 2, nothing made."""
    with Rig(sockets, tmp_path / "nowhere" / "x.nwb") as rig:
        assert rig.wait() == 2
        assert "There is no folder" in rig.reports[-1].error
    assert list(tmp_path.iterdir()) == []
