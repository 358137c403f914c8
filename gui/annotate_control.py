"""Annotating a replay: what keys, panel, rows and file have to do with each other."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from gui.annotate.agreement_dialog import AgreementDialog, detected_in
from gui.annotate.annotation_rows import AnnotationRows, Axis
from gui.annotate.annotation_store import AnnotationStore
from gui.panels import Panels
from gui.replay.overview import Annotated
from gui.seen.markers import Extent, Place
from gui.window_state import WindowState
from recorder.annotations import Annotation, Annotations, Channel, annotations_path
from rig.bus.message_types import Description
from rig.errors import UserError

if TYPE_CHECKING:
    from gui.streams.replayed import Replayed

AUTHOR = "annotations/author"
ANY = "any annotation"
FIRST_CHANNEL = "channel 1"


class AnnotateControl(QObject):
    """Annotates the one recording that a window replays; does nothing while it shows none, or several.

    While the panel is open, the keys of the chosen channel's behaviours are its own: pressed, a bout begins
    where the replay is; pressed again, it ends there.

    Args:
        state: what the window shows.
        panels: the panel, the timeline, and the transport bar.
        parent: of dialogs.

    `tick_chosen` asks to go to a tick.
    """

    tick_chosen = pyqtSignal(int)

    def __init__(self, state: WindowState, panels: Panels, parent: QWidget) -> None:
        super().__init__(parent)
        self._state = state
        self._panels = panels
        self._parent = parent
        self._store: AnnotationStore | None = None
        self._extent: Extent | None = None
        self._begun: dict[tuple[str, str], int] = {}
        self._fresh = True
        self._document = panels.annotations
        self._panel = panels.annotate
        self._panel.author.setText(str(state.settings.value(AUTHOR, _user())))
        self._panel.author_changed.connect(lambda name: state.settings.setValue(AUTHOR, name))
        self._panel.jump_pressed.connect(self.jump)
        self._panel.agreement_pressed.connect(self.show_agreement)
        self._panel.channel_changed.connect(lambda _: self.cancel())
        self.rows = AnnotationRows(self._document, self._axis, lambda: panels.timeline.theme)
        panels.timeline.add_below(self.rows)
        panels.timeline.plots.raster.getViewBox().sigXRangeChanged.connect(
            lambda *_: self.rows.update()
        )
        self.rows.tick_chosen.connect(self.tick_chosen)
        self.rows.drawn.connect(self._add)
        self._document.changed.connect(self._changed)
        self._show_rows()
        self._panel.shown.connect(self._follow_panel)

    # --- which recording --------------------------------------------------------------------------------

    def open(self, replayed: Replayed, extent: Extent, description: Description) -> None:
        """A recording is shown, alone."""
        self.close()
        files = (replayed,) if isinstance(replayed, Path) else replayed
        empty = Annotations(
            extent.session,
            tuple(each.name for each in files),
            extent.first_tick,
            extent.last_tick,
            description.tick_s,
        )
        self._extent = extent
        self._store = AnnotationStore(annotations_path(files[0]), empty, description, self)
        self._store.opened.connect(self._opened)
        self._store.saved.connect(self._saved)
        self._store.failed.connect(lambda sentence: self._panel.say(sentence, trouble=True))
        if self._panel.isVisible():
            self._store.begin()
        else:
            self._store.read()

    def close(self) -> str:
        """It is shown no longer; what was annotated is saved. Where that fails, why; else ""."""
        lost = ""
        if self._store is not None:
            lost = self._store.close()
            self._store = None
        self._extent = None
        self._begun.clear()
        self._panel.set_editable(False, "Open one recording to annotate it.")
        self.rows.editable = False
        self._fresh = True
        self._document.open(None)
        return lost

    def end(self) -> str:
        """The window closes. As `close`."""
        lost = self.close()
        self._follow_panel(False)
        return lost

    @property
    def active(self) -> bool:
        """Whether keys annotate."""
        return self._panel.editable and self._panel.isVisible() and self._state.phase == "replay"

    def _opened(self, content: Annotations, why: str) -> None:
        if self.sender() is not self._store:
            return
        editable = self._panel.isVisible() and not why
        if editable and not content.channels:
            first = Channel(FIRST_CHANNEL, self._panels.timeline.theme.groups[0])
            content = msgspec.structs.replace(content, channels=(first,))
        self._fresh = True
        self._document.open(content)
        self._fresh = False
        self._panel.set_editable(editable)
        self.rows.editable = editable
        assert self._store is not None
        if why:
            self._panel.say(why, trouble=True)
            self._panels.banner.show_sentence("annotations", why)
        elif editable:
            self._panel.say(f"Saved as you go in {self._store.path.name}.")

    def _saved(self, when: str) -> None:
        if self._store is not None:
            self._panel.say(f"Saved {when} in {self._store.path.name}.")

    # --- what keys and buttons do -----------------------------------------------------------------------

    def press(self, key: str) -> bool:
        """Begins or ends a bout of the behaviour that has this key in the chosen channel; says if one has."""
        channel = self._document.channel(self._panel.channel)
        label = (
            next((each for each in channel.labels if each.key == key), None) if channel else None
        )
        if channel is None or label is None:
            return False
        place = (channel.name, label.name)
        begun = self._begun.pop(place, None)
        if begun is None:
            self._begun[place] = self._state.tick
        else:
            self._add(*place, begun, self._state.tick)
        self.show_position()
        return True

    def cancel(self) -> bool:
        """Forgets what was begun; says if anything was."""
        found = bool(self._begun)
        self._begun.clear()
        self.show_position()
        return found

    def show_position(self) -> None:
        """The replay is at another tick."""
        tick = self._state.tick
        self.rows.show_open({place: (first, tick) for place, first in self._begun.items()})

    def jump(self, step: int) -> None:
        """To the next bout (1), or the one before (-1)."""
        row = self._document.neighbour(self._state.tick, step)
        if row is not None:
            self._document.select(row)
            self.tick_chosen.emit(row.start_tick)

    def delete(self) -> None:
        """Deletes the bout that is selected."""
        if self._panel.editable:
            self._document.remove_selected()

    def undo(self) -> None:
        """Takes the last change back."""
        if self._panel.editable:
            self._document.stack.undo()

    def redo(self) -> None:
        """Makes it again."""
        if self._panel.editable:
            self._document.stack.redo()

    def show_agreement(self) -> None:
        """Says how well two channels agree."""
        if self._document.content is None or self._extent is None:
            return
        detected = detected_in(self._extent)
        AgreementDialog(self._document.content, detected, self._parent).exec()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Takes the keys of behaviours before they are shortcuts."""
        if event is None or watched is None:
            return False
        kind = event.type()
        if kind not in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride):
            return False
        assert isinstance(event, QKeyEvent)
        if not self.active or not self._is_ours(watched):
            return False
        escape = event.key() == Qt.Key.Key_Escape and bool(self._begun)
        if not escape and not self._has_key(event):
            return False
        event.accept()
        if kind == QEvent.Type.KeyPress and not event.isAutoRepeat():
            if escape:
                self.cancel()
            else:
                self.press(event.text().lower())
        return True

    def _is_ours(self, watched: QObject) -> bool:
        """Whether a key there is neither part of a text that is being written, nor a dialog's."""
        if not isinstance(watched, QWidget) or QApplication.activeModalWidget() is not None:
            return False
        window = watched.window()
        floating = window.parentWidget() if window is not None else None
        if self._parent.window() not in (window, floating):
            return False
        writing = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox)
        editing = isinstance(watched, QAbstractItemView) and (
            watched.state() == QAbstractItemView.State.EditingState
        )
        return not isinstance(watched, writing) and not editing

    def _has_key(self, event: QKeyEvent) -> bool:
        keys = Qt.KeyboardModifier
        if event.modifiers() & (keys.ControlModifier | keys.AltModifier | keys.MetaModifier):
            return False
        channel = self._document.channel(self._panel.channel)
        text = event.text().lower()
        return bool(text) and any(each.key == text for each in (channel.labels if channel else ()))

    def _follow_panel(self, shown: bool) -> None:
        """The file is taken when the panel opens, and kept until the replay is closed."""
        application = QApplication.instance()
        assert application is not None
        if shown:  # only then: it is asked at every event of the window
            application.installEventFilter(self)
        else:
            application.removeEventFilter(self)
        if shown and self._store is not None and not self._panel.editable:
            self._store.begin()
        if not shown:
            self.cancel()
        self._show_rows()

    def _add(self, channel: str, label: str, first: int, last: int) -> None:
        try:
            self._document.add(channel, label, first, last, self._panel.author.text().strip())
        except UserError as problem:
            self._panel.say(str(problem), trouble=True)

    def _changed(self) -> None:
        content = self._document.content
        if (
            content is not None
            and self._store is not None
            and not self._fresh
            and self._panel.editable
        ):
            self._store.save(content)
        self._begun = {
            (channel, label): first
            for (channel, label), first in self._begun.items()
            if content is not None and label in content.labels(channel)
        }
        self._show_rows()
        found, bars = _places(self._document.rows, self._document.channels)
        self._panels.transport.show_annotations(found, bars)
        self._panels.analyse.show_annotated(
            {name: [place.tick for place in listed] for name, listed in found.items()}
        )

    def _show_rows(self) -> None:
        shown = bool(self._document.rows) or (self._panel.isVisible() and bool(self.rows.names))
        self.rows.setVisible(shown and self._document.content is not None)

    def _axis(self) -> Axis:
        plots = self._panels.timeline.plots
        box = plots.raster.getViewBox()
        shown = box.sceneBoundingRect()
        left, right = (
            self.rows.mapFromGlobal(plots.mapToGlobal(plots.mapFromScene(corner))).x()
            for corner in (shown.topLeft(), shown.topRight())
        )
        first_s, last_s = box.viewRange()[0]
        return Axis(float(left), float(right), float(first_s), float(last_s))


def _places(
    rows: tuple[Annotation, ...], channels: tuple[Channel, ...]
) -> tuple[dict[str, tuple[Place, ...]], list[Annotated]]:
    """Where one may go, and how the overview draws it."""
    colours = {each.name: each.colour for each in channels}
    found: dict[str, list[Place]] = {}
    bars = []
    for each in rows:
        place = Place(each.start_tick, each.stop_tick - 1, each.label)
        found.setdefault(ANY, []).append(place)
        found.setdefault(f"annotated {each.label}", []).append(place)
        words = f"{each.label} (annotated, {each.channel})"
        colour = colours.get(each.channel, "#808080")
        bars.append(Annotated(each.start_tick, each.stop_tick, colour, words))
    return {name: tuple(listed) for name, listed in found.items()}, bars


def _user() -> str:
    """The name of whoever works here; "" where the system has none, as in containers."""
    try:
        import pwd

        entry = pwd.getpwuid(os.getuid())
        return entry.pw_gecos.split(",")[0] or entry.pw_name
    except (ImportError, KeyError):
        pass
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""
