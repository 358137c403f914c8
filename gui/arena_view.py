"""The arena with the animal, from outside.

The arena is drawn from streamed state by `gui.arena_renderer`; drag to orbit, wheel to zoom, double-click
to look from the first place again. While units are stimulated it has a frame, and says by what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PyQt6.QtCore import QPoint, QRect, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QHideEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QWidget

from gui.arena_renderer import ArenaRenderer
from gui.arena_scene import View
from gui.intervals import Interval
from gui.picture import Picture
from gui.stream import Batch
from gui.theme import Theme
from rig.bus.message_types import Episode

SETTLE_MS = 200
FRAME_PX = 3


class ArenaView(Picture):
    """The animal in its arena, third person, the camera following it.

    `turned` carries the `View` when the user looks from elsewhere. `share` is as in `ArenaRenderer`.
    """

    turned = pyqtSignal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None, share: float = 1.0) -> None:
        super().__init__(theme, "No animal yet.", parent)
        self.setMinimumSize(200, 140)
        self.setToolTip("Drag to look from elsewhere, wheel to come nearer, double-click to reset")
        self._view = View()
        self._grabbed: QPoint | None = None
        self._empty = False
        self._stimuli: tuple[tuple[str, bool], ...] = ()
        self._blinded = False
        self.notice = ""
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self._send_view)
        self.renderer = ArenaRenderer(share)
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
            self.renderer.set_episode(content.xml, content.props)
            if self.image is not None:
                self.notice = f"Trial {content.trial + 1} has begun; its arena is being drawn…"
                self.update()
        if batch.ticks:
            self._empty = False
            now = batch.ticks[-1].arrays
            self.renderer.set_posture(now["qpos"], now.get("props"))

    def show_nothing(self, sentence: str) -> None:
        """There is no animal to be shown until the next tick."""
        self._empty = True
        self.say(sentence)

    def show_stimuli(self, intervals: Sequence[Interval], blinded: bool = False) -> None:
        """The stimuli and shams that go on now; `blinded`: both alike."""
        self._blinded = blinded
        stimuli = tuple(dict.fromkeys((each.name, each.sham) for each in intervals))
        if stimuli != self._stimuli:
            self._stimuli = stimuli
            self.update()

    def look(self, view: View) -> None:
        """Looks from where another view does."""
        self._view = replace(
            self._view,
            azimuth=view.azimuth,
            elevation=view.elevation,
            distance=view.distance,
        )
        self.renderer.set_view(self._view)

    def close_renderer(self) -> None:
        """Ends the thread; the view shows its last picture from then on."""
        self.renderer.close()

    def _take_picture(self, image: QImage, n_episodes: int) -> None:
        if n_episodes == self.renderer.n_episodes:
            self.notice = ""
        if not self._empty:
            self.show_image(image)
        self.renderer.picture_shown()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The picture, framed while units are stimulated; a sham's frame is thin and broken."""
        super().paintEvent(event)
        if self.image is None:
            return
        painter = QPainter(self)
        if self.notice:
            veil = QColor(self._theme.plot)
            veil.setAlpha(170)
            painter.fillRect(self.rect(), veil)
            painter.setPen(QColor(self._theme.text))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.notice)
        if not self._stimuli:
            return
        delivered = self._blinded or any(not sham for _, sham in self._stimuli)
        pen = QPen(QColor(self._theme.stimulus), FRAME_PX if delivered else 1)
        if not delivered:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        edge = FRAME_PX // 2
        painter.drawRect(self.rect().adjusted(edge, edge, -edge - 1, -edge - 1))
        words = ", ".join(
            name.replace("_", " ") + (" (sham)" if sham and not self._blinded else "")
            for name, sham in self._stimuli
        )
        box = painter.fontMetrics().boundingRect(words).adjusted(-8, -4, 8, 4)
        box.moveTopLeft(QPoint(FRAME_PX + 6, FRAME_PX + 6))
        ground = QColor(self._theme.stimulus if delivered else self._theme.plot)
        painter.fillRect(box, ground)
        painter.setPen(QColor(self._theme.plot if delivered else self._theme.stimulus))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)

    def place(self, image: QImage) -> QRect:
        """All of the view; a picture of another shape, until there is one that fits, is cut."""
        size = image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
        if abs(size.width() - self.width()) < 8 and abs(size.height() - self.height()) < 8:
            return self.rect()
        place = QRect(QPoint(0, 0), size)
        place.moveCenter(self.rect().center())
        return place

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
        self._turn()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Lets go."""
        self._grabbed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Back to the first place."""
        self._view = View()
        self._send_view()
        self.turned.emit(self._view)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Zooms."""
        if event is not None:
            nearer = 0.9 ** (event.angleDelta().y() / 120)
            self._view = replace(
                self._view, distance=float(np.clip(self._view.distance * nearer, 0.2, 8.0))
            )
            self._turn()

    def _turn(self) -> None:
        self.renderer.set_view(self._view)
        self.turned.emit(self._view)
