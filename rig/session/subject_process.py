"""`python -m rig.session.subject_process DIR`: the animal, as a process of a session.

Exit status: 0 done, 1 failed, 2 the subject cannot be used as asked; the one sentence that says why goes
onto the bus and to standard error.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

from agent.errors import SubjectError
from rig.bus.message_types import Fault
from rig.bus.socket_transport import SocketTransport
from rig.errors import RunError, ending_with
from rig.opengl import opengl_error
from rig.session.directory import SessionDirectory
from rig.session.exit_with_parent import exit_with_parent


def main(arguments: list[str]) -> int:
    """Runs the animal of the session in the given folder until the session ends."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the supervisor, which ends us in order
    signal.signal(signal.SIGTERM, _leave)
    exit_with_parent()
    directory = SessionDirectory(Path(arguments[0]))
    transport = SocketTransport(directory)
    with ending_with(transport.close):
        try:
            _run(directory, transport)
        except (SubjectError, RunError) as problem:
            print(problem, file=sys.stderr)
            fault = Fault("subject", str(problem), fatal=True)
            transport.to_hub(transport.message(fault, -1, {}))
            return 2 if isinstance(problem, SubjectError) else 1
    return 0


def _run(directory: SessionDirectory, transport: SocketTransport) -> None:
    try:
        # here, because MuJoCo and dm_control ask for OpenGL when they are imported
        from rig.arenas.camera import CameraUnavailableError
        from rig.session.subject_session import run
    except (
        ImportError,
        RuntimeError,
    ) as problem:  # MuJoCo raises the latter for names that it does not know
        raise opengl_error(problem) from None
    try:
        run(directory.read_spec(), transport)
    except CameraUnavailableError as problem:
        raise RunError(f"The animal cannot see: {problem}.") from None


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
