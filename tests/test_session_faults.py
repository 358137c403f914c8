"""Sessions of which a process dies, stalls or is late: what is said, and that nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import recorder
from rig.bus.client import BusClient
from rig.bus.message_types import Fault, Message, Status, Tick
from rig.session.directory import RunningSession, SessionDirectory, running_sessions
from tests.rodent_rig import FIRST_LIGHT, ROOT, RunningRig, wait_for
from tests.session_checks import (
    PLAIN,
    REALTIME,
    STIMULUS_EACH_TIME,
    events_of,
    messages_of,
    nothing_left,
    recorded,
)


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "every_half_second.yaml"
    path.write_text(STIMULUS_EACH_TIME)
    return path


def test_the_session_survives_its_engine(runtime: Path, tmp_path: Path, protocol: Path):
    """One that is late makes overruns, which are counted; one that dies is said, and nothing is lost."""
    out = tmp_path / "e.nwb"
    protocol.write_text(STIMULUS_EACH_TIME.replace("for_ms: 100", "for_ms: 100000"))
    with RunningRig("run", protocol, "--out", out, *REALTIME, "--seed", 2) as rig:
        with rig.attach() as bus:
            wait_for(lambda: any(m.tick > 40 for m in bus.poll(0.1)))
            engine = rig.children()["stim.process"]
            os.kill(engine, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(engine, signal.SIGCONT)
            wait_for(lambda: any(m.tick > 70 for m in bus.poll(0.1)))
            os.kill(engine, signal.SIGKILL)
            died: list[int] = []

            def said_so() -> bool:
                faults = [m for m in bus.poll(0.05) if isinstance(m.content, Fault)]
                died.extend(m.tick for m in faults if m.content.name == "dead")
                return bool(died)

            wait_for(said_so)
            wait_for(lambda: any(m.tick > died[0] + 25 for m in bus.poll(0.1)))
            bus.command("stop")
        status, said, trouble = rig.end()
    assert status == 0, trouble
    assert "engine died" in said
    messages = messages_of(out)
    ticks = [m for m in messages if isinstance(m.content, Tick)]
    assert [m.tick for m in ticks] == list(range(len(ticks)))  # none was lost
    assert any(m.content.overrun for m in ticks)
    assert np.diff([m.content.wall_s for m in ticks]).max() > 0.25  # the late one was waited for
    released = [
        e
        for e in events_of(messages, "stimulus")
        if e.phase == "offset" and "engine died" in e.cause
    ]
    assert len(released) == 1
    for message in ticks:
        held = 26 <= message.tick < released[0].tick
        same = np.array_equal(message.arrays["c_applied"], message.arrays["c_natural"])
        assert same is not held, message.tick


@pytest.mark.parametrize("victim", ["recorder.process", "rig.session.subject_process"])
def test_a_death_is_said_and_what_was_recorded_is_whole(runtime: Path, tmp_path: Path, victim: str):
    out = tmp_path / "k.nwb"
    with RunningRig("run", FIRST_LIGHT, "--out", out, *REALTIME, "--seed", 2) as rig:
        with rig.attach() as bus:
            acknowledged = recorded(bus, out, 50)
        os.kill(rig.children()[victim], signal.SIGKILL)
        status, said, trouble = rig.end()
        assert status == 1
        assert len(last := trouble.strip().splitlines()[-1]) > 10
        assert (said + trouble).count(last) == 1  # as the last line, and nowhere else
        assert "Traceback" not in trouble
        assert rig.children() == {}
    nothing_left(runtime)
    assert recorder.open(out).n_ticks >= acknowledged


def test_a_killed_supervisor_leaves_no_orphans(runtime: Path, tmp_path: Path):
    out = tmp_path / "o.nwb"
    with RunningRig("run", FIRST_LIGHT, "--out", out, *REALTIME, "--seed", 2) as rig:
        with rig.attach() as bus:
            acknowledged = recorded(bus, out, 20)
        rig.process.kill()
        wait_for(lambda: rig.children() == {}, 60)
    assert running_sessions() == []  # and what it left behind is cleared away
    nothing_left(runtime)
    assert recorder.open(out).n_ticks >= acknowledged


def test_another_process_with_a_dead_ones_number_is_no_session(runtime: Path):
    """After a restart of the machine numbers are given again."""
    now_s = time.time()
    for age_s, runs in ((0.0, True), (86400.0, False)):
        directory = SessionDirectory.create()
        note = RunningSession(directory.path.name, os.getpid(), now_s - age_s, "p", "s", "forage")
        directory.announce(note)
        assert (note in running_sessions()) is runs
        assert directory.path.exists() is runs
        directory.remove()


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
    """Silence is a fault at once; when its queue is full the animal waits; both are in the recording."""
    out = tmp_path / "p.nwb"
    observe = ROOT / "protocols" / "observe.yaml"
    with RunningRig("run", observe, "--out", out, "--seed", 2, *PLAIN) as rig:
        with rig.attach() as bus:
            bus.command("pause")
            pid = rig.children()["recorder.process"]
            os.kill(pid, signal.SIGSTOP)
            heard: list[tuple[str, bool]] = []

            def told(name: str, over: bool = False) -> bool:
                found = [m.content for m in bus.poll(0.05)]
                heard.extend((each.name, each.over) for each in found if isinstance(each, Fault))
                return (name, over) in heard

            wait_for(lambda: told("silent"))
            bus.command("resume")
            wait_for(lambda: told("stalled"), 120)
            os.kill(pid, signal.SIGCONT)
            wait_for(lambda: told("stalled", over=True) and told("silent", over=True))

            def caught_up() -> bool:
                said = [m.content for m in bus.poll(0.05) if isinstance(m.content, Status)]
                recorder = said[-1].recorder if said else None
                return recorder is not None and said[-1].ticks - recorder.last_tick < 100

            wait_for(caught_up)  # who stops a session that stalls again ends its recording there
            bus.command("stop")
        status, said, trouble = rig.end(120)
    assert status == 0, trouble
    assert "stalled" in said
    ticks = [m.tick for m in messages_of(out) if isinstance(m.content, Tick)]
    assert ticks == list(range(len(ticks)))
    assert len(ticks) > 400  # its queue holds ten seconds
    with recorder.open(out) as recording:
        faults = [(fault.name, fault.over) for _, fault in recording.faults]
    assert [over for name, over in faults if name == "stalled"] == [False, True]
    assert [over for name, over in faults if name == "silent"] == [False, True]
