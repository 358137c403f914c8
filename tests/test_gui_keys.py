"""Keys: one table of what the user can do, the sheet that is made from it, and whose a letter is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from gui.commands import LETTERS, PHASES, Command, CommandTable, shown_key
from gui.main_window import MainWindow


def test_the_sheet_has_every_key_that_does_something(
    qtbot: QtBot, open_window: Callable[..., MainWindow]
) -> None:
    window = open_window()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
    table, sheet = window.menu_actions.table, window.menu_actions.sheet
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert sheet.isVisible()
    shown = {key for rows in sheet.rows.values() for keys, _ in rows for key in keys}
    assert shown == {shown_key(key) for key in table.keys}
    for key in table.keys:
        assert QKeySequence(key)[0].key() != Qt.Key.Key_unknown, key
        assert sum(table.of(key, phase) is not None for phase in PHASES), key
    # a letter that a protocol may use is never the only way
    for command in table.commands:
        if "live" in command.phases and command.keys:
            assert command.keys_besides(LETTERS), command.words
    qtbot.keyClick(sheet, Qt.Key.Key_F1)
    assert not sheet.isVisible()


def test_a_key_does_one_thing_at_a_time() -> None:
    table = CommandTable()
    table.add(Command("Play", print, ("Space",), phases=frozenset({"replay"})))
    table.add(Command("Pause", print, ("Space",), phases=frozenset({"live"})))
    with pytest.raises(ValueError, match=r"Space is both .* and 'Fire'"):
        table.add(Command("Fire", print, ("Space",)))
    with pytest.raises(ValueError, match="no key that no protocol can take"):
        table.add(Command("Mark", print, ("M",)))
