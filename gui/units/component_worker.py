"""Principal components of activity that keeps coming, found in a thread of their own, slowly.

The axes of now are turned to be as near as can be to those of before, so that what is drawn on them does not
jump when they are found anew.
"""

from __future__ import annotations

import os
import threading
import time

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal

from analysis.components import Components, RunningCovariance, aligned_to
from gui.seen.activity import MEMORY_TICKS

N_COMPONENTS = 3
LEAST_TICKS = 100
"""Of fewer there are no components yet."""
EVERY_S = 2.0
MOST_PENDING = 3000


class ComponentWorker(QObject):
    """The thread. `found` carries the number of the choice that they are of, and the `Components`.

    All methods may be called at any time and return at once.
    """

    found = pyqtSignal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._change = threading.Condition()
        self._pending: list[NDArray[np.float32]] = []
        self._n_pending = 0
        self._choice = 0
        self._n_units = 0
        self._z_scored = True
        self._closing = False
        self._started = False
        self._thread = threading.Thread(target=self._work, name="components", daemon=True)

    def choose(self, n_units: int, z_scored: bool) -> int:
        """Begins anew, with other units or another measure; returns the number of this choice."""
        with self._change:
            self._choice += 1
            self._n_units, self._z_scored = n_units, z_scored
            self._pending, self._n_pending = [], 0
            if not self._started and n_units and not self._closing:
                self._started = True
                self._thread.start()
            self._change.notify()
            return self._choice

    def add(self, activity: NDArray[np.float32]) -> None:
        """Takes in more activity of the chosen units, (ticks, units)."""
        with self._change:
            if self._n_pending < MOST_PENDING:
                self._pending.append(activity)
                self._n_pending += len(activity)
            self._change.notify()

    def close(self) -> None:
        """Ends the thread, and waits for it."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(3.0)

    def _work(self) -> None:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 12)
        running, mine, z_scored = RunningCovariance(0), 0, True
        former: Components | None = None
        while True:
            with self._change:
                while not (self._closing or self._choice != mine or self._pending):
                    self._change.wait()
                if self._closing:
                    return
                if self._choice != mine:
                    mine, former, z_scored = self._choice, None, self._z_scored
                    running = RunningCovariance(self._n_units, MEMORY_TICKS)
                parts, self._pending, self._n_pending = self._pending, [], 0
            for part in parts:
                running.add(part)
            n_units = len(running.mean)
            if running.n < LEAST_TICKS or n_units < N_COMPONENTS:
                continue
            components = running.components(N_COMPONENTS, z_scored)
            if former is not None:
                components = aligned_to(components, former)
            former = components
            self.found.emit(mine, components)
            again_at = time.monotonic() + EVERY_S
            with self._change:  # another choice is not kept waiting
                while not (self._closing or self._choice != mine):
                    if not self._change.wait(max(again_at - time.monotonic(), 0.0)):
                        break
