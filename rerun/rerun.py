"""Runs a session in this process, on an `InProcessTransport`, and says in a sentence why it cannot."""

from __future__ import annotations

import gc

from agent.errors import SubjectError
from rerun.in_process_transport import InProcessTransport
from rig.errors import RunError, UserError
from rig.opengl import opengl_error
from rig.resume_point import ResumePoint
from rig.session.directory import SessionSpec


def run_in_process(
    spec: SessionSpec, transport: InProcessTransport, resume: ResumePoint | None = None
) -> None:
    """Runs a session in this process, as fast as it can.

    Args:
        spec: the session.
        transport: with the engine and the listener.
        resume: where it is resumed; None from its start.

    Raises:
        UserError: the subject cannot be used.
        SnapshotError: the session cannot be resumed there.
        RunError: the animal cannot see here, or the protocol's Python fails.
    """
    try:
        # here, because MuJoCo and dm_control ask for OpenGL when they are imported
        from rig.arenas.camera import CameraUnavailableError
        from rig.session.subject_session import run
    except (ImportError, RuntimeError) as problem:
        raise opengl_error(problem) from None
    try:
        run(spec, transport, resume)
    except SubjectError as problem:
        raise UserError(str(problem)) from None
    except CameraUnavailableError as problem:
        raise RunError(f"The animal cannot see: {problem}.") from None
    finally:
        # the tick loop keeps garbage collection out of its ticks
        gc.unfreeze()
        gc.enable()
