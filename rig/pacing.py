"""When a tick may begin: as soon as it can, or every 20 ms of wall time."""

from __future__ import annotations

import time

from rig.bus.message_types import TICK_S

SPIN_S = 0.0015
"""The last stretch before a deadline is waited for awake, because sleeping overshoots."""

LATE_S = 0.001
"""A tick that begins later than this after it was due is an overrun."""


class Pacer:
    """Holds ticks to wall time (`realtime`) or lets them run (`max`).

    A tick that comes late is an overrun. The next is due on the same grid of 20 ms, so that a session
    keeps to wall time; but a whole tick that was missed is not made up for in a burst: time then stood
    still, and the grid begins anew.
    """

    def __init__(self, pace: str) -> None:
        self._realtime = pace == "realtime"
        self._due_s: float | None = None
        self.overruns = 0

    def restart(self) -> None:
        """The clock stood still (a new trial, a pause): the next tick is due when it comes."""
        self._due_s = None

    def wait(self) -> tuple[bool, float]:
        """Waits until the tick is due. Returns whether it is an overrun, and its lateness in seconds."""
        now = time.perf_counter()
        if not self._realtime:
            return False, 0.0
        if self._due_s is None:
            self._due_s = now + TICK_S
            return False, 0.0
        late = now - self._due_s
        if late > LATE_S:
            self.overruns += 1
            self._due_s = (now if late > TICK_S else self._due_s) + TICK_S
            return True, late
        while (left := self._due_s - time.perf_counter()) > 0:
            if left > SPIN_S:
                time.sleep(left - SPIN_S)
        self._due_s += TICK_S
        return False, max(late, 0.0)
