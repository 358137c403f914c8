"""The bouts of a behaviour as small pictures: a row each, at onset, in the middle, at offset."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QPoint, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.look.theme import Theme
from gui.seen.bouts import PLACES, Bout
from gui.streams.recorder_watch import clock
from rig.bus.message_types import TICK_S

GAP_PX, WORDS_PX = 4, 18
ASPECT = 0.75


class FilmStrip(QWidget):
    """Shows the bouts that it was given last, the first on top. `tick_chosen`: a picture was clicked."""

    tick_chosen = pyqtSignal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bouts: tuple[Bout, ...] = ()
        self._images: dict[tuple[str, int, int], QImage] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    @property
    def bouts(self) -> tuple[Bout, ...]:
        """Those that are shown."""
        return self._bouts

    def show_bouts(self, bouts: Sequence[Bout]) -> None:
        """Shows these; pictures of others are given up."""
        self._bouts = tuple(bouts)
        kept = {(bout.name, bout.number) for bout in bouts}
        self._images = {key: each for key, each in self._images.items() if key[:2] in kept}
        self._fit()

    def missing(self) -> list[tuple[Bout, int]]:
        """The pictures that are not there yet: bout and place, row by row."""
        return [
            (bout, place)
            for bout in self._bouts
            for place in range(len(PLACES))
            if (bout.name, bout.number, place) not in self._images
        ]

    def forget(self) -> None:
        """Gives up all pictures."""
        self._images = {}
        self.show_bouts(())

    def show_picture(self, key: tuple[str, int, int], image: QImage) -> None:
        """A picture by name and number of its bout, and its place."""
        if any(key[:2] == (bout.name, bout.number) for bout in self._bouts):
            self._images[key] = image
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        """As high as it has rows."""
        return QSize(300, self.heightForWidth(max(self.width(), 60)))

    def heightForWidth(self, width: int) -> int:
        """Of so wide a strip."""
        return max(len(self._bouts), 1) * self._row_px(width)

    def picture_at(self, position: QPoint) -> tuple[Bout, int] | None:
        """The bout and the place of the picture under a point."""
        row = position.y() // self._row_px(self.width())
        place = int(position.x() * len(PLACES) / max(self.width(), 1))
        if 0 <= row < len(self._bouts) and 0 <= place < len(PLACES):
            return self._bouts[row], place
        return None

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draws the rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        font = self.font()
        font.setPointSizeF(8.5)
        painter.setFont(font)
        for row, bout in enumerate(self._bouts):
            top = row * self._row_px(self.width())
            length_s = (bout.last_tick + 1 - bout.first_tick) * TICK_S
            painter.setPen(QColor(self._theme.text))
            words = f"{clock(bout.first_tick * TICK_S)}   {length_s:.2f} s"
            line = QRectF(2, top, self.width() - 4, WORDS_PX)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, words)
            for place, name in enumerate(PLACES):
                rect = self._rect(place, top + WORDS_PX)
                image = self._images.get((bout.name, bout.number, place))
                if image is not None:
                    painter.drawImage(rect, image)
                    continue
                painter.fillRect(rect, QColor(self._theme.plot))
                painter.setPen(QColor(self._theme.muted))
                painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, name)

    def resizeEvent(self, event: object) -> None:
        """Its pictures are as wide as there is room."""
        self._fit()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Asks to go there."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            found = self.picture_at(event.position().toPoint())
            if found is not None:
                bout, place = found
                self.tick_chosen.emit(bout.ticks[place])

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Says what the picture under the pointer is."""
        found = None if event is None else self.picture_at(event.position().toPoint())
        if found is None:
            self.setToolTip("")
        else:
            bout, place = found
            when = bout.ticks[place] * TICK_S
            self.setToolTip(f"{bout.name.replace('_', ' ')}, {PLACES[place]}: {when:.2f} s")

    def _rect(self, place: int, top: float) -> QRectF:
        width = self._picture_px(self.width())
        return QRectF(place * (width + GAP_PX), top, width, width * ASPECT)

    def _picture_px(self, width: int) -> float:
        return max((width - (len(PLACES) - 1) * GAP_PX) / len(PLACES), 20.0)

    def _row_px(self, width: int) -> int:
        return WORDS_PX + round(self._picture_px(width) * ASPECT) + 2 * GAP_PX

    def _fit(self) -> None:
        height = self.heightForWidth(max(self.width(), 60))
        if height != self.height():
            self.setFixedHeight(height)
        self.updateGeometry()
        self.update()
