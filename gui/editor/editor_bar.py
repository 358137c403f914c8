"""The bar of the protocol editor: its buttons, and the menu of what a new protocol may begin from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from gui.editor.protocol_language import ProtocolChoice
from gui.look.labels import ElidedLabel


class EditorBar(QWidget):
    """The buttons; each has a signal of its name. `new_pressed` carries a template's path, or None.

    Args:
        templates: says what a new protocol may begin from.
    """

    new_pressed = pyqtSignal(object)
    open_pressed = pyqtSignal()
    save_pressed = pyqtSignal()
    save_as_pressed = pyqtSignal()
    dry_run_pressed = pyqtSignal()
    use_pressed = pyqtSignal()

    def __init__(
        self, templates: Callable[[], Sequence[ProtocolChoice]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._templates = templates
        self.begin = QToolButton()
        self.begin.setText("New")
        self.begin.setToolTip("Begin from nothing, or from a protocol that comes with the rig")
        self.begin.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.begin)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.fill_menu)
        self.begin.setMenu(self.menu)
        self.open, self.save, self.save_as = QPushButton(), QPushButton(), QPushButton()
        self.dry_run, self.use = QPushButton(), QPushButton()
        for button, words, tip, signal in (
            (self.open, "Open…", "Open a protocol (Ctrl+O)", self.open_pressed),
            (self.save, "Save", "Save the file (Ctrl+S)", self.save_pressed),
            (self.save_as, "Save as…", "Save under a name (Ctrl+Shift+S)", self.save_as_pressed),
            (
                self.dry_run,
                "Dry run",
                "What it would have stimulated in the open recording, or in one that is chosen (Ctrl+D)",
                self.dry_run_pressed,
            ),
            (self.use, "", "", self.use_pressed),
        ):
            button.setText(words)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, emit=signal.emit: emit())
        self.use.setProperty("primary", True)
        self.notice = ElidedLabel()
        self.notice.setObjectName("muted")
        self.notice.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for each in (self.begin, self.open, self.save, self.save_as):
            row.addWidget(each)
        row.addWidget(self.notice, 1)
        for each in (self.dry_run, self.use):
            row.addWidget(each)
        self.show_running(False)

    def fill_menu(self) -> None:
        """Lists what a new protocol may begin from."""
        self.menu.clear()
        self._offer("Empty", "", None)
        self.menu.addSeparator()
        for each in self._templates():
            self._offer(each.name, each.line, each.path)

    def show_running(self, running: bool, words: str = "") -> None:
        """What the button on the right would do: with a session that runs, or without one.

        Args:
            running: whether one does.
            words: about one that is to follow, "" where none is.
        """
        self.use.setText("Start again with it" if running else "Set up with it")
        self.use.setToolTip(
            "Ends the running session at the end of its trial, and starts one with this protocol"
            if running
            else "Saves the protocol and chooses it on the page that sets a session up"
        )
        self.notice.set_full_text(words)

    def show_sound(self, sound: bool) -> None:
        """Only a protocol without mistakes can be run."""
        for button in (self.use, self.dry_run):
            button.setEnabled(sound)

    def _offer(self, name: str, tip: str, template: Path | None) -> None:
        action = self.menu.addAction(name)
        assert action is not None
        action.setToolTip(tip)
        action.triggered.connect(lambda _=False: self.new_pressed.emit(template))
