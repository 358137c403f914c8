"""Layouts by name: three that come with the window, and those that a user has saved; their menu."""

from __future__ import annotations

from functools import partial

from PyQt6.QtCore import QObject, QSettings
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QInputDialog, QMainWindow, QMenu

from gui.arrangement import forget, kept, load, store
from gui.layout import Layout

SHIPPED = {
    "Recording": ("arena", "eye", "health", "log", "performance"),
    "Stimulating": ("arena", "eye", "health", "log", "stimulate", "units"),
    "Replay": ("arena", "eye", "annotate", "population"),
}
"""The docks that each shows, those that lie behind each other with the first in front."""
GROUP = "layouts"
LONGEST = 40


class Layouts(QObject):
    """Saves layouts under names and puts them back.

    Args:
        window: of questions to the user.
        layout: what is arranged.
        settings: where layouts are kept.
    """

    def __init__(self, window: QMainWindow, layout: Layout, settings: QSettings) -> None:
        super().__init__(window)
        self._window = window
        self._layout = layout
        self._settings = settings

    @property
    def own(self) -> tuple[str, ...]:
        """The names of those that were saved."""
        return kept(self._settings, GROUP)

    def choose(self, name: str) -> None:
        """Arranges the window as a layout has it; one's own go before those that come with it."""
        own = load(self._settings, f"{GROUP}/{name}")
        if own is not None and self._layout.put_back(own):
            return
        if name in SHIPPED:
            self._layout.arrange(SHIPPED[name])

    def save(self, name: str) -> None:
        """Keeps the present arrangement under a name, instead of what had it."""
        store(self._settings, f"{GROUP}/{name}", self._layout.arrangement())

    def delete(self, name: str) -> None:
        """Forgets one's own."""
        forget(self._settings, f"{GROUP}/{name}")

    def add_to(self, view: QMenu) -> QMenu:
        """Adds their menu to another one."""
        menu = QMenu("Layout", view)
        view.addMenu(menu)
        menu.aboutToShow.connect(lambda: self.fill(menu))
        self.fill(menu)
        return menu

    def fill(self, menu: QMenu) -> None:
        """Lists what there is and what can be done."""
        menu.clear()
        own = self.own
        for name in dict.fromkeys((*SHIPPED, *own)):
            self._add(menu, f"{name} (yours)" if name in SHIPPED and name in own else name, name)
        menu.addSeparator()
        save = menu.addAction("Save the layout as…")
        delete = menu.addAction("Delete a layout…")
        reset = menu.addAction("Reset the layout")
        assert isinstance(save, QAction)
        assert isinstance(delete, QAction)
        assert isinstance(reset, QAction)
        save.triggered.connect(lambda _=False: self._ask_name())
        delete.triggered.connect(lambda _=False: self._ask_which())
        delete.setEnabled(bool(own))
        reset.triggered.connect(lambda _=False: self._layout.reset())

    def _add(self, menu: QMenu, words: str, name: str) -> None:
        action = menu.addAction(words)
        assert isinstance(action, QAction)
        action.triggered.connect(partial(self._chosen, name))

    def _chosen(self, name: str, _checked: bool = False) -> None:
        self.choose(name)

    def _ask_name(self) -> None:
        name, given = QInputDialog.getText(self._window, "Save the layout", "Its name:")
        name = " ".join(name.replace("/", " ").replace("\\", " ").split())[:LONGEST]
        if given and name:
            self.save(name)

    def _ask_which(self) -> None:
        name, given = QInputDialog.getItem(
            self._window, "Delete a layout", "Which of yours:", self.own, 0, False
        )
        if given:
            self.delete(name)
