"""A widget that shows an image, or says why there is none."""

from __future__ import annotations

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.look.theme import Theme


class Picture(QWidget):
    """An image, or a sentence where there is none."""

    def __init__(self, theme: Theme, sentence: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.sentence = sentence
        self.image: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.update()

    def say(self, sentence: str) -> None:
        """Shows a sentence instead of a picture."""
        self.sentence = sentence
        self.image = None
        self.update()

    def show_image(self, image: QImage) -> None:
        """Shows a picture."""
        self.image = image
        self.update()

    def place(self, image: QImage) -> QRect:
        """Where in the widget the image goes: all of it, by default."""
        return self.rect()

    def smooth(self) -> bool:
        """Whether to blend pixels when the image is scaled."""
        return True

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draws the picture or the sentence."""
        painter = QPainter(self)
        if self.image is None:
            painter.fillRect(self.rect(), QColor(self._theme.plot))
            painter.setPen(QColor(self._theme.muted))
            painter.drawText(
                self.rect().adjusted(16, 12, -16, -12),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                self.sentence,
            )
            return
        target = self.place(self.image)
        if target != self.rect():
            painter.fillRect(self.rect(), QColor(self._theme.plot))
        painter.setRenderHint(
            QPainter.RenderHint.SmoothPixmapTransform,
            self.smooth() and self.image.size() != target.size() * self.devicePixelRatioF(),
        )
        painter.drawImage(target, self.image)
