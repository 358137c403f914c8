"""Sessions through the command line, the bus and the file: real processes, the real subject."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import recorder
from recorder.replay import ReplaySource
from rig.bus.client import BusClient
from rig.bus.message_types import (
    EngineReply,
    Event,
    Fault,
    Message,
    RecorderReport,
    Status,
    Tick,
)
from rig.errors import RunError
from rig.session.directory import running_sessions
from tests.recorder_checks import nwb_problems
from tests.rodent_rig import FIRST_LIGHT, ROOT, RunningRig, rodent_rig, wait_for
from tests.shared_recordings import FIRST_LIGHT_OPTIONS, Recorded, first_light

PLAIN = ("--no-camera", "--no-picture")
"""Neither is what most of these tests are about; the shared session has both."""
REALTIME = ("--pace", "realtime", "--no-picture")

STIMULUS_EACH_TIME = """
protocol: every-half-second
subject: runner
task: corridor
trial_s: 2.0
stimuli:
  push: {clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}
  pull: {overwrite: policy_1, units: [3, 5], with: [0.1, -0.2, 0.3], state: hidden}
rules:
  - {on: {time_ms: 500}, do: push, after_ms: 20, for_ms: 100}
  - {on: {time_ms: 1000}, do: pull, after_ms: 60}
"""


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "every_half_second.yaml"
    path.write_text(STIMULUS_EACH_TIME)
    return path


def _nothing_left(runtime: Path) -> None:
    assert running_sessions() == []
    assert [path for path in runtime.rglob("*") if path.is_socket() or path.is_file()] == []


def _sent(path: Path) -> list[Message]:
    source = ReplaySource(path)
    return source.messages(source.first_tick, source.first_tick + source.n_ticks - 1)


def _events(messages: list[Message], kind: str) -> list[Event]:
    return [
        event
        for message in messages
        if isinstance(message.content, EngineReply)
        for event in message.content.events
        if event.kind == kind
    ]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return first_light(tmp_path_factory)


def test_first_light_without_a_window(shared: Recorded):
    assert "350 = 7.00 s" in shared.said
    for said in ("overruns", "behaviours seen", "run ", "stimuli delivered", "shams"):
        assert said in shared.said
    assert str(shared.file) in shared.said
    assert shared.file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

    recording = recorder.open(shared.file)
    assert recording.n_ticks == 350
    assert nwb_problems(shared.file) == []
    messages = _sent(shared.file)
    onsets = [event for event in _events(messages, "behaviour") if event.phase == "onset"]
    runs = [event for event in onsets if event.name == "run"]
    given = [event for event in _events(messages, "stimulus") if event.phase == "onset"]
    assert {event.sham for event in given} == {True, False}
    # every run onset is followed, on the next tick, by a stimulus or a sham
    assert [event.tick for event in given] == [event.tick + 1 for event in runs]


def test_a_stimulus_acts_on_its_ticks_and_on_no_others(
    runtime: Path, tmp_path: Path, protocol: Path
):
    out = tmp_path / "s.nwb"
    said = (
        "--experimenter",
        "Doe, Jane",
        "--keyword",
        "rat",
        "--keyword",
        "LSTM",
        "--notes",
        "Day 1",
    )
    said += ("--institution", "Here", "--animal", "Ada")
    done = rodent_rig("run", protocol, "--out", out, "--seed", 5, "--duration", 4, *PLAIN, *said)
    assert done.returncode == 0, done.stderr
    with h5py.File(out) as file:
        general = file["general"]
        assert [name.decode() for name in general["experimenter"][:]] == ["Doe, Jane"]
        assert [word.decode() for word in general["keywords"][:]] == ["rat", "LSTM"]
        assert general["institution"][()] == b"Here"
        assert general["subject/subject_id"][()] == b"Ada"
        assert general["notes"][()].startswith(b"Day 1\n")
    messages = _sent(out)
    onsets = {
        name: [
            e.tick for e in _events(messages, "stimulus") if e.name == name and e.phase == "onset"
        ]
        for name in ("push", "pull")
    }
    offsets = {
        name: [
            e.tick for e in _events(messages, "stimulus") if e.name == name and e.phase == "offset"
        ]
        for name in ("push", "pull")
    }
    # trials of 100 ticks; the trigger is found at tick 25 (50), the delay is 1 (3) ticks
    assert onsets == {"push": [26, 126], "pull": [53, 153]}
    assert offsets == {"push": [31, 131], "pull": [56, 156]}
    pushed = {
        tick
        for on, off in zip(onsets["push"], offsets["push"], strict=True)
        for tick in range(on, off)
    }
    course = np.array([0.1, -0.2, 0.3], np.float32)
    for message in messages:
        if not isinstance(message.content, Tick):
            continue
        c, c0 = message.arrays["c_applied"], message.arrays["c_natural"]
        h, h0 = message.arrays["h_applied"], message.arrays["h_natural"]
        units = np.arange(384, 400)  # the first 16 of policy_2
        others = np.setdiff1d(np.arange(512), units)
        np.testing.assert_array_equal(c[others], c0[others])
        if message.tick in pushed:
            np.testing.assert_array_equal(c[units], np.float32(0.25))
            assert not np.array_equal(c0[units], c[units])
        else:
            np.testing.assert_array_equal(c[units], c0[units])
        for onset in onsets["pull"]:
            if onset <= message.tick < onset + 3:
                np.testing.assert_array_equal(h[[259, 261]], course[message.tick - onset])
                break
        else:
            np.testing.assert_array_equal(h[[259, 261]], h0[[259, 261]])


def _contents(path: Path) -> dict[str, np.ndarray]:
    """Every dataset of a recording but those that tell of wall time."""
    found: dict[str, np.ndarray] = {}
    timed = ("latency", "wall_s", "overrun", "engine_ms", "session_start_time", "file_create_date")
    timed += (
        "timestamps_reference_time",
        "session_id",
        "scratch/session",  # its name and when it was
        "identifier",
        "nwb_times",
        "notes",
        "versions",
    )

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not any(word in name for word in timed):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def test_the_same_seed_gives_the_same_session_to_the_bit(
    runtime: Path, tmp_path: Path, shared: Recorded
):
    out = tmp_path / "again.nwb"
    done = rodent_rig("run", FIRST_LIGHT, "--out", out, *FIRST_LIGHT_OPTIONS, "--no-picture")
    assert done.returncode == 0, done.stderr
    _nothing_left(runtime)
    first, second = _contents(shared.file), _contents(out)
    assert first.keys() == second.keys()
    must = ("qpos/data", "c_natural/data", "applied/c", "behaviours/onset_tick", "camera/data")
    for ending in must:
        assert any(name.endswith(ending) and len(first[name]) for name in first), ending
    different = [
        name
        for name in first
        if np.asarray(first[name]).dtype.kind != "O"
        and np.asarray(first[name]).tobytes() != np.asarray(second[name]).tobytes()
    ]
    assert different == []


def test_ctrl_c_ends_everything_and_keeps_the_recording(
    runtime: Path, tmp_path: Path, shared: Recorded
):
    out = tmp_path / "c.nwb"
    with RunningRig("run", FIRST_LIGHT, "--out", out, *REALTIME, "--seed", 3) as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 20 for m in bus.poll(0.1)))
        rig.process.send_signal(signal.SIGINT)
        status, said, trouble = rig.end()
        assert status == 0, trouble
        assert "stopped" in said
        assert rig.children() == {}
    _nothing_left(runtime)
    with recorder.open(out) as stopped, recorder.open(shared.file) as other:
        assert stopped.n_ticks > 20
        # another seed, another session
        assert (stopped.values("qpos", 5, 20) != other.values("qpos", 5, 20)).any()


def test_the_session_survives_its_engine(runtime: Path, tmp_path: Path, protocol: Path):
    out = tmp_path / "e.nwb"
    protocol.write_text(STIMULUS_EACH_TIME.replace("for_ms: 100", "for_ms: 100000"))
    with RunningRig("run", protocol, "--out", out, *REALTIME, "--seed", 2, "--duration", 5) as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 40 for m in bus.poll(0.1)))
            os.kill(rig.children()["stim.process"], signal.SIGKILL)
            announced = time.monotonic()
            wait_for(lambda: any(m.topic == "fault" for m in bus.poll(0.05)))
            assert time.monotonic() - announced < 3.0
        status, said, trouble = rig.end()
    assert status == 0, trouble
    assert "engine died" in said
    messages = _sent(out)
    ticks = [m for m in messages if isinstance(m.content, Tick)]
    assert [m.tick for m in ticks] == list(range(250))  # none was lost, and it ran to its end
    released = [
        e for e in _events(messages, "stimulus") if e.phase == "offset" and "engine died" in e.cause
    ]
    assert len(released) == 1
    for message in ticks:
        held = 26 <= message.tick < released[0].tick
        same = np.array_equal(message.arrays["c_applied"], message.arrays["c_natural"])
        assert same is not held, message.tick


@pytest.mark.parametrize(
    ("victim", "ticks_kept"), [("recorder.process", 25), ("rig.session.subject_process", 25)]
)
def test_a_death_is_said_and_what_was_recorded_is_whole(
    runtime: Path, tmp_path: Path, victim: str, ticks_kept: int
):
    out = tmp_path / "k.nwb"
    with RunningRig("run", FIRST_LIGHT, "--out", out, *REALTIME, "--seed", 2) as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 75 for m in bus.poll(0.1)))
        os.kill(rig.children()[victim], signal.SIGKILL)
        status, said, trouble = rig.end()
        assert status == 1
        assert len(last := trouble.strip().splitlines()[-1]) > 10
        assert (said + trouble).count(last) == 1  # as the last line, and nowhere else
        assert "Traceback" not in trouble
        assert rig.children() == {}
    _nothing_left(runtime)
    recording = recorder.open(out)
    assert recording.n_ticks >= 75 - ticks_kept


def test_a_killed_supervisor_leaves_no_orphans(runtime: Path, tmp_path: Path):
    out = tmp_path / "o.nwb"
    with RunningRig("run", FIRST_LIGHT, "--out", out, *REALTIME, "--seed", 2) as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 30 for m in bus.poll(0.1)))
        rig.process.kill()
        wait_for(lambda: rig.children() == {}, 60)
    assert running_sessions() == []  # and what it left behind is cleared away
    _nothing_left(runtime)
    assert recorder.open(out).n_ticks > 30


def test_a_recorder_that_dies_after_the_last_tick_is_told_on_the_bus(runtime: Path, tmp_path: Path):
    out = tmp_path / "l.nwb"
    said: list[Message] = []
    with RunningRig("run", FIRST_LIGHT, "--out", out, "--duration", 2, "--pace", "max") as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick >= 0 for m in bus.poll(0.1)))
            pid = rig.children()["recorder.process"]
            os.kill(pid, signal.SIGSTOP)  # its queue takes all the rest of the session
            wait_for(lambda: _hear(bus, said) and any(m.tick == 99 for m in said))
            time.sleep(0.5)  # the end of the animal follows its last tick at once
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: _hear(bus, said) and _last_status(said).state == "ended")
        status, _, trouble = rig.end()
    assert status == 1
    faults = [m.content for m in said if isinstance(m.content, Fault)]
    assert any(fault.source == "recorder" and fault.sentence in trouble for fault in faults)
    report = _last_status(said).recorder
    assert report is not None
    assert report.state == "failed"


def _hear(bus: BusClient, said: list[Message]) -> bool:
    said.extend(bus.poll(0.1))
    return any(isinstance(m.content, Status) for m in said)


def _last_status(said: list[Message]) -> Status:
    return [m.content for m in said if isinstance(m.content, Status)][-1]


def test_a_stalled_recorder_pauses_the_animal_and_nothing_is_lost(runtime: Path, tmp_path: Path):
    out = tmp_path / "p.nwb"
    observe = ROOT / "protocols" / "observe.yaml"
    with RunningRig("run", observe, "--out", out, "--seed", 2, "--duration", 16, *PLAIN) as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 10 for m in bus.poll(0.1)))
            pid = rig.children()["recorder.process"]
            os.kill(pid, signal.SIGSTOP)
            heard: list[str] = []

            def stalled() -> bool:
                heard.extend(m.content.sentence for m in bus.poll(0.05) if m.topic == "fault")
                return any("stalled" in sentence for sentence in heard)

            wait_for(stalled, 60)
            os.kill(pid, signal.SIGCONT)
        status, said, trouble = rig.end(120)
    assert status == 0, trouble
    assert "has said nothing" in heard[0]  # at once; when its queue is full, the animal waits
    assert "stalled" in said
    ticks = [m.tick for m in _sent(out) if isinstance(m.content, Tick)]
    assert ticks == list(range(800))


def test_a_late_engine_makes_overruns_that_are_counted(runtime: Path, tmp_path: Path):
    out = tmp_path / "l.nwb"
    with RunningRig(
        "run", FIRST_LIGHT, "--out", out, *REALTIME, "--seed", 2, "--duration", 3
    ) as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 20 for m in bus.poll(0.1)))
            pid = rig.children()["stim.process"]
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(pid, signal.SIGCONT)
        status, _, trouble = rig.end()
    assert status == 0, trouble
    messages = _sent(out)
    ticks = [m for m in messages if isinstance(m.content, Tick)]
    answers = [m for m in messages if isinstance(m.content, EngineReply)]
    assert [m.tick for m in ticks] == [m.tick for m in answers] == list(range(150))
    late = [m for m in ticks if m.content.overrun]
    assert late
    waits = [float(m.arrays["latency"][4]) for m in ticks]
    assert max(waits) > 200


def test_recording_can_begin_and_end_while_the_animal_runs(runtime: Path, tmp_path: Path):
    whole, part = tmp_path / "whole.nwb", tmp_path / "part.nwb"
    at_once = tmp_path / "at_once.nwb"
    with RunningRig("run", FIRST_LIGHT, "--out", whole, *REALTIME, "--seed", 2) as rig:
        with rig.attach() as bus:
            with pytest.raises(RunError, match="already"):
                bus.command("start_recording", file=str(part))
            bus.command("stop_recording")
            wait_for(lambda: _recorder_state(bus, whole) == "closed")
            _assert_refused_requests_change_nothing(bus, tmp_path, whole)
            bus.command("start_recording", file=str(part), timeout_s=20)
            wait_for(lambda: _on_disk(bus, part) >= 20)
            bus.command("stop_recording")
            wait_for(lambda: _recorder_state(bus, part) == "closed")
            bus.command("start_recording", file=str(at_once), timeout_s=20)
            bus.command("stop_recording")
            wait_for(lambda: _recorder_state(bus, at_once) == "closed")
            bus.command("stop")
        status, said, trouble = rig.end()
    assert status == 0, trouble
    last = -1
    assert all(str(file) in said for file in (whole, part, at_once))
    assert "fault" not in said
    for file in (whole, part):
        ticks = [m.tick for m in _sent(file) if isinstance(m.content, Tick)]
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
        assert ticks[0] > last
        last = ticks[-1]


def _assert_refused_requests_change_nothing(bus: BusClient, folder: Path, closed: Path) -> None:
    """Files that cannot be recorded into: what was recorded stays so, and the session goes on."""
    before = closed.read_bytes()
    for file in (folder / "gone" / "x.nwb", closed, "x.nwb", "/a\0b.nwb"):
        with pytest.raises(RunError, match=r".{10,}\.") as refused:
            bus.command("start_recording", file=str(file), timeout_s=20)
        assert "recorded already" not in str(refused.value)  # the one refused before may still go
    bus.poll(0.0, 10**6)
    status = next(m.content for m in bus.messages() if m.topic == "status")
    assert status.refused >= 5  # and one before
    assert not status.fault
    assert status.recorder is not None
    assert (status.recorder.file, status.recorder.state) == (str(closed), "closed")
    assert status.processes["recorder"] in ("starting", "off")  # the last refused one may still go
    assert closed.read_bytes() == before


def _recorder_state(bus: BusClient, file: Path) -> str:
    states = [report.state for report in _reports(bus, file)]
    return states[-1] if states else ""


def _on_disk(bus: BusClient, file: Path) -> int:
    return max((report.ticks_on_disk for report in _reports(bus, file)), default=0)


def _reports(bus: BusClient, file: Path) -> list[RecorderReport]:
    """What the recorder of a file has reported since."""
    reports = [m.content.recorder for m in bus.poll(0.1) if isinstance(m.content, Status)]
    return [report for report in reports if report is not None and report.file == str(file)]
