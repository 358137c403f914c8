"""Where a user happens to be: what lies in the working folder, and folders that cannot be written."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from rig.session.directory import running_sessions
from tests.rodent_rig import FIRST_LIGHT, lay_shadows, rodent_rig

SHORT = ("--duration", "0.1", "--no-camera", "--no-picture")


def test_the_doctor_runs_nothing_of_the_working_folder(runtime: Path, tmp_path: Path):
    """Nor do sessions (tests/test_terminal.py) and sweeps, on Ray or not (tests/test_sweep.py)."""
    lay_shadows(tmp_path)
    done = rodent_rig("doctor", cwd=tmp_path)
    assert "ok    OpenGL" in done.stdout, done.stdout + done.stderr
    assert "was run" not in done.stdout + done.stderr


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


def test_a_user_without_a_home_and_without_permissions_records(runtime: Path):
    """No home, no cache, a file where recordings go, a plain locale, a clock far in the west."""
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        here = Path(folder)
        if os.geteuid() == 0:
            shutil.chown(here, "nobody")
        file = here / "recordings"
        file.touch()
        done = rodent_rig(
            *("run", "first_light", *SHORT),
            cwd=here,
            nobody=True,
            without=("HOME",),
            XDG_CACHE_HOME=str(file / "cache"),
            XDG_CONFIG_HOME=str(file / "config"),
            XDG_DATA_HOME=str(here / "data"),
            XDG_RUNTIME_DIR=str(file / "runtime"),
            TMPDIR=folder,
            LC_ALL="C",
            TZ="Pacific/Honolulu",
        )
        assert done.returncode == 0, done.stderr
        assert f"Nothing can be recorded in {file} (it is a file)" in done.stderr
        (recording,) = (here / "data" / "rodent-rig" / "recordings").iterdir()
        assert str(recording) in done.stdout
        assert recording.name.endswith("-1000.nwb")
        info = rodent_rig("info", recording, TZ="Asia/Tokyo")
        assert "-10:00" in info.stdout, info.stdout


def test_only_the_usual_folder_is_made_for_a_recording(runtime: Path, tmp_path: Path):
    """The documented way to a baseline in a folder where nothing was recorded yet; and a slip of the pen."""
    slip = rodent_rig("run", "first_light", *SHORT, "--out", "recording/a.nwb", cwd=tmp_path)
    assert slip.returncode == 2
    assert "There is no folder recording" in slip.stderr
    assert list(tmp_path.iterdir()) == []
    done = rodent_rig("run", "first_light", *SHORT, "--out", "recordings/a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [each.name for each in (tmp_path / "recordings").iterdir()] == ["a.nwb"]


def test_the_doctor_looks_at_all_folders(runtime: Path, tmp_path: Path):
    (tmp_path / "recordings").touch()
    file = str(tmp_path / "recordings" / "x")
    places = {"XDG_CACHE_HOME": file, "XDG_DATA_HOME": file, "MUJOCO_GL": "nonsense"}
    done = rodent_rig("doctor", cwd=tmp_path, **places)
    assert done.returncode == 1
    for name in ("recordings", "cache", "OpenGL"):
        assert f"lack  {name}" in done.stdout
    assert "MUJOCO_GL is set to 'nonsense'" in done.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "recordings"]
