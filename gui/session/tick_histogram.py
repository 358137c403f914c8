"""How long ticks took, as a histogram with the line that they have to stay below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from gui.look.theme import Theme

MOST_MS = 40
"""What took longer stands in the last bar."""
_BOTTOM, _LEFT, _TOP, _RIGHT = 32, 34, 18, 10


class TickHistogram(QWidget):
    """Counts of ticks by their milliseconds; bars beyond the limit are amber, and hatched."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.counts: NDArray[np.int64] = np.zeros(MOST_MS + 1, np.int64)
        self.limit_ms = 20.0
        self.setMinimumHeight(110)

    def sizeHint(self) -> QSize:
        """A good size to start with."""
        return QSize(280, 140)

    def show_times(self, times_ms: NDArray[np.float64], limit_ms: float) -> None:
        """Draws these times."""
        bins = np.clip(times_ms.astype(np.int64), 0, MOST_MS)
        self.counts = np.bincount(bins, minlength=MOST_MS + 1)
        self.limit_ms = limit_ms
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Bars, axis and line."""
        painter, theme = QPainter(self), self._theme
        area = QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)
        painter.fillRect(area, QColor(theme.plot))
        most = max(int(self.counts.max()), 1)
        wide = area.width() / len(self.counts)
        for ms, count in enumerate(self.counts):
            if not count:
                continue
            height = max(area.height() * count / most, 1.5)
            bar = QRectF(area.left() + ms * wide, area.bottom() - height, max(wide - 1, 1), height)
            late = ms >= self.limit_ms
            painter.fillRect(bar, QColor(theme.warning if late else theme.accent))
            if late:
                painter.fillRect(bar, Qt.BrushStyle.BDiagPattern)
        small = self.font()
        small.setPointSizeF(7.5)
        painter.setFont(small)
        painter.setPen(QColor(theme.muted))
        line = painter.fontMetrics().height()
        for ms in range(0, MOST_MS + 1, 10):
            x = area.left() + ms * wide
            words = f"{ms}+" if ms == MOST_MS else str(ms)
            box = QRectF(x - 20, area.bottom() + 1, 40, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        box = QRectF(area.left(), area.bottom() + line, area.width(), line)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "ms a tick, last 20 s")
        box = QRectF(0, area.top() - line / 2, _LEFT - 4, line)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box, right, str(most))
        box.moveBottom(area.bottom() + line / 2)
        painter.drawText(box, right, "0")
        x = area.left() + self.limit_ms * wide
        painter.setPen(QPen(QColor(theme.text), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x, area.top() - 3), QPointF(x, area.bottom()))
        box = QRectF(x - 80, 0, 160, _TOP - 3)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{self.limit_ms:g} ms: real time")
