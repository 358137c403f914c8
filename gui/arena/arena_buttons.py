"""The buttons over the arena's picture: from where to look, and what to draw beside the animal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup
from PyQt6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from gui.arena.arena_marks import TRAIL_CHOICES_S

VIEWS = {
    "orbit": ("Orbit", "From a fixed side; drag to turn"),
    "follow": (
        "Follow",
        "From behind, turning with the animal; drag to look from another side of it",
    ),
    "top": ("Top", "From above; drag to turn"),
    "eye": ("Eye", "As the animal sees it, in more pixels than it has"),
}
"""What each way of looking (`gui.arena.arena_scene.MODES`) is called, and what it is."""
GAP_PX = 6
ROOM_PX = 300
"""Of narrower pictures the buttons have numbers for names."""


class ArenaButtons(QWidget):
    """A row of small buttons.

    `view_chosen` carries a way of looking, `marks_chosen` the seconds of the trail and whether to mark where
    paws bear.
    """

    view_chosen = pyqtSignal(str)
    marks_chosen = pyqtSignal(int, bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.trail_s, self.contacts = 5, True
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self.views: dict[str, QToolButton] = {}
        for number, (mode, (words, meaning)) in enumerate(VIEWS.items(), start=1):
            button = self._button(words, f"{meaning} ({number})")
            button.setCheckable(True)
            button.clicked.connect(lambda _checked=False, mode=mode: self.view_chosen.emit(mode))
            self.views[mode] = button
            row.addWidget(button)
        self.marks = self._button(
            "Marks", "The way that the animal has come, and where its paws bear"
        )
        menu = QMenu(self.marks)
        group = QActionGroup(menu)
        self.trails: dict[int, QAction] = {}
        for seconds in TRAIL_CHOICES_S:
            words = f"Trail of {seconds} s" if seconds else "No trail"
            self.trails[seconds] = self._choice(menu, words, partial(self._choose_trail, seconds))
            group.addAction(self.trails[seconds])
        menu.addSeparator()
        self.paws = self._choice(menu, "Contacts of the paws", self._choose_contacts)
        self.marks.setMenu(menu)
        self.marks.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        row.addWidget(self.marks)
        self.show_marks(self.trail_s, self.contacts)
        self.show_view("orbit")

    def show_view(self, mode: str) -> None:
        """From where the picture is."""
        for each, button in self.views.items():
            button.setChecked(each == mode)

    def show_marks(self, trail_s: int, contacts: bool) -> None:
        """What is drawn beside the animal."""
        self.trail_s, self.contacts = trail_s, contacts
        self.trails[trail_s].setChecked(True)
        self.paws.setChecked(contacts)

    def fit(self, width: int) -> None:
        """Lays itself into the upper right corner of a picture of this width, px."""
        for number, (mode, button) in enumerate(self.views.items(), start=1):
            button.setText(VIEWS[mode][0] if width >= ROOM_PX else str(number))
        self.marks.setText("Marks" if width >= ROOM_PX else "+")
        self.adjustSize()
        self.move(max(width - self.width() - GAP_PX, 0), GAP_PX)

    def _choose_trail(self, trail_s: int, _checked: bool) -> None:
        self.marks_chosen.emit(trail_s, self.contacts)

    def _choose_contacts(self, contacts: bool) -> None:
        self.marks_chosen.emit(self.trail_s, contacts)

    def _button(self, words: str, meaning: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("small")
        button.setText(words)
        button.setToolTip(meaning)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button

    def _choice(self, menu: QMenu, words: str, does: Callable[[bool], None]) -> QAction:
        action = QAction(words, menu)
        action.setCheckable(True)
        action.triggered.connect(does)
        menu.addAction(action)
        return action
