"""The menus, the buttons and the keys, all made from one table of what the user can do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PyQt6.QtWidgets import QMainWindow, QMenu

from gui.arena.arena_buttons import VIEWS
from gui.commands import ALWAYS, LETTERS, LIVE, REPLAY, SHOWN, Command, CommandTable, shown_key
from gui.editor_control import EditorControl
from gui.key_sheet import KeySheet
from gui.layout import Layout
from gui.layouts import Layouts
from gui.look.theme import THEMES, Theme
from gui.panels import Panels
from gui.replay_control import ReplayControl
from gui.session.session_setup import SessionStarter
from gui.session_control import SessionControl
from gui.window_state import WindowState

SECOND_TICKS = 50


NOT_REPLAY = ALWAYS - REPLAY
"""A recording cannot be acquired again."""
PANEL_KEYS = {
    "population": "Ctrl+Shift+P",
    "behaviour": "Ctrl+Shift+M",
    "units": "Ctrl+U",
    "performance": "Ctrl+H",
    "stimulate": "Ctrl+T",
    "annotate": "Ctrl+Shift+A",
    "analyse": "Ctrl+Shift+Y",
}
"""Of the docks that are hidden until they are asked for, by name."""


class Actions(QObject):
    """Fills a window's menus and binds its buttons and keys: what there is stands in `_fill`.

    In a live session the letters and digits that its protocol listens to are the protocol's, whatever else
    they do; those that do nothing else are recorded, as keys of the operator.

    Args:
        window: owns menus and shortcuts.
        state: what it shows; which commands can be done follows its phase.
        layout: of its panels; it has the menu bar.
        panels: whose buttons are bound.
        session: what they ask of a running session.
        player: what they ask of a replay.
        sessions: what the editor of protocols asks; None: there is no editor.

    Attributes:
        editor: the editor of protocols.
        layouts: those that have names.
        table: all commands, by which the sheet of keys is made, too.
    """

    theme_chosen = pyqtSignal(str)
    folder_requested = pyqtSignal()
    setup_requested = pyqtSignal()

    def __init__(
        self,
        window: QMainWindow,
        state: WindowState,
        layout: Layout,
        panels: Panels,
        session: SessionControl,
        player: ReplayControl,
        sessions: SessionStarter | None = None,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self._session = session
        self.editor = EditorControl(state, panels, session, sessions, window)
        self.table = CommandTable()
        self.sheet = KeySheet(window, self.table, state)
        self._fill(layout, panels, session, player)
        self._menus: dict[str, QMenu] = {}
        for name in ("Session", "View", "Replay", "Help"):
            menu = layout.menu_bar.addMenu(f"&{name}")
            assert menu is not None
            self._menus[name] = menu
        self._items = [
            (command, self._add_item(command)) for command in self.table.commands if command.menu
        ]
        self._add_views(self._menus["View"], layout)
        self._bind_buttons(panels, session, player)
        panels.timeline.behaviour_chosen.connect(lambda _: layout.reveal("behaviour"))
        self._shortcuts: dict[str, QShortcut] = {}
        for key in dict.fromkeys((*self.table.keys, *LETTERS)):
            shortcut = QShortcut(QKeySequence(key), window)
            shortcut.activated.connect(partial(self._press, key))
            self._shortcuts[key] = shortcut
        state.phase_changed.connect(lambda _: self._follow())
        self._follow()

    def _fill(
        self, layout: Layout, panels: Panels, session: SessionControl, player: ReplayControl
    ) -> None:
        """The table. What can be done by a key or from a menu stands here and nowhere else."""
        transport, timeline = panels.transport, panels.timeline
        operator, add = session.operator, self.table.add
        add(
            Command("Set up a session…", self.setup_requested.emit, ("Ctrl+N",), menu="Session"),
            Command("Edit the protocol…", self.editor.open, ("Ctrl+E",), menu="Session"),
            Command(
                "Record, or stop recording",
                session.toggle_record,
                ("R", "Ctrl+R"),
                "Session",
                LIVE,
                "Session",
            ),
            Command(
                "Save the last minute",
                session.clips.save,
                ("Ctrl+Shift+R",),
                "Session",
                LIVE,
                "Session",
            ),
            Command(
                "Pause, or go on", operator.toggle_pause, ("Space",), "Session", LIVE, "Session"
            ),
            Command(
                "One tick on, and pause",
                operator.step,
                (".",),
                "Session",
                LIVE,
                "Session",
                repeats=True,
            ),
            Command(
                "Disarm the protocol, or arm it",
                operator.toggle_armed,
                ("Ctrl+D",),
                "Session",
                LIVE,
                "Session",
            ),
            Command(
                "Write a note…",
                operator.open_note,
                ("N", "Ctrl+Shift+N"),
                "Session",
                LIVE,
                "Session",
            ),
            Command(
                "Acquire, or stop",
                session.toggle_acquire,
                ("F5",),
                "Session",
                NOT_REPLAY,
                "Session",
            ),
        )
        add(
            Command("Open a recording…", player.choose, ("Ctrl+O",), menu="Session", divided=True),
            Command(
                "Open a recording beside…",
                player.open_beside,
                ("Ctrl+B",),
                phases=REPLAY,
                menu="Session",
            ),
            Command("Folder for recordings…", self.folder_requested.emit, menu="Session"),
        )
        add(
            Command(
                "Hold the plots still, or follow again",
                timeline.toggle_frozen,
                ("F", "Ctrl+Shift+F"),
                "Plots",
                SHOWN,
                "View",
            ),
            Command(
                "Select units by name",
                panels.search_units,
                ("Ctrl+F",),
                "Plots",
                SHOWN,
                "View",
            ),
        )
        for number, (mode, (name, _)) in enumerate(VIEWS.items(), start=1):
            both = (str(number), f"Ctrl+{number}")
            look = partial(panels.look_as, mode)
            add(Command(f"Look at the animal: {name.lower()}", look, both, "Arena", SHOWN, "View"))
        for name in ("population", "behaviour", "units", "performance"):
            words = layout.docks[name].windowTitle().lower()
            toggle = partial(layout.toggle, name)
            add(Command(f"Panel: {words}", toggle, (PANEL_KEYS[name],), "Panels", SHOWN))
        hand = session.by_hand
        add(
            Command(
                "Stimulate by hand…",
                partial(layout.toggle, "stimulate"),
                (PANEL_KEYS["stimulate"],),
                "Stimuli",
                LIVE,
                "Session",
                divided=True,
            ),
            Command(
                "Stimulate the selected units", hand.stimulate, ("Ctrl+Return",), "Stimuli", LIVE
            ),
            Command("Release all stimuli", hand.release_all, (), "Stimuli", LIVE, "Session"),
            Command(
                "Close the window", self._window.close, ("Ctrl+Q",), menu="Session", divided=True
            ),
            Command(
                "Release all stimuli (press twice within 0.6 s)",
                hand.escape,
                ("Escape",),
                "Stimuli",
                LIVE,
            ),
        )
        for words, does, keys, repeats in (
            ("Play or pause", player.toggle_play, ("Space",), False),
            ("A tick back", lambda: player.step(-1), ("Left", ","), True),
            ("A tick on", lambda: player.step(1), ("Right", "."), True),
            ("A second back", lambda: player.step(-SECOND_TICKS), ("Shift+Left",), True),
            ("A second on", lambda: player.step(SECOND_TICKS), ("Shift+Right",), True),
            (
                "To the one before of what is chosen",
                lambda: transport.jump(-1),
                ("Ctrl+Left",),
                True,
            ),
            ("To the next of what is chosen", lambda: transport.jump(1), ("Ctrl+Right",), True),
            ("Faster", lambda: transport.faster(1), ("Up",), True),
            ("Slower", lambda: transport.faster(-1), ("Down",), True),
            ("A loop begins here", lambda: transport.mark_loop(0), ("[",), False),
            ("A loop ends here", lambda: transport.mark_loop(1), ("]",), False),
            ("No loop any longer", lambda: player.set_loop(None), ("Escape",), False),
        ):
            add(Command(words, does, keys, "Replay", REPLAY, repeats=repeats))
        annotate = player.annotate
        listed: tuple[tuple[str, Callable[[], object], tuple[str, ...], str], ...] = (
            ("Align the recordings…", player.align, ("Ctrl+L",), "Replay"),
            ("Branch from here…", player.branch, ("Ctrl+Shift+B",), "Replay"),
            ("Export…", player.export, ("Ctrl+Shift+E",), "Replay"),
            ("Analyse", lambda: layout.toggle("analyse"), (PANEL_KEYS["analyse"],), "Replay"),
            (
                "Annotate",
                lambda: layout.toggle("annotate"),
                ("A", PANEL_KEYS["annotate"]),
                "Annotate",
            ),
            ("Undo", annotate.undo, ("Ctrl+Z",), "Annotate"),
            ("Redo", annotate.redo, ("Ctrl+Shift+Z",), "Annotate"),
            ("Delete the selected bout", annotate.delete, ("Delete",), "Annotate"),
            ("To the bout before", lambda: annotate.jump(-1), ("PgUp",), "Annotate"),
            ("To the next bout", lambda: annotate.jump(1), ("PgDown",), "Annotate"),
            ("Agreement of two channels…", annotate.show_agreement, (), "Annotate"),
        )
        for name, do, own_keys, group in listed:
            add(Command(name, do, own_keys, group, REPLAY, menu="Replay"))
        add(Command("All keys", self.sheet.toggle, ("F1",), menu="Help"))

    def show_theme(self, theme: Theme) -> None:
        """Checks the theme that is on, and tells it to windows of their own."""
        self._themes[theme.name].setChecked(True)
        self.editor.set_theme(theme)

    def _follow(self) -> None:
        """Lets do what can be done in the present phase, and leaves other keys to what has the focus."""
        phase, taken = self._state.phase, [each.key for each in self._state.protocol_keys]
        for command, item in self._items:
            item.setEnabled(phase in command.phases)
            keys = command.keys_besides(taken)
            item.setText(f"{command.words}\t{shown_key(keys[0])}" if keys else command.words)
        for key, shortcut in self._shortcuts.items():
            found = self.table.of(key, phase)
            shortcut.setEnabled(found is not None or (phase == "live" and key in LETTERS))
            shortcut.setAutoRepeat(found is not None and found.repeats)

    def _press(self, key: str) -> None:
        taken = {each.key.lower() for each in self._state.protocol_keys}
        found = self.table.of(key, self._state.phase)
        if key.lower() in taken or (found is None and key in LETTERS):
            self._session.operator.press_key(key.lower())
        elif found is not None:
            found.does()

    def _add_item(self, command: Command) -> QAction:
        menu = self._menus[command.menu]
        if command.divided:
            menu.addSeparator()
        return self._add(menu, command.words, command.does)

    def _add_views(self, view: QMenu, layout: Layout) -> None:
        view.addSeparator()
        themes = QActionGroup(self._window)
        self._themes: dict[str, QAction] = {}
        for name in THEMES:
            action = self._add(
                view, f"{name.capitalize()} theme", partial(self.theme_chosen.emit, name)
            )
            action.setCheckable(True)
            self._themes[name] = action
            themes.addAction(action)
        view.addSeparator()
        for name, action in zip(layout.docks, layout.view_actions, strict=True):
            key = PANEL_KEYS.get(name)
            if key is not None:
                action.setText(f"{layout.docks[name].windowTitle()}\t{shown_key(key)}")
            view.addAction(action)
        self.layouts = Layouts(self._window, layout, self._state.settings)
        self.layouts.add_to(view)

    def _bind_buttons(self, panels: Panels, session: SessionControl, player: ReplayControl) -> None:
        for signal, does in (
            (panels.control.acquire_pressed, session.toggle_acquire),
            (panels.control.record_pressed, session.toggle_record),
            (panels.welcome.open_pressed, player.choose),
            (panels.health.engine_asked, session.take_new_engine),
            (panels.transport.play_pressed, player.toggle_play),
            (panels.transport.step_pressed, player.step),
            (panels.transport.tick_chosen, player.seek),
            (panels.behaviour.tick_chosen, player.seek),
            (panels.transport.speed_chosen, player.set_speed),
            (panels.transport.loop_chosen, player.set_loop),
        ):
            signal.connect(does)

    def _add(self, menu: QMenu, words: str, slot: Callable[[], object]) -> QAction:
        action = QAction(words, self._window)
        action.triggered.connect(lambda _checked=False: slot())
        menu.addAction(action)
        return action
