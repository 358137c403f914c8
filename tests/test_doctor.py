"""`rodent-rig doctor`: says what is there, what lacks, and how to get it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rodent_rig import rodent_rig


def test_a_machine_that_has_everything(runtime: Path):
    done = rodent_rig("doctor")
    assert done.returncode == 0, done.stdout
    for name in ("OpenGL", "Qt", "fonts", "cores", "session folder"):
        assert f"ok    {name}" in done.stdout


def test_a_machine_without_opengl_is_told_how_to_get_it(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json")
    done = rodent_rig("doctor")
    assert done.returncode == 1
    assert "lack  OpenGL" in done.stdout
    assert "apt-get install" in done.stdout


def test_the_command_line_does_not_wait_for_what_few_commands_need():
    heavy = "import sys, cli.main; print(*{'torch', 'ray', 'mujoco', 'PyQt6'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", heavy], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.split() == []
