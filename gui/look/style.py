"""The widget style: Qt's Fusion, with icons that can be seen on a dark ground.

Fusion draws the arrows and buttons of a file dialog in black, which on a dark ground cannot be seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QIcon, QImage, QPixmap
from PyQt6.QtWidgets import QProxyStyle, QStyle, QStyleHintReturn, QStyleOption, QWidget

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

    def styleHint(
        self,
        hint: QStyle.StyleHint,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
        returnData: QStyleHintReturn | None = None,
    ) -> int:
        """Fusion's, but the buttons of dialogs have words alone, as all others have."""
        if hint == QStyle.StyleHint.SH_DialogButtonBox_ButtonsHaveIcons:
            return 0
        return super().styleHint(hint, option, widget, returnData)

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
    pixels = _pixels(shape.toImage().convertToFormat(QImage.Format.Format_ARGB32))
    opaque = pixels[pixels[..., 3] > 128][:, :3]
    lightness = (opaque.max(axis=1).astype(int) + opaque.min(axis=1)) / 2 if len(opaque) else opaque
    return bool(len(opaque)) and float(lightness.mean()) < 128


def _turned(shape: QPixmap, opacity: float = 1.0) -> QPixmap:
    """The same picture with the lightness of every pixel reversed; hue and saturation stay."""
    picture = shape.toImage().convertToFormat(QImage.Format.Format_ARGB32)
    pixels = _pixels(picture)
    colours = pixels[..., :3].astype(int)
    # with the same saturation, lightness L and 1 - L differ by the same step in all three channels
    step = 255 - colours.max(axis=-1, keepdims=True) - colours.min(axis=-1, keepdims=True)
    pixels[..., :3] = np.clip(colours + step, 0, 255)
    pixels[..., 3] = np.round(pixels[..., 3] * opacity)
    result = QPixmap.fromImage(picture)
    result.setDevicePixelRatio(shape.devicePixelRatio())
    return result


def _pixels(picture: QImage) -> NDArray[np.uint8]:
    """The pixels of an ARGB32 picture, (height, width, 4): blue, green, red, alpha; writing changes it."""
    bits = picture.bits()
    if bits is None:
        return np.zeros((0, 0, 4), np.uint8)
    bits.setsize(picture.sizeInBytes())
    return np.frombuffer(bits, np.uint8).reshape(picture.height(), picture.width(), 4)  # type: ignore[call-overload]
