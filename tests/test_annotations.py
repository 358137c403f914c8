"""Annotations beside a recording: their file, agreement of two channels, and what else is made of them."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest

import recorder
from analysis.agreement import agreement, cohens_kappa, matched_bouts
from bench.synthetic_session import Stream, description
from recorder.annotation_file import read_annotations, write_annotations
from recorder.annotations import Annotation, Annotations, Channel, Label, annotations_path
from recorder.output_path import recordings_in
from recorder.writer import Writer
from rig.errors import UserError
from tests.rodent_rig import rodent_rig_here

N_TICKS = 600
CHANNELS = (
    Channel("jane", "#56b4e9", (Label("run", "r"), Label("groom", "g"))),
    Channel("joe", "#d58b3d", (Label("run", "r"),)),
)
ROWS = (
    Annotation(10, 60, "jane", "run", "Jane Doe", "2026-11-26T08:00:00+00:00"),
    Annotation(100, 150, "jane", "run", "Jane Doe", "2026-11-26T08:00:01+00:00"),
    Annotation(300, 420, "jane", "groom", "Jane Doe", "2026-11-26T08:00:02+00:00"),
    Annotation(12, 58, "joe", "run", "Joe — µ", "2026-11-26T09:00:00+00:00"),
    Annotation(140, 190, "joe", "run", "Joe — µ", "2026-11-26T09:00:01+00:00"),
)
PROTOCOL = """
protocol: at-run
subject: runner
task: corridor
stimuli:
  mark: {clamp: core, units: all, to: 0.5, state: cell}
rules:
  - {on: run.onset, do: mark, for_ms: 20}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`F.nwb`, a synthetic recording, with its annotations, and a protocol."""
    folder = tmp_path_factory.mktemp("annotations")
    described = description()
    stream = Stream(described)
    writer = Writer(folder / "F.nwb", described, {}, session="test", camera=False)
    for message in [*stream.beginning(), *stream.ticks(0, N_TICKS), stream.end(N_TICKS)]:
        writer.add(message)
    writer.close()
    own = Annotations("test", ("F.nwb",), 0, N_TICKS - 1, 0.02, CHANNELS, ROWS)
    write_annotations(annotations_path(folder / "F.nwb"), own, described)
    (folder / "at_run.yaml").write_text(PROTOCOL)
    return folder


def test_the_file_is_nwb_and_comes_back_whole(folder: Path) -> None:
    path = folder / "F.annotations.nwb"
    found = read_annotations(path)
    assert found.channels == CHANNELS
    assert found.rows == tuple(sorted(ROWS))
    assert found.bouts(None, "run").tolist() == [[10, 60], [100, 190]]
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "r") as io:
        table = io.read().intervals["annotations"].to_dataframe()
    assert list(table) == ["start_time", "stop_time", "channel", "label", "author", "created"]
    assert table["stop_time"].tolist()[0] == pytest.approx(1.2)
    assert recordings_in(folder) == [folder / "F.nwb"]
    with pytest.raises(UserError, match=r"open F\.nwb, which shows them"):
        recorder.open(path)


def test_what_is_none_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.annotations.nwb"
    torn.write_bytes((folder / "F.annotations.nwb").read_bytes()[:9000])
    later = tmp_path / "later.annotations.nwb"
    later.write_bytes((folder / "F.annotations.nwb").read_bytes())
    with h5py.File(later, "r+") as file:
        header = msgspec.json.decode(file["scratch/annotations"].asstr()[()])
        file["scratch/annotations"][()] = msgspec.json.encode(
            {**header, "rodent_rig_annotations": 99}
        ).decode()
    foreign = tmp_path / "foreign.annotations.nwb"
    foreign.write_bytes((folder / "F.nwb").read_bytes())
    for path, words in (
        (torn, "cannot be read as annotations"),
        (later, "newer version"),
        (foreign, "holds no annotations"),
        (tmp_path / "none.annotations.nwb", "There are no annotations"),
    ):
        said = rodent_rig_here("agreement", path, "jane", "joe")
        assert said.returncode == 2
        assert words in said.stderr
        assert len(said.stderr.strip().splitlines()) == 1


def test_agreement_on_known_answers(folder: Path) -> None:
    """Cohen's own example is in the docstring; here what is exact by hand."""
    same = np.array([0, 1, 1, 0])
    assert cohens_kappa(same, same) == 1.0
    assert cohens_kappa(same, 1 - same) == -1.0
    assert math.isnan(cohens_kappa(np.ones(4, int), np.ones(4, int)))
    bouts = np.array([[0, 10], [20, 30]])
    assert matched_bouts(bouts, bouts) == 2
    assert matched_bouts(bouts, np.array([[0, 30]]), 0.3) == 1  # one bout goes with one
    # who takes the nearest first finds one pair, where there are two
    assert matched_bouts(np.array([[0, 10], [10, 18]]), np.array([[2, 16], [-8, 4]]), 0.2) == 2
    found = agreement({"run": bouts}, {"run": np.array([[0, 5], [40, 50]])}, (0, 100))
    (run,) = found.labels
    assert (run.ticks_one, run.ticks_other, run.ticks_both) == (20, 15, 5)
    chance = 0.2 * 0.15 + 0.8 * 0.85
    assert run.kappa == pytest.approx((0.75 - chance) / (1 - chance))
    assert (run.matched, run.f1) == (1, 0.5)
    with pytest.raises(UserError, match="over 0"):
        agreement({}, {}, (0, 1), iou=0.0)


def test_agreement_on_the_command_line(folder: Path) -> None:
    said = rodent_rig_here("agreement", folder / "F.annotations.nwb", "jane", "joe")
    assert said.returncode == 0, said.stderr
    run, groom, whole = (line.split() for line in said.stdout.splitlines()[2:])
    assert "600 ticks" in said.stdout
    assert run == ["run", "0.49", "100", "96", "56", "0.50", "2", "2", "1"]
    assert groom[:3] == ["groom", "0.00", "120"]
    assert whole[0] == "all"
    detected = rodent_rig_here("agreement", folder / "F.nwb", "jane", "detected")
    assert "run" in detected.stdout
    assert "walk" not in detected.stdout  # nobody looked for it
    refused = rodent_rig_here("agreement", folder / "F.nwb", "jane", "jim")
    assert refused.returncode == 2
    assert "no channel 'jim'; there are jane, joe, detected" in refused.stderr


def test_labels_for_learning(folder: Path, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "d.npz", "--intervals", folder / "F.annotations.nwb")
    said = rodent_rig_here("learn", folder / "F.nwb", *options, "--behaviour", "groom")
    assert said.returncode == 0, said.stderr
    assert "groom: 102 ticks" in said.stdout  # windows of ten ticks, in two trials
    wrong = (*options, "--overwrite", "--behaviour", "groom", "--channel", "joe")
    refused = rodent_rig_here("learn", folder / "F.nwb", *wrong)
    assert refused.returncode == 2
    assert "no 'groom' annotated in the channel 'joe'; it has run" in refused.stderr


def test_triggers_over_a_recording(folder: Path, tmp_path: Path) -> None:
    """A rule on a behaviour is triggered where it was annotated, to the tick."""
    against = ("check", folder / "at_run.yaml", "--against", folder / "F.nwb")
    own = ("--annotations", folder / "F.annotations.nwb", "--channel", "jane")
    said = rodent_rig_here(*against, *own)
    assert said.returncode == 0, said.stderr
    assert "As annotated, not as detected: run 2 bouts." in said.stdout
    rows = [line.split()[0] for line in said.stdout.splitlines() if " mark " in line]
    assert rows == ["11", "101"]  # found at 10 and at 100, on from the next tick on
    refused = rodent_rig_here("check", folder / "at_run.yaml", *own)
    assert "--against" in refused.stderr
    other = tmp_path / "other.annotations.nwb"
    annotations = msgspec.structs.replace(read_annotations(own[1]), session="another")
    write_annotations(other, annotations, description())
    foreign = rodent_rig_here(*against, "--annotations", other)
    assert foreign.returncode == 2
    assert "annotates another session" in foreign.stderr
