"""What the animal sees."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QSize, Qt
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QWidget

from gui.arena.picture import Picture
from gui.look.theme import Theme
from gui.streams.stream import Batch


class CameraView(Picture):
    """What the animal sees: its camera's picture, every pixel a crisp square."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "No picture from the animal's eye yet.", parent)
        self.setMinimumSize(128, 128)

    def sizeHint(self) -> QSize:
        """A good size to start with."""
        return QSize(200, 200)

    def take(self, batch: Batch) -> None:
        """Keeps the newest picture."""
        if not batch.ticks:
            return
        pixels = batch.ticks[-1].arrays.get("camera")
        if pixels is None or pixels.size == 0:
            if self.image is not None or not self.sentence.startswith("This"):
                self.say("This recording has no pictures from the animal's eye.")
            return
        height, width, _ = pixels.shape
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self.show_image(image.convertToFormat(QImage.Format.Format_RGB32))

    def place(self, image: QImage) -> QRect:
        """Centred, and as large as it fits."""
        side = min(self.width(), self.height())
        size = image.size().scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio)
        return QRect(
            (self.width() - size.width()) // 2,
            (self.height() - size.height()) // 2,
            size.width(),
            size.height(),
        )

    def smooth(self) -> bool:
        """Never: the animal has 64×64 pixels, and they are shown as such."""
        return False
