"""Where recordings go and come from: the folder that is remembered, a new name, the two file dialogs."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QFileDialog, QWidget

from rig.new_recording import recording_name, recordings_folder

KEY = "recordings"


def folder(settings: QSettings) -> Path:
    """Where new recordings go: the folder chosen last, else `recordings` where the window was started."""
    return Path(str(settings.value(KEY, str(Path.cwd() / "recordings"))))


def new_file(settings: QSettings, protocol: str, animal: str = "") -> Path:
    """A name for a new recording, after animal, protocol and time; its folder is made.

    Raises:
        OSError, UserError: no file can be made there.
    """
    if settings.contains(KEY):
        place = folder(settings)
        place.mkdir(parents=True, exist_ok=True)
    else:
        place = recordings_folder()[0].absolute()
    return place / recording_name("-".join(part for part in (animal, protocol) if part))


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
