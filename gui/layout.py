"""Where the parts of the window are: bars above, docks on the left, the timeline in the middle."""

from __future__ import annotations

from PyQt6.QtCore import QSettings, QSize, Qt, QTimer
from PyQt6.QtWidgets import QDockWidget, QMainWindow, QMenuBar, QVBoxLayout, QWidget

from gui.panels import Panels

VERSION = 1
GAP = 6
LEAST_HEALTH, LEAST_CAMERA = 240, 170
"""Widths (px) below which the session's numbers could not be read, or the animal's picture not be seen."""
_LEFT = Qt.DockWidgetArea.LeftDockWidgetArea


class Layout:
    """Arranges a window's parts, and remembers how its user rearranged them."""

    def __init__(self, window: QMainWindow, panels: Panels, middle: QWidget) -> None:
        self._window = window
        self.menu_bar = QMenuBar()
        window.setDockOptions(
            QMainWindow.DockOption.AnimatedDocks
            | QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
        )
        window.setContentsMargins(GAP, 0, GAP, GAP)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(middle, 1)
        column.addWidget(panels.keys)
        column.addWidget(panels.transport)
        window.setCentralWidget(centre)

        top = QWidget()
        stack = QVBoxLayout(top)
        stack.setContentsMargins(0, 2, 0, GAP)
        stack.setSpacing(GAP)
        stack.addWidget(self.menu_bar)
        stack.addWidget(panels.control)
        stack.addWidget(panels.banner)
        window.setMenuWidget(top)

        self.docks = {
            name: self._dock(name, title, widget)
            for name, title, widget in (
                ("arena", "Arena", panels.arena),
                ("eye", "The animal's eye", panels.camera),
                ("health", "Session", panels.health),
            )
        }
        panels.health.setMinimumWidth(LEAST_HEALTH)
        panels.camera.setMinimumWidth(LEAST_CAMERA)
        window.setCorner(Qt.Corner.BottomLeftCorner, _LEFT)
        window.setCorner(Qt.Corner.TopLeftCorner, _LEFT)
        self._aside: list[QDockWidget] | None = None
        self._place()

    def reset(self) -> None:
        """Puts the docks where they were the first time."""
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self._place()
        self._size()

    def show_docks(self, shown: bool) -> None:
        """Makes room for recordings side by side, or shows again the docks that gave it."""
        if shown == (self._aside is None):
            return
        if shown:
            for dock in self._aside or ():
                dock.show()
            self._aside = None
        else:
            self._aside = [dock for dock in self.docks.values() if not dock.isHidden()]
            for dock in self._aside:
                dock.hide()

    def restore(self, settings: QSettings) -> None:
        """Arranges everything as it was left; the first time, as it fits the screen."""
        window = self._window
        screen = window.screen()
        room = screen.availableSize() if screen is not None else QSize(1280, 720)
        window.resize(min(1920, room.width()), min(1080, room.height()))
        geometry, layout = settings.value("geometry"), settings.value("layout")
        if geometry is not None:
            window.restoreGeometry(geometry)
        if layout is None or not window.restoreState(layout, VERSION):
            QTimer.singleShot(0, self._size)

    def save(self, settings: QSettings) -> None:
        """Remembers the present arrangement."""
        self.show_docks(True)
        settings.setValue("geometry", self._window.saveGeometry())
        settings.setValue("layout", self._window.saveState(VERSION))

    def _dock(self, name: str, title: str, widget: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self._window)
        dock.setObjectName(name)
        dock.setWidget(widget)
        return dock

    def _place(self) -> None:
        docks = self.docks
        for dock in docks.values():
            self._window.addDockWidget(_LEFT, dock)
        self._window.splitDockWidget(docks["arena"], docks["eye"], Qt.Orientation.Vertical)
        self._window.splitDockWidget(docks["eye"], docks["health"], Qt.Orientation.Horizontal)

    def _size(self) -> None:
        window, docks = self._window, self.docks
        width = min(max(int(window.width() * 0.36), 400), 760)
        height = window.height() - 130
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        window.resizeDocks([docks["arena"]], [width], across)
        window.resizeDocks(
            [docks["eye"], docks["health"]], [int(width * 0.47), int(width * 0.53)], across
        )
        window.resizeDocks(
            [docks["arena"], docks["eye"]], [int(height * 0.58), int(height * 0.42)], down
        )
