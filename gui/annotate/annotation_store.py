"""Keeps the annotations of a recording in their file: read once, saved after every change, by one window.

Reading and saving are a worker's; a lock beside the file says which window may change it. What cannot be read
is never overwritten, nor what another program has changed meanwhile.
"""

from __future__ import annotations

import os
import queue
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from recorder.annotation_lock import leave_lock, take_lock
from recorder.annotations import Annotations, check_is_of
from rig.bus.message_types import Description
from rig.clock import now
from rig.errors import RunError, UserError
from rig.output_file import reason

SAVE_AFTER_MS = 400
CLOSE_WITHIN_S = 5.0
"""A disk that does not answer for so long must not hold the window that is being closed."""


class AnnotationStore(QObject):
    """The file of one recording's annotations.

    `opened` carries what is in it (an `Annotations`) and why it cannot be changed here ("": it can);
    `saved` the time of day; `failed` one sentence for what is not saved.

    Args:
        path: of the file.
        empty: what there is where there is no file yet; it names the recording and its session.
        description: of the recorded session.
    """

    opened = pyqtSignal(object, str)
    saved = pyqtSignal(str)
    failed = pyqtSignal(str)
    _done = pyqtSignal(object)

    def __init__(
        self,
        path: Path,
        empty: Annotations,
        description: Description,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.path = path
        self._empty = empty
        self._description = description
        self._work: queue.SimpleQueue[Callable[[], Callable[[], None] | None] | None]
        self._work = queue.SimpleQueue()
        self._lock: BinaryIO | None = None
        self._seen: tuple[int, int, int] | None = None
        self._wanted: Annotations | None = None
        self._unsaved = ""  # why what was to be saved last is in no file
        self._n_to_write = self._n_written = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SAVE_AFTER_MS)
        self._timer.timeout.connect(self._save)
        self._done.connect(lambda then: then())
        # a daemon: a disk that hangs must not keep the program from ending
        self._worker = threading.Thread(target=self._run, name="annotations", daemon=True)
        self._worker.start()

    def read(self) -> None:
        """Reads the file, only to show it; `opened` follows."""
        self._work.put(lambda: self._read(change=False))

    def begin(self) -> None:
        """Reads the file and takes it for this window, to be changed; `opened` follows."""
        self._work.put(lambda: self._read(change=True))

    def save(self, content: Annotations) -> None:
        """Saves this soon, in the place of what is in the file."""
        self._wanted = content
        self._timer.start()

    def close(self) -> str:
        """Saves what is not saved yet, waits for that, and leaves the file to other windows.

        Returns why the last changes are not saved, or may not be, "" where they are. It waits no longer
        than `CLOSE_WITHIN_S`; what hangs goes on meanwhile, and may end well.
        """
        self._timer.stop()
        self._save()
        self._work.put(self._release)
        self._work.put(None)
        self._worker.join(CLOSE_WITHIN_S)
        self.blockSignals(True)
        if self._n_written < self._n_to_write and not self._unsaved:
            return (
                f"{self.path} was not written within {CLOSE_WITHIN_S:g} s: the last changes to the "
                "annotations may not be saved. See whether its disk answers, then open the recording "
                "again to see what is there."
            )
        return self._unsaved

    # --- in the worker ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                then = work()
            except Exception as problem:
                # a defect of ours: said in the window, whole on the terminal
                traceback.print_exception(problem)
                words = f"An unexpected problem: {type(problem).__name__}: {problem}"
                then = partial(self.failed.emit, words)
            if then is not None:
                self._done.emit(then)

    def _read(self, change: bool) -> Callable[[], None]:
        # here, because HDF5 is loaded when annotations are opened, and not when a window is
        from recorder.annotation_file import read_annotations

        content, why = self._empty, ""
        try:
            if change:
                self._take()
        except UserError as problem:
            why = str(problem)
        except OSError as problem:
            why = f"{self.path} cannot be written: {reason(problem)}; nothing can be annotated."
        try:
            if os.path.lexists(self.path):
                self._seen = _stamp(self.path)
                found = read_annotations(self.path)
                check_is_of(self.path, found, self._empty.session)
                content = found
        except UserError as problem:
            self._release()
            why = str(problem)
        return lambda: self.opened.emit(content, why)

    def _take(self) -> None:
        """Raises `UserError` where another window has the file, OSError where none can be written."""
        if self._lock is None:
            try:
                self._lock = take_lock(self.path)
            except BlockingIOError:
                raise UserError(
                    f"{self.path.name} is being changed in another window; here it is shown as it was when "
                    "this one opened it. Close that window and open this panel again to annotate here."
                ) from None

    def _release(self) -> None:
        if self._lock is not None:
            leave_lock(self._lock)
            self._lock = None

    def _write(self, content: Annotations) -> Callable[[], None]:
        try:
            return self._written(content)
        except Exception as problem:
            self._unsaved = f"{self.path} is not saved: {type(problem).__name__}: {problem}"
            raise
        finally:
            self._n_written += 1

    def _written(self, content: Annotations) -> Callable[[], None]:
        from recorder.annotation_file import write_annotations

        try:
            if self._lock is None:
                raise UserError(f"{self.path.name} is not changed here.")
            if _stamp(self.path) != self._seen:
                raise UserError(
                    f"{self.path} was changed by another program, so it is not overwritten: what was "
                    "annotated since is not saved. Move it away, or open the recording again."
                )
            write_annotations(self.path, content, self._description)
            self._seen = _stamp(self.path)
        except (UserError, RunError) as problem:
            sentence = self._unsaved = str(problem)
            return lambda: self.failed.emit(sentence)
        self._unsaved = ""
        when = f"{now():%H:%M:%S}"
        return lambda: self.saved.emit(when)

    # --- in the window ----------------------------------------------------------------------------------

    def _save(self) -> None:
        content, self._wanted = self._wanted, None
        if content is not None:
            self._n_to_write += 1
            self._work.put(lambda: self._write(content))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Tells one state of a file from another; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
