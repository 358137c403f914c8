"""The menus, the buttons and the keys: what each of them does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PyQt6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PyQt6.QtWidgets import QMenu

from gui.theme import THEMES

if TYPE_CHECKING:
    from gui.main_window import MainWindow

SECOND_TICKS = 50
OPERATOR_KEYS = "0123456789ABCDEGHIJKLMNOPQSTUVWXYZ"
"""Letters and digits that are no shortcut of the window."""


class Actions:
    """Fills a window's menus and binds its buttons and keys.

    Space plays and pauses, ← → step (with shift a second; with Ctrl to the next behaviour, stimulus or
    trial), ↑ ↓ change speed, [ ] bound a loop, escape ends it, R records, F freezes. Other letters and
    digits are keys of the operator.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        bar = window.layout_of_parts.menu_bar
        session, view = bar.addMenu("&Session"), bar.addMenu("&View")
        assert session is not None
        assert view is not None
        self.pause = self._add(session, "Pause or resume the animal", window.session.toggle_pause)
        session.addSeparator()
        self._add(session, "Open a recording…", window.player.choose, "Ctrl+O")
        self.beside = self._add(
            session, "Open a recording beside…", window.player.open_beside, "Ctrl+B"
        )
        self._add(session, "Folder for recordings…", window.choose_folder)
        session.addSeparator()
        self._add(session, "Close the window", window.close, "Ctrl+Q")
        themes = QActionGroup(window)
        for name in THEMES:
            action = self._add(view, f"{name.capitalize()} theme", partial(window.set_theme, name))
            action.setCheckable(True)
            action.setChecked(name == window.theme.name)
            themes.addAction(action)
        view.addSeparator()
        for dock in window.layout_of_parts.docks.values():
            view.addAction(dock.toggleViewAction())
        self._add(view, "Reset the layout", window.layout_of_parts.reset)
        for signal, does in (
            (window.control.acquire_pressed, window.session.toggle_acquire),
            (window.control.record_pressed, window.session.toggle_record),
            (window.welcome.start_pressed, window.start),
            (window.welcome.attach_pressed, window.attach),
            (window.welcome.open_pressed, window.player.choose),
            (window.keys.pressed, window.session.press_key),
            (window.health.engine_asked, window.session.take_new_engine),
            (window.transport.play_pressed, window.player.toggle_play),
            (window.transport.step_pressed, window.player.step),
            (window.transport.tick_chosen, window.player.seek),
            (window.transport.speed_chosen, window.player.set_speed),
            (window.transport.loop_chosen, window.player.set_loop),
        ):
            signal.connect(does)
        self._replay_keys: list[QShortcut] = []
        for key, slot in (
            ("Space", window.player.toggle_play),
            ("Left", lambda: window.player.step(-1)),
            ("Right", lambda: window.player.step(1)),
            ("Shift+Left", lambda: window.player.step(-SECOND_TICKS)),
            ("Shift+Right", lambda: window.player.step(SECOND_TICKS)),
            ("Ctrl+Left", lambda: window.transport.jump(-1)),
            ("Ctrl+Right", lambda: window.transport.jump(1)),
            ("[", lambda: window.transport.mark_loop(0)),
            ("]", lambda: window.transport.mark_loop(1)),
            ("Escape", lambda: window.player.set_loop(None)),
            ("Up", lambda: window.transport.faster(1)),
            ("Down", lambda: window.transport.faster(-1)),
        ):
            self._replay_keys.append(self._bind(key, slot))
        self._bind("R", window.session.toggle_record)
        self._bind("F", window.timeline.toggle_frozen)
        for key in OPERATOR_KEYS:
            self._bind(key, partial(window.session.press_key, key.lower())).setAutoRepeat(False)

    def enable_replay_keys(self, enabled: bool) -> None:
        """Lets the keys of a replay work, or leaves them to the button that has the focus."""
        for shortcut in self._replay_keys:
            shortcut.setEnabled(enabled)

    def _bind(self, key: str, slot: Callable[[], object]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(key), self._window)
        shortcut.activated.connect(slot)
        return shortcut

    def _add(self, menu: QMenu, words: str, slot: Callable[[], object], key: str = "") -> QAction:
        action = QAction(words, self._window)
        if key:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda _checked=False: slot())
        menu.addAction(action)
        return action
