"""The menus, the buttons and the keys: what each of them does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PyQt6.QtWidgets import QMainWindow, QMenu

from gui.layout import Layout
from gui.panels import Panels
from gui.replay_control import ReplayControl
from gui.session_control import SessionControl
from gui.theme import THEMES

SECOND_TICKS = 50
OPERATOR_KEYS = "0123456789ABCDEGHIJKLMNOPQSTUVWXYZ"
"""Letters and digits that are no shortcut of the window."""


class Actions(QObject):
    """Fills a window's menus and binds its buttons and keys.

    Space plays and pauses, ← → step (with shift a second; with Ctrl to the next behaviour, stimulus or
    trial), ↑ ↓ change speed, [ ] bound a loop, escape ends it, R records, F freezes. Other letters and
    digits are keys of the operator.

    Args:
        window: owns menus and shortcuts.
        layout: of its panels; it has the menu bar.
        panels: whose buttons are bound.
        session: what they ask of a running session.
        player: what they ask of a replay.
    """

    theme_chosen = pyqtSignal(str)
    folder_requested = pyqtSignal()
    setup_requested = pyqtSignal()

    def __init__(
        self,
        window: QMainWindow,
        layout: Layout,
        panels: Panels,
        session: SessionControl,
        player: ReplayControl,
    ) -> None:
        super().__init__(window)
        self._window = window
        bar = layout.menu_bar
        menu, view = bar.addMenu("&Session"), bar.addMenu("&View")
        assert menu is not None
        assert view is not None
        self.set_up = self._add(menu, "Set up a session…", self.setup_requested.emit, "Ctrl+N")
        self.pause = self._add(menu, "Pause or resume the animal", session.toggle_pause)
        menu.addSeparator()
        self._add(menu, "Open a recording…", player.choose, "Ctrl+O")
        self.beside = self._add(menu, "Open a recording beside…", player.open_beside, "Ctrl+B")
        self._add(menu, "Folder for recordings…", self.folder_requested.emit)
        menu.addSeparator()
        self._add(menu, "Close the window", window.close, "Ctrl+Q")
        themes = QActionGroup(window)
        self._themes: dict[str, QAction] = {}
        for name in THEMES:
            action = self._add(
                view, f"{name.capitalize()} theme", partial(self.theme_chosen.emit, name)
            )
            action.setCheckable(True)
            self._themes[name] = action
            themes.addAction(action)
        view.addSeparator()
        for dock in layout.docks.values():
            view.addAction(dock.toggleViewAction())
        self._add(view, "Reset the layout", layout.reset)
        for signal, does in (
            (panels.control.acquire_pressed, session.toggle_acquire),
            (panels.control.record_pressed, session.toggle_record),
            (panels.welcome.open_pressed, player.choose),
            (panels.keys.pressed, session.press_key),
            (panels.health.engine_asked, session.take_new_engine),
            (panels.transport.play_pressed, player.toggle_play),
            (panels.transport.step_pressed, player.step),
            (panels.transport.tick_chosen, player.seek),
            (panels.transport.speed_chosen, player.set_speed),
            (panels.transport.loop_chosen, player.set_loop),
        ):
            signal.connect(does)
        self._replay_keys: list[QShortcut] = []
        for key, slot in (
            ("Space", player.toggle_play),
            ("Left", lambda: player.step(-1)),
            ("Right", lambda: player.step(1)),
            ("Shift+Left", lambda: player.step(-SECOND_TICKS)),
            ("Shift+Right", lambda: player.step(SECOND_TICKS)),
            ("Ctrl+Left", lambda: panels.transport.jump(-1)),
            ("Ctrl+Right", lambda: panels.transport.jump(1)),
            ("[", lambda: panels.transport.mark_loop(0)),
            ("]", lambda: panels.transport.mark_loop(1)),
            ("Escape", lambda: player.set_loop(None)),
            ("Up", lambda: panels.transport.faster(1)),
            ("Down", lambda: panels.transport.faster(-1)),
        ):
            self._replay_keys.append(self._bind(key, slot))
        self._bind("R", session.toggle_record)
        self._bind("F", panels.timeline.toggle_frozen)
        for key in OPERATOR_KEYS:
            self._bind(key, partial(session.press_key, key.lower())).setAutoRepeat(False)

    def show_theme(self, name: str) -> None:
        """Checks the theme that is on."""
        self._themes[name].setChecked(True)

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
