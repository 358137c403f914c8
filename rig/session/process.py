"""`python -m rig.session.process DIR`: a session on its own, with a window or none attached to it.

The window starts it detached, so that a window that crashes leaves the session running.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from rig.child_python import environment, python
from rig.errors import RunError, UserError
from rig.session.directory import SessionDirectory, SessionSpec
from rig.session.supervisor import run_session

ENDS_S = 5.0
"""How long a session that took too long to start may take to end in order."""


def start_detached(spec: SessionSpec, directory: SessionDirectory, timeout_s: float = 10.0) -> None:
    """Starts a session as a process that outlives this one; returns when it can be attached to.

    Args:
        spec: what is run.
        directory: the session's folder.
        timeout_s: how long the start may take; a session that takes longer is ended.

    Raises:
        RunError: it ended before that, with its own sentence, or took too long.
    """
    directory.write_spec(spec)
    log = directory.path.parent / f"{directory.session}.log"
    with directory.writing(), log.open("wb") as out:
        process = subprocess.Popen(
            python("-m", "rig.session.process", str(directory.path)),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(),
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout_s
    try:
        while directory.note() is None:
            if process.poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise RunError(lines[-1] if lines else "The session did not start.")
            if time.monotonic() > deadline:
                _end(process, directory)
                raise RunError(f"The session did not start within {timeout_s:g} s, and was ended.")
            time.sleep(0.02)
    finally:
        with contextlib.suppress(OSError):
            log.unlink(missing_ok=True)


def _end(process: subprocess.Popen[bytes], directory: SessionDirectory) -> None:
    """Ends a session that nobody would know of: else it would run, and record, unattended."""
    process.terminate()
    try:
        process.wait(ENDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    directory.remove()


def main(arguments: list[str]) -> int:
    """Runs the session whose spec lies in the given folder."""
    directory = SessionDirectory(Path(arguments[0]))
    try:
        summary = run_session(directory.read_spec(), directory)
    except (UserError, RunError) as problem:
        print(problem, file=sys.stderr)
        return 2 if isinstance(problem, UserError) else 1
    return 1 if summary.failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
