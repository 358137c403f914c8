"""The virtual probe: spike trains that have the rates, the pauses and the determinism that they promise."""

from __future__ import annotations

import dataclasses
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import recorder
from analysis.probe import Probe, spike_trains, spikes
from bench.synthetic_session import Stream, description
from cli.main import main
from recorder.writer import Writer
from rig.bus.message_types import Tick
from rig.errors import UserError

N_TICKS = 500


def _write(path: Path, change_from: int = N_TICKS) -> Path:
    """Ten seconds: unit k of each layer has |h| = k/128; from a tick on, those of `core` are silent."""
    stream = Stream(description())
    described, files = stream.beginning()
    level = np.tile(np.arange(128, dtype=np.float32) / 128, 4)
    level[1::2] *= -1
    writer = Writer(path, description(), files.arrays, session=described.session)
    for message in stream.ticks(0, N_TICKS):
        if isinstance(message.content, Tick):
            h = level * ((np.arange(512) >= 128) | (message.tick < change_from))
            arrays = {**message.arrays, "h_applied": h.astype(np.float32)}
            message = dataclasses.replace(message, arrays=arrays)
        writer.add(message)
    writer.close()
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("probe") / "session.nwb")


def test_rates_follow_the_activity(file: Path) -> None:
    """To within what chance allows, refractory period and all; and no spike comes in that period."""
    probe = Probe(lowest_hz=2.0, highest_hz=120.0, refractory_ms=3.0)
    with recorder.open(file) as recording:
        trains = spike_trains(recording, probe)
    assert len(trains) == 512
    level = np.tile(np.arange(128) / 128, 4)
    expected = (2.0 + 118.0 * level) * N_TICKS * 0.02
    counts = np.array([len(train) for train in trains])
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected.max())
    assert abs(counts.sum() / expected.sum() - 1) < 0.02
    # a Poisson process with pauses is more regular than one without: (1 - rate × pause)²
    quick = np.concatenate([np.diff(trains[k * 128 + 127]) for k in range(4)])
    variation = (quick.std() / quick.mean()) ** 2
    assert variation == pytest.approx((1 - 120 * 0.003) ** 2, rel=0.15)
    for train in trains:
        assert np.all(np.diff(train) >= 0.003)
        assert np.all((train >= 0) & (train < N_TICKS * 0.02))


def test_a_rate_range_for_each_unit(file: Path) -> None:
    """Units that may not fire do not."""
    highest = np.zeros(512)
    highest[200] = 80.0
    with recorder.open(file) as recording:
        trains = spike_trains(recording, Probe(0.0, highest, drive="magnitude"))
    assert [k for k, train in enumerate(trains) if len(train)] == [200]


def test_spikes_are_the_same_where_activity_is(file: Path, tmp_path: Path) -> None:
    """Of one recording always; of two with a seed in common, in every unit and tick that do not differ."""
    other = _write(tmp_path / "other.nwb", change_from=250)
    with recorder.open(file) as one, recorder.open(other) as two:
        first, again, changed = spike_trains(one), spike_trains(one), spike_trains(two)
        other_seed = spike_trains(one, seed=8)
        late = spike_trains(one, from_s=6.0)
    for k in range(512):
        np.testing.assert_array_equal(first[k], again[k])
        same_until = 5.0 if k < 128 else 10.0
        np.testing.assert_array_equal(
            first[k][first[k] < same_until], changed[k][changed[k] < same_until]
        )
        begins = first[k][first[k] >= 6.01]
        assert set(begins[1:]) <= set(late[k])  # the very first may follow a spike before 6 s
    assert sum(len(train[train > 5]) for train in changed[:128]) < sum(
        len(train[train > 5]) for train in first[:128]
    )
    assert any(len(a) != len(b) for a, b in zip(first, other_seed, strict=True))


def test_the_file_is_read_by_ordinary_tools(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pynwb, pynapple, neo and elephant see the same spikes; the file says that they are emulated."""
    import neo
    import pynapple as nap
    from elephant.statistics import mean_firing_rate
    from pynwb import NWBHDF5IO

    out = tmp_path / "spikes.nwb"
    monkeypatch.setattr(
        sys, "argv", ["rodent-rig", "spikes", str(file), "--out", str(out), "--rates", "1,80"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    with recorder.open(file) as recording:
        trains = spike_trains(recording, Probe(1.0, 80.0))
        group = spikes(recording, Probe(1.0, 80.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(str(out), "r") as io:
            nwb = io.read()
            assert "EMULATED" in nwb.data_collection
            units = nwb.units.to_dataframe()
            assert list(units["unit_name"])[127:129] == ["core/127", "policy_0/0"]
            np.testing.assert_array_equal(units["spike_times"].iloc[300], trains[300])
            assert {"stimulus_silence", "stimulus_outside", "behaviour_run"} <= set(nwb.intervals)
            assert len(nwb.trials) == 5
        loaded = nap.load_file(str(out))["units"]
        np.testing.assert_allclose(loaded[300].t, trains[300], atol=1e-6)
        np.testing.assert_allclose(group[300].t, loaded[300].t, atol=1e-6)
        assert list(loaded.get_info("layer")[:1]) == ["core"]
        neo_io = neo.io.NWBIO(str(out), mode="r")
        block = neo_io.read_all_blocks()[0]
        found = [train for segment in block.segments for train in segment.spiketrains]
        assert sum(len(train) for train in found) == sum(map(len, trains))
        rate = float(mean_firing_rate(found[100]).rescale("Hz"))
        assert rate == pytest.approx(len(found[100]) / float(found[100].t_stop), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rates", "50,1"), "lower first"),
        (("--rates", "1,900"), "at most"),
        (("--rates", "fast"), "two rates"),
        (("--refractory-ms", "-1"), "refractory period"),
        (("--seed", "-4"), "whole number"),
        (("--out", "x.csv"), "written as .nwb"),
        (("--out", "/nowhere/x.nwb"), "no folder"),
    ],
)
def test_bad_input_is_a_sentence(
    arguments: tuple[str, str],
    words: str,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2, and nothing is left behind."""
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "s.nwb")]
    monkeypatch.setattr(sys, "argv", ["rodent-rig", "spikes", str(file), *out, *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_stretch_that_is_not_there(file: Path) -> None:
    """Said, with what there is."""
    with recorder.open(file) as recording, pytest.raises(UserError, match=r"10\.00 s"):
        spike_trains(recording, from_s=20.0, to_s=30.0)
