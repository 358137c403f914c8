"""An arrangement of docks that can be kept and put back, on a screen of another size as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from PyQt6.QtCore import QByteArray, QSettings, Qt, QTimer
from PyQt6.QtWidgets import QDockWidget, QMainWindow


@dataclass(frozen=True)
class Arrangement:
    """Where docks were in a window of `width` × `height` px, and how large (`docks`, by name)."""

    state: QByteArray
    width: int = 0
    height: int = 0
    docks: dict[str, tuple[int, int]] = field(default_factory=dict)


def arrangement_of(
    window: QMainWindow, docks: Mapping[str, QDockWidget], version: int
) -> Arrangement:
    """The present one.

    Args:
        window: that the docks are in.
        docks: by name.
        version: of what docks there are, as `QMainWindow.saveState` takes it.
    """
    sizes = {
        name: (dock.width(), dock.height())
        for name, dock in docks.items()
        if _is_seen(window, dock)
    }
    return Arrangement(window.saveState(version), window.width(), window.height(), sizes)


def arrange(
    window: QMainWindow,
    docks: Mapping[str, QDockWidget],
    wanted: Arrangement,
    version: int,
) -> bool:
    """Puts docks where they were; says whether that was possible.

    In a window of another size each dock gets its share of it, and those that float are brought onto the
    screen.

    Args:
        window, docks, version: as for `arrangement_of`.
        wanted: how they are to be.
    """
    if not window.restoreState(wanted.state, version):
        return False
    QTimer.singleShot(0, lambda: fit(window, docks, wanted))
    return True


def fit(window: QMainWindow, docks: Mapping[str, QDockWidget], wanted: Arrangement) -> None:
    """Gives docks the shares of the window that they had."""
    seen = {
        name: docks[name]
        for name in wanted.docks
        if name in docks and not docks[name].isHidden() and not docks[name].isFloating()
    }
    other_size = (window.width(), window.height()) != (wanted.width, wanted.height)
    if seen and other_size and wanted.width and wanted.height:
        for across, of, whole, was in (
            (Qt.Orientation.Horizontal, 0, window.width(), wanted.width),
            (Qt.Orientation.Vertical, 1, window.height(), wanted.height),
        ):
            sizes = [max(round(wanted.docks[name][of] * whole / was), 1) for name in seen]
            window.resizeDocks(list(seen.values()), sizes, across)
    for dock in docks.values():
        if dock.isFloating():
            _bring_back(window, dock)


def store(settings: QSettings, key: str, arrangement: Arrangement) -> None:
    """Keeps an arrangement under a key."""
    settings.setValue(key, arrangement.state)
    sizes = [arrangement.width, arrangement.height, arrangement.docks]
    settings.setValue(_sizes_key(key), json.dumps(sizes))
    _forget_earlier_sizes(settings, key)


def load(settings: QSettings, key: str) -> Arrangement | None:
    """What was kept under a key; None where there is nothing, or it cannot be read."""
    state = settings.value(key)
    if not isinstance(state, QByteArray):
        return None
    sized = settings.value(_sizes_key(key), settings.value(_earlier_sizes_key(key)))
    try:
        width, height, docks = json.loads(str(sized))
        sizes = {str(name): (int(w), int(h)) for name, (w, h) in docks.items()}
        return Arrangement(state, int(width), int(height), sizes)
    except (ValueError, TypeError, AttributeError):
        return Arrangement(state)


def kept(settings: QSettings, group: str) -> tuple[str, ...]:
    """The keys in a group under which arrangements are kept, sorted."""
    settings.beginGroup(group)
    found = [key for key in settings.childKeys() if isinstance(settings.value(key), QByteArray)]
    settings.endGroup()
    return tuple(sorted(found))


def forget(settings: QSettings, key: str) -> None:
    """Keeps it no longer."""
    settings.remove(key)  # with the sizes, whose key lies below it
    _forget_earlier_sizes(settings, key)


def _sizes_key(key: str) -> str:
    return f"{key}/sizes"


def _earlier_sizes_key(key: str) -> str:
    """Where earlier versions kept the sizes; it may be the key of another arrangement, too."""
    return f"{key} sizes"


def _forget_earlier_sizes(settings: QSettings, key: str) -> None:
    if not isinstance(settings.value(_earlier_sizes_key(key)), QByteArray):
        settings.remove(_earlier_sizes_key(key))


def _is_seen(window: QMainWindow, dock: QDockWidget) -> bool:
    """Whether a dock is docked and in front of those that it shares its place with."""
    return not dock.isHidden() and not dock.isFloating() and not dock.visibleRegion().isEmpty()


def _bring_back(window: QMainWindow, dock: QDockWidget) -> None:
    screen = window.screen()
    if screen is None:
        return
    room, frame = screen.availableGeometry(), dock.frameGeometry()
    if room.contains(frame):
        return
    border_x, border_y = frame.width() - dock.width(), frame.height() - dock.height()
    dock.resize(
        min(dock.width(), room.width() - border_x), min(dock.height(), room.height() - border_y)
    )
    frame = dock.frameGeometry()
    dock.move(
        max(min(frame.x(), room.right() - frame.width() + 1), room.x()),
        max(min(frame.y(), room.bottom() - frame.height() + 1), room.y()),
    )
