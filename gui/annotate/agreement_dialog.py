"""How well two channels of annotations agree, as a small dialog over `analysis.agreement`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.seen.markers import Extent
from gui.streams.background import Job
from recorder.annotations import Annotations, joined

if TYPE_CHECKING:
    from analysis.agreement import Agreement

DETECTED = "detected"
IOUS = (0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def detected_in(extent: Extent) -> dict[str, NDArray[np.int64]]:
    """(bouts, 2) of each behaviour that the session's own detectors found, looking back, in a recording."""
    open_now: dict[tuple[str, int], int] = {}
    found: dict[str, list[tuple[int, int]]] = {}
    for event in extent.events:
        if event.kind != "behaviour":
            continue
        key = (event.name, event.number)
        if event.phase == "onset":
            open_now[key] = max(event.began_tick, extent.first_tick)
        else:
            begin = open_now.pop(key, extent.first_tick)
            found.setdefault(event.name, []).append((begin, max(event.began_tick, begin)))
    for (name, _), begin in open_now.items():
        found.setdefault(name, []).append((begin, extent.last_tick + 1))
    return {name: joined(intervals) for name, intervals in found.items()}


class AgreementDialog(QDialog):
    """Asks for two channels and shows kappa over ticks and F1 over bouts, of each behaviour and of all.

    Args:
        annotations: of the recording.
        detected: what the session's own detectors found, which counts as a channel.
    """

    def __init__(
        self,
        annotations: Annotations,
        detected: Mapping[str, NDArray[np.int64]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Agreement of two channels")
        self.resize(720, 320)
        self._annotations = annotations
        self._detected = detected
        self._job: Job | None = None
        names = [each.name for each in annotations.channels]
        names += [DETECTED] if DETECTED not in names else []
        self.one, self.other = QComboBox(), QComboBox()
        for box in (self.one, self.other):
            box.addItems(names)
        self.other.setCurrentIndex(min(1, len(names) - 1))
        self.iou = QComboBox()
        for iou in IOUS:
            self.iou.addItem(f"{iou:g}", iou)
        self.iou.setCurrentIndex(IOUS.index(0.5))
        self.iou.setToolTip("Overlap of two bouts, of what they cover together, to go together")
        row = QHBoxLayout()
        for words, widget in (
            ("A", self.one),
            ("B", self.other),
            ("bouts go together from IoU", self.iou),
        ):
            row.addWidget(QLabel(words))
            row.addWidget(widget)
        row.addStretch(1)
        self.table = QTableWidget()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        vertical = self.table.verticalHeader()
        assert vertical is not None
        vertical.hide()
        self.said = QLabel()
        self.said.setObjectName("muted")
        self.said.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        column.addWidget(self.said)
        column.addWidget(buttons)
        for box in (self.one, self.other, self.iou):
            box.currentIndexChanged.connect(lambda _: self._compare())
        self._compare()

    def done(self, result: int) -> None:
        """Closes."""
        if self._job is not None:
            self._job.cancel()
        super().done(result)

    def _compare(self) -> None:
        if self._job is not None:
            self._job.cancel()
        one, other, iou = (
            self.one.currentText(),
            self.other.currentText(),
            float(self.iou.currentData()),
        )

        def work(_: Job) -> object:
            from analysis.agreement import agreement_of_channels

            return agreement_of_channels(self._annotations, one, other, iou, self._detected)

        self._job = Job(work, self)
        self._job.done.connect(self._show)
        self._job.failed.connect(self.said.setText)
        self._job.start()

    def _show(self, found: Agreement) -> None:
        from analysis.agreement import table_of

        titles, *rows = table_of(found)
        self.table.setColumnCount(len(titles))
        self.table.setRowCount(len(rows))
        self.table.setHorizontalHeaderLabels(titles)
        for place, row in enumerate(rows):
            for column, cell in enumerate(row):
                item = QTableWidgetItem(cell)
                if column:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self.table.setItem(place, column, item)
        header = self.table.horizontalHeader()
        assert header is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.said.setText(
            f"Behaviours of the same name. Kappa over {found.n_ticks} ticks; F1 over bouts, of which two "
            f"go together from an overlap of {found.iou:g} on. – where neither has any."
        )
