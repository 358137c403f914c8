"""Where recordings go and come from: the folder that is remembered, a new name, the two file dialogs."""

from __future__ import annotations

import time
from pathlib import Path

from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QFileDialog, QWidget

KEY = "recordings"


def folder(settings: QSettings) -> Path:
    """Where new recordings go: the folder chosen last, else `recordings` where the window was started."""
    return Path(str(settings.value(KEY, str(Path.cwd() / "recordings"))))


def new_file(settings: QSettings, protocol: str) -> Path:
    """A name for a new recording, after protocol and time; its folder is made. Raises OSError."""
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in protocol) or "session"
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    return place / f"{safe}-{time.strftime('%Y%m%d-%H%M%S')}.nwb"


def choose_folder(parent: QWidget, settings: QSettings) -> None:
    """Asks where new recordings go, and remembers it."""
    chosen = QFileDialog.getExistingDirectory(
        parent, "Folder for recordings", str(folder(settings))
    )
    if chosen:
        settings.setValue(KEY, chosen)


def choose_file(parent: QWidget, settings: QSettings) -> Path | tuple[Path, ...] | None:
    """Asks for a recording, or all parts of one; None if the user changes their mind."""
    chosen, _ = QFileDialog.getOpenFileNames(
        parent,
        "Open a recording, or choose parts of one to see them as one",
        str(folder(settings)),
        "Recordings (*.nwb)",
    )
    files = tuple(Path(each) for each in chosen)
    return files if len(files) > 1 else files[0] if files else None
