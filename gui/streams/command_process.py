"""A command of `rodent-rig` that the window runs as a process of its own: its progress and its end."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from PyQt6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, pyqtSignal

from rig.child_python import environment, python

END_WITHIN_MS = 8000
"""A command that is cancelled tidies up; after this time it is killed."""
PROGRESS = re.compile(r"progress ([01]\.\d+)")
"""A line that says which share is done; another that begins so is part of what the command says."""


class OutputLines:
    """Lines of UTF-8 text that comes in pieces, which may end within a line or a character."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""

    def add(self, piece: bytes, last: bool = False) -> list[str]:
        """The lines that this piece completes; with the last one, what comes after the last line end too."""
        text = self._unfinished + self._decoder.decode(piece, final=last)
        *lines, self._unfinished = text.split("\n")
        if last and self._unfinished:
            lines.append(self._unfinished)
            self._unfinished = ""
        return lines


class CommandProcess(QObject):
    """Runs one command. `ended(status, said, sentence)` comes once: its exit status, output, and last error.

    Args:
        words: what stands after `rodent-rig`.
    """

    progress = pyqtSignal(float)
    ended = pyqtSignal(int, str, str)

    def __init__(self, words: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._said: list[str] = []
        self._output = OutputLines()
        self._process = QProcess(self)
        own = QProcessEnvironment()
        for name, value in environment().items():
            own.insert(name, value)
        self._process.setProcessEnvironment(own)
        program, *arguments = python("-m", "cli", *words)
        self._process.setProgram(program)
        self._process.setArguments(arguments)
        self._process.readyReadStandardOutput.connect(lambda: self._read())
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    def start(self) -> None:
        """Begins."""
        self._process.start()

    def cancel(self) -> None:
        """Asks it to end, and says nothing more of it."""
        self.blockSignals(True)
        if self.running:
            self._process.terminate()
            QTimer.singleShot(END_WITHIN_MS, self._kill)

    def wait(self) -> None:
        """Waits until it has ended; kills it where that takes too long."""
        if self.running and not self._process.waitForFinished(END_WITHIN_MS):
            self._kill()
            self._process.waitForFinished(1000)

    def _kill(self) -> None:
        if self.running:
            self._process.kill()

    def _read(self, last: bool = False) -> None:
        piece = bytes(self._process.readAllStandardOutput().data())
        for line in self._output.add(piece, last):
            if (share := PROGRESS.fullmatch(line)) is not None:
                self.progress.emit(float(share[1]))
            elif line.strip():
                self._said.append(line)

    def _finished(self, status: int, how: QProcess.ExitStatus) -> None:
        self._read(last=True)
        error = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        lines = [line for line in error.splitlines() if line.strip()]
        if how == QProcess.ExitStatus.CrashExit:
            status, lines = 1, [*lines, "The command was ended from outside."]
        sentence = "\n".join(lines) if status == 2 else (lines[-1] if lines else "")
        self.ended.emit(status, "\n".join(self._said), sentence)

    def _failed(self, problem: QProcess.ProcessError) -> None:
        if problem == QProcess.ProcessError.FailedToStart:
            self.ended.emit(1, "", f"It cannot be started: {self._process.errorString()}.")
