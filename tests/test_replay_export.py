"""A recording for other programs: a film, a table, an NWB file with chosen signals."""

from __future__ import annotations

import csv
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import recorder
from bench.synthetic_session import Stream, description
from cli.main import main
from recorder.writer import Writer
from rig.bus.message_types import Episode

N_TICKS = 250
MODEL = """
<mujoco><worldbody>
  <light pos='0 0 3'/>
  <geom type='plane' size='2 2 .1' rgba='.2 .5 .2 1'/>
  <body name='walker/torso' pos='0 0 .1'><freejoint/><geom size='.08' rgba='.9 .2 .1 1'/>
  </body>
</worldbody></mujoco>
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of an animal that is a ball at rest, with stimuli, task events and inputs."""
    path = tmp_path_factory.mktemp("export") / "session.nwb"
    stream = Stream(description(n_qpos=7, n_qvel=6, joints=()))
    described, _ = stream.beginning()
    writer = Writer(path, stream.described, {}, session=described.session)
    rest = np.array([0.0, 0.0, 0.1, 1.0, 0.0, 0.0, 0.0])
    for message in stream.ticks(0, N_TICKS):
        if isinstance(message.content, Episode):
            message = stream_with(message, Episode(message.content.trial, MODEL))
        elif message.topic == "tick":
            message = stream_with(message, message.content, {**message.arrays, "qpos": rest})
        writer.add(message)
    writer.close()
    return path


def stream_with(message, content, arrays=None):  # type: ignore[no-untyped-def]
    """The same message with another content."""
    kept = message.arrays if arrays is None else arrays
    return type(message)(content, message.session, message.tick, message.sequence, kept)


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["rodent-rig", "export", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def test_the_film_shows_the_animal_above_its_raster(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many frames as time and speed make; the animal in the middle, activity and a run below."""
    import imageio_ffmpeg

    out = tmp_path / "film.mp4"
    assert _run(monkeypatch, file, "--video", out, "--from", 1, "--to", 3, "--speed", 2) == 0
    frames = imageio_ffmpeg.read_frames(str(out))
    header = next(frames)
    width, height = header["size"]
    pictures = [np.frombuffer(each, np.uint8).reshape(height, width, 3) for each in frames]
    assert header["fps"] == 25
    assert len(pictures) == 25
    middle = pictures[-1][200:280, 320:400].reshape(-1, 3).astype(int)
    assert np.mean(middle[:, 0] > middle[:, 1] + 20) > 0.5  # the ball is red, the floor is green
    raster = pictures[-1][480:736].astype(int)
    assert raster.std() > 10
    assert np.abs(raster - pictures[0][480:736].astype(int)).mean() > 2  # it moves
    assert list(tmp_path.iterdir()) == [out]


def test_a_strip_shows_the_animal_moment_by_moment(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As many frames as asked for, five beside each other, the animal in the middle of each."""
    from PIL import Image

    out = tmp_path / "strip.png"
    assert _run(monkeypatch, file, "--strip", out, "--from", 0, "--to", 1.5, "--frames", 7) == 0
    assert "7 moments, ticks 0 to 74" in capfd.readouterr().out
    picture = np.asarray(Image.open(out)).astype(int)
    assert picture.shape == (400, 1500, 3)
    for k in range(7):
        row, column = divmod(k, 5)
        middle = picture[row * 200 + 90 : row * 200 + 110, column * 300 + 140 : column * 300 + 160]
        assert np.mean(middle[..., 0] > middle[..., 1] + 20) > 0.9  # the ball is red
    assert not picture[200:, 600:].any()
    before = out.read_bytes()
    for options, words in (
        (("--frames", 7), "exists"),
        (("--overwrite", "--to", 3), "of one trial"),
        (("--overwrite", "--to", 0.1, "--frames", 7), "--frames 7"),
    ):
        assert _run(monkeypatch, file, "--strip", out, *options) == 2
        assert words in capfd.readouterr().err
        assert out.read_bytes() == before


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_table_has_what_happened(
    ending: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behaviours, stimuli with their shams, trials with conditions, task events, inputs; and only in time."""
    import pandas

    out = tmp_path / f"what.{ending}"
    assert _run(monkeypatch, file, "--intervals", out, "--to", 3) == 0
    table = pandas.read_csv(out) if ending == "csv" else pandas.read_parquet(out)
    assert set(table["kind"]) == {"behaviour", "stimulus", "trial", "task_event", "input"}
    with recorder.open(file) as recording:
        runs = [each for each in recording.intervals("behaviours") if each.name == "run"]
        expected = [(each.start_s, each.stop_s) for each in runs if each.start_s < 3]
    found = table[table["name"] == "run"]
    np.testing.assert_allclose(found[["start_s", "stop_s"]].to_numpy(), expected)
    silences = table[table["name"] == "silence"]
    assert list(silences["sham"])[:3] == [False, True, False]
    trials = table[table["kind"] == "trial"]
    assert list(trials["condition"]) == ["control", "silenced"]
    assert list(trials["start_s"]) == [0.0, 2.0]
    taps = table[table["name"] == "first_tap"]
    assert list(taps["tick"]) == [17, 107]
    assert list(taps["trial"]) == [0, 1]
    assert (table["start_s"] < 3).all()


def test_chosen_signals_are_an_nwb_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole series, groups of columns and single ones; the numbers are those of the recording."""
    import pynapple as nap
    from pynwb import NWBHDF5IO

    out = tmp_path / "chosen.nwb"
    names = "body/head_z,h_applied/policy_2,reward"
    assert _run(monkeypatch, file, "--signals", names, "--out", out, "--from", 1, "--to", 4) == 0
    with recorder.open(file) as recording, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(str(out), "r") as io:
            nwb = io.read()
            assert set(nwb.acquisition) == {"body_head_z", "h_applied_policy_2", "reward", "events"}
            layer = nwb.acquisition["h_applied_policy_2"]
            np.testing.assert_array_equal(
                layer.data[:], recording.values("h_applied", 50, 199)[:, 384:]
            )
            assert layer.comments.startswith("columns: policy_2/0, policy_2/1")
            assert nwb.acquisition["body_head_z"].unit == "m"
            assert list(nwb.trials.to_dataframe()["condition"]) == ["control", "silenced"]
        loaded = nap.load_file(str(out))
        np.testing.assert_allclose(loaded["reward"].t, np.arange(50, 200) * 0.02)
        np.testing.assert_array_equal(loaded["reward"].d, recording.values("reward", 50, 199))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Say what to export"),
        (("--signals", "body"), "go together"),
        (("--signals", "qpso", "--out", "OUT.nwb"), "no series 'qpso'"),
        (("--signals", "body/tail", "--out", "OUT.nwb"), "no column 'tail'"),
        (("--intervals", "OUT.xlsx"), ".csv or .parquet"),
        (("--intervals", "OUT.csv", "--from", "20"), "nothing from 20.00 s"),
        (("--intervals", "OUT.csv", "--from", "nan"), "a finite number"),
        (("--video", "OUT.avi"), ".mp4"),
        (("--video", "OUT.mp4", "--speed", "0"), "0.1 to 20"),
        (("--video", "/nowhere/OUT.mp4"), "no folder"),
    ],
)
def test_bad_input_is_a_sentence(
    arguments: tuple[str, ...],
    words: str,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2, and nothing is left behind."""
    placed = [str(tmp_path / each) if each.startswith("OUT") else each for each in arguments]
    assert _run(monkeypatch, file, *placed) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_plain_csv(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a header of the names that the documentation has."""
    out = tmp_path / "what.csv"
    assert _run(monkeypatch, file, "--intervals", out) == 0
    with out.open(encoding="utf-8") as text:
        header = next(csv.reader(text))
    page = (Path(__file__).parent.parent / "docs" / "recording.md").read_text()
    assert all(f"`{name}`" in page for name in header)
