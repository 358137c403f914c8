"""*Export…*: a stretch of a recording as a table, a film, a strip of moments, or an NWB file of its own.

The dialog runs `rodent-rig export`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from gui.replay.command_dialog import CommandDialog, free_name, in_a_row, small_button
from gui.seen.markers import Extent
from gui.streams.replayed import Replayed
from rig.bus.message_types import TICK_S

TABLE, FILM, STRIP, SIGNALS = "intervals", "video", "strip", "out"
WHAT = {
    TABLE: ("Table of behaviours, stimuli, trials, events", ".csv"),
    FILM: ("Film: the animal, the raster below it", ".mp4"),
    STRIP: ("Strip of moments, the animal from its side", ".jpg"),
    SIGNALS: ("NWB file of chosen signals", ".nwb"),
}
"""What can be written, by the option of the command that says where to; in words, and how the file ends."""
SERIES = ("body", "h_applied", "c_applied", "action", "body,h_applied", "h_natural", "c_natural")
"""Signals that are offered; others are typed."""
LONG_STRIP_S = 5.0
"""Moments that are farther apart than ten in so many seconds show no movement."""


@dataclass(frozen=True)
class Exported:
    """What a dialog begins with.

    Attributes:
        where: the recording.
        extent: of it.
        loop: first and last tick that are played over and over; None: there is no loop.
    """

    where: Replayed
    extent: Extent
    loop: tuple[int, int] | None = None

    @property
    def path(self) -> Path:
        """Its file, or the first of them."""
        return self.where if isinstance(self.where, Path) else self.where[0]


class ExportDialog(CommandDialog):
    """Asks what to export, and does it. `made(path, sentence)` carries what was written.

    Args:
        recording: that is exported.
    """

    made = pyqtSignal(object, str)

    def __init__(self, recording: Exported, parent: QWidget | None = None) -> None:
        super().__init__("Export", "Export", parent)
        self._recording = recording
        self._replaces = ""
        self._make_fields()
        self._arrange()
        self.what.currentIndexChanged.connect(lambda _: self._choose_what())
        self.series.currentTextChanged.connect(lambda _: self.follow_fields())
        for signal in (self.from_s.valueChanged, self.to_s.valueChanged, self.out.textChanged):
            signal.connect(lambda *_: self.follow_fields())
        self._choose_what()

    def words(self) -> list[str]:
        """The command: what stands after `rodent-rig`."""
        recording, kind, out = self._recording, self.what.currentData(), self.out.text().strip()
        words = ["export", str(recording.path)]
        if not isinstance(recording.where, Path) and len(recording.where) > 1:
            words.append("--parts")
        words += [f"--{kind}", out]
        if kind == SIGNALS:
            words += ["--signals", self.series.currentText().strip()]
        if kind == FILM:
            words += ["--speed", f"{self.speed.value():g}"]
        if kind == STRIP:
            words += ["--frames", str(self.frames.value())]
        # of files that are read as one there may be more beside them, which the command finds, too
        whole = isinstance(recording.where, Path)
        if not whole or self.from_s.value() > self.from_s.minimum():
            words += ["--from", f"{self.from_s.value():.2f}"]
        if not whole or self.to_s.value() < self.to_s.maximum():
            words += ["--to", f"{self.to_s.value():.2f}"]
        return [*words, "--overwrite"] if out and out == self._replaces else words

    # --- fields -----------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        extent, loop = self._recording.extent, self._recording.loop
        self.what = QComboBox()
        for key, (words, _) in WHAT.items():
            self.what.addItem(words, key)
        begin_s, end_s = extent.first_tick * TICK_S, (extent.last_tick + 1) * TICK_S
        self.from_s, self.to_s = QDoubleSpinBox(), QDoubleSpinBox()
        for box in (self.from_s, self.to_s):
            box.setRange(begin_s, end_s)
            box.setDecimals(2)
            box.setSuffix(" s")
        self.to_s.setValue(end_s)
        if loop is not None:
            self.from_s.setValue(loop[0] * TICK_S)
            self.to_s.setValue((loop[1] + 1) * TICK_S)
        self.whole = QPushButton("All of it")
        self.whole.setAutoDefault(False)
        self.whole.clicked.connect(lambda: self._take_all())
        self.speed = QDoubleSpinBox()
        self.speed.setRange(0.1, 20.0)
        self.speed.setValue(1.0)
        self.speed.setPrefix("× ")
        self.frames = QSpinBox()
        self.frames.setRange(2, 24)
        self.frames.setValue(10)
        self.series = QComboBox()
        self.series.setEditable(True)
        self.series.addItems(SERIES)
        self.series.setToolTip(
            "Series, groups of their columns, or single columns, such as body,h_applied/policy_2,body/head_z"
        )
        numbers: tuple[QAbstractSpinBox, ...] = (self.from_s, self.to_s, self.speed, self.frames)
        for each in numbers:
            each.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.out = QLineEdit()

    def _arrange(self) -> None:
        self._chooser = small_button("…", self._choose_out)
        self.form.addRow("Recording", QLabel(self._recording.path.name))
        self.form.addRow("What", self.what)
        self.form.addRow("From", in_a_row(self.from_s, QLabel("to"), self.to_s, self.whole))
        self._of_kind: dict[str, QWidget] = {
            FILM: in_a_row(self.speed, QLabel("real time")),
            STRIP: in_a_row(self.frames, QLabel("pictures")),
            SIGNALS: self.series,
        }
        for name, kind in (("Speed", FILM), ("Moments", STRIP), ("Signals", SIGNALS)):
            self.form.addRow(name, self._of_kind[kind])
        self.form.addRow("Save as", in_a_row(self.out, self._chooser))

    def _choose_what(self) -> None:
        """Another kind of file: it has other fields, and another name."""
        kind = self.what.currentData()
        for each, field in self._of_kind.items():
            self.form.setRowVisible(field, each == kind)
        path = self._recording.path
        ending = WHAT[kind][1]
        name = f"{path.stem}-signals" if kind == SIGNALS else path.stem
        self.out.setText(str(free_name(path.with_name(name + ending))))
        self.follow_fields()

    def _choose_out(self) -> None:
        kind = self.what.currentData()
        words, ending = WHAT[kind]
        chosen, _ = QFileDialog.getSaveFileName(
            self, words, self.out.text(), f"{words.partition(':')[0]} (*{ending})"
        )
        if chosen:
            asked = bool(Path(chosen).suffix)  # whether it may be replaced, was asked there
            self._replaces = chosen if asked else ""
            self.out.setText(chosen if asked else f"{chosen}{ending}")
            self.follow_fields()  # also where the name is the same

    def _take_all(self) -> None:
        self.from_s.setValue(self.from_s.minimum())
        self.to_s.setValue(self.to_s.maximum())

    # --- doing it ---------------------------------------------------------------------------------------

    def follow_fields(self) -> None:
        """Says what will be written, or what is missing."""
        if self.making:
            return
        length_s = self.to_s.value() - self.from_s.value()
        kind, trouble = self.what.currentData(), ""
        if length_s < TICK_S / 2:
            trouble = "This stretch ends before it begins."
        elif not self.out.text().strip():
            trouble = "Say what the file is called."
        elif kind == SIGNALS and not self.series.currentText().strip():
            trouble = "Say which signals."
        self.start.setEnabled(not trouble)
        said = f"{length_s:.2f} s of animal time."
        if kind == STRIP and length_s > LONG_STRIP_S:
            said += (
                " Moments so far apart show no movement: choose a shorter stretch, or mark a loop."
            )
        self.say(trouble or said, trouble=bool(trouble))

    def make(self) -> None:
        """Writes the file."""
        if self.making or not self.start.isEnabled():
            return
        out = Path(self.out.text().strip())

        def finished(status: int, said: str, sentence: str) -> None:
            if status == 0:
                self.made.emit(out, said)
                self.accept()
            else:
                self.say(sentence or said or "It could not be written.", trouble=True)

        self.run_for_good(self.words(), finished, "Writing…")

    def follow_making(self) -> None:
        """While a file is written nothing can be changed."""
        for field in (
            *(self.what, self.from_s, self.to_s, self.whole, self.speed, self.frames),
            *(self.series, self.out, self._chooser, self.start),
        ):
            field.setEnabled(not self.making)
