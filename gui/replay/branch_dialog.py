"""*Branch from here…*: at which tick a recorded session is left, for what, and how long the branch is.

The dialog runs `rodent-rig branch`: first as a dry run, whose sentence it shows before anything is made, then
for good, with its progress.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.look.labels import restyle
from gui.look.time_axis import axis_time
from gui.seen.markers import Extent
from gui.streams.command_process import CommandProcess
from gui.timeline.selection import UnitSelection
from recorder.schema import unit_names
from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import TICK_S, Description
from rig.bus.stimulus_request import LARGEST

CHECK_AFTER_MS = 500
NOTHING = "nothing"
OWN = "the session's own"
UNCHANGED = "Nothing is taken away or added: the branch will be the session once more."


@dataclass(frozen=True)
class Branched:
    """What a dialog begins with: a recording, its description, and the tick (its own) at which it stands."""

    path: Path
    extent: Extent
    description: Description
    tick: int


class BranchDialog(QDialog):
    """Asks what a branch is, and makes it. `made(path, tick)` carries the new recording.

    Args:
        recording: that is left.
        selection: units that may be clamped in the branch.
    """

    made = pyqtSignal(object, int)

    def __init__(
        self, recording: Branched, selection: UnitSelection, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Branch from here")
        self.setMinimumWidth(560)
        self._recording = recording
        self._selection = selection
        self._process: CommandProcess | None = None
        self._making = False
        self._checked: list[str] | None = None
        self._make_fields()
        self._arrange()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(CHECK_AFTER_MS)
        self._timer.timeout.connect(self._check)
        for signal in (
            self.tick.valueChanged,
            self.protocol.textChanged,
            self.without.currentIndexChanged,
            self.added.toggled,
            self.value.valueChanged,
            self.for_ms.valueChanged,
            self.last_s.valueChanged,
            self.out.textChanged,
        ):
            signal.connect(lambda *_: self._changed())
        selection.changed.connect(self._changed)
        self._changed()

    def words(self) -> list[str]:
        """The command: what stands after `rodent-rig`."""
        words = ["branch", str(self._recording.path), "--at-tick", str(self.tick.value())]
        if self.protocol.text().strip():
            words += ["--protocol", self.protocol.text().strip()]
        if self.without.currentData():
            words += ["--without", str(self.without.currentData())]
        if self.added.isChecked():
            words += ["--add", json.dumps(self._stimulus())]
        if self.last_s.value() > 0:
            words += ["--last", f"{self.last_s.value():g}"]
        return [*words, "--out", self.out.text().strip()]

    def closeEvent(self, event: Any) -> None:
        """What is being made is given up."""
        self._stop()
        super().closeEvent(event)

    def reject(self) -> None:
        """Closes, and gives up what is being made."""
        self._stop()
        super().reject()

    # --- fields -----------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        recording = self._recording
        extent, tick = recording.extent, recording.tick
        self.tick = QSpinBox()
        self.tick.setRange(max(extent.first_tick, 0), extent.last_tick)
        self.tick.setValue(tick)
        self.when = QLabel()
        self.when.setObjectName("muted")
        self.protocol = QLineEdit()
        self.protocol.setPlaceholderText(OWN)
        self.protocol.setToolTip("A protocol's name or file; empty: what the session ran under")
        self.without = QComboBox()
        self.without.addItem(NOTHING, "")
        for name in recording.description.stimuli:
            if name != OUTSIDE:
                self.without.addItem(name, name)
        self.without.setToolTip("From here on this stimulus is a sham: drawn, timed, not delivered")
        self.added = QCheckBox()
        self.value = QDoubleSpinBox()
        self.value.setRange(-LARGEST, LARGEST)
        self.value.setDecimals(3)
        self.for_ms = QSpinBox()
        self.for_ms.setRange(20, 600_000)
        self.for_ms.setSingleStep(20)
        self.for_ms.setValue(500)
        self.last_s = QDoubleSpinBox()
        self.last_s.setRange(0.0, 1e5)
        self.last_s.setDecimals(2)
        self.last_s.setSpecialValueText("to the recording's end")
        self.last_s.setSuffix(" s after the branching")
        for box in (self.tick, self.value, self.for_ms, self.last_s):
            box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        name = f"{recording.path.stem}-branch-{tick}.nwb"
        self.out = QLineEdit(str(_free(recording.path.with_name(name))))
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setMinimumHeight(self.said.fontMetrics().height() * 3)
        self.said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.start = QPushButton("Branch")
        self.start.setDefault(True)
        self.start.setProperty("primary", True)
        self.start.clicked.connect(self._make)
        self.stop = QPushButton("Close")
        self.stop.clicked.connect(self._cancel)

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setSpacing(8)
        form.addRow("Recording", QLabel(self._recording.path.name))
        form.addRow("At tick", _row(self.tick, self.when))
        self._choosers = (
            _button("…", self._choose_protocol),
            _button("…", self._choose_out),
        )
        form.addRow("Goes on with", _row(self.protocol, self._choosers[0]))
        form.addRow("Taken away", _row(self.without))
        form.addRow(
            "Added",
            _row(self.added, QLabel("to"), self.value, QLabel("for"), self.for_ms, QLabel("ms")),
        )
        form.addRow("Lasts", _row(self.last_s))
        form.addRow("Save as", _row(self.out, self._choosers[1]))
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.stop)
        buttons.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addLayout(form)
        column.addWidget(self.said)
        column.addWidget(self.bar)
        column.addLayout(buttons)

    def _choose_protocol(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Protocol of the branch", "", "Protocols (*.yaml *.yml)"
        )
        if chosen:
            self.protocol.setText(chosen)

    def _choose_out(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Recording of the branch", self.out.text(), "Recordings (*.nwb)"
        )
        if chosen:
            self.out.setText(chosen)

    @property
    def _changes(self) -> bool:
        """Whether the branch is anything else than what was recorded."""
        chosen = self.protocol.text().strip(), self.without.currentData()
        return any(chosen) or self.added.isChecked()

    def _stimulus(self) -> dict[str, object]:
        """A clamp of the selected units, as the bus has it."""
        names = unit_names(self._recording.description)
        by_layer: dict[str, list[int]] = {}
        for unit in self._selection.units:
            layer, _, number = names[unit].partition("/")
            by_layer.setdefault(layer, []).append(int(number))
        parts = [
            {"layer": layer, "units": sorted(units), "state": "cell", "value": self.value.value()}
            for layer, units in by_layer.items()
        ]
        return {"parts": parts, "for_ms": self.for_ms.value()}

    # --- what is possible, and doing it -------------------------------------------------------------------

    def _changed(self) -> None:
        n = len(self._selection.units)
        self.added.setText(f"clamp the {n} selected units" if n != 1 else "clamp the selected unit")
        self.added.setMinimumWidth(self.added.sizeHint().width() + 8)
        self.added.setEnabled(n > 0)
        self.added.setToolTip("" if n else "Select units in the raster first")
        if not n:
            self.added.setChecked(False)
        for box in (self.value, self.for_ms):
            box.setEnabled(self.added.isChecked())
        self.when.setText(axis_time(self.tick.value() * TICK_S, TICK_S))
        self._checked = None
        self.start.setEnabled(False)
        if not self._making:
            self._say("Looking whether it can be made…")
            self._timer.start()

    def _check(self) -> None:
        self._drop()
        words = self.words()
        process = self._run([*words, "--dry-run"])
        process.ended.connect(
            lambda status, said, sentence: self._judged(words, status, said, sentence)
        )
        self.bar.setRange(0, 0)

    def _judged(self, words: Sequence[str], status: int, said: str, sentence: str) -> None:
        self.bar.setRange(0, 1000)
        self.bar.setValue(0)
        if status == 0:
            self._checked = list(words)
            self._say(said if self._changes else f"{said}\n{UNCHANGED}")
        else:
            self._say(sentence or said, trouble=True)
        self.start.setEnabled(status == 0)

    def _make(self) -> None:
        if self._checked is None or self._making:
            return
        self._making = True
        self._enable()
        self._say("Making the branch…")
        tick, out = self.tick.value(), Path(self.out.text().strip())
        process = self._run([*self._checked, "--progress"])
        process.progress.connect(lambda share: self.bar.setValue(round(1000 * share)))
        process.ended.connect(
            lambda status, said, sentence: self._finished(tick, out, status, said, sentence)
        )

    def _finished(self, tick: int, out: Path, status: int, said: str, sentence: str) -> None:
        self._making = False
        self._enable()
        self.bar.setValue(0)
        if status == 0:
            path = Path(said.splitlines()[-1]) if said else out
            self.made.emit(path, tick)
            self.accept()
        else:
            self._say(sentence or said or "It could not be made.", trouble=True)

    def _cancel(self) -> None:
        if not self._making:
            self.reject()
            return
        self._drop()
        self._making = False
        self._enable()
        self.bar.setValue(0)
        self._changed()

    def _run(self, words: Sequence[str]) -> CommandProcess:
        self._process = CommandProcess(words, self)
        self._process.start()
        return self._process

    def _drop(self) -> None:
        if self._process is not None:
            self._process.cancel()
            self._process = None

    def _stop(self) -> None:
        self._timer.stop()
        process = self._process
        self._drop()
        if process is not None:
            process.wait()
        self._making = False

    def _enable(self) -> None:
        for field in (
            *(self.tick, self.protocol, self.without, self.last_s, self.out),
            *self._choosers,
        ):
            field.setEnabled(not self._making)
        self.added.setEnabled(not self._making and bool(self._selection.units))
        for box in (self.value, self.for_ms):
            box.setEnabled(not self._making and self.added.isChecked())
        self.start.setEnabled(not self._making and self._checked is not None)
        self.stop.setText("Cancel" if self._making else "Close")

    def _say(self, sentence: str, trouble: bool = False) -> None:
        self.said.setObjectName("alarm" if trouble else "muted")
        restyle(self.said, trouble=trouble)
        self.said.setText(sentence)


def _free(path: Path) -> Path:
    """This path, or one with a number behind its name where there is such a file."""
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _row(*widgets: QWidget) -> QWidget:
    whole = QWidget()
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget, 1 if isinstance(widget, QLineEdit) else 0)
    if not any(isinstance(widget, QLineEdit) for widget in widgets):
        row.addStretch(1)
    return whole


def _button(words: str, does: Any) -> QToolButton:
    button = QToolButton()
    button.setText(words)
    button.clicked.connect(does)
    return button
