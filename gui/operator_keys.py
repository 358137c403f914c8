"""The keys of the operator: a small button for each key that the session's protocol listens to.

The same letters and digits on the keyboard do the same, and so do those that no protocol listens to: they
are recorded, as notes of the operator.
"""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget


class OperatorKeys(QFrame):
    """A row of buttons; hidden where there are no keys to press."""

    pressed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.label = QLabel()
        self.label.setObjectName("muted")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 4, 10, 4)
        self._row.setSpacing(6)
        self._row.addWidget(self.label)
        self._row.addStretch(1)
        self.buttons: dict[str, QToolButton] = {}
        self._live = False
        self.heard = True
        self.show_heard(True)
        self.hide()

    def describe(self, keys: Sequence[str]) -> None:
        """The keys that the protocol listens to."""
        for button in self.buttons.values():
            self._row.removeWidget(button)
            button.deleteLater()
        self.buttons = {}
        for place, key in enumerate(keys):
            button = QToolButton()
            button.setText(key)
            button.setMinimumWidth(28)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setToolTip(f"Press {key} for the protocol (or on the keyboard)")
            button.clicked.connect(lambda _checked=False, key=key: self.pressed.emit(key))
            self._row.insertWidget(1 + place, button)
            button.setEnabled(self.heard)
            self.buttons[key] = button
        self.show_live(self._live)

    def show_heard(self, heard: bool) -> None:
        """Whether there is a stimulation engine: without one no key does anything."""
        self.heard = heard
        self.label.setText(
            "Keys of the protocol" if heard else "No stimulation engine hears the protocol's keys"
        )
        for button in self.buttons.values():
            button.setEnabled(heard)

    def show_live(self, live: bool) -> None:
        """Whether a session runs that could hear them."""
        self._live = live
        self.setVisible(live and bool(self.buttons))
