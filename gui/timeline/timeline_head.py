"""The line above the raster: what is shown, in which order, over how long, and where one searches units."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QResizeEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.look.labels import ElidedLabel
from gui.seen.activity import KINDS, LEAST_TICKS, MOST_TICKS, WINDOW_TICKS
from gui.timeline.raster import DISPLAYS
from gui.timeline.unit_orders import ORDERS
from rig.bus.message_types import TICK_S

LEAST_BOX_PX = 94
"""Room for "heat map" and the arrow beside it."""
SPACING_PX = 4
LAYERS_PX, SEARCH_PX = 560, 650
"""Below these widths there is no room for what they are named after."""
SAID_S = 4.0
"""For so long at least a sentence stays."""
LEAST_S, MOST_S = round(LEAST_TICKS * TICK_S), round(MOST_TICKS * TICK_S)


class TimelineHead(QWidget):
    """Boxes and buttons, and a line on which the raster is read out.

    `sort_asked` comes whenever an order is chosen, also the same again; `searched` carries what was typed.
    """

    kind_chosen = pyqtSignal(str)
    display_chosen = pyqtSignal(str)
    sort_asked = pyqtSignal()
    length_chosen = pyqtSignal(int)
    searched = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._beside = False
        self._said_s = -SAID_S
        self.kind = _box(
            "Which activity the raster shows; natural: what the network did before a stimulus changed it"
        )
        self.show_kinds(KINDS)
        self.kind.currentIndexChanged.connect(lambda _: self._choose_kind())
        self.display = _box(
            "All units as z-scores; the selected units as traces; or the emulated spikes that a virtual "
            "probe would see, as rodent-rig probe makes them"
        )
        for key, words in DISPLAYS.items():
            self.display.addItem(words, key)
        self.display.currentIndexChanged.connect(
            lambda _: self.display_chosen.emit(str(self.display.currentData()))
        )
        self.order = _box(
            "Order of the units, the highest on top; choose again to sort anew.\n"
            "By modulation: mean during a behaviour minus mean outside it.\n"
            "By correlation: with the selected unit, over what is shown"
        )
        for key, words in ORDERS.items():
            self.order.addItem(words, key)
        self.order.activated.connect(lambda _: self._choose_order())
        self.behaviour = _box("The behaviour that units are sorted by")
        self.behaviour.activated.connect(lambda _: self.sort_asked.emit())
        self.behaviour.hide()
        self.by_layer = QCheckBox("by layer")
        self.by_layer.setChecked(True)
        self.by_layer.setToolTip("Keeps the units of a layer together; else all are sorted as one")
        self.by_layer.clicked.connect(lambda _: self.sort_asked.emit())
        self.length = QSpinBox()
        self.length.setRange(LEAST_S, MOST_S)
        self.length.setSuffix(" s")
        self.length.setValue(round(WINDOW_TICKS * TICK_S))
        self.length.setKeyboardTracking(False)
        self.length.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.length.setFixedWidth(52)
        self.length.setToolTip("How much is shown (Ctrl and the wheel over the plots)")
        self.length.valueChanged.connect(self.length_chosen)
        self.length.editingFinished.connect(self.leave)
        self.search = QLineEdit()
        self.search.setPlaceholderText("policy_2/23")
        self.search.setToolTip(
            "Selects units by name: policy_2/23, core/0-15, policy_1, several separated by commas (Ctrl+F)"
        )
        self.search.setMinimumWidth(64)
        self.search.setMaximumWidth(170)
        self.search.returnPressed.connect(lambda: self.searched.emit(self.search.text()))
        self.search.installEventFilter(self)
        self.freeze = QToolButton()
        self.freeze.setText("Freeze")
        self.freeze.setCheckable(True)
        self.freeze.setToolTip("Hold the plots still; the animal and the recording go on (F)")
        self.readout = ElidedLabel()
        self.readout.setFixedHeight(self.readout.fontMetrics().height())
        self.disarmed = QLabel("protocol disarmed")
        self.disarmed.setObjectName("warning")
        self.disarmed.setToolTip("Its rules fire nothing; the bar arms it again (Ctrl D)")
        self.disarmed.hide()

        line = QHBoxLayout()
        line.setSpacing(SPACING_PX)
        for box in (self.kind, self.display, self.order, self.behaviour):
            line.addWidget(box)
        line.addWidget(self.by_layer)
        line.addWidget(self.length)
        line.addStretch(1)
        line.addWidget(self.search, 100)
        line.addWidget(self.freeze)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 0)
        column.setSpacing(3)
        column.addLayout(line)
        reading = QHBoxLayout()
        reading.setSpacing(10)
        reading.addWidget(self.disarmed)
        reading.addWidget(self.readout, 1)
        column.addLayout(reading)

    def minimumSizeHint(self) -> QSize:
        """The room of what is always offered: the rest is left out where there is less."""
        hint = super().minimumSizeHint()
        spare = [part for part in (self.by_layer, self.search) if not part.isHidden()]
        hint.setWidth(hint.width() - sum(_least(part) + SPACING_PX for part in spare))
        return hint

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Where there is little room, less is offered: the search opens with its key."""
        super().resizeEvent(event)
        if not self._beside:
            self.by_layer.setVisible(self.width() >= LAYERS_PX)
            self.search.setVisible(self.width() >= SEARCH_PX or self.search.hasFocus())

    def describe(self, behaviours: Sequence[str]) -> None:
        """Another session begins: with these behaviours, and units as numbered."""
        self.unsay()
        self.order.setCurrentIndex(0)
        self.by_layer.setChecked(True)
        self.behaviour.clear()
        for name in behaviours:
            self.behaviour.addItem(name.replace("_", " "), name)
        self.behaviour.hide()

    def show_kinds(self, kinds: Sequence[str] | dict[str, str]) -> None:
        """Which kinds of activity there are to choose from."""
        self.kind.clear()
        for key in kinds:
            self.kind.addItem(KINDS[key], key)

    def show_order(self, by: str) -> None:
        """The order that is on."""
        self.order.setCurrentIndex(self.order.findData(by))
        self.behaviour.setVisible(by == "modulation")

    def show_beside(self) -> None:
        """Leaves out what belongs to one recording alone: order, search and freeze."""
        self._beside = True
        for part in (self.order, self.by_layer, self.search, self.freeze):
            part.hide()

    def start_search(self) -> None:
        """Puts the cursor where one searches."""
        self.search.show()
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def say(self, words: str) -> None:
        """Shows words for a while, and then until there is something to read out."""
        self.readout.set_full_text(words)
        self._said_s = time.monotonic()

    def unsay(self) -> None:
        """Takes back what was said: it is no longer so."""
        self.readout.set_full_text("")
        self._said_s = -SAID_S

    def read_out(self, words: str) -> None:
        """Shows what the pointer is on, unless something was said just now."""
        if words != self.readout.full_text and time.monotonic() - self._said_s > SAID_S:
            self.readout.set_full_text(words)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Escape leaves the search, whatever it does elsewhere."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
            elif event.type() == QEvent.Type.KeyPress:
                self.leave()
            return True
        return super().eventFilter(watched, event)

    def _choose_kind(self) -> None:
        if self.kind.currentIndex() >= 0:
            self.kind_chosen.emit(str(self.kind.currentData()))

    def _choose_order(self) -> None:
        self.behaviour.setVisible(self.order.currentData() == "modulation")
        self.sort_asked.emit()

    def leave(self) -> None:
        """Gives the keys back to the window."""
        self.search.setVisible(self.width() >= SEARCH_PX and not self._beside)
        window = self.window()
        if window is not None:
            window.setFocus()


def _least(part: QWidget) -> int:
    return part.minimumWidth() or part.minimumSizeHint().width()


def _box(words: str) -> QComboBox:
    """A box that gives way where there is little room."""
    box = QComboBox()
    box.setToolTip(words)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    box.setMinimumWidth(LEAST_BOX_PX)
    return box
