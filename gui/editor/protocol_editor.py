"""The protocol editor: a text with what `check` says of it beside it, and what to do with it.

    New  Open  Save                              Dry run   Set up with it
    ┌ text ───────────────────────┐ ┌ What will happen │ In the recording ┐
    │                             │ │                                     │
    ├ what the key here means ────┤ │                                     │
    ├ mistakes ───────────────────┤ │                                     │

It needs QScintilla; `gui.editor_control` opens it, and says so where that is not installed.
"""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QByteArray, QEvent, QSettings, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPlainTextEdit,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gui.editor.editor_bar import EditorBar
from gui.editor.protocol_file import UNTITLED, ProtocolFile
from gui.editor.protocol_language import CheckedText, Mistake, ProtocolLanguage
from gui.editor.protocol_text import ProtocolText
from gui.look.dialogs import (
    DISCARD,
    SAVE,
    ask_about_changes,
    confirm_overwrite,
    confirm_reading_again,
    confirm_replacing,
)
from gui.look.labels import ElidedLabel, restyle
from gui.look.theme import Theme
from gui.streams.latest_work import LatestWork
from rig.errors import RunError, UserError

FRAME_PX = 40
"""What the frame of a window takes of the screen's height."""
CHECK_AFTER_MS = 250
MOST_ROWS = 5
"""Mistakes that are listed at once; more are scrolled to."""
GEOMETRY = "protocol editor"
EMPTY = "protocol: \nsubject: \ntask: \n\nstimuli:\n\nrules:\n"
_FILES = "Protocols (*.yaml *.yml *.py)"


class ProtocolEditor(QWidget):
    """A window of its own on one protocol.

    `saved` carries the path of a file that was written, `edited` comes with every change of the text.
    `bar.dry_run_pressed` and `bar.use_pressed` ask for what their buttons say.
    """

    saved = pyqtSignal(Path)
    edited = pyqtSignal()

    def __init__(self, language: ProtocolLanguage, theme: Theme, settings: QSettings) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName("editor")
        self._language = language
        self._settings = settings
        self._asking = False
        self._kept = False  # whether the text was kept against what something else made of its file
        self.file = ProtocolFile()
        self._name = UNTITLED
        self.checked = CheckedText()
        self.text = ProtocolText(language, theme)
        self.mistakes = QListWidget()
        self.words, self.report = QPlainTextEdit(), QPlainTextEdit()
        self.bar = EditorBar(language.templates)
        self.where, self.help = ElidedLabel(), ElidedLabel()
        self.state = QLabel()
        self._arrange()
        self._checks = LatestWork("protocol check", self)
        self._checks.done.connect(self._show_checked)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.check)
        for signal, does in (
            (self.bar.new_pressed, self._new_from),
            (self.bar.open_pressed, self.choose),
            (self.bar.save_pressed, self.save),
            (self.bar.save_as_pressed, self.save_as),
        ):
            signal.connect(does)
        self.text.textChanged.connect(self._edit)
        self.text.modificationChanged.connect(lambda _: self._title())
        self.text.explained.connect(self.help.set_full_text)
        self.mistakes.itemActivated.connect(self._go_to)
        self.mistakes.itemClicked.connect(self._go_to)
        for key, does in (
            ("Ctrl+S", self.save),
            ("Ctrl+Shift+S", self.save_as),
            ("Ctrl+O", self.choose),
            ("Ctrl+D", self.bar.dry_run_pressed.emit),
            ("F8", self.next_mistake),
            ("Ctrl+W", self.close),
        ):
            QShortcut(QKeySequence(key), self).activated.connect(does)
        screen = self.screen()
        room = screen.availableSize() if screen is not None else QSize(1280, 720)
        self.resize(min(1120, room.width()), min(720, room.height() - FRAME_PX))
        geometry = settings.value(GEOMETRY)
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        self.new(EMPTY)

    @property
    def path(self) -> Path:
        """The file; where there is none yet, what it would be called among the user's own."""
        return self.file.path or self._language.own_folder() / self._name

    @property
    def modified(self) -> bool:
        """Whether there is something that is in no file."""
        return self.text.isModified() or self._kept

    # --- texts and files ------------------------------------------------------------------------------

    def new(self, text: str, name: str = UNTITLED) -> None:
        """A text without a file.

        Args:
            text: to begin with.
            name: what its file would be called.
        """
        self.file.forget()
        self._name = name
        self._begin(text)

    def open(self, path: Path) -> bool:
        """Shows a file, after what is to become of changes; says whether it did."""
        known = self.modified or self.text.text() == self.file.known  # else what was discarded
        if self.file.path == path.resolve() and known:
            return True
        if not self.may_leave():
            return False
        try:
            text = self.file.open(path)
        except UserError as problem:
            self._tell(str(problem))
            return False
        self._begin(text)
        return True

    def choose(self) -> None:
        """Asks for a file and shows it."""
        chosen, _ = QFileDialog.getOpenFileName(self, "A protocol", str(self.path.parent), _FILES)
        if chosen:
            self.open(Path(chosen))

    def save(self) -> bool:
        """Writes the file; one that comes with the rig, or a new one, is asked a name for. Whether it did."""
        path = self.file.path
        if path is None or self._language.is_shipped(path):
            return self.save_as()
        if self.file.changed_on_disk() is not None:
            self.file.is_news()  # asked about here, not once more when one comes back
            if not confirm_overwrite(self, path.name):
                return False
        return self._write(path)

    def save_as(self) -> bool:
        """Asks for a name and writes the text there; says whether it did."""
        folder = self._language.own_folder()
        shipped = self.file.path is not None and self._language.is_shipped(self.file.path)
        place = folder / self.path.name if shipped or self.file.path is None else self.path
        if folder == place.parent and not folder.exists():
            place = Path.cwd() / place.name if not _make(folder) else place
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the protocol", str(place), _FILES)
        if not chosen:
            return False
        path = Path(chosen)
        if not path.suffix:
            path = path.with_name(f"{path.name}.yaml")
            if path.exists() and not confirm_replacing(self, path.name):
                return False
        if self._language.is_shipped(path):
            self._tell(f"{path.name} comes with the rig and stays as it is; choose another folder.")
            return False
        return self._write(path)

    def may_leave(self) -> bool:
        """Whether the text may go; asks what becomes of changes that are in no file."""
        if not self.modified:
            return True
        choice = ask_about_changes(self, self.path.name)
        return self.save() if choice == SAVE else choice == DISCARD

    # --- what is said of it ---------------------------------------------------------------------------

    def check(self) -> None:
        """Has the text checked, out of the window's way."""
        self._timer.stop()
        text, path = self.text.text(), self.path
        self._checks.ask(lambda: self._language.check(text, path))

    def next_mistake(self) -> None:
        """Goes to the mistake behind the cursor, or to the first."""
        line, column = self.text.getCursorPosition()
        found = self.checked.mistakes
        behind = [each for each in found if (each.line - 1, each.column - 1) > (line, column)]
        if found:
            self.text.go_to((behind or list(found))[0])

    def show_report(self, words: str) -> None:
        """What the protocol would have done in a recording; "" where that is not known any more."""
        self.report.setPlainText(words)
        self.pages.setTabEnabled(1, bool(words))
        self.pages.setCurrentIndex(1 if words else 0)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self.text.set_theme(theme)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Asks about changes first."""
        if event is None:
            return
        if not self.may_leave():
            event.ignore()
            return
        self._settings.setValue(GEOMETRY, self.saveGeometry())
        self.text.setModified(False)
        self._kept = False
        event.accept()

    def end(self) -> None:
        """The window closes for good."""
        self._timer.stop()
        self._checks.close()

    def changeEvent(self, event: QEvent | None) -> None:
        """Coming back to it, a file that was changed meanwhile is asked about."""
        super().changeEvent(event)
        activated = event is not None and event.type() == QEvent.Type.ActivationChange
        if activated and self.isActiveWindow() and not self._asking and self.file.is_news():
            self._asking = True
            QTimer.singleShot(0, self._ask_about_disk)

    def _begin(self, text: str) -> None:
        self._kept = False
        self.text.show_text(text, is_python=self.path.suffix == ".py")
        self.show_report("")
        self._title()
        self.check()

    def _edit(self) -> None:
        self._timer.start(CHECK_AFTER_MS)
        self._checks.drop()
        self.edited.emit()

    def _show_checked(self, checked: CheckedText) -> None:
        self.checked = checked
        self.text.show_mistakes(checked.mistakes)
        self.mistakes.clear()
        for each in checked.mistakes:
            item = QListWidgetItem(f"{each.line}:{each.column}  {each.sentence}")
            item.setData(Qt.ItemDataRole.UserRole, each)
            item.setToolTip(each.sentence)
            self.mistakes.addItem(item)
        self._fit_mistakes()
        count = len(checked.mistakes)
        said = f"{count} mistake{'s' * (count != 1)}" if count else "no mistakes"
        self.state.setText(said)
        restyle(self.state, kind="mistakes" if count else "words")
        if not count:
            self.words.setPlainText(checked.words)
        self.words.setEnabled(not count)
        self.pages.setTabText(
            0, "What would happen before the mistakes" if count else "What will happen"
        )
        self.bar.show_sound(not count)

    def _fit_mistakes(self) -> None:
        """The list is as high as what is in it, up to a limit; empty, it is not there."""
        rows = self.mistakes.count()
        heights = [
            max(self.mistakes.sizeHintForRow(row), 18) for row in range(min(rows, MOST_ROWS))
        ]
        self.mistakes.setFixedHeight(sum(heights) + 6)
        self.mistakes.setVisible(rows > 0)

    def _go_to(self, item: QListWidgetItem) -> None:
        mistake = item.data(Qt.ItemDataRole.UserRole)
        assert isinstance(mistake, Mistake)
        self.text.go_to(mistake)

    def _write(self, path: Path) -> bool:
        try:
            self.file.save(self.text.text(), path)
        except (UserError, RunError) as problem:
            self._tell(str(problem))
            return False
        self.text.setModified(False)
        self._kept = False
        self._title()
        self.saved.emit(self.file.path)
        return True

    def _ask_about_disk(self) -> None:
        path = self.file.path
        if path is not None:
            again = confirm_reading_again(self, path.name, self.modified)
            try:
                text = self.file.open(path)
                if again:
                    self._begin(text)
                else:
                    self._kept = True
                    self._title()
            except UserError as problem:
                self._tell(str(problem))
        self._asking = False

    def _tell(self, sentence: str) -> None:
        QMessageBox.warning(self, "The protocol editor", sentence)

    def _title(self) -> None:
        shipped = self.file.path is not None and self._language.is_shipped(self.file.path)
        about = "  comes with the rig: saved as a copy" if shipped else ""
        unsaved = "" if self.file.path is not None else "  not saved yet"
        self.where.set_full_text(f"{'● ' * self.modified}{self.path}{about}{unsaved}")
        self.setWindowTitle(f"{'*' * self.modified}{self.path.name} · protocol · rodent-rig")

    def _new_from(self, template: Path | None) -> None:
        if not self.may_leave():
            return
        if template is None:
            self.new(EMPTY)
            return
        try:
            text = ProtocolFile().open(template)
        except UserError as problem:
            self._tell(str(problem))
            return
        self.new(text, f"my_{template.name}")

    def _arrange(self) -> None:
        for page, tip in ((self.words, "check"), (self.report, "check --against")):
            page.setReadOnly(True)
            page.setToolTip(f"As `rodent-rig {tip}` says it")
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.addTab(self.words, "What will happen")
        self.pages.addTab(self.report, "In the recording")
        self.mistakes.setWordWrap(True)
        self.help.setObjectName("muted")
        self.help.setMinimumHeight(20)
        self.state.setObjectName("state")
        below = QHBoxLayout()
        below.addWidget(self.help, 1)
        below.addWidget(self.state)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.text, 1)
        column.addLayout(below)
        column.addWidget(self.mistakes)
        halves = QSplitter(Qt.Orientation.Horizontal)
        halves.addWidget(left)
        halves.addWidget(self.pages)
        halves.setStretchFactor(0, 6)
        halves.setStretchFactor(1, 4)
        halves.setSizes([660, 440])
        halves.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(10, 8, 10, 8)
        whole.setSpacing(6)
        whole.addWidget(self.bar)
        whole.addWidget(self.where)
        whole.addWidget(halves, 1)


def _make(folder: Path) -> bool:
    """Makes a folder where it is missing; says whether it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True
