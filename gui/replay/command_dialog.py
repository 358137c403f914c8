"""A dialog that asks what a command of `rodent-rig` is to do with a recording, and runs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.look.labels import restyle
from gui.streams.command_process import CommandProcess


class CommandDialog(QDialog):
    """The fields are those of who inherits; here are the sentence, the progress, and both buttons.

    Args:
        title: of the dialog.
        does: what the button says that begins.

    Attributes:
        form: a row for each field.
        making: whether the command is at its work, and the other button cancels it.
    """

    def __init__(self, title: str, does: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(560)
        self.making = False
        self._process: CommandProcess | None = None
        self._dropped: list[CommandProcess] = []
        self.form = QFormLayout()
        self.form.setSpacing(8)
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setMinimumHeight(self.said.fontMetrics().height() * 3)
        self.said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.start = QPushButton(does)
        self.start.setDefault(True)
        self.start.setProperty("primary", True)
        self.start.clicked.connect(self.make)
        self.stop = QPushButton("Close")
        self.stop.clicked.connect(self._cancel)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.stop)
        buttons.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addLayout(self.form)
        column.addWidget(self.said)
        column.addWidget(self.bar)
        column.addLayout(buttons)

    def make(self) -> None:
        """Begins what was asked for."""
        raise NotImplementedError

    def follow_making(self) -> None:
        """The command begins or has ended: fields can be changed, or not."""
        raise NotImplementedError

    def follow_fields(self) -> None:
        """Nothing is being made: says what the fields ask for."""
        raise NotImplementedError

    def closeEvent(self, event: Any) -> None:
        """What is being made is given up."""
        self.give_up()
        super().closeEvent(event)

    def reject(self) -> None:
        """Closes, and gives up what is being made."""
        self.give_up()
        super().reject()

    def say(self, sentence: str, trouble: bool = False) -> None:
        """What is to be done, or why it cannot be."""
        self.said.setObjectName("alarm" if trouble else "muted")
        restyle(self.said, trouble=trouble)
        self.said.setText(sentence)

    def run(self, words: Sequence[str]) -> CommandProcess:
        """Starts a command, in the place of one that runs."""
        self.drop()
        self._process = CommandProcess(words, self)
        self._process.start()
        return self._process

    def run_for_good(
        self, words: Sequence[str], finished: Callable[[int, str, str], None], sentence: str
    ) -> None:
        """Starts the command that makes what was asked for, with its progress.

        Args:
            words: what stands after `rodent-rig`.
            finished: called with its exit status, output and last error.
            sentence: shown meanwhile.
        """
        self.show_making(True)
        self.say(sentence)
        process = self.run([*words, "--progress"])
        process.progress.connect(lambda share: self.bar.setValue(round(1000 * share)))

        def ended(status: int, said: str, error: str) -> None:
            self.show_making(False)
            finished(status, said, error)

        process.ended.connect(ended)

    def show_making(self, making: bool) -> None:
        """Whether the command is at its work."""
        self.making = making
        self.bar.setRange(0, 1000)
        self.bar.setValue(0)
        self.stop.setText("Cancel" if making else "Close")
        self.follow_making()

    def drop(self) -> None:
        """Ends the command that runs, if one does, without waiting for it."""
        self._dropped = [each for each in self._dropped if each.running]
        if self._process is not None:
            self._process.cancel()
            self._dropped.append(self._process)
            self._process = None

    def give_up(self) -> None:
        """Ends the command that runs, and waits until it, and those ended before, have tidied up."""
        self.drop()
        for each in self._dropped:
            each.wait()
        self._dropped.clear()
        self.making = False

    def _cancel(self) -> None:
        if not self.making:
            self.reject()
            return
        self.drop()
        self.show_making(False)
        self.follow_fields()


def free_name(path: Path) -> Path:
    """This path, or one with a number behind its name where there is such a file."""
    number = 1
    found = path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def in_a_row(*widgets: QWidget) -> QWidget:
    """Fields beside each other; one for text is as wide as there is room."""
    whole = QWidget()
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget, 1 if isinstance(widget, QLineEdit) else 0)
    if not any(isinstance(widget, QLineEdit) for widget in widgets):
        row.addStretch(1)
    return whole


def small_button(words: str, does: Callable[[], object]) -> QToolButton:
    """A button beside a field."""
    button = QToolButton()
    button.setText(words)
    button.clicked.connect(lambda: does())
    return button
