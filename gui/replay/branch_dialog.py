"""*Branch from here…*: at which tick a recorded session is left, for what, and how long the branch is.

The dialog runs `rodent-rig branch`: first as a dry run, whose sentence it shows before anything is made, then
for good, with its progress.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from gui.look.time_axis import axis_time
from gui.replay.command_dialog import CommandDialog, free_name, in_a_row, small_button
from gui.seen.markers import Extent
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


class BranchDialog(CommandDialog):
    """Asks what a branch is, and makes it. `made(path, tick)` carries the new recording.

    Args:
        recording: that is left.
        selection: units that may be clamped in the branch.
    """

    made = pyqtSignal(object, int)

    def __init__(
        self, recording: Branched, selection: UnitSelection, parent: QWidget | None = None
    ) -> None:
        super().__init__("Branch from here", "Branch", parent)
        self._recording = recording
        self._selection = selection
        self._checked: list[str] | None = None
        self._replaces = ""
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
            signal.connect(lambda *_: self.follow_fields())
        selection.changed.connect(self.follow_fields)
        self.follow_fields()

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
            words += ["--last", f"{self.last_s.value():.2f}"]
        out = self.out.text().strip()
        words += ["--out", out]
        return [*words, "--overwrite"] if out and out == self._replaces else words

    def give_up(self) -> None:
        """Ends what is looked at or made, and waits until it has tidied up."""
        self._timer.stop()
        super().give_up()

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
        self.out = QLineEdit(str(free_name(recording.path.with_name(name))))

    def _arrange(self) -> None:
        form = self.form
        form.addRow("Recording", QLabel(self._recording.path.name))
        form.addRow("At tick", in_a_row(self.tick, self.when))
        self._choosers = (
            small_button("…", self._choose_protocol),
            small_button("…", self._choose_out),
        )
        form.addRow("Goes on with", in_a_row(self.protocol, self._choosers[0]))
        form.addRow("Taken away", in_a_row(self.without))
        form.addRow(
            "Added",
            in_a_row(
                self.added, QLabel("to"), self.value, QLabel("for"), self.for_ms, QLabel("ms")
            ),
        )
        form.addRow("Lasts", in_a_row(self.last_s))
        form.addRow("Save as", in_a_row(self.out, self._choosers[1]))

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
            asked = bool(Path(chosen).suffix)  # whether it may be replaced, was asked there
            self._replaces = chosen if asked else ""
            self.out.setText(chosen if asked else f"{chosen}.nwb")
            self.follow_fields()  # also where the name is the same

    @property
    def _units(self) -> tuple[int, ...]:
        """The selected units that this recording has: another one may be shown by now."""
        n_units = sum(layer.n_units for layer in self._recording.description.layers)
        return tuple(unit for unit in self._selection.units if unit < n_units)

    @property
    def _changes(self) -> bool:
        """Whether the branch is anything else than what was recorded."""
        chosen = self.protocol.text().strip(), self.without.currentData()
        return any(chosen) or self.added.isChecked()

    def _stimulus(self) -> dict[str, object]:
        """A clamp of the selected units, as the bus has it."""
        names = unit_names(self._recording.description)
        by_layer: dict[str, list[int]] = {}
        for unit in self._units:
            layer, _, number = names[unit].partition("/")
            by_layer.setdefault(layer, []).append(int(number))
        parts = [
            {"layer": layer, "units": sorted(units), "state": "cell", "value": self.value.value()}
            for layer, units in by_layer.items()
        ]
        return {"parts": parts, "for_ms": self.for_ms.value()}

    # --- what is possible, and doing it -------------------------------------------------------------------

    def follow_fields(self) -> None:
        """Says what the branch would be, as soon as that has been looked at."""
        if self.making:
            return  # the units that are selected may be others meanwhile
        n = len(self._units)
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
        self.say("Looking whether it can be made…")
        self._timer.start()

    def _check(self) -> None:
        words = self.words()
        process = self.run([*words, "--dry-run"])
        process.ended.connect(
            lambda status, said, sentence: self._judged(words, status, said, sentence)
        )
        self.bar.setRange(0, 0)

    def _judged(self, words: Sequence[str], status: int, said: str, sentence: str) -> None:
        self.bar.setRange(0, 1000)
        self.bar.setValue(0)
        if list(words) != self.words():
            return  # the fields say something else by now, which is looked at next
        if status == 0:
            self._checked = list(words)
            self.say(said if self._changes else f"{said}\n{UNCHANGED}")
        else:
            self.say(sentence or said, trouble=True)
        self.start.setEnabled(status == 0)

    def make(self) -> None:
        """Makes the branch that was looked at."""
        if self._checked is None or self.making:
            return
        if self._checked != self.words():
            self.follow_fields()
            return
        tick, out = self.tick.value(), Path(self.out.text().strip())

        def finished(status: int, said: str, sentence: str) -> None:
            if status == 0:
                self.made.emit(Path(said.splitlines()[-1]) if said else out, tick)
                self.accept()
            else:
                self.say(sentence or said or "It could not be made.", trouble=True)

        self.run_for_good(self._checked, finished, "Making the branch…")

    def follow_making(self) -> None:
        """While a branch is made nothing can be changed."""
        for field in (
            *(self.tick, self.protocol, self.without, self.last_s, self.out),
            *self._choosers,
        ):
            field.setEnabled(not self.making)
        self.added.setEnabled(not self.making and bool(self._units))
        for box in (self.value, self.for_ms):
            box.setEnabled(not self.making and self.added.isChecked())
        self.start.setEnabled(not self.making and self._checked is not None)
