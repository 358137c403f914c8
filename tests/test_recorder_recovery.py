"""Recorders that are killed at random instants: what is left, and what recovery makes of it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

import recorder
from bench.synthetic_session import Stream, description
from recorder import superblock
from recorder.output_path import reserve
from recorder.recovery import recorded_state
from recorder.replay import ReplaySource
from rig.bus.message_types import Message
from rig.errors import RunError, UserError
from tests.recorder_checks import assert_same, flag_as_killed, nwb_problems
from tests.recorder_rig import Rig

N_KILLS = 6
MAX_LOSS_S = 0.5


def _killed(
    file: Path, messages: list[Message], run_s: float, per_s: float, *options: str
) -> tuple[int, int]:
    """Records at a pace, kills the recorder after a while.

    Returns the ticks it had acknowledged, and those that had been sent `MAX_LOSS_S` before.
    """
    with (
        tempfile.TemporaryDirectory(prefix="r") as folder,
        Rig(Path(folder), file, *options, warm=True) as rig,
    ):
        rig.send_all(iter(messages[:2]))
        rig.wait_for("recording")
        started = time.monotonic()
        sent_at: list[float] = []
        for message in messages[2:]:
            if time.monotonic() - started > run_s:
                break
            rig.send(message)
            if message.topic == "answer":
                sent_at.append(time.monotonic())
                time.sleep(max(0.0, started + len(sent_at) / per_s - sent_at[-1]))
        killed_at = time.monotonic()
        os.kill(rig.process.pid, signal.SIGKILL)
        rig.process.wait(60)
        rig.listen()
        acknowledged = max(report.ticks_on_disk for report in rig.reports)
    return acknowledged, sum(at < killed_at - MAX_LOSS_S for at in sent_at)


@pytest.fixture(scope="module")
def session() -> list[Message]:
    """A session's messages, description and assets first."""
    stream = Stream(description())
    return [*stream.beginning(), *stream.ticks(0, 700)]


def test_killed_recordings_are_whole_up_to_half_a_second(
    session: list[Message], tmp_path: Path
) -> None:
    """Ordinary readers refuse the file, live ones read it, and after recovery nothing is missing.

    Every row is bit for bit what was sent; what was acknowledged is there; of what was sent half a second
    before the kill everything is, in most of the kills: a machine that has much else to do may keep a
    recorder waiting for longer.
    """
    chance = random.Random(3)
    lost_more = owed = 0
    for run in range(N_KILLS):
        file = tmp_path / f"killed_{run}.nwb"
        # with a camera also at an animal's own pace, at which chunks of it fill slowly
        options, per_s = (
            (("--camera",), 50.0 if run % 4 == 1 else 400.0) if run % 2 else ((), 400.0)
        )
        run_s = chance.uniform(0.0, 1.3)
        acknowledged, due = _killed(file, session, run_s, per_s, *options)
        assert recorded_state(file) == "killed"
        with pytest.raises(OSError, match="write"):
            h5py.File(file, "r")
        report = recorder.recover(file)
        assert report.repaired
        assert report.n_ticks >= acknowledged
        lost_more += report.n_ticks < due
        owed += due > 0
        _assert_whole(file, report.n_ticks, session)
        again = recorder.recover(file)
        assert (again.repaired, again.n_ticks) == (False, report.n_ticks)
        if run == N_KILLS - 1:
            assert nwb_problems(file) == []
        assert [path.name for path in tmp_path.iterdir()] == [file.name]
        file.unlink()
    assert owed >= 3
    assert lost_more < owed / 2 + 1


def _assert_whole(file: Path, n_ticks: int, session: list[Message]) -> None:
    with recorder.open(file) as recording:
        assert recording.state == "closed"
        assert recording.n_ticks == n_ticks
        assert any(entry.kind == "recovery" for entry in recording.log)
        assert not any(each.ongoing for each in recording.intervals("behaviours"))
        assert all(trial.stop_s <= n_ticks * 0.02 + 1e-9 for trial in recording.trials)
    if n_ticks == 0:
        return
    with ReplaySource(file) as replay:
        got = replay.messages(0, n_ticks)
    for mine, theirs in zip(got, session[2:], strict=False):
        assert_same(mine, theirs)
    assert sum(message.topic == "tick" for message in got) == n_ticks


@pytest.mark.parametrize("n_ticks", [0, 1, 2, 40])
def test_a_short_recording_is_repaired_once(
    n_ticks: int, session: list[Message], tmp_path: Path
) -> None:
    """Also one in which nothing but a part of the protocol began, so that there is nothing to mark."""
    from recorder.writer import Writer

    file = tmp_path / "short.nwb"
    writer = Writer(file, description(), session[1].arrays, session="test")
    for message in session[2:]:
        if message.tick < n_ticks:
            writer.add(message)
    writer.close()
    assert not recorder.recover(file).repaired
    flag_as_killed(file)
    assert recorder.recover(file).repaired
    whole = file.read_bytes()
    assert not recorder.recover(file).repaired
    assert file.read_bytes() == whole


def test_recovery_makes_the_intervals_that_a_proper_end_would_have_made(
    session: list[Message], tmp_path: Path
) -> None:
    """Behaviours, stimuli and trials of a killed recording equal those of one that ended at that tick."""
    from recorder.writer import Writer

    killed, proper = tmp_path / "killed.nwb", tmp_path / "proper.nwb"
    _killed(killed, session, 1.2, 300.0)
    n_ticks = recorder.recover(killed).n_ticks
    assert n_ticks > 50
    writer = Writer(proper, description(), session[1].arrays, session="test")
    for message in session[2:]:
        if message.tick < n_ticks:
            writer.add(message)
    writer.close()
    with recorder.open(killed) as one, recorder.open(proper) as other:
        assert one.intervals("behaviours") == other.intervals("behaviours")
        assert one.intervals("stimuli") == other.intervals("stimuli")
        assert one.trials == other.trials
        assert one.events == other.events


@pytest.fixture(scope="module")
def killed_once(session: list[Message], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("killed") / "killed.nwb"
    _killed(file, session, 1.0, 400.0)
    return file


@pytest.fixture
def killed(killed_once: Path, tmp_path: Path) -> Path:
    """A recording of some ticks whose recorder was killed."""
    return Path(shutil.copy(killed_once, tmp_path / "killed.nwb"))


def test_opening_a_killed_recording_repairs_it(killed: Path) -> None:
    """Nobody has to know that there is a command for it; the summary says what happened."""
    with recorder.open(killed) as recording:
        assert recording.state == "recovered"
        assert recording.n_ticks > 50
    assert "killed and the file repaired" in recorder.info(killed)
    h5py.File(killed, "r").close()


def test_columns_of_unequal_length_are_trimmed_to_the_shortest(killed: Path) -> None:
    """Rows that one series lost, and rows that were counted and never written, are dropped everywhere."""
    recorder.recover(killed)
    with h5py.File(killed, "r+", libver=("v110", "latest")) as file:
        n_ticks = len(file["processing/rig/tick/data"])
        file["acquisition/qpos/data"].resize(n_ticks - 7, 0)
        unwritten = file["acquisition/h_natural/data"]
        unwritten.resize(n_ticks - 12, 0)
        unwritten.resize(
            n_ticks, 0
        )  # 12 rows of fill value, as a write that never came leaves them
    flag_as_killed(killed)
    report = recorder.recover(killed)
    assert report.n_ticks == n_ticks - 12
    assert report.n_dropped == 12
    with recorder.open(killed) as recording:
        assert len({len(recording.values(name)) for name in recording.series}) == 1
        assert np.isfinite(recording.values("h_natural")).all()
        assert all(tick <= recording.last_tick for tick, _ in recording.events)
        assert all(trial.first_tick <= recording.last_tick for trial in recording.trials)
        assert (
            max(each.stop_s for each in recording.intervals("behaviours"))
            <= (recording.last_tick + 1) * 0.02 + 1e-9
        )


def test_a_repair_that_is_killed_leaves_the_file_as_it_was(killed: Path) -> None:
    """It works on a copy; what an interrupted one left behind does not hinder the next."""
    before = killed.read_bytes()
    leftover = killed.with_name(f".{killed.name}.0123abcd.recovering")
    leftover.write_bytes(b"half a copy")
    assert killed.read_bytes() == before
    assert recorder.recover(killed).repaired
    assert not leftover.exists()


def test_what_is_reserved_is_kept_from_others_who_look_for_leftovers(tmp_path: Path) -> None:
    """One that looked in the moment between making and locking it made a repair fail."""

    def make(_: int) -> bool:
        file, _ = reserve(tmp_path / "a.nwb", "recovering")
        with file:
            kept = Path(file.name).exists()
            Path(file.name).unlink(missing_ok=True)
        return kept

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(make, range(3000)))
    assert list(tmp_path.iterdir()) == []


def test_two_may_repair_the_same_file_at_once(killed: Path) -> None:
    """A window and a command line open it in the same moment: neither spoils the other's copy."""
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(recorder.recover, [killed] * 3))
    assert len({report.n_ticks for report in reports}) == 1
    assert nwb_problems(killed) == []
    assert [path.name for path in killed.parent.iterdir()] == [killed.name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_without_room_for_a_repair_the_file_is_untouched_and_readable(
    killed: Path, tmp_path: Path
) -> None:
    """A full disk: recovery refuses with one sentence, reading works all the same."""
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    size = killed.stat().st_size + 200_000
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)],
        capture_output=True,
        timeout=100,
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        there = disk / "killed.nwb"
        shutil.copy(killed, there)
        before = there.read_bytes()
        with pytest.raises(RunError, match="free space"):
            recorder.recover(there)
        with recorder.open(there) as recording:
            assert recording.state == "unrecovered"
            assert recording.n_ticks > 50
            assert np.isfinite(recording.values("qpos")).all()
        assert there.read_bytes() == before
    finally:
        subprocess.run(["umount", str(disk)], check=True, timeout=100)


def test_a_recording_in_progress_is_not_recovered(tmp_path: Path, session: list[Message]) -> None:
    """It looks like a killed one from its header; the recorder's lock tells them apart."""
    file = tmp_path / "live.nwb"
    with (
        tempfile.TemporaryDirectory(prefix="r") as folder,
        Rig(Path(folder), file, warm=True) as rig,
    ):
        rig.send_all(iter(session[:60]))
        rig.wait_for("recording", 20)
        assert recorded_state(file) == "live"
        with pytest.raises(UserError, match="being recorded"):
            recorder.recover(file)
        rig.send_all(iter(session[60:120]))
        rig.wait_for("recording", 50)


def test_foreign_and_damaged_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    """Not there, not HDF5, HDF5 of somebody else (even one left by a killed writer), cut in half."""
    missing, text, foreign = (tmp_path / name for name in ("missing.nwb", "text.nwb", "other.nwb"))
    text.write_text("no HDF5 at all, but longer than a superblock is, so that there is one to read")
    with h5py.File(foreign, "w", libver=("v110", "latest")) as file:
        file["data"] = np.arange(1000)
    for path in (missing, text, foreign):
        for read in (recorder.recover, recorder.open, recorder.info):
            with pytest.raises(UserError) as refused:
                read(path)
            assert len(str(refused.value).splitlines()) == 1
    flag_as_killed(foreign)
    before = foreign.read_bytes()
    with pytest.raises(UserError, match="not a recording"):
        recorder.recover(foreign)
    assert foreign.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.nwb", "text.nwb"]


def test_a_recording_that_was_cut_gives_back_what_is_there(killed: Path) -> None:
    """The end of the file is missing (a copy that broke off): the rows before are exact or it says no."""
    recorder.recover(killed)
    with recorder.open(killed) as recording:
        whole = recording.values("qpos")
    data = killed.read_bytes()
    killed.write_bytes(data[: int(len(data) * 0.97)])
    try:
        report = recorder.recover(killed)
    except UserError:
        assert killed.read_bytes() == data[: int(len(data) * 0.97)]
    else:
        assert report.repaired
        with recorder.open(killed) as recording:
            np.testing.assert_array_equal(recording.values("qpos"), whole[: report.n_ticks])


def test_the_checksum_is_that_of_hdf5(tmp_path: Path) -> None:
    """A superblock that HDF5 wrote has the checksum that we compute, and ours is accepted by HDF5."""
    file = tmp_path / "x.h5"
    h5py.File(file, "w", libver=("v110", "latest")).close()
    block = superblock.read(file)
    assert block is not None
    assert (block.whole, block.open_for_writing) == (True, False)
    assert block.end_of_file == file.stat().st_size
    with file.open("ab") as raw:
        raw.write(bytes(64))
    with file.open("rb+") as raw:
        new = superblock.repaired(raw.read(48), file.stat().st_size)
        raw.seek(0)
        raw.write(new)
    h5py.File(file, "r").close()


def test_a_recorder_that_is_killed_after_the_last_row_leaves_nothing_out(
    killed: Path, tmp_path: Path
) -> None:
    """Closed, and not yet completed for programs that know NWB alone: a repair does that, too."""
    recorder.recover(killed)
    whole = Path(shutil.copy(killed, tmp_path / "whole.nwb"))
    with h5py.File(killed, "r+") as file:
        del file["acquisition/events"]
        for name in [name for name in file["intervals"] if name != "trials"]:
            del file["intervals"][name]
    assert recorded_state(killed) == "closed"
    assert recorder.recover(killed).repaired
    assert not recorder.recover(killed).repaired
    with h5py.File(whole) as one, h5py.File(killed) as other:
        assert set(one["intervals"]) == set(other["intervals"]) > {"behaviour_run", "epochs"}
        for name in ("intervals/behaviour_run/number", "acquisition/events/timestamps"):
            np.testing.assert_array_equal(one[name], other[name])
