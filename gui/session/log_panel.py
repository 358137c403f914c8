"""The log: what went wrong in a session, what is over, and the operator's notes, each with its time."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from gui.look.theme import Theme
from gui.streams.recorder_watch import clock
from rig.bus.message_types import TICK_S, KnownFault


class LogPanel(QListWidget):
    """One line each, the newest last; what still lasts is in the colour of faults."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._faults: tuple[KnownFault, ...] = ()
        self._notes: list[tuple[int, str]] = []
        self.setWordWrap(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._show()

    @property
    def lines(self) -> list[str]:
        """What is shown."""
        return [item.text() for row in range(self.count()) if (item := self.item(row))]

    def forget(self) -> None:
        """Another session begins."""
        self._faults, self._notes = (), []
        self._show()

    def show_notes(self, notes: Sequence[tuple[int, str]]) -> None:
        """What happened and is no fault, each with its tick."""
        if list(notes) != self._notes:
            self._notes = list(notes)
            self._show()

    def show_faults(self, faults: Sequence[KnownFault]) -> None:
        """The faults of the session so far."""
        kept = [each for each in self._faults if not faults or each.tick < faults[0].tick]
        shown = (*kept, *faults)  # a status repeats the newest ones only
        if shown != self._faults:
            self._faults = shown
            self._show()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self._show()

    def _show(self) -> None:
        entries = [(tick, sentence, "text") for tick, sentence in self._notes]
        for each in self._faults:
            sentence = f"{each.source}: {each.sentence}"
            if each.over_tick > each.tick or (each.name and each.over_tick >= 0):
                sentence += f" Over at {_time(each.over_tick)}."
            entries.append((each.tick, sentence, "alarm" if each.over_tick < 0 else "muted"))
        self.clear()
        for tick, sentence, role in sorted(entries, key=lambda entry: entry[0]):
            item = QListWidgetItem(f"{_time(tick)}  {sentence}")
            item.setForeground(QColor(getattr(self._theme, role)))
            self.addItem(item)
        if not entries:
            item = QListWidgetItem("Nothing has gone wrong.")
            item.setForeground(QColor(self._theme.muted))
            self.addItem(item)
        self.scrollToBottom()


def _time(tick: int) -> str:
    return clock(max(tick, 0) * TICK_S)
