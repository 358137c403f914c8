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


def start_detached(spec: SessionSpec, directory: SessionDirectory, timeout_s: float = 10.0) -> None:
    """Starts a session as a process that outlives this one; returns when it can be attached to.

    Raises `RunError` with the session's own sentence when it ends before that.
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
            if process.poll() is not None or time.monotonic() > deadline:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise RunError(lines[-1] if lines else "The session did not start.")
            time.sleep(0.02)
    finally:
        with contextlib.suppress(OSError):
            log.unlink(missing_ok=True)


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
