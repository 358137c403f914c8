"""`rodent-rig dataset`: a recording for each task and seed."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import recorder
from tests.rodent_rig import rodent_rig, rodent_rig_here


def test_a_data_set_is_a_recording_for_each_task_and_seed_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    words = ("dataset", "runner", "--task", "corridor", "--duration", 0.2, "--out", folder)
    done = rodent_rig(*words, "--episodes", 1)
    assert done.returncode == 0, done.stderr
    (file,) = (folder / "recordings").iterdir()
    made = file.stat().st_mtime_ns
    again = rodent_rig_here(*words, "--episodes", 1)
    assert again.returncode == 0, again.stderr
    assert re.search(r"were there +1\b", again.stdout)
    assert file.stat().st_mtime_ns == made
    manifest = json.loads((folder / "manifest.json").read_text())
    (entry,) = manifest["recordings"]
    assert folder / entry["file"] == file
    assert entry["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (entry["task"], entry["seed"], entry["seconds"]) == ("corridor", 1000, 0.2)
    with recorder.open(file) as recording:
        described = recording.description
        assert not recording.has_camera
    assert (described.task, described.seed) == ("corridor", 1000)
    assert (manifest["subject"], manifest["subject_sha256"]) == ("runner", described.subject_sha256)
    assert manifest["versions"]["mujoco"] == described.versions["mujoco"]


def test_a_data_set_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    for words, sentence in (
        (("--task", "maze"), "--task maze: there is no such task; there is corridor, gaps"),
        (("--episodes", 0), "--episodes is at least 1, not 0"),
        (("--duration", 0), "--duration is at least 0.02"),
    ):
        refused = rodent_rig_here("dataset", "runner", *words, "--out", tmp_path / "data")
        assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (2, 1)
        assert sentence in refused.stderr
    assert not (tmp_path / "data").exists()
