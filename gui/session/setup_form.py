"""Setting a session up: who, which task and protocol, how long; and what will happen then."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from PyQt6.QtCore import QSettings, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QKeySequence, QPixmap, QResizeEvent, QShortcut
from PyQt6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.look.labels import ElidedLabel, restyle
from gui.session.session_setup import Checked, PaceName, SessionRequest, SessionStarter
from gui.streams.latest_work import LatestWork

CHECK_AFTER_MS = 250
PICTURE_PX = 84
SCROLL_PX = 13
"""Beside the fields, for the bar that scrolls them."""
NARROW_PX = 620
"""A form that is narrower has what will happen below its fields, not beside them."""
RECORD_KEY = "record_from_start"
Kind = TypeVar("Kind", int, float)
_AS_PROTOCOL = "as the protocol says"
_PACES: tuple[tuple[PaceName, str], ...] = (
    ("realtime", "real time"),
    ("max", "as fast as the machine can"),
)


class SetupForm(QFrame):
    """The form. `start_requested` carries a `SessionRequest` without mistakes; `folder_pressed` asks for one.

    `judged` says whether what stands in it can be started: not before the files that the protocol reads have
    been read, in a thread.

    Args:
        sessions: what there is to choose from, and what checks the choice.
    """

    start_requested = pyqtSignal(object)
    judged = pyqtSignal(bool)
    folder_pressed = pyqtSignal()
    edit_pressed = pyqtSignal()

    def __init__(self, sessions: SessionStarter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sessions = sessions
        self._checked = Checked()
        self.parameters: dict[str, QLineEdit] = {}
        self._parameters_of: object = None
        """The protocol whose parameters these are."""
        self._reading = LatestWork("session's files", self)
        self._reading.done.connect(lambda mistakes: self._say(mistakes))
        self._reading.failed.connect(self._take_failure)
        self._subjects = {each.name: each for each in sessions.subjects()}
        self._make_fields()
        self._arrange()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.check)
        for line in (self.seed, self.duration, self.trials):
            line.textChanged.connect(lambda _: self._timer.start(CHECK_AFTER_MS))
        for choice in (self.protocol, self.subject, self.task):
            choice.currentIndexChanged.connect(lambda _: self._timer.start(0))
        self.start.clicked.connect(self.submit)
        for key in ("Return", "Enter"):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(self.submit)
        self.fill(sessions.first)

    def fill(self, request: SessionRequest) -> None:
        """Sets the fields."""
        if request.protocol is not None:
            self.choose_protocol(request.protocol)
        for choice, value in ((self.subject, request.subject), (self.task, request.task)):
            choice.setCurrentIndex(max(choice.findData(value), 0))
        self.pace.setCurrentIndex(max(self.pace.findData(request.pace), 0))
        for line, number in (
            (self.seed, request.seed),
            (self.duration, request.duration_s),
            (self.trials, request.trials),
        ):
            shown = f"{number:.15g}" if isinstance(number, float) else str(number)
            line.setText("" if number is None else shown)
        self.animal.setText(request.animal)
        self.notes.setPlainText(request.notes)
        self.check()
        for name, value in request.parameters.items():
            if name in self.parameters:
                self.parameters[name].setText(value)
        if request.parameters:
            self.check()

    def remember(self, settings: QSettings) -> None:
        """Records as the user left it; the first time yes: what was not recorded is gone."""
        self.record.setChecked(str(settings.value(RECORD_KEY, "true")).lower() == "true")
        self.record.toggled.connect(lambda on: settings.setValue(RECORD_KEY, on))

    def choose_protocol(self, path: Path) -> None:
        """Chooses a protocol's file, also one that is not among those that are known."""
        place = self.protocol.findData(str(path.resolve()))
        if place < 0:
            self.protocol.addItem(path.name, str(path.resolve()))
            place = self.protocol.count() - 1
        self.protocol.setCurrentIndex(place)

    def request(self) -> SessionRequest:
        """The session as it stands in the fields; one that has no number in it is as if it were empty."""
        chosen = self.protocol.currentData()
        return SessionRequest(
            protocol=Path(chosen) if chosen else None,
            subject=str(self.subject.currentData()),
            task=str(self.task.currentData()),
            parameters={
                name: line.text()
                for name, line in self.parameters.items()
                if line.text() != self._checked.parameters.get(name)
            }
            if self._parameters_of == chosen
            else {},
            seed=_number(self.seed, int),
            pace=self.pace.currentData(),
            duration_s=_number(self.duration, float),
            trials=_number(self.trials, int),
            animal=self.animal.text().strip(),
            notes=self.notes.toPlainText().strip(),
            record_in=Path(self.folder.full_text) if self.record.isChecked() else None,
        )

    def check(self) -> None:
        """Says what the session would do, or what is wrong."""
        self._timer.stop()
        request = self.request()
        self._checked = checked = self._sessions.check(request)
        self._offer_parameters(checked.parameters)
        self._show_own(checked)
        wrong = self._wrong_numbers()
        for line in (self.seed, self.duration, self.trials):
            restyle(line, wrong=line in wrong)
        if checked.unread:
            self._reading.ask(lambda: self._sessions.check_files(request))
        else:
            self._reading.drop()
        self._say(checked.mistakes, checked.unread)

    def submit(self) -> None:
        """Starts the session, if nothing is wrong with it; else puts the cursor where a number is wrong."""
        self.check()
        if self.start.isEnabled():
            self.start_requested.emit(self.request())
        for line in list(self._wrong_numbers())[:1]:
            line.setFocus()
            line.selectAll()

    def _wrong_numbers(self) -> dict[QLineEdit, str]:
        """The fields in which no number stands, each with a sentence."""
        found: dict[QLineEdit, str] = {}
        for line, what, kind, words in (
            (self.seed, "The seed", int, "a whole number"),
            (self.duration, "The duration", float, "a number"),
            (self.trials, "The number of trials", int, "a whole number"),
        ):
            if line.text().strip() and _number(line, kind) is None:
                found[line] = f"{what} has to be {words}, not {line.text().strip()!r}."
        return found

    def show_folder(self, folder: Path) -> None:
        """Where its recordings go."""
        self.folder.set_full_text(str(folder))

    def close_worker(self) -> None:
        """Ends the thread that reads files."""
        self._reading.close()

    def _take_failure(self, problem: Exception) -> None:
        """A defect of ours: said in the form, whole on the terminal."""
        traceback.print_exception(problem)
        self._say(f"An unexpected problem: {type(problem).__name__}: {problem}")

    def _say(self, mistakes: str, unread: Sequence[str] = ()) -> None:
        """Shows what will happen, or what is wrong; it can be started where nothing is, and all is read."""
        mistakes = "\n".join(filter(None, (*self._wrong_numbers().values(), mistakes)))
        ready = not (mistakes or unread)
        self.start.setEnabled(ready)
        self.judged.emit(ready)
        words = mistakes or self._checked.words
        if unread:
            files = ", ".join(dict.fromkeys(unread))
            words = f"Reading {files}: whether the session can start is known when that is done.\n\n{words}"
        self.words.setPlainText(words)
        restyle(self.words, kind="mistakes" if mistakes else "words")

    def _show_own(self, checked: Checked) -> None:
        """What the protocol says where nothing else is chosen, and who the subject is."""
        self.subject.setItemText(
            0, f"{_AS_PROTOCOL}: {checked.subject}" if checked.subject else "–"
        )
        self.task.setItemText(0, f"{_AS_PROTOCOL}: {checked.task}" if checked.task else "–")
        seed = "drawn" if checked.seed is None else str(checked.seed)
        self.seed.setPlaceholderText(seed)
        ends = f"{checked.duration_s:g}" if checked.duration_s else "until stopped"
        self.duration.setPlaceholderText(ends)
        self.trials.setPlaceholderText(str(checked.trials) if checked.trials else "any number")
        name = str(self.subject.currentData()) or checked.subject
        self.animal.setPlaceholderText(name)
        known = self._subjects.get(name)
        self.card.setText(known.line if known else "")
        self._fit_card()
        picture = QPixmap(str(known.picture)) if known and known.picture else QPixmap()
        self.picture.setVisible(not picture.isNull())
        if not picture.isNull():
            ratio = self.devicePixelRatioF()
            scaled = picture.scaledToHeight(
                round(PICTURE_PX * ratio), Qt.TransformationMode.SmoothTransformation
            )
            scaled.setDevicePixelRatio(ratio)
            self.picture.setPixmap(scaled)

    def _offer_parameters(self, parameters: dict[str, str]) -> None:
        chosen = self.protocol.currentData()
        if list(parameters) == list(self.parameters) and self._parameters_of == chosen:
            return
        self._parameters_of = chosen
        for line in self.parameters.values():
            self._form.removeRow(line)
        self.parameters = {}
        place = self._form.getWidgetPosition(self.seed)[0]
        for name, value in parameters.items():
            line = QLineEdit(value)
            line.textChanged.connect(lambda _: self._timer.start(CHECK_AFTER_MS))
            self._form.insertRow(place, name.replace("_", " "), line)
            self.parameters[name] = line
            place += 1
        for before, after in pairwise([self.task, *self.parameters.values(), self.seed]):
            self.setTabOrder(before, after)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """What will happen stands beside the fields where there is room, else below."""
        super().resizeEvent(event)
        self._fit_card()
        narrow = self.width() < NARROW_PX
        across, down = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._halves.setDirection(down if narrow else across)
        self._halves.setStretch(0, 7 if narrow else 5)
        self._halves.setStretch(1, 3 if narrow else 6)

    def _fit_card(self) -> None:
        """All lines of what the subject is: a form that scrolls would press them together."""
        width = self.card.width()
        self.card.setMinimumHeight(self.card.heightForWidth(width) if width > 0 else 0)

    def _browse(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "A protocol", str(Path.cwd()), "Protocols (*.yaml *.yml *.py)"
        )
        if chosen:
            self.choose_protocol(Path(chosen))

    def _make_fields(self) -> None:
        self.protocol, self.subject, self.task, self.pace = (QComboBox() for _ in range(4))
        for each in self._sessions.protocols():
            self.protocol.addItem(each.name, str(each.path))
            tip = f"{each.path}\n{each.line}"
            self.protocol.setItemData(self.protocol.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.subject.addItem(_AS_PROTOCOL, "")
        for name in self._subjects:
            self.subject.addItem(name, name)
        self.task.addItem(_AS_PROTOCOL, "")
        for name in self._sessions.tasks():
            self.task.addItem(name.replace("_", " "), name)
        for pace, words in _PACES:
            self.pace.addItem(words, pace)
        for box in (self.protocol, self.subject, self.task, self.pace):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(7)
        self.seed, self.duration, self.trials, self.animal = (QLineEdit() for _ in range(4))
        self.notes = QPlainTextEdit()
        self.notes.setFixedHeight(54)
        self.notes.setTabChangesFocus(True)
        self.notes.setPlaceholderText("for the recording")
        self.card, self.picture = QLabel(), QLabel()
        self.card.setWordWrap(True)
        self.card.setTextFormat(Qt.TextFormat.PlainText)
        self.card.setObjectName("muted")
        self.record = QCheckBox("Record from the first tick")
        self.record.setToolTip("Else from when Record is pressed (R)")
        self.folder = ElidedLabel()
        self.folder_button = QPushButton("Change…")
        self.folder_button.clicked.connect(self.folder_pressed)
        self.browse = QPushButton("Browse…")
        self.browse.clicked.connect(self._browse)
        self.edit = QPushButton("Edit…")
        self.edit.setToolTip("Edit the protocol, or write another one (Ctrl+E)")
        self.edit.clicked.connect(self.edit_pressed)
        self.words = QPlainTextEdit()
        self.words.setReadOnly(True)
        self.words.setObjectName("words")
        self.start = QPushButton("Start")
        self.start.setProperty("primary", True)
        self.start.setToolTip("Start the session (Enter)")
        self.start.setMinimumSize(104, 34)

    def _arrange(self) -> None:
        fields, rows = QWidget(), QWidget()
        above = QVBoxLayout(fields)
        above.setContentsMargins(0, 0, 0, 0)
        above.addWidget(rows)
        above.addStretch(1)
        self._form = QFormLayout(rows)
        self._form.setContentsMargins(0, 0, SCROLL_PX, 0)
        self._form.setVerticalSpacing(9)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Protocol", _beside(self.protocol, self.browse, self.edit))
        self._form.addRow("Subject", self.subject)
        self._form.addRow("", _beside(self.card, self.picture))
        self._form.addRow("Task", self.task)
        self._form.addRow("Seed", self.seed)
        self._form.addRow("Pace", self.pace)
        ends = _beside(self.duration, self.trials)
        trials = QLabel("Trials")
        trials.setBuddy(self.trials)
        row = ends.layout()
        assert isinstance(row, QHBoxLayout)
        row.insertWidget(1, trials)
        row.setStretch(2, 1)
        self._form.addRow("Duration (s)", ends)
        self._form.addRow("Animal", self.animal)
        self._form.addRow("Notes", self.notes)
        self._form.addRow("", self.record)
        self._form.addRow("Recordings in", _beside(self.folder, self.folder_button))
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(fields)
        area.setMinimumWidth(300)
        area.setFrameShape(QFrame.Shape.NoFrame)
        heading = QLabel("Set up a session")
        heading.setObjectName("heading")
        left = QVBoxLayout()
        left.setSpacing(10)
        left.addWidget(heading)
        left.addWidget(area, 1)
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, SCROLL_PX, 0)
        below.addStretch(1)
        below.addWidget(self.start)
        left.addLayout(below)
        happens = QLabel("What will happen")
        happens.setObjectName("title")
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addWidget(happens)
        right.addWidget(self.words, 1)
        self._halves = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._halves.setContentsMargins(0, 0, 0, 0)
        self._halves.setSpacing(20)
        self._halves.addLayout(left, 5)
        self._halves.addLayout(right, 6)


def _beside(wide: QWidget, *narrow: QWidget) -> QWidget:
    both = QWidget()
    both.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
    row = QHBoxLayout(both)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    row.addWidget(wide, 1)
    for each in narrow:
        row.addWidget(each)
    return both


def _number(line: QLineEdit, kind: type[Kind]) -> Kind | None:
    """The number in a field; None where it is empty, or there is no number of this kind."""
    try:
        return kind(line.text().strip())
    except ValueError:
        return None
