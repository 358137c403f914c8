"""The keys of the protocol that runs, as buttons in words: "S  silence", lit while what they begin is on.

The same letters and digits on the keyboard do the same, and so do those that no protocol listens to: they
are recorded, as notes of the operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from gui.look.labels import restyle
from rig.bus.message_types import KeyUse

PADDING_PX = 22
LEAST_PX = 30


class KeyButton(QToolButton):
    """A key and what it does; where there is little room, the words shortened or the key alone."""

    def __init__(self, use: KeyUse) -> None:
        super().__init__()
        self.use = use
        words = use.words.replace("_", " ")
        self._whole = f"{_cap(use.key)}  {words}" if words else _cap(use.key)
        self.setText(self._whole)
        self.setToolTip(
            f"{_cap(use.key)}: {words or 'as the protocol says'} (also on the keyboard)"
        )
        self.setAccessibleName(self._whole)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(LEAST_PX)

    def sizeHint(self) -> QSize:
        """As wide as all its words need, whatever of them is shown."""
        width = self.fontMetrics().horizontalAdvance(self._whole) + PADDING_PX + 4
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Room for the key."""
        return QSize(LEAST_PX, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fits the words to the new width."""
        super().resizeEvent(event)
        metrics, room = self.fontMetrics(), self.width() - PADDING_PX
        shown = metrics.elidedText(self._whole, Qt.TextElideMode.ElideRight, room)
        if metrics.horizontalAdvance(self._whole) > room and len(shown) < 5:
            shown = _cap(self.use.key)
        self.setText(shown)


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
        self.buttons: dict[str, KeyButton] = {}
        self._live = False
        self.heard = True
        self.show_heard(True)
        self.hide()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Where the keys need the room, what they are is left out."""
        super().resizeEvent(event)
        self._fit()

    def describe(self, uses: Sequence[KeyUse]) -> None:
        """The keys that the protocol listens to, and what each does."""
        for button in self.buttons.values():
            self._row.removeWidget(button)
            button.deleteLater()
        self.buttons = {}
        for place, use in enumerate(uses):
            button = KeyButton(use)
            button.clicked.connect(lambda _checked=False, key=use.key: self.pressed.emit(key))
            self._row.insertWidget(1 + place, button)
            button.setEnabled(self.heard)
            self.buttons[use.key] = button
        self._fit()
        self.show_live(self._live)

    def show_on(self, stimuli: Mapping[str, bool]) -> None:
        """Lights the keys that begin these stimuli, which go on now; true: it is a sham."""
        for button in self.buttons.values():
            own = [stimuli[name] for name in button.use.stimuli if name in stimuli]
            restyle(button, lit="" if not own else "sham" if all(own) else "on")

    def show_heard(self, heard: bool) -> None:
        """Whether there is a stimulation engine: without one no key does anything."""
        self.heard = heard
        self.label.setText(
            "Keys of the protocol" if heard else "No stimulation engine hears the protocol's keys"
        )
        for button in self.buttons.values():
            button.setEnabled(heard)
        self._fit()

    def show_live(self, live: bool) -> None:
        """Whether a session runs that could hear them."""
        self._live = live
        self.setVisible(live and bool(self.buttons))

    def _fit(self) -> None:
        parts = (self.label, *self.buttons.values())
        gaps = self._row.spacing() * len(parts) + 20
        needed = gaps + sum(each.sizeHint().width() for each in parts)
        self.label.setVisible(not self.heard or self.width() >= needed)


def _cap(key: str) -> str:
    return key.upper() if len(key) == 1 else key
