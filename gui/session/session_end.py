"""After a session: what it was in a line, and what one does next."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PyQt6.QtCore import Qt, QUrl, pyqtSignal
from PyQt6.QtGui import QDesktopServices
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.streams.recorder_watch import clock
from gui.streams.stream import Batch
from rig.bus.message_types import TICK_S, EngineReply, Tick


class SessionCounts:
    """What has happened in a session, as far as this window has seen it."""

    def __init__(self) -> None:
        self._ticks = 0
        self._trials: set[int] = set()
        self._behaviours: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter()
        self._shams: Counter[str] = Counter()

    def add(self, batch: Batch) -> None:
        """Takes in what has come."""
        for message in batch.ticks:
            if isinstance(message.content, Tick):
                self._ticks = max(self._ticks, message.tick + 1)
                self._trials.add(message.content.trial)
        for message in batch.answers:
            for event in message.content.events if isinstance(message.content, EngineReply) else ():
                if event.phase != "onset":
                    continue
                if event.kind == "behaviour":
                    self._behaviours[event.name] += 1
                elif event.kind == "stimulus":
                    (self._shams if event.sham else self._delivered)[event.name] += 1

    def line(self) -> str:
        """All of it in a line."""
        parts = [
            f"{clock(self._ticks * TICK_S)} of animal time",
            f"{len(self._trials)} trial{'s' * (len(self._trials) != 1)}",
        ]
        if self._behaviours:
            parts.append(_words(self._behaviours))
        if self._delivered:
            parts.append(f"delivered: {_words(self._delivered)}")
        if self._shams:
            parts.append(f"shams: {_words(self._shams)}")
        return " · ".join(parts)


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.most_common(5))


class SessionEnd(QFrame):
    """The bar below an ended session's displays. `replay_pressed` carries the file that was recorded."""

    replay_pressed = pyqtSignal(Path)
    again_pressed = pyqtSignal()
    setup_pressed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        self.replay = QPushButton("Replay it")
        self.again = QPushButton("Again, same seed")
        self.folder = QPushButton("Show in folder")
        self.set_up = QPushButton("Set up another")
        self._file: Path | None = None
        self.replay.clicked.connect(self._replay)
        self.again.clicked.connect(self.again_pressed)
        self.set_up.clicked.connect(self.setup_pressed)
        self.folder.clicked.connect(self._show_folder)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 8, 6)
        column.setSpacing(6)
        column.addWidget(self.line)
        row = QHBoxLayout()
        row.setSpacing(8)
        column.addLayout(row)
        for button in (self.replay, self.again, self.folder, self.set_up):
            row.addWidget(button)
        row.addStretch(1)
        self.hide()

    def show_end(
        self, line: str, file: Path | None, can_repeat: bool, can_start: bool = True
    ) -> None:
        """A session is over.

        Args:
            line: what it was.
            file: its recording, if one was made.
            can_repeat: whether this window knows how it was set up.
            can_start: whether it can set sessions up at all.
        """
        self._file = file
        self.line.setText(line)
        self.replay.setVisible(file is not None)
        self.folder.setVisible(file is not None)
        self.again.setVisible(can_repeat)
        self.set_up.setText("Set up another" if can_start else "Back")
        self.show()

    def _replay(self) -> None:
        if self._file is not None:
            self.replay_pressed.emit(self._file)

    def _show_folder(self) -> None:
        if self._file is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._file.parent)))
