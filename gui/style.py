"""The widget style: Qt's Fusion, with icons that can be seen on a dark ground.

Fusion draws the arrows and buttons of a file dialog in black, which on a dark ground cannot be seen.
"""

from __future__ import annotations

from PyQt6.QtGui import QColor, QIcon, QImage, QPixmap
from PyQt6.QtWidgets import QProxyStyle, QStyle, QStyleOption, QWidget

_Icon = QStyle.StandardPixmap
TURNED = frozenset(
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
    """Fusion; on a dark ground (`dark`) with what is dark in its icons light, and the other way round."""

    def __init__(self, dark: bool) -> None:
        super().__init__("Fusion")
        self._dark = dark

    def standardIcon(
        self,
        standardIcon: QStyle.StandardPixmap,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
    ) -> QIcon:
        """Fusion's icon, turned light where it would not be seen."""
        icon = super().standardIcon(standardIcon, option, widget)
        if not self._dark or standardIcon not in TURNED or not _is_dark(icon.pixmap(SIZE_PX)):
            return icon
        turned = QIcon()
        for ratio in (1, 2):
            shape = icon.pixmap(SIZE_PX * ratio, SIZE_PX * ratio)
            turned.addPixmap(_turned(shape))
            turned.addPixmap(_turned(shape, 0.4), QIcon.Mode.Disabled)
        return turned


def _is_dark(shape: QPixmap) -> bool:
    """Whether most of what is opaque in a picture is dark."""
    picture = shape.toImage()
    places = ((x, y) for x in range(picture.width()) for y in range(picture.height()))
    colours = (picture.pixelColor(x, y) for x, y in places)
    opaque = [colour.lightness() for colour in colours if colour.alpha() > 128]
    return bool(opaque) and sum(opaque) / len(opaque) < 128


def _turned(shape: QPixmap, opacity: float = 1.0) -> QPixmap:
    """The same picture with the lightness of every pixel reversed."""
    picture = shape.toImage().convertToFormat(QImage.Format.Format_ARGB32)
    for x in range(picture.width()):
        for y in range(picture.height()):
            was = picture.pixelColor(x, y)
            hue, saturation = was.hslHue(), was.hslSaturation()
            alpha = round(was.alpha() * opacity)
            picture.setPixelColor(
                x, y, QColor.fromHsl(hue, saturation, 255 - was.lightness(), alpha)
            )
    result = QPixmap.fromImage(picture)
    result.setDevicePixelRatio(shape.devicePixelRatio())
    return result
