"""One sheet with all keys, made from the table of commands that they do."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui.commands import CommandTable, shown_key
from gui.window_state import WindowState

ROWS_A_COLUMN, MOST_COLUMNS = 24, 3
SCROLL_PX = 14
Row = tuple[tuple[str, ...], str]
"""Keys as people read them, and what they do."""


class KeySheet(QDialog):
    """All keys of the window, in groups; those that do nothing at present are pale.

    Args:
        parent: the window.
        table: what there is.
        state: what the window shows: which keys work, and which are the protocol's.
    """

    def __init__(self, parent: QWidget, table: CommandTable, state: WindowState) -> None:
        super().__init__(parent)
        self._table = table
        self._state = state
        self.setWindowTitle("Keys")
        self.rows: dict[str, list[Row]] = {}
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(16, 14, 10, 12)
        whole.addWidget(self._area)
        close = QShortcut(QKeySequence("F1"), self)
        close.activated.connect(self.close)
        state.phase_changed.connect(lambda _: self._fill() if self.isVisible() else None)

    def toggle(self) -> None:
        """Opens the sheet, or closes it."""
        if self.isVisible():
            self.close()
            return
        self._fill()
        self.show()

    def _fill(self) -> None:
        uses, phase = self._state.protocol_keys, self._state.phase
        taken = [each.key for each in uses]
        self.rows = {}
        pale: set[tuple[str, str]] = set()
        if uses:
            self.rows["The protocol's"] = [
                ((each.key.upper(),), each.words.replace("_", " ") or "as the protocol says")
                for each in uses
            ]
        for command in self._table.commands:
            keys = command.keys_besides(taken)
            if not keys:
                continue
            row = tuple(shown_key(key) for key in keys), command.words
            self.rows.setdefault(command.group, []).append(row)
            if phase not in command.phases:
                pale.add((command.group, command.words))
        page = QWidget()
        across = QHBoxLayout(page)
        across.setContentsMargins(0, 0, 12, 0)
        across.setSpacing(36)
        for groups in _columns(self.rows):
            column = QVBoxLayout()
            column.setSpacing(14)
            for group in groups:
                column.addLayout(self._group(group, self.rows[group], pale))
            column.addStretch(1)
            across.addLayout(column)
        self._area.setWidget(page)
        page.adjustSize()
        screen = self.screen()
        room = screen.availableSize() if screen is not None else page.size()
        wanted = page.sizeHint()
        self.resize(
            min(wanted.width() + 48 + SCROLL_PX, room.width() - 40),
            min(wanted.height() + 40, room.height() - 80),
        )

    def _group(self, name: str, rows: Sequence[Row], pale: set[tuple[str, str]]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(5)
        heading = QLabel(name)
        heading.setObjectName("title")
        grid.addWidget(heading, 0, 0, 1, 2)
        for place, (keys, words) in enumerate(rows, 1):
            caps = QHBoxLayout()
            caps.setSpacing(4)
            for key in keys:
                cap = QLabel(key)
                cap.setObjectName("key")
                cap.setTextFormat(Qt.TextFormat.PlainText)
                caps.addWidget(cap)
            caps.addStretch(1)
            grid.addLayout(caps, place, 0)
            label = QLabel(words)
            label.setTextFormat(Qt.TextFormat.PlainText)
            if (name, words) in pale:
                label.setObjectName("muted")
            grid.addWidget(label, place, 1)
        grid.setColumnStretch(1, 1)
        return grid


def _columns(rows: dict[str, list[Row]]) -> list[list[str]]:
    """The groups in their order, in columns of about the same height."""
    total = sum(len(each) + 2 for each in rows.values())
    n_columns = min(-(-total // ROWS_A_COLUMN), MOST_COLUMNS)
    columns: list[list[str]] = [[]]
    height = 0
    for name, each in rows.items():
        if height + len(each) / 2 >= total / n_columns and len(columns) < n_columns:
            columns.append([])
            height = 0
        columns[-1].append(name)
        height += len(each) + 2
    return columns
