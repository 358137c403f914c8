"""The two questions that the window asks before it ends what is running."""

from __future__ import annotations

from PyQt6.QtWidgets import QMessageBox, QWidget

END, LEAVE, CANCEL = "end", "leave", "cancel"


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
