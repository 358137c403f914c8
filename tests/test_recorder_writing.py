"""The recorder process over its real sockets: what reaches the disk, and what it says when it cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

import recorder
from bench.synthetic_session import Stream, description
from recorder.replay import ReplaySource
from rig.bus.message_types import Message
from tests.recorder_checks import assert_same, nwb_problems
from tests.recorder_rig import LIMIT_S, ROOT, Rig


def test_a_session_is_recorded_bit_for_bit(sockets: Path, tmp_path: Path) -> None:
    """The file, closed, gives back every message as it was sent, and validates as NWB."""
    stream = Stream(description())
    file = tmp_path / "session.nwb"
    with Rig(sockets, file, "--camera") as rig:
        beginning = rig.send_all(stream.beginning())
        sent = rig.send_all(stream.ticks(0, 530))
        fault = stream.fault(529)
        end = stream.end(530)
        rig.send(fault)
        rig.send(end)
        assert rig.wait() == 0
        assert [rig.reports[0].state, rig.reports[-1].state] == ["starting", "closed"]
        assert rig.reports[0].free_bytes > 0  # of the disk that the file will be on
        assert rig.reports[-1].ticks_on_disk == 530
        assert rig.reports[-1].last_tick == 529
        assert rig.reports[-1].error == ""
        assert rig.reports[-1].file_bytes == file.stat().st_size
    with ReplaySource(file) as replay:
        got = replay.messages(replay.first_tick, replay.last_tick)
        assert len(got) == len(sent) + 1
        for mine, theirs in zip(got, [*sent, fault], strict=True):
            assert_same(mine, theirs)
        assert any("camera" in message.arrays for message in got)
        assert replay.description.content == beginning[0].content
        assert_same(replay.assets, beginning[1])
        assert replay.end is not None
        assert_same(replay.end, end)
    assert nwb_problems(file, short=False) == []
    assert [path.name for path in tmp_path.iterdir()] == ["session.nwb"]


def test_the_file_is_read_while_it_grows(sockets: Path, tmp_path: Path) -> None:
    """From its first report on the file opens live: rows that were acknowledged are there, in pynwb too."""
    stream = Stream(description())
    file = tmp_path / "live.nwb"
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.wait_for("recording")
        with recorder.open(file) as live:
            assert (live.state, live.n_ticks) == ("live", 0)
            rig.send_all(stream.ticks(0, 100))
            acknowledged = rig.wait_for("recording", 100).ticks_on_disk
            assert live.refresh() >= acknowledged
            rig.send_all(stream.ticks(100, 30))
            rig.wait_for("recording", 130)
            assert live.refresh() == 130
            assert live.ticks.tolist() == list(range(130))
            silence = live.intervals("stimuli")[-1]
            assert silence.ongoing
            assert silence.stop_s == pytest.approx(130 * 0.02)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert live.nwb.acquisition["c_natural"].data.shape == (130, 512)
                names = live.nwb.processing["record"]["behaviours"].to_dataframe()["behaviour"]
                assert set(names) == {"run", "stand"}
        rig.process.send_signal(signal.SIGTERM)
        assert rig.wait() == 0


def test_a_recording_ends_well_although_somebody_reads_it(sockets: Path, tmp_path: Path) -> None:
    """A reader that does not let go of the growing file: it is closed, whole, and called so."""
    stream = Stream(description())
    file = tmp_path / "read.nwb"
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.wait_for("recording")
        with recorder.open(file) as live:
            rig.send_all(stream.ticks(0, 60))
            rig.send(stream.end(60))
            assert rig.wait() == 0
            assert (rig.reports[-1].state, rig.reports[-1].error) == ("closed", "")
            assert live.refresh() == 60
    assert nwb_problems(file) == []
    with recorder.open(file) as recording:
        assert (recording.state, recording.n_ticks) == ("closed", 60)


def test_reports_come_often_and_never_claim_more_than_the_disk_has(
    sockets: Path, tmp_path: Path
) -> None:
    """Also while ticks come all the time; each one's rows are in the file at that moment."""
    stream = Stream(description())
    file = tmp_path / "reports.nwb"
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.wait_for("recording")
        with h5py.File(file, "r", swmr=True) as live:
            rows = live["processing/rig/tick/data"]
            until_s, seen = time.monotonic() + LIMIT_S, 0
            while time.monotonic() < until_s and len(rig.reports) < 8:
                rig.send_all(stream.ticks(seen * 5, 5))
                seen += 1
                for report in rig.listen(0.02):
                    rows.refresh()
                    assert len(rows) >= report.ticks_on_disk
        recent = [report for report in rig.reports if report.state == "recording"]
        assert len(recent) >= 6
        assert recent[-1].ticks_on_disk > 0


def test_a_recording_may_start_in_the_middle_of_a_session(sockets: Path, tmp_path: Path) -> None:
    """What began before it has no onset; sequence numbers that start high are no gap."""
    stream = Stream(description())
    beginning = list(stream.beginning())
    before = list(stream.ticks(0, 130))
    episode = next(m for m in reversed(before) if m.topic == "episode")
    file = tmp_path / "middle.nwb"
    with Rig(sockets, file, warm=True) as rig:
        for message in [*beginning, episode]:
            rig.send(message)
        sent = [m for m in stream.ticks(130, 40) if m.topic != "episode"]
        for message in sent:
            rig.send(message)
        rig.send(stream.end(170))
        assert rig.wait() == 0
        assert rig.reports[-1].error == ""
    with ReplaySource(file) as replay:
        assert (replay.first_tick, replay.n_ticks) == (130, 40)
        got = replay.messages(0, 1000)
        for mine, theirs in zip(got, [episode, *sent], strict=True):
            assert_same(mine, theirs)
        running = replay.recording.intervals("behaviours")[0]
        assert (running.name, running.onset_tick, running.began_tick) == ("run", -1, 130)
        assert replay.recording.trials[0].first_tick == 100
    assert nwb_problems(file) == []


def test_a_gap_is_an_error_in_the_report_and_in_the_file(sockets: Path, tmp_path: Path) -> None:
    """Messages that got lost are named; what came is recorded."""
    stream = Stream(description())
    file = tmp_path / "gap.nwb"
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.send_all(stream.ticks(0, 20))
        list(stream.ticks(20, 3))  # made and never sent
        rig.send_all(m for m in stream.ticks(23, 20) if m.topic != "episode")
        rig.send(stream.end(43))
        assert rig.wait() == 0
        assert "missing before tick 23" in rig.reports[-1].error
    with recorder.open(file) as recording:
        assert recording.ticks.tolist() == [*range(20), *range(23, 43)]
        gaps = [entry.text for entry in recording.log if entry.kind == "gap"]
        assert any("number 20 was due, 23 came" in text for text in gaps)
        assert "After tick 19 came tick 23." in gaps
    assert "gap" in recorder.info(file)


def test_what_is_malformed_is_noted_and_does_not_stop_the_recording(
    sockets: Path, tmp_path: Path
) -> None:
    """Garbage frames, arrays that do not fit, unknown names, impossible numbers, missing arrays."""
    import msgspec

    from rig.bus.message_types import EngineReply, Event, InterventionEntry

    stream = Stream(description())
    file = tmp_path / "odd.nwb"
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.stream.send_multipart([b"tick", b"\xc1", b""])
        rig.send_all(stream.ticks(0, 5))
        tick = next(m for m in stream.ticks(5, 1) if m.topic == "tick")
        rig.send(Message(tick.content, tick.session, 5, 5, {**tick.arrays, "qpos": np.zeros(3)}))
        odd = EngineReply(
            (
                Event("behaviour", "flying", "onset", 5, 5, 0),
                Event("behaviour", "run", "onset", 1 << 62, 5, 0),
            ),
            (InterventionEntry("silence", "policy_2", "c"),),
        )
        rig.send(Message(odd, stream.session, 5, 5))
        rig.send_all(m for m in stream.ticks(6, 5) if m.topic != "episode")
        rig.send(stream.end(11))
        assert rig.wait() == 0
    with recorder.open(file) as recording:
        assert recording.n_ticks == 11
        assert np.isnan(recording.values("qpos", 5, 5)).all()
        texts = " ".join(entry.text for entry in recording.log if entry.kind == "malformed")
    for part in ("not a message header", "fitting qpos", "'flying'", "impossible 'run'", "0.units"):
        assert part in texts
    assert msgspec.json.decode('"x"') == "x"


def test_an_existing_recording_is_not_overwritten_unless_told(
    sockets: Path, tmp_path: Path
) -> None:
    """Refused with exit status 2 and the file untouched; replaced with --overwrite."""
    file = tmp_path / "kept.nwb"
    file.write_bytes(b"precious")
    with Rig(sockets, file, warm=True) as rig:
        assert rig.wait() == 2
        assert rig.reports[-1].state == "failed"
        assert "exists already" in rig.reports[-1].error
    assert file.read_bytes() == b"precious"
    (sockets / "again").mkdir()
    stream = Stream(description())
    with Rig(sockets / "again", file, "--overwrite", warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.wait_for("recording")
        rig.send(stream.end(0))
        assert rig.wait() == 0
    with recorder.open(file) as recording:
        assert recording.n_ticks == 0
    assert nwb_problems(file) == []


def test_two_recorders_do_not_share_a_file(sockets: Path, tmp_path: Path) -> None:
    """A file that is being recorded is refused to another session, --overwrite or not."""
    stream = Stream(description())
    file = tmp_path / "mine.nwb"
    (sockets / "other").mkdir()
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.wait_for("recording")
        with Rig(sockets / "other", file, "--overwrite", warm=True) as other:
            assert other.wait() == 2
            assert "another session" in other.reports[-1].error


def test_sigterm_takes_what_is_in_the_pipe_and_closes_the_file(
    sockets: Path, tmp_path: Path
) -> None:
    """The subject died without an End: every message that it sent is in the file."""
    stream = Stream(description())
    file = tmp_path / "stopped.nwb"
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.wait_for("recording")
        rig.send_all(stream.ticks(0, 150))
        rig.process.send_signal(signal.SIGTERM)
        assert rig.wait() == 0
        assert rig.reports[-1].state == "closed"
        assert rig.reports[-1].ticks_on_disk == 150
    with recorder.open(file) as recording:
        assert recording.state == "closed"
        assert "was stopped" in recording.log[-1].text
        assert not any(each.ongoing for each in recording.intervals("behaviours"))


_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "recorder.process", *sys.argv[1:]])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_the_file_is_closed_when_the_parent_dies(sockets: Path, tmp_path: Path) -> None:
    """A supervisor that was killed leaves no recorder behind, and no open file."""
    import zmq

    from rig.bus.encoding import encode
    from rig.bus.inner_sockets import InnerSockets
    from rig.session.directory import SessionDirectory

    stream = Stream(description())
    file = tmp_path / "orphan.nwb"
    inner = InnerSockets(SessionDirectory(sockets))
    socket = inner.bind(zmq.PUSH, "recorder", linger=0)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(sockets), str(file)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        for message in [*stream.beginning(), *stream.ticks(0, 40)]:
            socket.send_multipart(encode(message))
        deadline = time.monotonic() + LIMIT_S
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        parent.kill()
        parent.wait(60)
        deadline = time.monotonic() + LIMIT_S
        while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{child}").exists()
    finally:
        parent.kill()
        parent.wait(60)
        assert parent.stdout is not None
        parent.stdout.close()
        socket.close()
        inner.close()
    with recorder.open(file) as recording:
        assert (recording.state, recording.n_ticks) == ("closed", 40)
