"""A session's processes end with the process that started them, however that one ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

from rig.child_python import PARENT

_PR_SET_PDEATHSIG = 1


def exit_with_parent(check_every_s: float = 0.5) -> None:
    """Sends this process SIGTERM when its parent dies, so that it can close its files and go.

    On Linux the kernel does it; elsewhere, and where the parent was gone before this was called, a
    thread notices within `check_every_s`. Call it first thing, after installing a SIGTERM handler if
    the process needs one. A parent that may die while this process is still being loaded gives its number in
    `rig.child_python.PARENT`: a process whose parent is gone is given another one.
    """
    given = os.environ.pop(PARENT, "")  # not for those that this process starts
    parent = int(given) if given.isdecimal() else os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(check_every_s)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent watcher", daemon=True).start()
