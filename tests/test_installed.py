"""Installed as a wheel, in an environment and a folder that know nothing of the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.rodent_rig import ROOT

BUILT = ("LICENSE", "README.md", "pyproject.toml")


def _run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `rodent-rig` of an environment with the wheel, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    tracked = _run("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    for name in filter(None, tracked):
        if name in BUILT or not name.startswith((".", "docs/", "tests/", "bench/", "chaos/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    options = ("--no-deps", "--no-index", "--quiet")
    pip = (sys.executable, "-m", "pip")
    wheel = _run(*pip, "wheel", ".", *options, "--no-build-isolation", "-w", folder, cwd=source)
    assert wheel.returncode == 0, wheel.stderr
    shutil.rmtree(source)
    place = folder / "environment"
    venv.create(place, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = place / "lib" / version / "site-packages"
    libraries = [each for each in sys.path if each.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries))
    built = next(folder.glob("rodent_rig-*.whl"))
    python = place / "bin" / "python"
    done = _run(*pip, "--python", python, "install", *options, built, cwd=folder)
    assert done.returncode == 0, done.stderr
    return place / "bin" / "rodent-rig"


def test_from_an_empty_folder_a_session_runs_by_name(
    command: Path, runtime: Path, tmp_path: Path
) -> None:
    """Far from home, with a plain locale and another clock, the animal runs and is recorded."""
    here = tmp_path / "empty"
    here.mkdir()
    options = ("--duration", "0.1", "--no-camera", "--no-picture")
    done = _run(command, "run", "first_light", *options, cwd=here, LC_ALL="C", TZ="Asia/Kathmandu")
    assert done.returncode == 0, done.stderr
    (recording,) = (here / "recordings").iterdir()
    assert recording.name.startswith("first-light-")
    assert recording.name.endswith("+0545.nwb")
    info = _run(command, "info", recording, cwd=here, TZ="America/Caracas")
    assert "+05:45" in info.stdout, info.stdout + info.stderr
    assert "runner" in info.stdout


def test_what_ships_is_listed_and_named(command: Path, tmp_path: Path) -> None:
    listed = _run(command, "protocols", cwd=tmp_path).stdout.splitlines()
    shipped = sorted(path.stem for path in (ROOT / "protocols").glob("*.yaml"))
    assert [line.split()[0] for line in listed] == shipped
    assert all(len(line.split()) > 3 for line in listed)
    subjects = _run(command, "subjects", cwd=tmp_path).stdout.splitlines()
    names = sorted(path.parent.name for path in (ROOT / "subjects").glob("*/subject.toml"))
    assert [line.split()[0] for line in subjects] == names
    check = _run(command, "check", "dose-response", cwd=tmp_path)
    assert check.returncode == 0, check.stderr
    wrong = _run(command, "check", "dose_respons", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean 'dose_response'?" in wrong.stderr
