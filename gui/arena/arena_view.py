"""The arena with the animal, from outside.

The arena is drawn from streamed state by `gui.arena.arena_renderer`; drag to orbit, wheel to zoom,
double-click to look from the first place again. Buttons over the picture choose whence to look, how much of
the way is drawn, and whether to mark where paws bear. While units are stimulated it has a frame, and says
by what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PyQt6.QtCore import QPoint, QPointF, QRect, QSettings, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QHideEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QWidget

from gui.arena.arena_buttons import ArenaButtons
from gui.arena.arena_marks import TRAIL_CHOICES_S, ArenaHistory
from gui.arena.arena_renderer import ArenaRenderer
from gui.arena.arena_scene import FIRST_VIEWS, View
from gui.arena.picture import Picture
from gui.look.theme import Theme
from gui.seen.intervals import Interval
from gui.streams.stream import Batch
from rig.bus.message_types import Description, Episode

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
        self._views = dict(FIRST_VIEWS)
        self._view = self._views["orbit"]
        self._history = ArenaHistory()
        self._words: tuple[tuple[float, float, str, float], ...] = ()
        self._episode: Episode | None = None
        self._grabbed: QPoint | None = None
        self._empty = False
        self._stimuli: tuple[tuple[str, bool], ...] = ()
        self._blinded = False
        self._trouble = ""
        self.notice = ""
        self.buttons = ArenaButtons(self)
        self.buttons.view_chosen.connect(self.look_as)
        self.buttons.marks_chosen.connect(self.choose_marks)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self._send_view)
        self.renderer = ArenaRenderer(share)
        self.renderer.rendered.connect(self._take_picture)
        self.renderer.not_drawn.connect(self._pass_over)
        self.renderer.unavailable.connect(self._give_up)
        self.renderer.start()
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        """A good size to start with."""
        return QSize(440, 310)

    def take(self, batch: Batch) -> None:
        """Passes what is new on to the renderer."""
        if batch.description is not None:
            assert isinstance(batch.description.content, Description)
            self._history.describe(batch.description.content)
            self._episode = None
            self.say(self._trouble or "Drawing the arena…")
        if batch.assets is not None:
            self.renderer.set_assets(batch.assets.arrays)
        if batch.episodes:
            content = batch.episodes[-1].content
            assert isinstance(content, Episode)
            known, self._episode = self._episode, content
            if content != known:
                self.renderer.set_episode(content.xml, content.props)
            if content != known and self.image is not None:
                self.notice = f"Trial {content.trial + 1} has begun; its arena is being drawn…"
                self.update()
        if batch.ticks:
            self._empty = False
            self._history.add(batch.ticks)
            now = batch.ticks[-1].arrays
            self.renderer.set_posture(now["qpos"], now.get("props"), self._history.marks())

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

    @property
    def mode(self) -> str:
        """The way in which it looks, one of `gui.arena.arena_scene.MODES`."""
        return self._view.mode

    def look(self, view: View) -> None:
        """Looks from where another view does."""
        self._view = replace(view, width=self._view.width, height=self._view.height)
        self._views[view.mode] = self._view
        self.buttons.show_view(view.mode)
        self.renderer.set_view(self._view)

    def look_as(self, mode: str) -> None:
        """Looks in one of `gui.arena.arena_scene.MODES`, from where one looked in it the last time."""
        self.look(self._views[mode])
        self.turned.emit(self._view)

    def choose_marks(self, trail_s: int, contacts: bool) -> None:
        """How much of the way is drawn (s, of `TRAIL_CHOICES_S`), and whether contacts of the paws are."""
        self.buttons.show_marks(trail_s, contacts)
        self._history.trail_s, self._history.contacts = trail_s, contacts
        self.renderer.set_marks(self._history.marks())

    def restore(self, settings: QSettings) -> None:
        """Looks, and marks, as when `save` was called."""
        mode = str(settings.value("arena_view", "orbit"))
        self.look_as(mode if mode in FIRST_VIEWS else "orbit")
        try:
            trail_s = int(settings.value("arena_trail_s", 5))
        except (TypeError, ValueError):
            trail_s = 5
        contacts = str(settings.value("arena_contacts", "true")).lower() == "true"
        self.choose_marks(trail_s if trail_s in TRAIL_CHOICES_S else 5, contacts)

    def save(self, settings: QSettings) -> None:
        """Remembers whence it looks and what it marks."""
        settings.setValue("arena_view", self._view.mode)
        settings.setValue("arena_trail_s", self.buttons.trail_s)
        settings.setValue("arena_contacts", self.buttons.contacts)

    def set_theme(self, theme: Theme) -> None:
        """Recolours, the trail too."""
        super().set_theme(theme)
        accent = QColor(theme.accent)
        self._history.colour = (accent.redF(), accent.greenF(), accent.blueF())

    def close_renderer(self) -> None:
        """Ends the thread; the view shows its last picture from then on."""
        self.renderer.close()

    def _pass_over(self, sentence: str, n_episodes: int) -> None:
        """This episode is not drawn; the next may be."""
        if n_episodes == self.renderer.n_episodes:
            self.notice = ""
            self.say(sentence)

    def _give_up(self, sentence: str) -> None:
        """Nothing is drawn any more, of what comes later neither."""
        self._trouble = sentence
        self.say(sentence)

    def _take_picture(
        self, image: QImage, n_episodes: int, words: tuple[tuple[float, float, str, float], ...]
    ) -> None:
        self._words = words
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
        elif self._words:
            self._write(painter, self.place(self.image))
        if self._stimuli:
            self._frame(painter)

    def _write(self, painter: QPainter, target: QRect) -> None:
        """The rewards, where they were given."""
        font = QFont(self.font())
        font.setPointSizeF(1.5 * font.pointSizeF())
        font.setBold(True)
        metrics = QFontMetricsF(font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor("#000000"), 3.0))
        painter.setBrush(QColor("#ffe14d"))
        for x, y, words, opaque in self._words:
            outline = QPainterPath()
            left = target.left() + x * target.width() - metrics.horizontalAdvance(words) / 2
            outline.addText(QPointF(left, target.top() + y * target.height()), font, words)
            painter.setOpacity(min(2.0 * opaque, 1.0))
            painter.strokePath(outline, painter.pen())
            painter.fillPath(outline, painter.brush())
        painter.setOpacity(1.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _frame(self, painter: QPainter) -> None:
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
        if box.intersects(self.buttons.geometry()):
            box.moveTop(self.buttons.geometry().bottom() + 6)
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
        self.buttons.fit(self.width())
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
        view = self._view
        tilt = 0.0 if view.mode == "top" else 0.3 * step.y()
        self._turn(
            azimuth=(view.azimuth - 0.4 * step.x()) % 360,
            elevation=float(np.clip(view.elevation - tilt, -89, -2)),
        )

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Lets go."""
        self._grabbed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Back to the first place."""
        self.look(FIRST_VIEWS[self._view.mode])
        self.turned.emit(self._view)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Zooms."""
        if event is not None:
            nearer = 0.9 ** (event.angleDelta().y() / 120)
            self._turn(distance=float(np.clip(self._view.distance * nearer, 0.2, 8.0)))

    def _turn(self, **changed: float) -> None:
        self.look(replace(self._view, **changed))  # type: ignore[arg-type]
        self.turned.emit(self._view)
