"""Files that a user names: devices and pipes are refused at once, and what cannot be shown is escaped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import agent.subject
import recorder
from agent.errors import SubjectError
from rig.errors import UserError
from rig.regular_file import open_regular
from stim.detectors import learned
from tests.rodent_rig import rodent_rig_here
from training import settings

ZERO = Path("/dev/zero")

PROTOCOL = """\
protocol: "a\\e[31mb"
subject: runner
task: corridor
duration_s: 1
stimuli:
  endless: {overwrite: core, units: [1], with: {file: /dev/zero}, state: cell}
  never: {overwrite: core, units: [1], with: {file: pipe.csv}, state: cell}
rules:
  - {on: {time_ms: 100}, do: endless}
  - {on: {time_ms: 500}, do: never}
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Who opens it waits for somebody who writes."""
    path = tmp_path / "pipe.nwb"
    os.mkfifo(path)
    return path


def test_a_protocol_names_no_device_and_no_pipe_and_shows_no_control_characters(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "p.yaml").write_text(PROTOCOL)
    refused = rodent_rig_here("check", tmp_path / "p.yaml")  # who opens the pipe does not come back
    assert refused.returncode == 2
    assert "'protocol' has a character that cannot be shown" in refused.stderr
    assert refused.stderr.count("it is not a regular file") == 2
    assert "\033" not in refused.stdout + refused.stderr


def test_a_name_that_a_terminal_would_obey_is_shown_escaped(tmp_path: Path) -> None:
    refused = rodent_rig_here("info", tmp_path / "a\033[31mb.nwb")
    assert refused.returncode == 2
    assert "\033" not in refused.stderr
    assert r"a\x1b[31mb.nwb" in refused.stderr


def test_recordings_are_files(pipe: Path) -> None:
    for path in (pipe, ZERO):
        with pytest.raises(UserError, match=r"not a regular file|not a recording"):
            recorder.open(path)


def test_classifiers_settings_and_subjects_are_files(pipe: Path, tmp_path: Path) -> None:
    for path in (pipe, ZERO):
        with pytest.raises(UserError, match="not a regular file"):
            learned.load(path)
        with pytest.raises(SubjectError, match="not a regular file"):
            settings.read(path)
    runner = agent.subject.find("runner")
    for name in ("subject.toml", "weights.safetensors"):
        folder = tmp_path / name
        shutil.copytree(runner, folder)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(SubjectError, match=r"not a regular file|is missing"):
            agent.load(folder)


def test_a_file_may_be_so_large(tmp_path: Path) -> None:
    (path := tmp_path / "x").write_bytes(b"12345")
    with open_regular(path, 5) as file:
        assert file.read() == b"12345"
    with pytest.raises(OSError, match="larger"):
        open_regular(path, 4)
