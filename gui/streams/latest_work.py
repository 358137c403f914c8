"""Work that is done in a thread of its own, of which only the newest counts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal


class LatestWork(QObject):
    """Does what it was asked for last, one thing at a time; what was asked for before is dropped.

    `done` carries the result of the newest, `failed` the exception that it raised.
    """

    done = pyqtSignal(object)
    failed = pyqtSignal(object)
    _finished = pyqtSignal(int, object, object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._change = threading.Condition()
        self._waiting: Callable[[], Any] | None = None
        self._number = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._finished.connect(self._hand_over)

    def ask(self, work: Callable[[], Any]) -> None:
        """Asks for something; its result comes unless something else is asked for before."""
        with self._change:
            self._number += 1
            self._waiting = work
            self._change.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def drop(self) -> None:
        """What was asked for does not matter any more."""
        with self._change:
            self._number += 1
            self._waiting = None

    def close(self) -> None:
        """Ends the thread once it is done with what it does."""
        with self._change:
            self._closing = True
            self._number += 1
            self._change.notify()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closing or self._waiting is not None)
                if self._closing or self._waiting is None:
                    return
                work, self._waiting, number = self._waiting, None, self._number
            result, problem = None, None
            try:
                result = work()
            except Exception as raised:
                problem = raised
            self._finished.emit(number, result, problem)

    def _hand_over(self, number: int, result: object, problem: Exception | None) -> None:
        if number != self._number or self._closing:
            return
        if problem is None:
            self.done.emit(result)
            return
        if not self.receivers(self.failed):
            # as if nobody had caught it: the window says so
            sys.excepthook(type(problem), problem, problem.__traceback__)
        self.failed.emit(problem)
