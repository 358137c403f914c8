"""The questions that the window asks before something is ended, lost or overwritten."""

from __future__ import annotations

from PyQt6.QtWidgets import QMessageBox, QWidget

END, LEAVE, CANCEL = "end", "leave", "cancel"
SAVE, DISCARD = "save", "discard"


def ask_about_session(parent: QWidget, recording: bool) -> str:
    """Asks what becomes of the running session: `END`, `LEAVE` or `CANCEL`."""
    box = QMessageBox(parent)
    box.setWindowTitle("The session is running")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText("The session is still running" + (" and being recorded." if recording else "."))
    box.setInformativeText(
        ("Ending it closes its recording properly. " if recording else "")
        + "Left running, it goes on without a window; `rodent-rig gui` comes back to it."
    )
    end = box.addButton("End the session", QMessageBox.ButtonRole.DestructiveRole)
    leave = box.addButton("Leave it running", QMessageBox.ButtonRole.AcceptRole)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    return END if clicked is end else LEAVE if clicked is leave else CANCEL


def confirm_stop(parent: QWidget) -> bool:
    """Asks whether to end a session that is being recorded."""
    answer = QMessageBox.question(
        parent,
        "End the session?",
        "The session is being recorded. End it and close the recording?",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel,
        QMessageBox.StandardButton.Cancel,
    )
    return answer == QMessageBox.StandardButton.Yes


def ask_about_changes(parent: QWidget, name: str) -> str:
    """Asks what becomes of changes that are in no file: `SAVE`, `DISCARD` or `CANCEL`."""
    box = QMessageBox(parent)
    box.setWindowTitle("There are changes")
    box.setText(f"{name} has changes that are not saved.")
    save = box.addButton("Save", QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    clicked = box.clickedButton()
    return SAVE if clicked is save else DISCARD if clicked is discard else CANCEL


def confirm_overwrite(parent: QWidget, name: str) -> bool:
    """Asks whether to write over what something else has made of a file."""
    box = QMessageBox(parent)
    box.setWindowTitle("The file has been changed")
    box.setText(f"{name} was changed by something else since it was opened here.")
    over = box.addButton("Overwrite it", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    return box.clickedButton() is over


def confirm_reading_again(parent: QWidget, name: str, modified: bool) -> bool:
    """Asks whether to show what something else has made of a file.

    Args:
        parent: of the question.
        name: of the file.
        modified: whether there are changes here that would be lost.
    """
    box = QMessageBox(parent)
    box.setWindowTitle("The file has been changed")
    lost = " What is changed here and not saved would be lost." if modified else ""
    box.setText(f"{name} was changed by something else. Read it again?{lost}")
    again = box.addButton("Read it again", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Keep this text", QMessageBox.ButtonRole.RejectRole)
    box.exec()
    return box.clickedButton() is again
