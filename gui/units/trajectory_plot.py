"""A trajectory in two or three dimensions: its colours say what the animal did, older parts fade.

Two dimensions have a frame with numbers; three have three axes, and are turned by dragging. One step is
equally long on all axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.look.behaviour_style import Look, look_of
from gui.look.theme import Theme

FADES = 10
"""In so many steps the trajectory fades."""
OLDEST = 0.12
"""How opaque its oldest part is."""
LEFT_PX, BOTTOM_PX, TOP_PX, RIGHT_PX = 58, 42, 8, 10
LEGEND_ROW_PX, LEGEND_COLUMN_PX = 16, 104
FIRST_TURN, FIRST_TILT = 35.0, 22.0
Floats = NDArray[np.float64]


class TrajectoryPlot(QWidget):
    """Draws what `show_trajectory` was given last; `deep`: in three dimensions."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 160)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._theme = theme
        self.deep = False
        self.sentence = ""
        self._points: Floats = np.zeros((0, 3))
        self._follows = np.zeros(0, bool)
        self._codes = np.zeros(0, np.int64)
        self._names: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ("", "", "")
        self._centre: Floats = np.zeros(3)
        self._reach = 1.0
        self._turn, self._tilt = FIRST_TURN, FIRST_TILT
        self._grabbed: QPointF | None = None

    def sizeHint(self) -> QSize:
        """A good size to start with."""
        return QSize(340, 300)

    @property
    def names(self) -> tuple[str, ...]:
        """The behaviours in the legend."""
        return self._names

    def show_trajectory(
        self,
        points: Floats,
        ticks: NDArray[np.int64],
        behaviours: tuple[Sequence[str], NDArray[np.int64]],
        labels: Sequence[str],
        view: tuple[Floats, float],
    ) -> None:
        """Draws this.

        Args:
            points: (ticks, 3), the oldest first.
            ticks: of each; where one is missing, the line has a hole.
            behaviours: names, and for each tick the number of one of them, -1 for none.
            labels: of the three axes.
            view: what is in the middle, (3,), and how far each axis goes from there to either side.
        """
        self.sentence = ""
        self._points, self._labels = points, tuple(labels)
        self._follows = np.diff(ticks) == 1
        self._names, self._codes = tuple(behaviours[0]), behaviours[1]
        self._centre, self._reach = view[0].copy(), view[1]
        self.update()

    def say(self, sentence: str) -> None:
        """Shows a sentence instead."""
        self.sentence = sentence
        self._points = np.zeros((0, 3))
        self._names = ()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draws axes, trajectory, the newest point, and the legend."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.plot))
        if self.sentence:
            painter.setPen(QColor(self._theme.muted))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(16, 12, -16, -12), flags, self.sentence)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPointSizeF(8.5)
        painter.setFont(font)
        plane = self._plane()
        if self.deep:
            self._draw_axes(painter, plane)
        else:
            self._draw_frame(painter, plane)
        painter.setClipRect(plane)
        self._draw_line(painter, self._on_screen(self._points, plane))
        painter.setClipping(False)
        self._draw_legend(painter)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Takes hold of the axes."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton and self.deep:
            self._grabbed = event.position()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Turns them."""
        if event is None or self._grabbed is None:
            return
        step = event.position() - self._grabbed
        self._grabbed = event.position()
        self._turn = (self._turn + 0.5 * step.x()) % 360
        self._tilt = float(np.clip(self._tilt + 0.4 * step.y(), -90, 90))
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Lets go."""
        self._grabbed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Back to how they were at first."""
        self._turn, self._tilt = FIRST_TURN, FIRST_TILT
        self.update()

    def _legend_rows(self) -> int:
        return -(-len(self._names) // self._legend_columns())

    def _legend_columns(self) -> int:
        return max(1, (self.width() - 12) // LEGEND_COLUMN_PX)

    def _plane(self) -> QRectF:
        """Where the trajectory is: what axes and legend leave."""
        whole = QRectF(self.rect()).adjusted(0, 0, 0, -self._legend_rows() * LEGEND_ROW_PX)
        if self.deep:
            return whole.adjusted(4, 4, -4, -4)
        return whole.adjusted(LEFT_PX, TOP_PX, -RIGHT_PX, -BOTTOM_PX)

    def _on_screen(self, points: Floats, plane: QRectF) -> Floats:
        """Pixels of places: (n, 2)."""
        points = points - self._centre
        if self.deep:
            turn, tilt = math.radians(self._turn), math.radians(self._tilt)
            across = points @ [math.cos(turn), math.sin(turn), 0.0]
            behind = points @ [-math.sin(turn), math.cos(turn), 0.0]
            up = points[:, 2] * math.cos(tilt) + behind * math.sin(tilt)
            scale = 0.36 * min(plane.width(), plane.height()) / self._reach
        else:
            across, up = points[:, 0], points[:, 1]
            scale = 0.5 * min(plane.width(), plane.height()) / self._reach
        centre = plane.center()
        return np.stack([centre.x() + scale * across, centre.y() - scale * up], axis=1)

    def _draw_line(self, painter: QPainter, pixels: Floats) -> None:
        n = len(pixels)
        if n == 0:
            return
        fades = np.minimum((np.arange(n) * FADES) // n, FADES - 1)
        # a stretch ends where the line has a hole, where the behaviour is another, and where it fades
        ends = ~self._follows | (np.diff(self._codes) != 0) | (np.diff(fades) != 0)
        cuts = [0, *(np.flatnonzero(ends) + 1).tolist(), n]
        for first, last in pairwise(cuts):
            joined = first > 0 and bool(self._follows[first - 1])
            part = pixels[first - joined : last]
            if len(part) < 2:
                continue
            opaque = OLDEST + (1.0 - OLDEST) * (int(fades[first]) + 1) / FADES
            painter.setPen(self._pen(int(self._codes[first]), opaque))
            painter.drawPolyline(pg.functions.arrayToQPolygonF(part[:, 0], part[:, 1]))
        pen = self._pen(int(self._codes[-1]), 1.0)
        painter.setPen(QPen(QColor(self._theme.text), 1.5))
        painter.setBrush(pen.color())
        painter.drawEllipse(QPointF(*pixels[-1].tolist()), 4.5, 4.5)

    def _pen(self, code: int, opaque: float) -> QPen:
        """Of a behaviour by its number among the names; -1: of none."""
        look = look_of(self._theme, self._names[code]) if code >= 0 else Look(self._theme.muted)
        colour = QColor(look.colour)
        colour.setAlphaF(opaque)
        pen = QPen(colour, {"full": 2.6, "tint": 1.5}.get(look.fill, 1.0) if code >= 0 else 1.0)
        if look.pattern in ("back", "upright"):
            pen.setStyle(Qt.PenStyle.DashLine)
        elif look.pattern:
            pen.setStyle(Qt.PenStyle.DotLine)
        return pen

    def _draw_frame(self, painter: QPainter, plane: QRectF) -> None:
        line, text = QColor(self._theme.line), QColor(self._theme.text)
        scale = 0.5 * min(plane.width(), plane.height()) / self._reach
        middle = plane.center()
        painter.setPen(QPen(line, 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(plane)
        centred = Qt.AlignmentFlag.AlignCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for axis, half_px in ((0, plane.width() / 2), (1, plane.height() / 2)):
            centre = float(self._centre[axis])
            for value in _numbers(centre - half_px / scale, centre + half_px / scale):
                words = f"{value:g}".replace("-", "\u2212")
                painter.setPen(QPen(line, 1.5 if value == 0 else 0.6))
                if axis == 0:
                    x = middle.x() + scale * (value - centre)
                    painter.drawLine(QPointF(x, plane.top()), QPointF(x, plane.bottom()))
                    place, flags = QRectF(x - 30, plane.bottom() + 2, 60, 16), centred
                else:
                    y = middle.y() - scale * (value - centre)
                    painter.drawLine(QPointF(plane.left(), y), QPointF(plane.right(), y))
                    place, flags = QRectF(plane.left() - 40, y - 8, 35, 16), right
                painter.setPen(text)
                painter.drawText(place, flags, words)
        painter.setPen(text)
        below = QRectF(plane.left(), plane.bottom() + 19, plane.width(), 18)
        painter.drawText(below, centred, self._labels[0])
        painter.save()
        painter.translate(14, plane.center().y())
        painter.rotate(-90)
        beside = QRectF(-plane.height() / 2, -10, plane.height(), 18)
        painter.drawText(beside, centred, self._labels[1])
        painter.restore()

    def _draw_axes(self, painter: QPainter, plane: QRectF) -> None:
        ends = np.concatenate([np.eye(3), -np.eye(3)]) * self._reach + self._centre
        pixels = self._on_screen(ends, plane)
        for number, label in enumerate(self._labels):
            tip, tail = pixels[number], pixels[number + 3]
            painter.setPen(QPen(QColor(self._theme.line), 1.2))
            painter.drawLine(QPointF(*tail.tolist()), QPointF(*tip.tolist()))
            painter.setPen(QColor(self._theme.text))
            width = painter.fontMetrics().horizontalAdvance(label) + 4
            left = min(max(tip[0] - width / 2, plane.left()), plane.right() - width)
            above = tip[1] <= tail[1]
            top = tip[1] - 18 if above else tip[1] + 2
            top = min(max(top, plane.top()), plane.bottom() - 16)
            painter.drawText(QRectF(left, top, width, 16), Qt.AlignmentFlag.AlignCenter, label)
        painter.setPen(QColor(self._theme.muted))
        below = QRectF(plane.left() + 4, plane.bottom() - 18, plane.width() - 8, 16)
        painter.drawText(
            below, Qt.AlignmentFlag.AlignRight, f"an axis is {2 * self._reach:.3g} long"
        )

    def _draw_legend(self, painter: QPainter) -> None:
        columns = self._legend_columns()
        width = (self.width() - 12) / columns
        first = self.height() - self._legend_rows() * LEGEND_ROW_PX - 2
        for code, name in enumerate(self._names):
            left, top = 6 + code % columns * width, first + code // columns * LEGEND_ROW_PX
            middle = top + LEGEND_ROW_PX / 2
            painter.setPen(self._pen(code, 1.0))
            painter.drawLine(QPointF(left, middle), QPointF(left + 22, middle))
            painter.setPen(QColor(self._theme.text))
            place = QRectF(left + 27, top, width - 30, LEGEND_ROW_PX)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, name.replace("_", " "))


def _numbers(low: float, high: float) -> list[float]:
    """Three to seven round numbers between two."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(step * each, 10) for each in range(first, last + 1)]
