"""A signal sampled faster than ticks, such as a probe's, in a recording beside the animal's own."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import recorder
from bench.synthetic_session import Stream, description
from recorder.replay import ReplaySource
from rig.bus.message_types import Message, Signal, Tick
from tests.recorder_checks import assert_same, nwb_problems
from tests.recorder_rig import Rig

PROBE = Signal("probe", n_channels=6, n_samples=20, volts_per_count=2e-7)
N_TICKS = 120


class ProbeStream(Stream):
    """A session's messages with a probe's samples in every tick: sample k has k in its first channel."""

    def ticks(self, first: int, n: int, engine: bool = True) -> Iterator[Message]:
        for message in super().ticks(first, n, engine):
            if isinstance(message.content, Tick):
                samples = np.zeros((PROBE.n_samples, PROBE.n_channels), np.int16)
                samples[:, 0] = message.tick * PROBE.n_samples + np.arange(PROBE.n_samples)
                arrays = {**message.arrays, PROBE.name: samples}
                yield dataclasses.replace(message, arrays=arrays)
            else:
                yield message


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with (
        tempfile.TemporaryDirectory(prefix="r") as sockets,
        Rig(Path(sockets), tmp_path / "probe.nwb", warm=True) as made,
    ):
        yield made


@pytest.fixture
def stream() -> ProbeStream:
    return ProbeStream(description(signals=(PROBE,)))


def test_a_probe_is_recorded_bit_for_bit_as_electrical_series(rig: Rig, stream: ProbeStream):
    rig.send_all(stream.beginning())
    sent = rig.send_all(stream.ticks(0, N_TICKS))
    rig.send(stream.end(N_TICKS))
    assert rig.wait() == 0
    with ReplaySource(rig.file) as replay:
        for mine, theirs in zip(replay.messages(0, N_TICKS), sent, strict=True):
            assert_same(mine, theirs)
    with recorder.open(rig.file) as recording:
        assert recording.values("probe", 7, 8).shape == (2, 20, 6)
        frame = recording.frame("probe", 1.0, 1.04)
        assert frame.shape == (40, 6)
        np.testing.assert_allclose(frame.t, 1.0 + np.arange(40) / 1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            series = recording.nwb.acquisition["probe"]
        assert type(series).__name__ == "ElectricalSeries"
        assert series.conversion == PROBE.volts_per_count
        assert len(series.electrodes) == PROBE.n_channels
        np.testing.assert_array_equal(series.data[:, 0], np.arange(N_TICKS * PROBE.n_samples))
    assert nwb_problems(rig.file) == []


def test_a_killed_recorder_leaves_whole_ticks_of_it(rig: Rig, stream: ProbeStream):
    rig.send_all(stream.beginning())
    rig.wait_for("recording")
    rig.send_all(stream.ticks(0, N_TICKS))
    acknowledged = rig.wait_for("recording", N_TICKS // 2).ticks_on_disk
    rig.process.kill()
    rig.wait()
    with recorder.open(rig.file) as recording:
        assert recording.state == "recovered"
        assert recording.n_ticks >= acknowledged
        samples = recording.values("probe")[:, :, 0].reshape(-1)
        np.testing.assert_array_equal(samples, np.arange(recording.n_ticks * PROBE.n_samples))
        assert len(recording.file["acquisition/probe/timestamps"]) == len(samples)
