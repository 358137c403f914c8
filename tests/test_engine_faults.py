"""A stimulation engine that dies or hangs in mid-session, and the one that is taken in after it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from recorder.replay import ReplaySource
from rig.bus.client import BusClient
from rig.bus.message_types import EngineReply, Event, Message, Tick
from rig.errors import RunError
from tests.rodent_rig import RunningRig, wait_for

PROTOCOL = """
protocol: on-and-off
subject: runner
task: corridor
stimuli:
  push: {clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}
rules:
  - {on: walk.onset, do: push, for_ms: 100}
  - {on: {time_ms: 500}, do: push, for_ms: 100000}
"""

Found = list[Message]
LIMIT_S = 60.0


@pytest.fixture
def session(runtime: Path, tmp_path: Path) -> Iterator[tuple[RunningRig, BusClient, Path]]:
    """A session in real time, recorded, in which a stimulus goes on from tick 26."""
    protocol, out = tmp_path / "p.yaml", tmp_path / "faults.nwb"
    protocol.write_text(PROTOCOL)
    arguments = ("run", protocol, "--out", out, "--pace", "realtime", "--no-picture", "--seed", 2)
    with RunningRig(*arguments) as rig, rig.attach() as bus:
        wait_for(lambda: any(m.tick > 40 for m in bus.poll(0.1)))
        yield rig, bus, out


def _wait(bus: BusClient, condition: Callable[[Message], bool]) -> Found:
    """Polls until a message fits; what came. How soon that is depends on what else the machine does."""
    since = time.monotonic()
    found: Found = []
    while not (found and condition(found[-1])):
        assert time.monotonic() - since < LIMIT_S, "waited in vain"
        for message in bus.poll(0.02):
            found.append(message)
            if condition(message):
                break
    return found


def _engine_is(state: str) -> Callable[[Message], bool]:
    return lambda m: m.topic == "status" and m.content.processes["stimulation"] == state


def _end(rig: RunningRig, bus: BusClient) -> None:
    bus.command("stop")
    status, said, trouble = rig.end()
    assert status == 0, trouble
    assert "fault" in said


def _recorded(out: Path) -> tuple[list[Message], list[Event]]:
    """All messages, none of whose ticks is missing, and all events."""
    with ReplaySource(out) as replay:
        messages = replay.messages(0, replay.last_tick)
        ticks = [m.tick for m in messages if isinstance(m.content, Tick)]
        assert ticks == list(range(replay.n_ticks))
        return messages, [event for _, event in replay.recording.events]


def _held(messages: list[Message]) -> set[int]:
    """The ticks in which units had another activity than their own."""
    return {
        m.tick
        for m in messages
        if isinstance(m.content, Tick)
        and not np.array_equal(m.arrays["c_applied"], m.arrays["c_natural"])
    }


def test_a_killed_engine_is_said_and_another_one_takes_over(
    session: tuple[RunningRig, BusClient, Path],
) -> None:
    rig, bus, out = session
    with pytest.raises(RunError, match="runs and answers"):
        bus.command("restart_engine")
    os.kill(rig.children()["stim.process"], signal.SIGKILL)
    _wait(bus, lambda m: m.topic == "fault")
    _wait(bus, _engine_is("dead"))
    with pytest.raises(RunError, match="no stimulation engine"):
        bus.command("stimulate", name="x", layer="core", units=[0])
    with pytest.raises(RunError, match="no stimulation engine"):
        bus.command("disarm")
    bus.command("restart_engine")
    _wait(bus, lambda m: isinstance(m.content, EngineReply) and m.content.engine_ms > 0)
    # the fault is over: who comes from now on is not told that the engine is dead
    found = _wait(bus, lambda m: _engine_is("alive")(m) and m.content.fault == "")
    status = found[-1].content
    (died,) = [fault for fault in status.faults if fault.name == "dead"]
    assert 0 < died.tick < died.over_tick
    bus.command("stimulate", name="x", layer="core", units=[0], value=0.1, for_ms=40)
    seen = _wait(bus, lambda m: isinstance(m.content, Tick) and bool(m.content.inputs))
    _wait(bus, lambda m: m.tick > seen[-1].tick + 20)
    _end(rig, bus)

    messages, events = _recorded(out)
    died = [event for event in events if "engine died" in event.cause]
    assert {event.kind for event in died} >= {"stimulus"}
    release = died[0].tick
    assert {event.tick for event in died} == {release}  # all at once
    taken = min(
        m.tick
        for m in messages
        if m.tick > release and isinstance(m.content, EngineReply) and m.content.engine_ms > 0
    )
    held = _held(messages)
    assert release - 1 in held  # the clamp, up to the end
    assert not held & set(range(release, taken + 1))
    onsets = [(e.kind, e.name, e.number) for e in events if e.phase == "onset"]
    assert len(onsets) == len(set(onsets))
    open_now: set[tuple[str, str, int]] = set()
    for event in events:
        key = (event.kind, event.name, event.number)
        if event.phase == "onset":
            open_now.add(key)
        else:
            open_now.remove(key)  # raises where an offset comes without its onset
    assert any(e.kind == "stimulus" and e.tick > taken for e in events)
    with ReplaySource(out) as replay:
        recorded = replay.recording.faults
    said = [fault.sentence for _, fault in recorded]
    assert any("engine died" in sentence for sentence in said)
    assert any(f"taken over from tick {taken} on" in sentence for sentence in said)
    assert [fault.over for _, fault in recorded if fault.name == "dead"] == [False, True]


def test_a_stuck_engine_is_said_and_can_be_let_go(
    session: tuple[RunningRig, BusClient, Path],
) -> None:
    """Replaced, too; and a session whose engine is stuck can be stopped."""
    rig, bus, out = session
    with pytest.raises(RunError, match="stuck"):
        bus.command("drop_engine")
    os.kill(rig.children()["stim.process"], signal.SIGSTOP)
    found = _wait(bus, lambda m: m.topic == "fault")
    assert "has not answered" in found[-1].content.sentence
    found = _wait(bus, _engine_is("stuck"))
    stood = max((m.tick for m in found if isinstance(m.content, Tick)), default=0)
    bus.command("drop_engine")
    _wait(bus, lambda m: isinstance(m.content, Tick) and m.tick > stood + 5)
    bus.command("restart_engine")
    _wait(bus, lambda m: isinstance(m.content, EngineReply) and m.content.engine_ms > 0)
    os.kill(rig.children()["stim.process"], signal.SIGSTOP)
    _wait(bus, _engine_is("stuck"))
    bus.command("restart_engine")  # ends the stuck one first
    _wait(bus, lambda m: isinstance(m.content, EngineReply) and m.content.engine_ms > 0)
    status = _wait(bus, _engine_is("alive"))[-1].content
    assert status.fault == ""
    assert {fault.name for fault in status.faults} == {"silent", "dead"}
    assert all(fault.over_tick >= 0 for fault in status.faults)
    os.kill(rig.children()["stim.process"], signal.SIGSTOP)
    _wait(bus, _engine_is("stuck"))
    _end(rig, bus)
    messages, events = _recorded(out)
    died = [e.tick for e in events if "engine died" in e.cause and e.kind == "stimulus"]
    assert died
    assert died[0] - 1 in _held(messages)
    assert died[0] not in _held(messages)
