"""The panel in which a replay is annotated: channels with their behaviours and keys, author, undo."""

from __future__ import annotations

from PyQt6.QtCore import QSignalBlocker, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QHideEvent, QIcon, QPixmap, QShowEvent
from PyQt6.QtWidgets import (
    QColorDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
)

from gui.annotate.annotation_document import AnnotationDocument
from gui.look.theme import Theme
from rig.bus.message_types import TICK_S
from rig.errors import UserError

NAME, KEY, AMOUNT = range(3)
_CHANNEL = Qt.ItemDataRole.UserRole
_LABEL = Qt.ItemDataRole.UserRole + 1
SWATCH_PX = 12


class AnnotatePanel(QFrame):
    """Shows a document of annotations and lets its channels be changed.

    `jump_pressed` asks for the next bout (1) or the one before (-1); `agreement_pressed` how two channels
    agree; `author_changed` says who annotates from now on; `shown` whether the panel is to be seen.

    Attributes:
        channel: the channel that keys act on; "" where there is none.
    """

    jump_pressed = pyqtSignal(int)
    agreement_pressed = pyqtSignal()
    author_changed = pyqtSignal(str)
    channel_changed = pyqtSignal(str)
    shown = pyqtSignal(bool)

    def __init__(self, document: AnnotationDocument, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._document = document
        self._theme = theme
        self.channel = ""
        self.author = QLineEdit()
        self.author.setToolTip("Who annotates: it stands beside every bout")
        self.author.setMaxLength(100)
        self.author.editingFinished.connect(lambda: self.author_changed.emit(self.author.text()))
        self.tree = QTreeWidget()
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["Channel, behaviour", "Key", "Bouts"])
        self.tree.setToolTip(
            "Double-click a name or a key to change it. A key begins a bout of its behaviour in the chosen "
            "channel where the replay is, and pressed again ends it"
        )
        self.tree.setRootIsDecorated(False)
        header = self.tree.header()
        assert header is not None
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (KEY, AMOUNT):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(False)
        self.tree.itemChanged.connect(self._edited)
        self.tree.currentItemChanged.connect(lambda item, _: self._chosen(item))
        self.add_channel = self._button(
            "+ Channel", "Another view of the recording: a person, a pass"
        )
        self.add_behaviour = self._button("+ Behaviour", "A behaviour to look for in this channel")
        self.colour = self._button("Colour…", "The colour of this channel")
        self.remove = self._button("Delete", "Delete this channel or behaviour, with its bouts")
        self.undo = self._button("Undo", "Undo the last change (Ctrl Z)")
        self.redo = self._button("Redo", "Do it again (Ctrl Shift Z)")
        self.previous = self._button("◂◂", "To the bout before (page up)")
        self.next = self._button("▸▸", "To the next bout (page down)")
        self.agreement = self._button("Agreement…", "How well two channels agree: kappa, F1")
        self.add_channel.clicked.connect(self._add_channel)
        self.add_behaviour.clicked.connect(self._add_behaviour)
        self.colour.clicked.connect(self._choose_colour)
        self.remove.clicked.connect(self._remove)
        self.undo.clicked.connect(document.stack.undo)
        self.redo.clicked.connect(document.stack.redo)
        self.previous.clicked.connect(lambda: self.jump_pressed.emit(-1))
        self.next.clicked.connect(lambda: self.jump_pressed.emit(1))
        self.agreement.clicked.connect(self.agreement_pressed)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self._arrange()
        document.changed.connect(self.show_document)
        document.stack.indexChanged.connect(lambda _: self._enable())
        self.editable = False
        self.show_document()

    def showEvent(self, event: QShowEvent | None) -> None:
        """It can be seen."""
        super().showEvent(event)
        self.shown.emit(True)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """It cannot be seen any more; in a window that is made an icon it stays what it is."""
        super().hideEvent(event)
        if event is None or not event.spontaneous():
            self.shown.emit(False)

    def set_editable(self, editable: bool, why: str = "") -> None:
        """Whether anything can be changed here, and what to say of it."""
        self.editable = editable
        self.say(why)
        self._enable()

    def say(self, sentence: str, trouble: bool = False) -> None:
        """What has become of the last change."""
        self.state.setObjectName("alarm" if trouble else "muted")
        style = self.state.style()
        if style is not None:
            style.unpolish(self.state)
            style.polish(self.state)
        self.state.setText(sentence)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme

    def show_document(self) -> None:
        """Shows the channels as they are now."""
        chosen = self._place(self.tree.currentItem())
        with QSignalBlocker(self.tree):
            self.tree.clear()
            for channel in self._document.channels:
                top = QTreeWidgetItem(self.tree, [channel.name, "", ""])
                top.setIcon(NAME, _swatch(channel.colour))
                top.setData(NAME, _CHANNEL, channel.name)
                self._let_edit(top)
                content = self._document.content
                assert content is not None
                keys = {each.name: each.key for each in channel.labels}
                for label in content.labels(channel.name):
                    bouts = content.bouts(channel.name, label)
                    amount = f"{len(bouts)}, {(bouts[:, 1] - bouts[:, 0]).sum() * TICK_S:.1f} s"
                    item = QTreeWidgetItem(top, [label, keys.get(label, ""), amount])
                    item.setData(NAME, _CHANNEL, channel.name)
                    item.setData(NAME, _LABEL, label)
                    self._let_edit(item)
            self.tree.expandAll()
            self._choose(*chosen)
        self._chosen(self.tree.currentItem())

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        row = QHBoxLayout()
        row.addWidget(QLabel("Author"))
        row.addWidget(self.author, 1)
        column.addLayout(row)
        column.addWidget(self.tree, 1)
        for buttons in (
            (self.add_channel, self.add_behaviour),
            (self.colour, self.remove, self.agreement),
            (self.undo, self.redo, self.previous, self.next),
        ):
            row = QHBoxLayout()
            row.setSpacing(4)
            for button in buttons:
                row.addWidget(button, 1)
            column.addLayout(row)
        column.addWidget(self.state)

    def _button(self, words: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(words)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QPushButton().sizePolicy())
        return button

    def _let_edit(self, item: QTreeWidgetItem) -> None:
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)

    def _place(self, item: QTreeWidgetItem | None) -> tuple[str, str]:
        if item is None:
            return self.channel, ""
        return str(item.data(NAME, _CHANNEL) or ""), str(item.data(NAME, _LABEL) or "")

    def _choose(self, channel: str, label: str) -> None:
        tops = [self.tree.topLevelItem(k) for k in range(self.tree.topLevelItemCount())]
        found = next((top for top in tops if top is not None and top.text(NAME) == channel), None)
        found = found or next(iter(tops), None)
        if found is None:
            return
        children = [found.child(k) for k in range(found.childCount())]
        own = next(
            (each for each in children if each is not None and each.text(NAME) == label), None
        )
        self.tree.setCurrentItem(own if label and own is not None else found)

    def _chosen(self, item: QTreeWidgetItem | None) -> None:
        channel = self._place(item)[0] if item is not None else ""
        if channel != self.channel:
            self.channel = channel
            self.channel_changed.emit(channel)
        self._enable()

    def _enable(self) -> None:
        stack, own = self._document.stack, bool(self.channel)
        self.add_channel.setEnabled(self.editable)
        for button in (self.add_behaviour, self.colour, self.remove):
            button.setEnabled(self.editable and own)
        self.undo.setEnabled(self.editable and stack.canUndo())
        self.redo.setEnabled(self.editable and stack.canRedo())
        self.undo.setToolTip(
            f"Undo: {stack.undoText()} (Ctrl Z)" if stack.canUndo() else "Undo (Ctrl Z)"
        )
        for button in (self.previous, self.next):
            button.setEnabled(bool(self._document.rows))
        self.agreement.setEnabled(own)
        triggers = QTreeWidget.EditTrigger
        self.tree.setEditTriggers(
            triggers.DoubleClicked | triggers.EditKeyPressed
            if self.editable
            else triggers.NoEditTriggers
        )

    def _edited(self, item: QTreeWidgetItem, column: int) -> None:
        channel, label = self._place(item)
        try:
            if label:
                self._document.change_label(channel, label, item.text(NAME), item.text(KEY).lower())
            else:
                found = self._document.channel(channel)
                colour = found.colour if found is not None else self._theme.accent
                self.channel = item.text(NAME)
                self._document.change_channel(channel, item.text(NAME), colour)
        except UserError as problem:
            self.channel = channel
            self.say(str(problem), trouble=True)
        self.show_document()

    def _add_channel(self) -> None:
        taken = [each.name for each in self._document.channels]
        name = next(
            name
            for name in (f"channel {number}" for number in range(1, len(taken) + 2))
            if name not in taken
        )
        colours = self._theme.groups
        self._document.add_channel(name, colours[len(taken) % len(colours)])
        self._choose(name, "")
        self._edit_current()

    def _add_behaviour(self) -> None:
        found = self._document.channel(self.channel)
        if found is None:
            return
        taken = [each.name for each in found.labels]
        name = next(
            name
            for name in (f"behaviour {number}" for number in range(1, len(taken) + 2))
            if name not in taken
        )
        keys = {each.key for each in found.labels}
        free = next((key for key in "123456789" if key not in keys), "")
        self._document.add_label(self.channel, name, free)
        self._choose(self.channel, name)
        self._edit_current()

    def _edit_current(self) -> None:
        item = self.tree.currentItem()
        if item is not None and self.isVisible():
            self.tree.editItem(item, NAME)

    def _choose_colour(self) -> None:
        found = self._document.channel(self.channel)
        if found is None:
            return
        chosen = QColorDialog.getColor(QColor(found.colour), self, f"Colour of {found.name}")
        if chosen.isValid():
            self._document.change_channel(found.name, found.name, chosen.name())

    def _remove(self) -> None:
        channel, label = self._place(self.tree.currentItem())
        if label:
            self._document.remove_label(channel, label)
        elif channel:
            self._document.remove_channel(channel)


def _swatch(colour: str) -> QIcon:
    picture = QPixmap(SWATCH_PX, SWATCH_PX)
    picture.fill(QColor(colour))
    return QIcon(picture)
