"""How behaviours look in ethograms and overviews: a colour for each group, a pattern within it.

Nineteen colours could not be told apart, so that a colour says what sort of thing the animal does, and fill
and pattern say which one. The colours are Okabe and Ito's, which people with any of the common colour vision
deficiencies tell apart, without their vermilion (it is too near the red of recordings and faults).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QPainter, QPen
from pyqtgraph.functions import arrayToQPolygonF

from gui.look.theme import Theme

GROUPS = ("moving", "turning", "posture", "trouble", "task", "own")
"""What a behaviour may be; "own" are detectors that a protocol brings."""

_PATTERNS = {
    "back": Qt.BrushStyle.FDiagPattern,
    "forward": Qt.BrushStyle.BDiagPattern,
    "upright": Qt.BrushStyle.VerPattern,
    "level": Qt.BrushStyle.HorPattern,
    "dots": Qt.BrushStyle.Dense5Pattern,
}
TINT, _FAINT, _GROUND = 0.55, 0.22, 0.16
"""How opaque tinted and faint bars are, and the ground of one that is filled by its levels."""
_LOOKS = {
    "stand": ("moving", "outline", ""),
    "walk": ("moving", "tint", ""),
    "run": ("moving", "full", ""),
    "jump": ("moving", "full", "upright"),
    "climb": ("moving", "full", "level"),
    "turn_left": ("turning", "tint", "back"),
    "turn_right": ("turning", "tint", "forward"),
    "spin_left": ("turning", "full", "back"),
    "spin_right": ("turning", "full", "forward"),
    "rear": ("posture", "full", ""),
    "lean": ("posture", "tint", "forward"),
    "stumble": ("trouble", "tint", ""),
    "fallen": ("trouble", "full", ""),
    "righting": ("trouble", "full", "upright"),
    "approach": ("task", "tint", ""),
    "tap_left": ("task", "full", "back"),
    "tap_right": ("task", "full", "forward"),
    "first_tap": ("task", "full", ""),
    "second_tap": ("task", "full", "upright"),
}
_OWN = (("full", ""), ("tint", ""), ("full", "upright"), ("tint", "forward"))


@dataclass(frozen=True)
class Look:
    """How a bar is filled: "full", "tint", "faint", "outline" or "hatch", with a pattern of lines or none.

    `least_px` is how wide it is at least.
    """

    colour: str
    fill: str = "full"
    pattern: str = ""
    least_px: float = 1.0


Bar: TypeAlias = tuple[QRectF, Look]
"""Where a bar is, and how it looks."""


@dataclass(frozen=True)
class LevelBar:
    """A bar that is filled as high as its levels say, 0 to 1, in equal steps from left to right."""

    rect: QRectF
    look: Look
    levels: NDArray[np.float32]


def look_of(theme: Theme, name: str) -> Look:
    """The look of a behaviour; a detector of the protocol's own has one of four, by its name."""
    known = _LOOKS.get(name)
    if known is None:
        fill, pattern = _OWN[sum(name.encode()) % len(_OWN)]
        return Look(theme.groups[GROUPS.index("own")], fill, pattern)
    group, fill, pattern = known
    return Look(theme.groups[GROUPS.index(group)], fill, pattern)


def stimulus_look(theme: Theme, sham: bool, blinded: bool = False) -> Look:
    """Delivered stimuli are filled, shams hollow; blinded, both are the same."""
    if blinded:
        return Look(theme.stimulus, "tint")
    return Look(theme.stimulus, "outline" if sham else "full")


def faint(look: Look) -> QColor:
    """The colour of a bar that is too low for fills and patterns: paler where it is not filled."""
    colour = QColor(look.colour)
    colour.setAlphaF({"full": 1.0, "tint": TINT}.get(look.fill, 0.35))
    return colour


def paint(painter: QPainter, rect: QRectF, look: Look) -> None:
    """Draws a bar in the painter's own pixels."""
    colour = QColor(look.colour)
    if look.fill == "outline":
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect.adjusted(0.75, 0.75, -0.75, -0.75))
        return
    if look.fill == "hatch":
        painter.fillRect(rect, QBrush(colour, Qt.BrushStyle.BDiagPattern))
        return
    painter.fillRect(rect, _fill(look))
    if look.pattern:
        painter.fillRect(rect, QBrush(_lines(look), _PATTERNS[look.pattern]))


def paint_levels(painter: QPainter, rect: QRectF, look: Look, levels: NDArray[np.float32]) -> None:
    """Draws a bar that is filled as high as its levels say, on a pale ground of its full height."""
    n_columns = max(int(rect.width()), 1)
    if len(levels) > n_columns:  # no more steps than there are pixels
        starts = np.arange(n_columns) * len(levels) // n_columns
        sizes = np.diff(np.append(starts, len(levels)))
        levels = (np.add.reduceat(levels, starts) / sizes).astype(np.float32)
    edges = np.linspace(rect.left(), rect.right(), len(levels) + 1)
    heights = np.round(2.0 * rect.height() * levels.astype(np.float64)) / 2.0  # to half pixels
    colour = QColor(look.colour)
    if look.fill != "faint":
        ground = QColor(colour)
        ground.setAlphaF(_GROUND)
        painter.fillRect(rect, ground)
    if look.fill == "outline":
        across = np.concatenate([[rect.left()], np.repeat(edges, 2)[1:-1], [rect.right()]])
        tops = rect.bottom() - np.repeat(heights, 2)
        up = np.concatenate([[rect.bottom()], tops, [rect.bottom()]])
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolygon(arrayToQPolygonF(across, up))
        return
    # rectangles, as many as there are heights in turn: a polygon with as many corners takes ten times as long
    first = np.flatnonzero(np.diff(heights, prepend=-1.0))
    lefts, rights = edges[first], edges[np.append(first[1:], len(heights))]
    steps = [
        QRectF(left, rect.bottom() - height, right - left, height)
        for left, right, height in zip(lefts, rights, heights[first], strict=True)
        if height > 0
    ]
    if not steps:
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_fill(look))
    painter.drawRects(*steps)
    if look.pattern:
        painter.setBrush(QBrush(_lines(look), _PATTERNS[look.pattern]))
        painter.drawRects(*steps)


def _fill(look: Look) -> QColor:
    colour = QColor(look.colour)
    colour.setAlphaF({"tint": TINT, "faint": _FAINT}.get(look.fill, colour.alphaF()))
    return colour


def _lines(look: Look) -> QColor:
    return QColor(look.colour) if look.fill == "tint" else QColor(0, 0, 0, 150)
