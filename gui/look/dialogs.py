"""The questions that the window asks before something is ended, lost or overwritten."""

from __future__ import annotations

from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QMessageBox, QWidget

END, LEAVE, CANCEL = "end", "leave", "cancel"
SAVE, DISCARD = "save", "discard"

Role = QMessageBox.ButtonRole


def _ask(
    parent: QWidget,
    title: str,
    text: str,
    choices: dict[str, tuple[str, Role]],
    *,
    more: str = "",
    cancel: str = "Cancel",
) -> str:
    """Asks a question, whose answer is `CANCEL` unless another one is given.

    Args:
        parent: of the question.
        title: of its window.
        text: the question.
        choices: what each other answer is called, and its role.
        more: about the question, in smaller letters.
        cancel: what `CANCEL` is called.
    """
    box = QMessageBox(parent)
    box.setWindowTitle(title)
    box.setText(text)
    box.setInformativeText(more)
    buttons = {answer: box.addButton(*each) for answer, each in choices.items()}
    last = box.addButton(cancel, Role.RejectRole)
    box.setDefaultButton(last)
    box.setEscapeButton(last)
    for button in box.buttons():
        button.setIcon(QIcon())  # those of the style are of no theme of ours
    box.exec()
    clicked = box.clickedButton()
    return next((answer for answer, button in buttons.items() if button is clicked), CANCEL)


def ask_about_session(parent: QWidget, recording: bool) -> str:
    """Asks what becomes of the running session: `END`, `LEAVE` or `CANCEL`."""
    return _ask(
        parent,
        "The session is running",
        "The session is still running" + (" and being recorded." if recording else "."),
        {
            END: ("&End the session", Role.DestructiveRole),
            LEAVE: ("&Leave it running", Role.AcceptRole),
        },
        more=("Ending it closes its recording properly. " if recording else "")
        + "Left running, it goes on without a window; `rodent-rig gui` comes back to it.",
    )


def confirm_stop(parent: QWidget) -> bool:
    """Asks whether to end a session that is being recorded."""
    text = "The session is being recorded. End it and close the recording?"
    choices = {END: ("&End the session", Role.DestructiveRole)}
    return _ask(parent, "End the session?", text, choices) == END


def ask_about_changes(parent: QWidget, name: str) -> str:
    """Asks what becomes of changes that are in no file: `SAVE`, `DISCARD` or `CANCEL`."""
    return _ask(
        parent,
        "There are changes",
        f"{name} has changes that are not saved.",
        {SAVE: ("&Save", Role.AcceptRole), DISCARD: ("&Discard", Role.DestructiveRole)},
    )


def confirm_overwrite(parent: QWidget, name: str) -> bool:
    """Asks whether to write over what something else has made of a file."""
    text = f"{name} was changed by something else since it was opened here."
    choices = {SAVE: ("&Overwrite it", Role.DestructiveRole)}
    return _ask(parent, "The file has been changed", text, choices) == SAVE


def confirm_replacing(parent: QWidget, name: str) -> bool:
    """Asks whether to write over a file that has the name which a chosen one got with its ending."""
    text = f"{name} is there already."
    choices = {SAVE: ("&Replace it", Role.DestructiveRole)}
    return _ask(parent, "The file is there already", text, choices) == SAVE


def confirm_giving_up(parent: QWidget, what: str) -> bool:
    """Asks whether to close the window while a dialog, by its title, is still at work."""
    text = f"{what} is still at work. Closing the window gives up what it makes."
    choices = {END: ("&Give it up", Role.DestructiveRole)}
    return _ask(parent, "Something is being made", text, choices) == END


def confirm_reading_again(parent: QWidget, name: str, modified: bool) -> bool:
    """Asks whether to show what something else has made of a file.

    Args:
        parent: of the question.
        name: of the file.
        modified: whether there are changes here that would be lost.
    """
    lost = " What is changed here and not saved would be lost." if modified else ""
    return (
        _ask(
            parent,
            "The file has been changed",
            f"{name} was changed by something else. Read it again?{lost}",
            {DISCARD: ("&Read it again", Role.AcceptRole)},
            cancel="Keep this text",
        )
        == DISCARD
    )
