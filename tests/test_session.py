"""Sessions through the command line, the bus and the file: real processes, the real subject."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import recorder
from rig.bus.client import BusClient
from rig.bus.message_types import (
    Tick,
)
from rig.errors import RunError
from rig.session.directory import SessionDirectory, running_sessions, runtime_folder
from tests.recorder_checks import nwb_problems
from tests.rodent_rig import FIRST_LIGHT, RunningRig, rodent_rig, wait_for
from tests.session_checks import (
    PLAIN,
    REALTIME,
    STIMULUS_EACH_TIME,
    events_of,
    messages_of,
    nothing_left,
    on_disk,
    recorded,
    recorder_state,
)
from tests.shared_recordings import FIRST_LIGHT_OPTIONS, Recorded, first_light


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "every_half_second.yaml"
    path.write_text(STIMULUS_EACH_TIME)
    return path


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
    messages = messages_of(shared.file)
    onsets = [event for event in events_of(messages, "behaviour") if event.phase == "onset"]
    runs = [event for event in onsets if event.name == "run"]
    given = [event for event in events_of(messages, "stimulus") if event.phase == "onset"]
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
    messages = messages_of(out)
    onsets = {
        name: [
            e.tick for e in events_of(messages, "stimulus") if e.name == name and e.phase == "onset"
        ]
        for name in ("push", "pull")
    }
    offsets = {
        name: [
            e.tick
            for e in events_of(messages, "stimulus")
            if e.name == name and e.phase == "offset"
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
        "record/log",  # what happened to the machine: a recorder that a busy disk held up, say
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
    nothing_left(runtime)
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
        assert _first_key(rig) < 50  # within the animal's first second
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 20 for m in bus.poll(0.1)))
        rig.process.send_signal(signal.SIGINT)
        status, said, trouble = rig.end()
        assert status == 0, trouble
        assert "stopped" in said
        assert rig.children() == {}
    nothing_left(runtime)
    with recorder.open(out) as stopped, recorder.open(shared.file) as other:
        assert stopped.n_ticks > 20
        # another seed, another session
        assert (stopped.values("qpos", 5, 20) != other.values("qpos", 5, 20)).any()


def _first_key(rig: RunningRig) -> int:
    """The tick before the first key that is taken, pressed before the animal runs and until then.

    What comes too early is waited for, so that no client that has heard of a tick is told that there is none.
    """
    wait_for(lambda: bool(running_sessions()))
    with BusClient.of(SessionDirectory(runtime_folder() / running_sessions()[0].session)) as bus:
        while True:
            began = time.monotonic()
            try:
                return int(bus.command("key", key="x")["after_tick"])
            except RunError as problem:
                said = str(problem)
            assert "ask again" in said
            assert time.monotonic() - began > 1.9


def test_recording_can_begin_and_end_while_the_animal_runs(runtime: Path, tmp_path: Path):
    whole, part = tmp_path / "whole.nwb", tmp_path / "part.nwb"
    at_once = tmp_path / "at_once.nwb"
    with RunningRig("run", FIRST_LIGHT, "--out", whole, *REALTIME, "--seed", 2) as rig:
        with rig.attach() as bus:
            wait_for(lambda: on_disk(bus, whole) > 0)
            with pytest.raises(RunError, match="already"):
                bus.command("start_recording", file=str(part))
            bus.command("stop_recording")
            wait_for(lambda: recorder_state(bus, whole) == "closed")
            _assert_refused_requests_change_nothing(bus, tmp_path, whole)
            bus.command("start_recording", file=str(part), timeout_s=20)
            recorded(bus, part, 20)
            bus.command("stop_recording")
            wait_for(lambda: recorder_state(bus, part) == "closed")
            bus.command("start_recording", file=str(at_once), timeout_s=20)
            bus.command("stop_recording")
            wait_for(lambda: recorder_state(bus, at_once) == "closed")
            bus.command("stop")
        status, said, trouble = rig.end()
    assert status == 0, trouble
    last = -1
    assert all(str(file) in said for file in (whole, part, at_once))
    assert "fault" not in said
    for file in (whole, part):
        ticks = [m.tick for m in messages_of(file) if isinstance(m.content, Tick)]
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
