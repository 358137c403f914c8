"""Where sessions live: folders of their user alone, and none that is left when a start is broken off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rig.errors import RunError
from rig.session.directory import SessionDirectory, find_session, running_sessions, runtime_folder
from tests.rodent_rig import FIRST_LIGHT, ROOT


def test_a_folder_that_others_can_write_in_or_that_is_a_link_is_refused(
    runtime: Path, tmp_path: Path
) -> None:
    folder = runtime_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(RunError, match=r"Other users can write in .*chmod 700"):
        SessionDirectory.create()
    folder.chmod(0o700)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a link"):
        SessionDirectory.create()


def test_a_link_among_the_sessions_is_none(runtime: Path, tmp_path: Path) -> None:
    """Its folder is neither attached to nor cleared away."""
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "session.json").write_text(
        '{"session": "link", "pid": 1, "started_unix_s": 0, "protocol": "", "subject": "", "task": ""}'
    )
    (runtime_folder() / "link").symlink_to(elsewhere)
    assert running_sessions() == []
    with pytest.raises(RunError, match="No session named"):
        find_session("link")
    assert (elsewhere / "session.json").exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_broken_off_leaves_no_folder(
    runtime: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    sessions = runtime_folder()
    arguments = ["run", str(FIRST_LIGHT), "--out", str(tmp_path / "x.nwb")]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until_s = time.monotonic() + 60
    while not list(sessions.iterdir()) and time.monotonic() < until_s:
        time.sleep(0.001)
    process.send_signal(ending)
    _, trouble = process.communicate(timeout=60)
    assert "Traceback" not in trouble
    assert list(sessions.iterdir()) == []


def test_a_process_whose_parent_dies_while_it_is_loaded_ends(runtime: Path, tmp_path: Path) -> None:
    """A session that is killed as it starts: its recorder has not yet asked to be told of that."""
    program = f"""
import os
from pathlib import Path
from rig.session.directory import SessionDirectory
from rig.session.processes import ChildProcess
directory = SessionDirectory.create()
arguments = [str(directory.path), {str(tmp_path / "x.nwb")!r}]
print(ChildProcess("recorder", "recorder.process", arguments, directory.path).pid, flush=True)
os._exit(0)
"""
    made = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    process = int(made.stdout)
    until_s = time.monotonic() + 60
    while _runs(process) and time.monotonic() < until_s:
        time.sleep(0.05)
    left = _runs(process)
    if left:
        os.kill(process, signal.SIGKILL)
    assert not left


def _runs(process: int) -> bool:
    """Whether it does; one that nobody has collected does not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
