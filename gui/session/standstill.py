"""A sign over a display that says why it stands still: a session that is paused cannot be mistaken."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

EDGE_PX = 10
MARGIN_PX = 8


class Standstill(QFrame):
    """In the middle of a display's upper or lower edge; hidden while there is nothing to say.

    Args:
        over: the display, whose size it follows.
        below: whether it stands at the lower edge.
    """

    def __init__(self, over: QWidget, below: bool = False) -> None:
        super().__init__(over)
        self._below = below
        self.setObjectName("standstill")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.words, self.how = QLabel(), QLabel()
        bold = self.words.font()
        bold.setBold(True)
        self.words.setFont(bold)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 12, 4)
        row.setSpacing(14)
        row.addWidget(self.words)
        row.addWidget(self.how)
        over.installEventFilter(self)
        self.hide()

    def say(self, words: str, how: str = "") -> None:
        """What it says, and what one can do; the latter only where there is room."""
        if words and (words != self.words.text() or not self.isVisible()):
            self.words.setText(words)
            self.how.setText(how)
            self._place()
            self.raise_()
        self.setVisible(bool(words))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stays in the middle when the display gets another size."""
        if event is not None and event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return False

    def _place(self) -> None:
        over = self.parentWidget()
        assert over is not None
        self.how.show()
        if self.sizeHint().width() > over.width() - 2 * MARGIN_PX:
            self.how.hide()
        self.adjustSize()
        top = over.height() - self.height() - EDGE_PX if self._below else EDGE_PX
        self.move(max((over.width() - self.width()) // 2, 0), top)
