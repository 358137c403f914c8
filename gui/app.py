"""Opens the window: what `rodent-rig gui` and `rodent-rig replay` call."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gui.look.display import display_missing
from gui.session.session_setup import SessionStarter
from rig.errors import UserError

NICENESS = 5


def open_window(
    *,
    sessions: SessionStarter | None = None,
    start: bool = False,
    attach: str | None = None,
    replay: Sequence[Path | tuple[Path, ...]] = (),
    speed: float = 1.0,
) -> int:
    """Shows the window until it is closed; returns the exit status.

    Args:
        sessions: sets sessions up and starts them in processes of their own.
        start: whether one starts at once, as `sessions.first` says.
        attach: the name of a running session to come back to, instead of starting one.
        replay: a recording to show (a tuple: its parts), or several side by side, instead of a session.
        speed: of the replay, 0.1 to 20 times real time.

    With none of these to show, the window offers to set a session up, one that runs, and recordings.

    Raises:
        UserError: there is no display, or the libraries that Qt needs are missing.
    """
    if missing := display_missing():
        raise UserError(missing)
    # Software OpenGL would take a thread per core, the animal's included: let it work in the thread that
    # asks. And it must be EGL, which works without a window. Both are read before anything is drawn.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        import pyqtgraph as pg
        from PyQt6.QtCore import QTimer
        from PyQt6.QtWidgets import QApplication

        from gui.main_window import MainWindow
        from gui.unexpected import UnexpectedErrors
    except ImportError as problem:
        raise UserError(
            f"The window's libraries are not installed ({problem}); `rodent-rig doctor` says which and how."
        ) from None
    pg.setConfigOptions(antialias=False, imageAxisOrder="row-major")
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(["rodent-rig"])
    application.setApplicationName("rodent-rig")
    window = MainWindow(sessions, starter=_yield_to_sessions())
    before, sys.excepthook = sys.excepthook, UnexpectedErrors(window.panels.banner)
    end = _EndWithoutTakingApart(application, window)
    window.show()

    def begin() -> None:
        if replay:
            window.replay(*replay, speed=speed)
        elif attach is not None:
            window.attach(attach)
        elif start:
            window.start()

    QTimer.singleShot(0, begin)
    # Ctrl-C in the terminal closes the window like its button does; Python only sees the signal when it
    # gets to run, which the window's own timers see to.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    status = application.exec()
    window.state.settings.sync()
    end.status = status
    sys.excepthook = before
    return status


class _EndWithoutTakingApart:
    """Ends the process before Python frees what Qt still holds, in any order: Qt crashes in some.

    Threads that are waited for have ended by then, and what the window registered for the end since this was
    made has run. What libraries registered when they were imported has not: PyQt's own is where it crashed.

    Args:
        held: what must not be freed before.
    """

    def __init__(self, *held: object) -> None:
        self._held = held
        self.status: int | None = None
        """With which it ends; None: Python ends as it always does."""
        atexit.register(self._end)

    def _end(self) -> None:
        if self.status is None:
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:  # it was closed before Python began
                    stream.flush()
        os._exit(self.status)


def _yield_to_sessions() -> ThreadPoolExecutor:
    """Gives way: this thread yields to the animal's; sessions it starts do not inherit that.

    On Linux a priority belongs to a thread and is inherited by what the thread starts, so sessions are
    started from a thread that was made before this one stepped back.
    """
    starter = ThreadPoolExecutor(1, thread_name_prefix="session starter")
    starter.submit(os.getpid).result()
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + NICENESS)
    return starter
