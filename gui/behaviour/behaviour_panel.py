"""What the animal does, in numbers and in pictures: a table of its behaviours, and the bouts of one of them.

Live it counts what this window has seen; in a replay, the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QRectF, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QHideEvent, QIcon, QImage, QPainter, QPixmap, QShowEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QScrollArea,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.behaviour.film_strip import FilmStrip
from gui.behaviour.still_renderer import Assets, Still, StillRenderer
from gui.look.behaviour_style import look_of, paint
from gui.look.labels import ElidedLabel
from gui.look.theme import Theme
from gui.seen.behaviour_counts import BehaviourCounts, BehaviourSummary, counts_of
from gui.seen.bouts import PostureHistory, bouts_of
from gui.seen.markers import Extent
from gui.streams.recorder_watch import clock
from gui.streams.replayed import Replayed
from gui.streams.stream import Batch
from rig.bus.message_types import TICK_S, EngineReply

COUNT_MS = 500
BOUTS_MS = 2000
COLUMNS = (
    ("behaviour", "Click one to see its bouts"),
    ("n", "Bouts"),
    ("/min", "Bouts a minute of animal time"),
    ("mean", "Mean length of the bouts that were seen from beginning to end"),
    (
        "time",
        "Share of the time; behaviours may go on at once, so that shares need not add up to 100",
    ),
)
SWATCH_PX = (18, 12)
LEAST_PX = 330


class BehaviourPanel(QFrame):
    """The dock. `tick_chosen`: a picture of the film strip was clicked.

    Args:
        theme: how it looks.
        assets: gives the files that arenas are compiled from.
    """

    tick_chosen = pyqtSignal(int)

    def __init__(
        self, theme: Theme, assets: Callable[[], Assets | None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setMinimumWidth(LEAST_PX)
        self._theme = theme
        self._counts = BehaviourCounts()
        self._postures = PostureHistory()
        self._recording: tuple[Replayed, Extent] | None = None
        self._chosen = ""
        self._dirty = False
        self.seen = ElidedLabel("Nothing seen yet.")
        self.seen.setObjectName("muted")
        self.table = QTableWidget(0, len(COLUMNS))
        self._lay_table_out()
        self.title = ElidedLabel("Click a behaviour to see its bouts.")
        self.progress = QLabel()
        self.progress.setObjectName("muted")
        self.cancel = QToolButton()
        self.cancel.setObjectName("small")
        self.cancel.setText("Stop")
        self.cancel.setToolTip("Make no more pictures")
        self.cancel.hide()
        self.strip = FilmStrip(theme)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.strip)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.progress)
        head.addWidget(self.cancel)
        below = QWidget()
        lower = QVBoxLayout(below)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.addLayout(head)
        lower.addWidget(scroll, 1)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(self.table)
        parts.addWidget(below)
        parts.setStretchFactor(0, 2)
        parts.setStretchFactor(1, 3)
        parts.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.seen)
        column.addWidget(parts, 1)
        self.stills = StillRenderer(assets)
        self.stills.drawn.connect(self._take_picture)
        self.stills.done.connect(self._show_progress)
        self.stills.failed.connect(self.title.set_full_text)
        self.cancel.clicked.connect(self._stop)
        self.strip.tick_chosen.connect(self.tick_chosen)
        self.table.cellClicked.connect(self._click)
        self._count_timer = QTimer(self)
        self._count_timer.timeout.connect(self.refresh)
        self._bouts_timer = QTimer(self)
        self._bouts_timer.timeout.connect(
            # behind another tab nothing of it is seen, though Qt calls it visible
            lambda: None if self.visibleRegion().isEmpty() else self._follow_bouts()
        )

    @property
    def chosen(self) -> str:
        """The behaviour whose bouts are shown; "": none."""
        return self._chosen

    def show_recording(self, recording: Replayed | None, extent: Extent | None) -> None:
        """A recording is shown, of which all is known; None: a session, which is followed."""
        self._recording = None if recording is None or extent is None else (recording, extent)
        self._counts = BehaviourCounts() if extent is None else counts_of(extent)
        self._postures = PostureHistory()
        self._give_up_bouts()
        self._dirty = True

    def take(self, batch: Batch) -> None:
        """Takes in a batch of a session; of a recording all is known already."""
        if self._recording is not None:
            return
        if batch.description is not None:
            self.show_recording(None, None)
        if batch.ticks:
            self._counts.see(batch.ticks[0].tick, batch.ticks[-1].tick)
        for message in batch.answers:
            if isinstance(message.content, EngineReply):
                self._counts.add(message.content.events)
        self._postures.add(batch.episodes, batch.ticks, batch.answers)
        self._dirty = self._dirty or bool(batch.ticks)

    def clear(self) -> None:
        """What comes next does not follow what was shown."""
        self._postures.forget_ticks()

    def choose(self, name: str) -> None:
        """Shows the bouts of a behaviour, and begins to make their pictures."""
        if name != self._chosen:
            self.strip.forget()
        self._chosen = name
        self._select()
        self._follow_bouts(again=True)

    def refresh(self) -> None:
        """Writes the table anew if there is something new."""
        if not self._dirty:
            return
        self._dirty = False
        counts = self._counts
        if counts.first_tick < 0:
            self.seen.set_full_text("Nothing seen yet.")
        elif self._recording is not None:
            self.seen.set_full_text(f"In the whole recording, {clock(counts.seen_s)}")
        else:
            since = clock(counts.first_tick * TICK_S)
            self.seen.set_full_text(f"Seen since {since}: {clock(counts.seen_s)} of animal time")
        self._fill(counts.summaries())

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.strip.set_theme(theme)
        for row in range(self.table.rowCount()):
            item = self.table.item(row, 0)
            if item is not None:
                item.setIcon(self._swatch(str(item.data(Qt.ItemDataRole.UserRole))))

    def close_renderer(self) -> None:
        """Ends the thread that makes pictures."""
        self._count_timer.stop()
        self._bouts_timer.stop()
        self.stills.close()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Begins to count on the screen, and to make pictures of the chosen behaviour."""
        self._dirty = True
        self.refresh()
        self._follow_bouts(again=True)
        self._count_timer.start(COUNT_MS)
        self._bouts_timer.start(BOUTS_MS)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Hidden, it makes no pictures."""
        self._count_timer.stop()
        self._bouts_timer.stop()
        self._stop()

    def _fill(self, summaries: list[BehaviourSummary]) -> None:
        table = self.table
        table.setSortingEnabled(False)
        table.setRowCount(len(summaries))
        for row, each in enumerate(summaries):
            name = table.item(row, 0)
            if name is None or name.data(Qt.ItemDataRole.UserRole) != each.name:
                name = QTableWidgetItem(self._swatch(each.name), each.name.replace("_", " "))
                name.setData(Qt.ItemDataRole.UserRole, each.name)
                table.setItem(row, 0, name)
            values = (each.count, each.per_minute, each.mean_s, 100.0 * each.share)
            for column, (value, form) in enumerate(zip(values, _FORMS, strict=True), start=1):
                item = table.item(row, column)
                if not isinstance(item, _Number):
                    item = _Number()
                    table.setItem(row, column, item)
                item.show_value(value, form)
        table.setSortingEnabled(True)
        header = table.horizontalHeader()
        if header is not None:
            header.setSortIndicatorShown(False)  # there is no room for it
        self._select()

    def _select(self) -> None:
        for row in range(self.table.rowCount()):
            item = self.table.item(row, 0)
            if item is not None and item.data(Qt.ItemDataRole.UserRole) == self._chosen:
                self.table.selectRow(row)
                return
        self.table.clearSelection()

    def _click(self, row: int, _column: int) -> None:
        item = self.table.item(row, 0)
        if item is not None:
            self.choose(str(item.data(Qt.ItemDataRole.UserRole)))

    def _give_up_bouts(self) -> None:
        self._chosen = ""
        self.stills.cancel()
        self.strip.forget()
        self.title.set_full_text("Click a behaviour to see its bouts.")
        self._show_progress()

    def _follow_bouts(self, again: bool = False) -> None:
        """Shows the newest bouts if there are others, and asks for the pictures that they have not.

        `again`: also if there are no others.
        """
        if not self._chosen or not self.isVisible():
            return
        if self._recording is not None:
            path, extent = self._recording
            bouts = bouts_of(extent, self._chosen)
        else:
            path, bouts = None, self._postures.bouts(self._chosen)
        name = self._chosen.replace("_", " ")
        if not again and bouts == list(self.strip.bouts):
            return
        words = f"{name}: the newest {len(bouts)}" if bouts else f"{name}: no bout is over yet"
        self.title.set_full_text(words)
        self.strip.show_bouts(bouts)
        stills = [
            Still(
                (bout.name, bout.number, place),
                bout.ticks[place],
                bout.postures[place] if bout.postures else None,
            )
            for bout, place in self.strip.missing()
        ]
        self.stills.ask(stills, path)
        self._show_progress()

    def _stop(self) -> None:
        self.stills.cancel()
        self.progress.setText("")
        self.cancel.hide()

    def _take_picture(self, key: tuple[str, int, int], image: QImage) -> None:
        self.strip.show_picture(key, image)
        self._show_progress()

    def _show_progress(self) -> None:
        total, left = 3 * len(self.strip.bouts), self.stills.n_left
        self.progress.setText(f"{total - left} of {total}" if left else "")
        self.cancel.setVisible(left > 0)

    def _swatch(self, name: str) -> QIcon:
        ratio = self.devicePixelRatioF()
        width, height = SWATCH_PX
        picture = QPixmap(round(width * ratio), round(height * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(0, 0, 0, 0))
        painter = QPainter(picture)
        paint(painter, QRectF(1, 1, width - 2, height - 2), look_of(self._theme, name))
        painter.end()
        return QIcon(picture)

    def _lay_table_out(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels([words for words, _ in COLUMNS])
        for column, (_, meaning) in enumerate(COLUMNS):
            item = table.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(meaning)
        header, rows = table.horizontalHeader(), table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(COLUMNS)):
            texts = (COLUMNS[column][0], _WIDEST[column - 1])
            wide = max(table.fontMetrics().horizontalAdvance(each) for each in texts)
            table.setColumnWidth(column, wide + 14)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        first = table.horizontalHeaderItem(0)
        if first is not None:
            first.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows.hide()
        rows.setDefaultSectionSize(22)
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setMinimumHeight(110)
        table.sortByColumn(1, Qt.SortOrder.DescendingOrder)


_FORMS = ("{:d}", "{:.1f}", "{:.2f} s", "{:.0f} %")
_WIDEST = ("000", "000.0", "00.00 s", "100 %")


class _Number(QTableWidgetItem):
    """A number, which sorts as one."""

    def __init__(self) -> None:
        super().__init__()
        self._value = float("-inf")
        self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def show_value(self, value: float | None, form: str) -> None:
        """Shows this; None: a dash."""
        self._value = float("-inf") if value is None else float(value)
        self.setText("–" if value is None else form.format(value))

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return isinstance(other, _Number) and self._value < other._value
