"""The virtual probe on line: `rodent-rig probe` gives the spikes that the recording gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zmq

import recorder
from analysis.probe import Probe, spike_trains
from bench.synthetic_session import Stream, description
from recorder.writer import Writer
from rig.bus.encoding import decode
from rig.bus.message_types import End, Spikes
from rig.client import attach
from rig.session.directory import find_session, running_sessions
from tests.rodent_rig import RunningRig, rodent_rig, rodent_rig_here, wait_for

N_TICKS = 150


@pytest.fixture
def file(tmp_path: Path) -> Path:
    stream = Stream(description(2))
    _, files = stream.beginning()
    writer = Writer(tmp_path / "session.nwb", stream.described, files.arrays, session="test")
    for message in stream.ticks(0, N_TICKS):
        writer.add(message)
    writer.add(stream.end(N_TICKS))
    writer.close()
    return tmp_path / "session.nwb"


def test_the_spikes_on_line_are_those_of_the_recording(runtime: Path, file: Path):
    with RunningRig("replay", file, "--bus", "--paused"):
        wait_for(lambda: bool(running_sessions()), 60)
        name = running_sessions()[0].session
        probing = RunningRig("probe", name, "--rates", "2,120", "--refractory-ms", "3")
        with attach(name) as client, probing as probe:
            assert probe.process.stdout is not None
            assert name in probe.process.stdout.readline()
            context = zmq.Context()
            socket = context.socket(zmq.SUB)
            socket.subscribe(b"")
            socket.connect(find_session(name).address("spikes"))
            second = rodent_rig("probe", name)
            assert (second.returncode, second.stdout) == (1, "")
            assert "already" in second.stderr
            first = client.command("where")["tick"] + 1
            client.command("resume")
            heard = []
            while socket.poll(30_000):
                heard.append(decode(socket.recv_multipart()))
                if isinstance(heard[-1].content, End):
                    break
            socket.close()
            context.term()
            assert probe.process.wait(30) == 0
    messages = [each for each in heard if isinstance(each.content, Spikes) and each.tick >= first]
    assert [each.tick for each in messages] == list(range(first, N_TICKS))
    assert [each.content.missed for each in messages] == [0] * len(messages)
    units = np.concatenate([each.arrays["unit"] for each in messages])
    times = np.concatenate([each.arrays["time"] for each in messages])
    with recorder.open(file) as recording:
        trains = spike_trains(recording, Probe(2.0, 120.0, 3.0))
    assert len(times) > 1000
    for unit, train in enumerate(trains):
        np.testing.assert_array_equal(times[units == unit], train[train >= first * 0.02])


def test_rates_that_are_none_are_refused(runtime: Path):
    for rates in ("5", "50,0.5", "x,y", "0,900"):
        done = rodent_rig_here("probe", "--rates", rates)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
