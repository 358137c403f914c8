"""Where the parts of the window are: bars above, docks on the left and right, the timeline in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PyQt6.QtCore import QSettings, QSize, Qt, QTimer
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QDockWidget,
    QMainWindow,
    QMenuBar,
    QStatusBar,
    QTabBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gui.arrangement import Arrangement, arrange, arrangement_of, fit, load, store
from gui.panels import Panels

VERSION = 2
GAP = 6
LEAST_CAMERA = 150
"""Width (px) below which the animal's picture could not be seen."""
TITLE_PX = 40
"""What the frame of a window may take of the screen's height, where that is not known yet."""
ASIDE_SHARE = 0.27
"""Of the window's width: what the first dock on the right takes of it."""
_LEFT = Qt.DockWidgetArea.LeftDockWidgetArea
_RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
OPTIONAL = (
    *("stimulate", "annotate", "population", "behaviour"),
    *("units", "performance", "analyse"),
)
"""Docks that are hidden until they are asked for."""


class Layout:
    """Arranges a window's parts, and remembers how its user rearranged them."""

    def __init__(self, window: QMainWindow, panels: Panels, middle: QWidget) -> None:
        self._window = window
        self._panels = panels
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
        column.addWidget(panels.end)
        column.addWidget(panels.keys)
        column.addWidget(panels.note)
        window.setCentralWidget(centre)
        self._transport = panels.transport
        self._foot = _foot(panels.transport)
        window.setStatusBar(self._foot)

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
                ("eye", "Animal's eye", panels.camera),
                ("health", "Session", panels.health),
                ("log", "Log", panels.log),
                ("performance", "Health", panels.performance),
                ("stimulate", "Stimulate", panels.stimulate),
                ("annotate", "Annotate", panels.annotate),
                ("population", "Population", panels.population),
                ("behaviour", "Behaviour", panels.behaviour),
                ("units", "Units", panels.units),
                ("analyse", "Analyse", panels.analyse),
            )
        }
        panels.camera.setMinimumWidth(LEAST_CAMERA)
        window.setTabPosition(_LEFT | _RIGHT, QTabWidget.TabPosition.North)
        window.setCorner(Qt.Corner.BottomLeftCorner, _LEFT)
        window.setCorner(Qt.Corner.TopLeftCorner, _LEFT)
        self._aside: list[QDockWidget] | None = None
        self._in_front: list[QDockWidget] = []
        """Of those that were put aside, the ones that no tab lay before."""
        self._ungathered: set[str] = set()
        self._unfitted: Arrangement | None = None
        """What was put back while docks were not shown: they are fitted to the window when they are."""
        for dock in self.docks.values():
            dock.topLevelChanged.connect(lambda _: self._title())
            dock.visibilityChanged.connect(self._hold_size)
            dock.dockLocationChanged.connect(lambda _: QTimer.singleShot(0, self._title))
        self.view_actions = tuple(self._view_action(name) for name in self.docks)
        """Each shows a dock or hides it."""
        self._place()

    def reset(self) -> None:
        """Puts the docks where they were the first time."""
        self.arrange([name for name in self.docks if name not in OPTIONAL])

    def arrange(self, shown: Sequence[str]) -> None:
        """Puts the docks where they were the first time, and shows these.

        Args:
            shown: names of docks; of those that share a place the first is in front.
        """
        aside = self._aside is not None
        self.show_docks(True)
        for dock in self.docks.values():
            dock.setFloating(False)
        self._place()
        for name, dock in self.docks.items():
            dock.setVisible(name in shown and name not in OPTIONAL)
        for name in reversed([each for each in shown if each in self.docks]):
            if name in OPTIONAL:
                self._gather(name)
            self.docks[name].raise_()
        self._size()
        self._title()
        if aside:
            self.show_docks(False)

    def arrangement(self) -> Arrangement:
        """The present arrangement, to be kept."""
        aside = self._aside is not None
        self.show_docks(True)
        found = arrangement_of(self._window, self.docks, VERSION)
        if aside:
            self.show_docks(False)
        return found

    def put_back(self, wanted: Arrangement) -> bool:
        """Arranges the docks as they were kept, fitted to the window as it is; says whether it could."""
        aside = self._aside is not None
        self.show_docks(True)
        done = arrange(self._window, self.docks, wanted, VERSION)
        self._ungathered = set() if done else self._ungathered
        self._title()
        if aside:
            self._unfitted = wanted
            self.show_docks(False)
        return done

    def show_transport(self, shown: bool) -> None:
        """Shows the transport bar of a replay, across the whole width, or not."""
        self._foot.setVisible(shown)
        self._transport.setVisible(shown)

    def reveal(self, name: str) -> None:
        """Shows a dock, in front of those that it shares its place with."""
        self._gather(name)

    def toggle(self, name: str) -> None:
        """Shows a dock and gives it the focus, or hides it."""
        dock = self.docks[name]
        shown = dock.isHidden() or dock.visibleRegion().isEmpty()  # it may lie behind another one
        if not shown:
            dock.hide()
            return
        self._gather(name)
        widget = dock.widget()
        if widget is not None:
            widget.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _view_action(self, name: str) -> QAction:
        own = self.docks[name].toggleViewAction()
        assert own is not None
        if name not in OPTIONAL:
            return own
        action = QAction(own.text(), self._window)
        action.setCheckable(True)
        own.toggled.connect(action.setChecked)

        def press() -> None:
            self.toggle(name)
            action.setChecked(not self.docks[name].isHidden())

        action.triggered.connect(press)
        return action

    def _gather(self, name: str) -> None:
        """Shows a dock in front; the first time behind a tab with those that are there already.

        Docks that were tabs of each other from the start, hidden, would leave Qt with tabs that nobody wants;
        shown first and made tabs then, they would for a moment need the height of both.
        """
        dock = self.docks[name]
        others = [self.docks[each] for each in OPTIONAL if each != name]
        there = [each for each in others if not each.isHidden() and not each.isFloating()]
        if name in self._ungathered and there:
            self._window.tabifyDockWidget(there[0], dock)
        first = name in self._ungathered and not there
        self._ungathered.discard(name)
        dock.show()
        if first:
            self._window.resizeDocks([dock], [self._share_of(dock)], Qt.Orientation.Horizontal)
        dock.raise_()
        QTimer.singleShot(0, self._title)

    def show_docks(self, shown: bool) -> None:
        """Shows the docks that are wanted, or none where they have nothing to show or there is no room."""
        for action in self.view_actions:
            action.setEnabled(shown)
        if shown == (self._aside is None):
            return
        if shown:
            for dock in self._aside or ():
                dock.show()
            for dock in self._in_front:
                dock.raise_()
            self._aside = None
            QTimer.singleShot(0, self._title)
            if self._unfitted is not None:
                QTimer.singleShot(0, partial(fit, self._window, self.docks, self._unfitted))
                self._unfitted = None
        else:
            self._aside = [dock for dock in self.docks.values() if not dock.isHidden()]
            self._in_front = [each for each in self._aside if not each.visibleRegion().isEmpty()]
            for dock in self._aside:
                dock.hide()

    def restore(self, settings: QSettings) -> None:
        """Arranges everything as it was left; the first time, as it fits the screen."""
        self._panels.arena.restore(settings)
        self._panels.comparison.look_as(self._panels.arena.mode)
        window = self._window
        screen = window.screen()
        room = screen.availableSize() if screen is not None else QSize(1280, 720)
        window.resize(min(1920, room.width()), min(1080, room.height() - TITLE_PX))
        geometry, kept = settings.value("geometry"), load(settings, "layout")
        if geometry is not None:
            window.restoreGeometry(geometry)
        self._unfitted = kept
        if kept is not None and arrange(window, self.docks, kept, VERSION):
            self._ungathered = set()
        else:
            QTimer.singleShot(0, self._size)
        self._title()
        QTimer.singleShot(0, self._keep_on_screen)

    def _hold_size(self, shown: bool) -> None:
        """A dock takes its room from the others; Qt would let the window grow, were it for a moment only."""
        window, before = self._window, self._window.size()

        def hold() -> None:
            grown = window.size().expandedTo(before) != before
            if grown and not window.isMaximized() and not window.isFullScreen():
                window.resize(before)

        if shown and window.isVisible():
            QTimer.singleShot(0, hold)

    def _keep_on_screen(self) -> None:
        """Makes the window smaller, or moves it, where its frame reaches beyond the screen."""
        window, screen = self._window, self._window.screen()
        if screen is None or window.isMaximized() or window.isFullScreen():
            return
        room, frame = screen.availableGeometry(), window.frameGeometry()
        if room.contains(frame):
            return
        width = min(window.width(), room.width() - (frame.width() - window.width()))
        height = min(window.height(), room.height() - (frame.height() - window.height()))
        window.resize(width, height)
        frame = window.frameGeometry()
        window.move(
            max(min(frame.x(), room.right() - frame.width() + 1), room.x()),
            max(min(frame.y(), room.bottom() - frame.height() + 1), room.y()),
        )

    def save(self, settings: QSettings) -> None:
        """Remembers the present arrangement."""
        self.show_docks(True)
        self._panels.arena.save(settings)
        settings.setValue("geometry", self._window.saveGeometry())
        store(settings, "layout", arrangement_of(self._window, self.docks, VERSION))

    def _dock(self, name: str, title: str, widget: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self._window)
        dock.setObjectName(name)
        dock.setWidget(widget)
        return dock

    def _title(self) -> None:
        """Docks have a title of their own, unless a tab has it."""
        for dock in self.docks.values():
            tabbed = bool(self._window.tabifiedDockWidgets(dock)) and not dock.isFloating()
            if tabbed and dock.titleBarWidget() is None:
                dock.setTitleBarWidget(QWidget())
            elif not tabbed and dock.titleBarWidget() is not None:
                dock.setTitleBarWidget(None)
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        for bar in self._window.findChildren(QTabBar, options=direct):
            bar.setElideMode(Qt.TextElideMode.ElideNone)  # "An…" may be two of them
            bar.setUsesScrollButtons(True)

    def _place(self) -> None:
        docks = self.docks
        for name, dock in docks.items():
            self._window.addDockWidget(_RIGHT if name in OPTIONAL else _LEFT, dock)
            dock.setVisible(name not in OPTIONAL)
        self._ungathered = set(OPTIONAL)
        self._window.splitDockWidget(docks["arena"], docks["eye"], Qt.Orientation.Vertical)
        self._window.splitDockWidget(docks["eye"], docks["health"], Qt.Orientation.Horizontal)
        self._window.tabifyDockWidget(docks["health"], docks["log"])
        docks["health"].raise_()
        self._title()

    def _share_of(self, dock: QDockWidget) -> int:
        return max(int(ASIDE_SHARE * self._window.width()), dock.minimumSizeHint().width())

    def _size(self) -> None:
        window, docks = self._window, self.docks
        width = min(max(int(window.width() * 0.36), 400), 760)
        height = window.height() - 130
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        aside = [docks[name] for name in OPTIONAL if not docks[name].isHidden()][:1]
        widths = [width, *(self._share_of(dock) for dock in aside)]
        window.resizeDocks([docks["arena"], *aside], widths, across)
        window.resizeDocks(
            [docks["eye"], docks["health"]], [int(width * 0.47), int(width * 0.53)], across
        )
        window.resizeDocks(
            [docks["arena"], docks["eye"]], [int(height * 0.58), int(height * 0.42)], down
        )


def _foot(transport: QWidget) -> QStatusBar:
    """What lies below everything, across the whole width of the window."""
    foot = QStatusBar()
    foot.setSizeGripEnabled(False)
    foot.setStyleSheet("QStatusBar::item { border: none; }")
    foot.addPermanentWidget(transport, 1)
    foot.hide()
    return foot
