"""The two pictures: the arena with the animal from outside, and what the animal sees.

The arena is drawn from streamed state by `gui.arena_renderer`; drag to orbit, wheel to zoom, double-click
to look from the first place again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PyQt6.QtCore import QPoint, QRect, QSize, Qt, QTimer
from PyQt6.QtGui import (
    QColor,
    QHideEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.arena_renderer import ArenaRenderer, View
from gui.stream import Batch
from gui.theme import Theme
from rig.messages import Episode

SETTLE_MS = 200


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


class ArenaView(Picture):
    """The animal in its arena, third person, the camera following it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "No animal yet.", parent)
        self.setMinimumSize(200, 140)
        self.setToolTip("Drag to look from elsewhere, wheel to come nearer, double-click to reset")
        self._view = View()
        self._grabbed: QPoint | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self._send_view)
        self.renderer = ArenaRenderer()
        self.renderer.rendered.connect(self._take_picture)
        self.renderer.unavailable.connect(self.say)
        self.renderer.start()

    def sizeHint(self) -> QSize:
        """A good size to start with."""
        return QSize(440, 310)

    def take(self, batch: Batch) -> None:
        """Passes what is new on to the renderer."""
        if batch.description is not None:
            self.say("Drawing the arena…")
        if batch.assets is not None:
            self.renderer.set_assets(batch.assets.arrays)
        if batch.episodes:
            content = batch.episodes[-1].content
            assert isinstance(content, Episode)
            self.renderer.set_episode(content.xml)
        if batch.ticks:
            self.renderer.set_posture(batch.ticks[-1].arrays["qpos"])

    def close_renderer(self) -> None:
        """Ends the thread; the view shows its last picture from then on."""
        self.renderer.close()

    def _take_picture(self, image: QImage) -> None:
        self.show_image(image)
        self.renderer.picture_shown()

    def _send_view(self) -> None:
        ratio = self.devicePixelRatioF()
        # No more pixels than a 960×720 picture: beyond that, software GL cannot follow.
        width, height = self.width() * ratio, self.height() * ratio
        shrink = min(1.0, (960 * 720 / max(width * height, 1)) ** 0.5)
        self._view = replace(self._view, width=round(width * shrink), height=round(height * shrink))
        self.renderer.set_view(self._view)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Waits for the size to settle: a new size costs the renderer a new context."""
        self._settle.start(SETTLE_MS if self.image is not None else 0)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Begins to draw."""
        self.renderer.set_wanted(True)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stops drawing: hidden behind another tab or minimised, the view costs nothing."""
        self.renderer.set_wanted(False)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Takes hold of the camera."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._grabbed = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Orbits."""
        if event is None or self._grabbed is None:
            return
        step = event.position().toPoint() - self._grabbed
        self._grabbed = event.position().toPoint()
        self._view = replace(
            self._view,
            azimuth=(self._view.azimuth - 0.4 * step.x()) % 360,
            elevation=float(np.clip(self._view.elevation - 0.3 * step.y(), -89, -2)),
        )
        self.renderer.set_view(self._view)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Lets go."""
        self._grabbed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Back to the first place."""
        self._view = View()
        self._send_view()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Zooms."""
        if event is not None:
            nearer = 0.9 ** (event.angleDelta().y() / 120)
            self._view = replace(
                self._view, distance=float(np.clip(self._view.distance * nearer, 0.2, 8.0))
            )
            self.renderer.set_view(self._view)


class EyeView(Picture):
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
