"""Where recordings go and come from: the folder that is remembered, a new name, the two file dialogs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QModelIndex, QSettings, QSortFilterProxyModel
from PyQt6.QtGui import QFileSystemModel
from PyQt6.QtWidgets import QFileDialog, QHeaderView, QTreeView, QWidget

from recorder.annotations import is_annotations, recording_of_annotations
from rig.new_recording import recording_name, recordings_folder

KEY = "recordings"
SIZE_PX = (860, 500)
"""Of the dialog: names are long, and size and date want to be read beside them."""


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
    dialog = file_dialog(
        parent, "Open a recording, or choose parts of one to see them as one", folder(settings)
    )
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    chosen = dialog.selectedFiles() if dialog.exec() else []
    dialog.deleteLater()
    files = tuple(Path(each) for each in chosen)
    return files if len(files) > 1 else files[0] if files else None


def file_dialog(parent: QWidget, title: str, place: Path) -> QFileDialog:
    """A dialog that lists the recordings of a folder, and not the annotations beside them.

    Args:
        parent: of the dialog.
        title: what a recording is wanted for.
        place: the folder that it begins in.
    """
    dialog = QFileDialog(parent, title, str(place), "Recordings (*.nwb)")
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)  # another one can leave out no files
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setProxyModel(_WithoutAnnotations(dialog))
    dialog.resize(*SIZE_PX)
    for tree in dialog.findChildren(QTreeView):
        header = tree.header()
        if header is not None and header.count() > 3:
            for column in (1, 2, 3):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    return dialog


def annotated(
    paths: Sequence[Path | tuple[Path, ...]],
) -> tuple[list[Path | tuple[Path, ...]], list[str]]:
    """What to show where annotations were asked for: their recordings, and a sentence about each.

    Annotations whose recording is not beside them stay as they are; opening them says what they are.
    """
    shown: list[Path | tuple[Path, ...]] = []
    said = []
    for path in paths:
        if isinstance(path, Path) and is_annotations(path):
            recording = recording_of_annotations(path)
            if recording.exists():
                said.append(
                    f"{path.name} holds the annotations of {recording.name}: this is the recording, and "
                    "Annotate (A) shows them."
                )
                path = recording
        shown.append(path)
    return shown, said


class _WithoutAnnotations(QSortFilterProxyModel):
    """The files of a folder in the dialog's order, folders first."""

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Whether it is listed."""
        files = self.sourceModel()
        assert isinstance(files, QFileSystemModel)
        return not is_annotations(Path(files.fileName(files.index(row, 0, parent))))

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Whether one stands before another: by size or date as numbers, else by name."""
        files = self.sourceModel()
        assert isinstance(files, QFileSystemModel)
        one, other = files.fileInfo(left), files.fileInfo(right)
        if one.isDir() != other.isDir():
            return one.isDir()
        if left.column() == 1:
            return one.size() < other.size()
        if left.column() == 3:
            return one.lastModified() < other.lastModified()
        return one.fileName().lower() < other.fileName().lower()
