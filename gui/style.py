"""The widget style: Qt's Fusion, with the icons of its dialogs in the colour of the text.

Fusion draws the arrows and buttons of a file dialog in black, which on a dark ground cannot be seen.
"""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt6.QtWidgets import QProxyStyle, QStyle, QStyleOption, QWidget

_Icon = QStyle.StandardPixmap
RECOLOURED = frozenset(
    {
        _Icon.SP_ArrowBack,
        _Icon.SP_ArrowForward,
        _Icon.SP_ArrowLeft,
        _Icon.SP_ArrowRight,
        _Icon.SP_ArrowUp,
        _Icon.SP_ArrowDown,
        _Icon.SP_FileDialogToParent,
        _Icon.SP_FileDialogNewFolder,
        _Icon.SP_FileDialogListView,
        _Icon.SP_FileDialogDetailedView,
        _Icon.SP_FileDialogBack,
        _Icon.SP_FileDialogStart,
        _Icon.SP_ToolBarHorizontalExtensionButton,
        _Icon.SP_TitleBarNormalButton,
        _Icon.SP_TitleBarCloseButton,
        _Icon.SP_DockWidgetCloseButton,
    }
)
SIZE_PX = 16


class WindowStyle(QProxyStyle):
    """Fusion with its one-coloured icons in `colour`."""

    def __init__(self, colour: str) -> None:
        super().__init__("Fusion")
        self._colour = colour

    def standardIcon(
        self,
        standardIcon: QStyle.StandardPixmap,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
    ) -> QIcon:
        """Fusion's icon, as a silhouette in the colour where it would be black."""
        icon = super().standardIcon(standardIcon, option, widget)
        if standardIcon not in RECOLOURED:
            return icon
        recoloured = QIcon()
        for ratio in (1, 2):
            shape = icon.pixmap(SIZE_PX * ratio, SIZE_PX * ratio)
            recoloured.addPixmap(_silhouette(shape, self._colour))
            recoloured.addPixmap(_silhouette(shape, self._colour, 0.4), QIcon.Mode.Disabled)
        return recoloured


def _silhouette(shape: QPixmap, colour: str, opacity: float = 1.0) -> QPixmap:
    result = QPixmap(shape.size())
    result.setDevicePixelRatio(shape.devicePixelRatio())
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    painter.setOpacity(opacity)
    painter.drawPixmap(0, 0, shape)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(result.rect(), QColor(colour))
    painter.end()
    return result
