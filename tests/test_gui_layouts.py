"""Layouts by name: those that come with the window, those that are saved, and another screen's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QInputDialog
from pytestqt.qtbot import QtBot

from gui.layout import OPTIONAL
from gui.layouts import SHIPPED
from gui.main_window import MainWindow


@pytest.fixture(scope="module")
def shared(qapp: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainWindow]:
    """One window for all tests here: to make one takes longer than they do."""
    file = tmp_path_factory.mktemp("layouts") / "window.ini"
    window = MainWindow(None, QSettings(str(file), QSettings.Format.IniFormat))
    window.show()
    yield window
    window.close()


@pytest.fixture
def window(qtbot: QtBot, shared: MainWindow) -> MainWindow:
    """As it is at first, with its docks shown."""
    qtbot.wait(10)
    shared.resize(1280, 720)
    shared.panel_layout.show_docks(True)
    shared.panel_layout.reset()
    qtbot.wait(30)
    return shared


def _shown(window: MainWindow) -> set[str]:
    return {name for name, dock in window.panel_layout.docks.items() if not dock.isHidden()}


def _press(window: MainWindow, words: str) -> None:
    layouts = window.menu_actions.layouts
    menu = layouts.add_to(window.menu_actions._menus["View"])
    found = {action.text(): action for action in menu.actions()}
    assert isinstance(found[words], QAction)
    found[words].trigger()


@pytest.mark.parametrize("name", SHIPPED)
def test_those_that_come_with_the_window(qtbot: QtBot, window: MainWindow, name: str) -> None:
    docks = window.panel_layout.docks
    assert set(SHIPPED[name]) <= set(docks)
    for dock in docks.values():
        dock.show()
    docks["arena"].setFloating(True)
    _press(window, name)
    qtbot.wait(30)
    assert _shown(window) == set(SHIPPED[name])
    assert not any(dock.isFloating() for dock in docks.values())
    qtbot.waitUntil(lambda: not docks["arena"].visibleRegion().isEmpty(), timeout=20_000)
    _press(window, "Reset the layout")
    assert _shown(window) == set(docks) - set(OPTIONAL)


def test_ones_own_are_saved_chosen_and_deleted(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    docks = window.panel_layout.docks
    _press(window, "Stimulating")
    docks["log"].hide()
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("  My / own ", True))
    _press(window, "Save the layout as…")
    _press(window, "Reset the layout")
    assert "stimulate" not in _shown(window)
    _press(window, "My own")
    assert _shown(window) == set(SHIPPED["Stimulating"]) - {"log"}
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_: ("My own", True))
    _press(window, "Delete a layout…")
    assert window.menu_actions.layouts.own == ()


def test_one_whose_name_ends_in_sizes_is_one_of_its_own(window: MainWindow) -> None:
    """Earlier versions kept the sizes of "small" where a layout "small sizes" is kept."""
    layouts = window.menu_actions.layouts
    layouts.choose("Replay")
    layouts.save("small sizes")
    layouts.choose("Stimulating")
    layouts.save("small")
    assert layouts.own == ("small", "small sizes")
    layouts.choose("small sizes")
    assert _shown(window) == set(SHIPPED["Replay"])
    layouts.delete("small")
    assert layouts.own == ("small sizes",)
    # as an earlier version left it
    settings = window.state.settings
    settings.setValue("layouts/old", settings.value("layouts/small sizes"))
    settings.setValue("layouts/old sizes", json.dumps([1280, 720, {}]))
    assert layouts.own == ("old", "small sizes")
    window.panel_layout.reset()
    layouts.choose("old")
    assert _shown(window) == set(SHIPPED["Replay"])
    for name in layouts.own:
        layouts.delete(name)
    assert not [key for key in settings.allKeys() if key.startswith("layouts/")]


def test_one_of_another_screen_is_fitted(qtbot: QtBot, window: MainWindow) -> None:
    window.resize(1600, 1000)
    qtbot.wait(30)
    docks, layouts = window.panel_layout.docks, window.menu_actions.layouts
    window.resizeDocks([docks["arena"]], [760], Qt.Orientation.Horizontal)
    qtbot.wait(30)
    wide = docks["arena"].width()
    assert wide > 700
    docks["log"].setFloating(True)
    docks["log"].setGeometry(3000, 2000, 200, 150)
    layouts.save("large")
    window.resize(1280, 720)
    layouts.choose("large")
    screen = window.screen()
    assert screen is not None
    qtbot.waitUntil(lambda: abs(docks["arena"].width() - wide * 1280 / 1600) < 12, timeout=20_000)
    assert screen.availableGeometry().contains(docks["log"].frameGeometry())


def test_on_the_empty_page_a_layout_waits(qtbot: QtBot, window: MainWindow) -> None:
    window.panel_layout.show_docks(False)
    window.menu_actions.layouts.choose("Replay")
    assert _shown(window) == set()
    window.panel_layout.show_docks(True)
    assert _shown(window) == set(SHIPPED["Replay"])
