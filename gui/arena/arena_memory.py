"""What keeps the arena's pictures small in memory: smaller textures, and freed memory that is given back.

A maze has eight textures of 1024×1024 pixels; drawn in software, each takes 3 MB in the model and 6 MB in
OpenGL's own store. A picture of the arena is a few hundred pixels wide.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Mapping

from PyQt6.QtCore import QBuffer, QIODevice, Qt
from PyQt6.QtGui import QImage

from gui.arena.arena_scene import Scene

MOST_TEXELS = 512
"""A texture of a surface is at most so wide and high."""
MOST_SCENES = 2
"""Kept where a replay goes to and fro between trials: to compile one takes half a second."""
_TEXTURE = re.compile(r"<texture\b[^>]*>")
_FILE = re.compile(r'\bfile="([^"]+\.png)"')


class Scenes:
    """The compiled models that can be drawn: one, or two once it has turned out that one is wanted again.

    With its textures in OpenGL, that of a maze takes some hundred MB.
    """

    def __init__(self) -> None:
        self._scenes: list[Scene] = []  # the one that was used last is the last
        self._seen: set[int] = set()
        self._most = 1
        self._assets: Mapping[str, bytes] = {}
        self._small: dict[str, bytes] = {}

    def scene(self, xml: str, assets: dict[str, bytes], props: tuple[str, ...]) -> Scene:
        """The scene of a model, compiled if it is not among those that are kept.

        Args:
            xml, assets, props: as of a `Scene`.
        """
        known = [scene for scene in self._scenes if scene.xml is xml or scene.xml == xml]
        if known:
            self._scenes.remove(known[0])
            self._scenes.append(known[0])
            return known[0]
        if hash(xml) in self._seen:
            self._most = MOST_SCENES
        self._seen.add(hash(xml))
        while len(self._scenes) >= self._most:
            self._scenes.pop(0).close()
            give_back()
        if assets is not self._assets:
            self._assets, self._small = assets, {}
        self._small = smaller_textures(xml, {**assets, **self._small})
        self._scenes.append(Scene(xml, self._small, props))
        give_back()
        return self._scenes[-1]

    def close(self) -> None:
        """Frees all of them."""
        while self._scenes:
            self._scenes.pop().close()
        give_back()


def smaller_textures(xml: str, assets: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a model, with its surfaces' large textures made smaller.

    Args:
        xml: the model, which names them.
        assets: the content of files by name.
    """
    found = dict(assets)
    for element in _TEXTURE.findall(xml):
        name = _FILE.search(element)
        if 'type="2d"' not in element or name is None or name.group(1) not in found:
            continue
        picture = QImage.fromData(found[name.group(1)])
        if max(picture.width(), picture.height()) <= MOST_TEXELS:
            continue
        small = picture.scaled(
            MOST_TEXELS,
            MOST_TEXELS,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        if small.save(buffer, "PNG"):
            found[name.group(1)] = bytes(buffer.data().data())
    return found


def give_back() -> None:
    """Returns freed memory to the system, which the C library otherwise keeps for later."""
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # another C library than GNU's
        pass
