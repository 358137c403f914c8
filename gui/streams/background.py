"""Work in the background of the window: it says how far it is, can be cancelled, and has a result."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

from rig.errors import RunError, UserError


class CancelledError(Exception):
    """The work is not wanted any more."""


class Job(QObject):
    """One piece of work in a thread of its own.

    `done` carries the result, `failed` one sentence; neither comes once it is cancelled. The work is given
    the job and calls `report` now and then, which ends it where it was cancelled.

    Args:
        work: what is to be done.
    """

    done = pyqtSignal(object)
    failed = pyqtSignal(str)
    progress = pyqtSignal(float, str)

    def __init__(self, work: Callable[[Job], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = work
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background work", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def cancel(self) -> None:
        """The result is not wanted any more; nothing comes from now on."""
        self._cancelled.set()
        self.blockSignals(True)

    def report(self, share: float, words: str) -> None:
        """Called by the work: how far it is (0 to 1), and with what. Raises `CancelledError` at its end."""
        if self._cancelled.is_set():
            raise CancelledError
        self.progress.emit(share, words)

    def _run(self) -> None:
        try:
            result = self._work(self)
        except CancelledError:
            return
        except (UserError, RunError, ValueError) as problem:
            words = str(problem)
            self._end(lambda: self.failed.emit(words))
        except ModuleNotFoundError as problem:
            words = (
                f"This needs the package {problem.name}, which is not installed: install it with "
                "pip install 'rodent-rig[analysis]'."
            )
            self._end(lambda: self.failed.emit(words))
        except Exception as problem:  # a defect of ours: said in the window, whole on the terminal
            traceback.print_exc()
            sentence = f"An unexpected problem: {type(problem).__name__}: {problem}"
            self._end(lambda: self.failed.emit(sentence))
        else:
            self._end(lambda: self.done.emit(result))

    def _end(self, tell: Callable[[], None]) -> None:
        if not self._cancelled.is_set():
            tell()
