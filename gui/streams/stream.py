"""Where the displays' messages come from: a running session or a recording, behind one interface.

A `Stream` works in a thread of its own and hands batches to the Qt thread, at most 30 a second and never
a second one before the first was shown: a window that is busy gets fewer, larger batches and in the end
loses the oldest ticks, while the session goes on untouched. `gui.streams.live_stream` is fed by the bus,
`gui.streams.replay_stream` by recordings; a display cannot tell which.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field

from PyQt6.QtCore import QObject, pyqtSignal

from rig.bus.message_types import (
    Assets,
    Description,
    End,
    EngineReply,
    Episode,
    Message,
    Status,
    Tick,
)
from rig.errors import RunError, UserError

BATCH_INTERVAL_S = 1 / 30
MAX_PENDING_TICKS = 1500


@dataclass
class Batch:
    """The messages that reached a window together, sorted by what they are, each kind oldest first.

    `recording` tells which recording they are of, where a replay shows several. Of more ticks than
    `most_ticks` the oldest are dropped.
    """

    description: Message | None = None
    assets: Message | None = None
    episodes: list[Message] = field(default_factory=list)
    ticks: list[Message] = field(default_factory=list)
    answers: list[Message] = field(default_factory=list)
    status: Status | None = None
    end: End | None = None
    recording: int = 0
    most_ticks: int = MAX_PENDING_TICKS

    def add(self, messages: Iterable[Message]) -> None:
        """Sorts more messages in."""
        for message in messages:
            content = message.content
            if isinstance(content, Tick):
                self.ticks.append(message)
            elif isinstance(content, EngineReply):
                self.answers.append(message)
            elif isinstance(content, Status):
                self.status = content
            elif isinstance(content, Episode):
                self.episodes.append(message)
            elif isinstance(content, Description):
                self.description = message
            elif isinstance(content, Assets):
                self.assets = message
            elif isinstance(content, End):
                self.end = content
        if len(self.ticks) > self.most_ticks:
            del self.ticks[: -self.most_ticks]

    @property
    def empty(self) -> bool:
        """Whether nothing has come."""
        return not (
            self.ticks
            or self.answers
            or self.status
            or self.episodes
            or self.description
            or self.assets
            or self.end
        )


class Stream(QObject):
    """A source of batches. Signals reach the Qt thread; `arrived` carries a `Batch`.

    `cleared` says that what comes next does not follow what was shown before; `progress` a sentence for
    the time in which nothing can be shown yet; `failed` one sentence after which nothing more comes.
    """

    arrived = pyqtSignal(object)
    cleared = pyqtSignal()
    progress = pyqtSignal(str)
    failed = pyqtSignal(str)
    _handed = pyqtSignal(tuple, bool)

    is_replay = False

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shown = threading.Event()
        self._shown.set()
        self._closing = threading.Event()
        self._handed.connect(self._show)
        self._thread = threading.Thread(target=self._work, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        """Begins; signals follow."""
        self._thread.start()

    def close(self) -> None:
        """Ends the stream, not the session; waits for its thread, and says nothing any more."""
        self._closing.set()
        self.blockSignals(True)
        self._wake()
        if self._thread.is_alive():
            self._thread.join(3.0)

    def _wake(self) -> None:
        """Called from any thread to end a wait of the worker."""

    def _work(self) -> None:
        try:
            self._run()
        except (RunError, UserError) as problem:
            self._fail(str(problem))
        except Exception as problem:  # a defect of ours: said in the window, whole on the terminal
            traceback.print_exc()
            self._fail(f"An unexpected problem: {type(problem).__name__}: {problem}")

    def _fail(self, sentence: str) -> None:
        if not self._closing.is_set():
            self.failed.emit(sentence)

    def _run(self) -> None:
        raise NotImplementedError

    def _deliver(self, *batches: Batch, clear: bool = False) -> bool:
        """Gives batches to the Qt thread if it has shown the last ones; says whether it did."""
        if not self._shown.is_set() or self._closing.is_set():
            return False
        self._shown.clear()
        self._handed.emit(batches, clear)
        return True

    def _show(self, batches: tuple[Batch, ...], clear: bool) -> None:
        if not self._closing.is_set():
            if clear:
                self.cleared.emit()
            for batch in batches:
                self.arrived.emit(batch)
        self._shown.set()
