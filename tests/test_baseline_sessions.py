"""From a baseline recording to stimuli, through the command line: what is applied is what was natural."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import recorder
from analysis.core import modulation
from tests.in_process_session import record
from tests.rodent_rig import rodent_rig, rodent_rig_here

BASELINE = """
protocol: short-baseline
subject: runner
task: corridor
trial_s: 2.0
"""

EXPERIMENT = """
protocol: from-baseline
subject: runner
task: corridor
trial_s: 2.0
baselines:
  natural: {{recording: natural.nwb, sha256: {sha256}}}
stimuli:
  hold:
    clamp: policy_2
    units: {{top: 16, by: run, in: natural}}
    to: {{mean: natural, during: run}}
    state: both
  play:
    overwrite: policy_1
    units: all
    with: {{average: natural, around: run, before_ms: 100, after_ms: 200}}
    state: cell
rules:
  - {{on: {{time_ms: 400}}, do: hold, for_ms: 100}}
  - {{on: {{time_ms: 1000}}, do: play}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`natural.nwb`, a baseline, and `experiment.nwb`, a session of `experiment.yaml` with it."""
    folder = tmp_path_factory.mktemp("from_baseline")
    record(folder / "natural.nwb", BASELINE, 400, seed=1)
    sha256 = hashlib.sha256((folder / "natural.nwb").read_bytes()).hexdigest()
    (folder / "experiment.yaml").write_text(EXPERIMENT.format(sha256=sha256))
    options = ("--seed", 2, "--duration", 3, "--no-camera", "--no-picture")
    done = rodent_rig(
        "run", folder / "experiment.yaml", "--out", folder / "experiment.nwb", *options
    )
    assert done.returncode == 0, done.stderr
    return folder


def natural(folder: Path, name: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """A series of the baseline, and the ticks of its whole runs, each from its beginning to its end."""
    with recorder.open(folder / "natural.nwb") as recording:
        runs = [
            (each.began_tick, each.offset_tick)
            for each in recording.intervals("behaviours")
            if each.name == "run" and each.offset_tick >= 0
        ]
        assert len(runs) >= 3
        return recording.values(name), runs


def test_units_are_held_at_their_natural_means(folder: Path) -> None:
    h, runs = natural(folder, "h_natural")
    strength = modulation(h[:, 384:512], runs)
    units = 384 + np.argsort(-strength, kind="stable")[:16]
    with recorder.open(folder / "experiment.nwb") as recording:
        held = np.array([tick for tick in recording.ticks if 21 <= tick % 100 < 26])
        assert len(held) == 10
        free = np.setdiff1d(recording.ticks, held)
        for name in ("c", "h"):
            baseline, _ = natural(folder, f"{name}_natural")
            rows = np.concatenate([np.arange(*each) for each in runs])
            mean = baseline[rows][:, units].mean(0, dtype=np.float64).astype(np.float32)
            applied = recording.values(f"{name}_applied")[:, units]
            assert (applied[held] == mean).all()
            assert (applied[free] == recording.values(f"{name}_natural")[free][:, units]).all()
            assert (recording.values(f"{name}_natural")[held][:, units] != mean).any()


def test_units_follow_their_natural_course(folder: Path) -> None:
    c, runs = natural(folder, "c_natural")
    windows = [c[began - 5 : began + 10, 256:384] for began, _ in runs if 5 <= began % 100 <= 90]
    course = np.mean(windows, axis=0, dtype=np.float64).astype(np.float32)
    assert course.shape == (15, 128)
    with recorder.open(folder / "experiment.nwb") as recording:
        applied = recording.values("c_applied")
        assert (applied[51:66, 256:384] == course).all()
        assert list(recording.description.baselines) == ["natural"]
        assert (
            recording.description.baselines["natural"] in (folder / "experiment.yaml").read_text()
        )
        (played,) = [each for each in recording.intervals("stimuli") if each.name == "play"]
        assert (played.onset_tick, played.offset_tick) == (51, 66)


def test_a_session_without_its_baseline_does_not_begin(folder: Path) -> None:
    """Each reason is one sentence before anything runs, and exit status 2."""
    pinned = (folder / "experiment.yaml").read_text()
    for name, text, complaint in (
        ("other", _other_hash(pinned), "SHA-256"),
        ("gone", pinned.replace("natural.nwb", "gone.nwb"), "There is no recording"),
        ("rodent", pinned.replace("subject: runner", "subject: rodent"), "another subject (runner"),
    ):
        protocol, out = folder / f"{name}.yaml", folder / f"{name}-session.nwb"
        protocol.write_text(text)
        done = rodent_rig_here("run", protocol, "--duration", 1, "--out", out)
        assert done.returncode == 2, done.stdout
        assert complaint in done.stderr
        assert not out.exists()
        # for `check` it is a mistake like others, at its line
        checked = rodent_rig_here("check", protocol)
        assert checked.returncode == 2, checked.stdout
        assert checked.stderr.startswith(f"{protocol}:7:12: ")
        assert complaint in checked.stderr


def _other_hash(text: str) -> str:
    at = text.index("sha256: ") + len("sha256: ")
    return text[:at] + "0" * 64 + text[at + 64 :]
