"""The annotations of the recording that is shown, as they are changed: each change can be undone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QUndoCommand, QUndoStack

from recorder.annotations import Annotation, Annotations, Channel, Label
from rig.clock import now
from rig.errors import UserError

LONGEST_NAME = 60


class AnnotationDocument(QObject):
    """What people saw in a recording, with the changes that led to it.

    Its methods do nothing while it is empty, and raise `UserError` with a sentence for what cannot be.
    Bouts of one behaviour in one channel never overlap: one that is added joins those that it touches.

    Attributes:
        content: everything; None where nothing is open.
        stack: undo and redo.
        selected: the bout that is selected; None: none.
    """

    changed = pyqtSignal()
    selection_changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.content: Annotations | None = None
        self.stack = QUndoStack(self)
        self.selected: Annotation | None = None

    def open(self, content: Annotations | None) -> None:
        """Other annotations, of which nothing can be undone; None: there are none."""
        self.stack.clear()
        self._set(content)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """In the order in which they are shown."""
        return self.content.channels if self.content is not None else ()

    @property
    def rows(self) -> tuple[Annotation, ...]:
        """All bouts, in order of time."""
        return self.content.rows if self.content is not None else ()

    def channel(self, name: str) -> Channel | None:
        """A channel by its name."""
        return next((each for each in self.channels if each.name == name), None)

    def select(self, row: Annotation | None) -> None:
        """Selects a bout, or none."""
        if row != self.selected:
            self.selected = row
            self.selection_changed.emit()

    # --- bouts ----------------------------------------------------------------------------------------

    def add(self, channel: str, label: str, first: int, last: int, author: str) -> None:
        """A bout more.

        Args:
            channel, label: where and of what.
            first, last: its ticks, both included, in any order; cut to the recording's.
            author: who saw it.
        """
        content = self.content
        if content is None:
            return
        first, last = min(first, last), max(first, last)
        start = max(first, content.first_tick)
        stop = min(last, content.last_tick) + 1
        if stop <= start:
            return
        kept = []
        for each in content.rows:
            own = (each.channel, each.label) == (channel, label)
            if own and each.start_tick <= stop and start <= each.stop_tick:
                start, stop = min(start, each.start_tick), max(stop, each.stop_tick)
            else:
                kept.append(each)
        created = now().isoformat(timespec="seconds")
        row = Annotation(start, stop, channel, label, author, created)
        self._do(f"add {label}", rows=tuple(sorted([*kept, row])))
        self.select(row)

    def move_edges(self, row: Annotation, start: int, stop: int) -> None:
        """Lets a bout begin or end elsewhere, up to its neighbours of the same kind."""
        content = self.content
        if content is None or row not in content.rows:
            return
        low, high = self.room(row)
        start, stop = max(start, low), min(stop, high)
        if stop <= start or (start, stop) == (row.start_tick, row.stop_tick):
            return
        moved = msgspec.structs.replace(row, start_tick=start, stop_tick=stop)
        rows = sorted(moved if each == row else each for each in content.rows)
        self._do(f"move an edge of {row.label}", rows=tuple(rows))
        self.select(moved)

    def room(self, row: Annotation) -> tuple[int, int]:
        """How early a bout may begin, and how late it may end."""
        assert self.content is not None
        low, high = self.content.first_tick, self.content.last_tick + 1
        for each in self.rows:
            if each != row and (each.channel, each.label) == (row.channel, row.label):
                if each.stop_tick <= row.start_tick:
                    low = max(low, each.stop_tick)
                elif each.start_tick >= row.stop_tick:
                    high = min(high, each.start_tick)
        return low, high

    def remove_selected(self) -> None:
        """Deletes the bout that is selected."""
        row = self.selected
        if self.content is not None and row in self.rows:
            assert row is not None
            self._do(f"delete {row.label}", rows=tuple(each for each in self.rows if each != row))

    def neighbour(self, tick: int, step: int) -> Annotation | None:
        """The bout that begins next after a tick (1), or last before it (-1)."""
        if step > 0:
            return next((each for each in self.rows if each.start_tick > tick), None)
        return next((each for each in reversed(self.rows) if each.start_tick < tick), None)

    # --- channels and their behaviours ------------------------------------------------------------------

    def add_channel(self, name: str, colour: str) -> None:
        """A channel more, with the behaviours of the last one: a second person looks for the same."""
        name = self._new_name(name, [each.name for each in self.channels], "channel")
        labels = self.channels[-1].labels if self.channels else ()
        self._do(f"add channel {name}", channels=(*self.channels, Channel(name, colour, labels)))

    def change_channel(self, name: str, new_name: str, colour: str) -> None:
        """Another name or colour of a channel."""
        if new_name != name:
            new_name = self._new_name(new_name, [each.name for each in self.channels], "channel")
        self._replace(
            f"change channel {name}",
            name,
            lambda each: msgspec.structs.replace(each, name=new_name, colour=colour),
            lambda row: msgspec.structs.replace(row, channel=new_name),
        )

    def remove_channel(self, name: str) -> None:
        """A channel less, and what is in it."""
        self._do(
            f"delete channel {name}",
            channels=tuple(each for each in self.channels if each.name != name),
            rows=tuple(each for each in self.rows if each.channel != name),
        )

    def add_label(self, channel: str, name: str, key: str = "") -> None:
        """A behaviour more in a channel."""
        found = self.channel(channel)
        if found is None:
            return
        name = self._new_name(name, [each.name for each in found.labels], "behaviour")
        self._check_key(found, key)
        self._replace(
            f"add behaviour {name}",
            channel,
            lambda each: msgspec.structs.replace(each, labels=(*each.labels, Label(name, key))),
        )

    def change_label(self, channel: str, name: str, new_name: str, key: str) -> None:
        """Another name or key of a behaviour in a channel."""
        found = self.channel(channel)
        if found is None:
            return
        others = [each for each in found.labels if each.name != name]
        if new_name != name:
            new_name = self._new_name(new_name, [each.name for each in others], "behaviour")
        self._check_key(msgspec.structs.replace(found, labels=tuple(others)), key)
        self._replace(
            f"change behaviour {name}",
            channel,
            lambda each: msgspec.structs.replace(
                each,
                labels=tuple(
                    Label(new_name, key) if label.name == name else label for label in each.labels
                ),
            ),
            lambda row: msgspec.structs.replace(row, label=new_name) if row.label == name else row,
        )

    def remove_label(self, channel: str, name: str) -> None:
        """A behaviour less in a channel, and its bouts."""
        self._replace(
            f"delete behaviour {name}",
            channel,
            lambda each: msgspec.structs.replace(
                each, labels=tuple(label for label in each.labels if label.name != name)
            ),
            lambda row: None if row.label == name else row,
        )

    # --- inside -----------------------------------------------------------------------------------------

    def _replace(
        self,
        words: str,
        channel: str,
        change: Callable[[Channel], Channel],
        change_row: Callable[[Annotation], Annotation | None] = lambda row: row,
    ) -> None:
        channels = tuple(change(each) if each.name == channel else each for each in self.channels)
        rows = (change_row(each) if each.channel == channel else each for each in self.rows)
        self._do(words, channels=channels, rows=tuple(sorted(each for each in rows if each)))

    def _new_name(self, name: str, taken: list[str], what: str) -> str:
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise UserError(f"A {what} has a name of 1 to {LONGEST_NAME} characters.")
        if name in taken:
            raise UserError(f"There is a {what} {name!r} already.")
        return name

    def _check_key(self, channel: Channel, key: str) -> None:
        if key and not (len(key) == 1 and key.isalnum() and key == key.lower()):
            raise UserError("The key of a behaviour is one letter or digit.")
        other = next((each for each in channel.labels if key and each.key == key), None)
        if other is not None:
            raise UserError(f"The key {key} is that of {other.name!r} in {channel.name!r} already.")

    def _do(self, words: str, **changes: object) -> None:
        if self.content is not None:
            after = msgspec.structs.replace(self.content, **changes)
            self.stack.push(_Change(self._set, self.content, after, words))

    def _set(self, content: Annotations | None) -> None:
        self.content = content
        self.changed.emit()
        if self.selected is not None and self.selected not in self.rows:
            self.select(None)


class _Change(QUndoCommand):
    """From one state of all annotations to another."""

    def __init__(
        self,
        show: Callable[[Annotations], None],
        before: Annotations,
        after: Annotations,
        words: str,
    ) -> None:
        super().__init__(words)
        self._show, self._before, self._after = show, before, after

    def redo(self) -> None:
        """As Qt asks."""
        self._show(self._after)

    def undo(self) -> None:
        """As Qt asks."""
        self._show(self._before)
