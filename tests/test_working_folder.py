"""Where a user happens to be: what lies in the working folder, and folders that cannot be written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.session.directory import running_sessions
from tests.rodent_rig import FIRST_LIGHT, rodent_rig

SHORT = ("--duration", "0.1", "--no-camera", "--no-picture")
SHADOWS = (
    *("queue.py", "random.py", "select.py", "recorder.py", "cli.py"),
    *("rig/__init__.py", "stim/__init__.py", "agent/__init__.py", "gui/__init__.py"),
)


@pytest.fixture
def shadows(tmp_path: Path) -> Path:
    """A folder with files of the names that Python's own modules and ours have, and what they do when run."""
    for name in SHADOWS:
        file = tmp_path / "here" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"raise SystemExit({name!r} + ' was run')")
    return tmp_path / "here"


def test_nothing_in_the_working_folder_is_run(runtime: Path, shadows: Path):
    """A sweep's session is five processes deep: the command, its worker, subject, engine and recorder."""
    words = ("--seeds", 1, "--duration", "0.1", "--out", shadows / "out")
    done = rodent_rig("sweep", FIRST_LIGHT, *words, cwd=shadows)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "was run" not in done.stdout + done.stderr
    assert (shadows / "out" / "recordings" / "seed-0.nwb").is_file()
    doctor = rodent_rig("doctor", cwd=shadows)
    assert "ok    OpenGL" in doctor.stdout, doctor.stdout + doctor.stderr


def test_a_full_runtime_folder_is_said_before_anything_starts(runtime: Path, tmp_path: Path):
    done = rodent_rig("run", FIRST_LIGHT, "--out", tmp_path / "x.nwb", *SHORT, file_bytes=4096)
    assert done.returncode == 1
    assert re.fullmatch(
        r"No session can be run from \S+: File too large; make room there, or set XDG_RUNTIME_DIR to "
        r"another folder\.\n",
        done.stderr,
    ), done.stderr
    assert running_sessions() == []
    assert list((runtime / "rodent-rig").iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_stops_nothing(runtime: Path, tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    done = rodent_rig(
        *("run", FIRST_LIGHT, "--out", tmp_path / "x.nwb", *SHORT),
        HOME=str(file),
        XDG_CACHE_HOME=str(file / "cache"),
        XDG_CONFIG_HOME=str(file / "config"),
        TMPDIR=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "closed" in done.stdout
