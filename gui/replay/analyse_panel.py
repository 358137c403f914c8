"""*Analyse*: what is asked of the recording that is open, computed beside the window, as a plot."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.annotate.agreement_dialog import detected_in
from gui.look.dialogs import confirm_replacing
from gui.look.labels import restyle
from gui.look.theme import Theme
from gui.replay.chart_view import ChartView
from gui.seen.markers import BEHAVIOURS, STIMULI, TRIALS, Extent, places
from gui.streams.background import Job
from gui.streams.replayed import Replayed
from gui.timeline.selection import UnitSelection
from rig.bus.message_types import Description
from rig.errors import RunError, UserError
from rig.output_file import replacing

if TYPE_CHECKING:
    from analysis.charts import Chart
    from recorder.reading import Recording

WHAT = {
    "spectrum": "Power spectrum of a layer",
    "average": "Average around an event",
    "tuning": "Tuning of the selected units",
    "trajectory": "Trajectory of a layer",
}
FIELDS = {
    "spectrum": ("layer",),
    "average": ("state", "around", "span"),
    "tuning": ("state", "quantity"),
    "trajectory": ("layer", "state"),
}
"""What each of them is asked for."""
QUANTITIES = ("forward_speed", "yaw_rate", "yaw", "pitch", "torso_height", "orb_distance")
"""Offered first, where the body state has them."""
SHADE = 60
Compute = Callable[["Recording", Callable[[float, str], None]], "Chart"]


class AnalysePanel(QFrame):
    """The dock.

    Args:
        theme: how it looks.
        selection: the units that are asked about.

    Attributes:
        chart: what is shown; None: nothing.
    """

    def __init__(
        self,
        theme: Theme,
        selection: UnitSelection,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme = theme
        self._selection = selection
        self._folder = Path()
        self._where: Replayed | None = None
        self._extent: Extent | None = None
        self._events: dict[str, dict[str, list[int]]] = {}
        self._annotated: dict[str, dict[str, list[int]]] = {}
        self._job: Job | None = None
        self.chart: Chart | None = None
        self._make_fields()
        self._arrange()
        self.what.currentIndexChanged.connect(lambda _: self._follow())
        selection.changed.connect(self._follow)
        self._follow()

    def sizeHint(self) -> QSize:
        """Narrow: the raster is beside it."""
        return QSize(360, 480)

    def open(self, where: Replayed, extent: Extent, description: Description) -> None:
        """A recording is shown, alone."""
        self.clear()
        self._where, self._extent = where, extent
        self._folder = (where if isinstance(where, Path) else where[0]).parent
        self._fill(self.layer, [each.name for each in description.layers], -1, as_written=True)
        first = [name for name in QUANTITIES if name in description.body_state]
        rest = [name for name in description.body_state if name not in first]
        self._fill(self.quantity, [*first, *rest], 0)
        self._events = _events_of(extent)
        self._fill(self.around, [*self._events, *self._annotated], 0)
        self.say("")
        self._follow()

    def show_annotated(self, events: dict[str, list[int]]) -> None:
        """Where bouts begin that people annotated, by what they are called: an average may be around them."""
        self._annotated = {name: {name: ticks} for name, ticks in events.items()}
        self._fill(self.around, [*self._events, *self._annotated], 0)

    def clear(self) -> None:
        """No recording is shown, or several are."""
        self._cancel()
        self._where = self._extent = None
        self.chart = None
        self.view.show_chart(None)
        self.say("Open one recording to analyse it.")
        self._follow()

    def say(self, sentence: str, trouble: bool = False) -> None:
        """What the result rests on, or why there is none."""
        self.said.setObjectName("alarm" if trouble else "muted")
        restyle(self.said, trouble=trouble)
        self.said.setText(sentence)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.view.set_theme(theme)

    # --- fields -----------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        self.what = QComboBox()
        for key, words in WHAT.items():
            self.what.addItem(words, key)
        self.layer, self.around, self.quantity = QComboBox(), QComboBox(), QComboBox()
        self.state = QComboBox()
        for key, words in (("c", "cell state c"), ("h", "hidden state h")):
            self.state.addItem(words, key)
        self.before_s, self.after_s = QLineEdit("0.5"), QLineEdit("1")
        self.span = QWidget()
        row = QHBoxLayout(self.span)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.before_s, QLabel("s before,"), self.after_s, QLabel("s after")):
            widget.setMaximumWidth(70)
            row.addWidget(widget)
        row.addStretch(1)
        self.units = QLabel()
        self.units.setObjectName("muted")
        self.compute = QPushButton("Compute")
        self.compute.setProperty("primary", True)
        self.compute.clicked.connect(self._press)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.view = ChartView(self._theme)
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.save_picture = QPushButton("Save picture…")
        self.save_numbers = QPushButton("Save numbers…")
        self.save_picture.clicked.connect(lambda: self._ask("png", self.view.save_picture_to))
        self.save_numbers.clicked.connect(lambda: self._ask("csv", self.save_numbers_to))

    def _arrange(self) -> None:
        self._form = QFormLayout()
        self._form.setSpacing(6)
        self._form.addRow("Show", self.what)
        self._rows: dict[str, QWidget] = {}
        for name, words, field in (
            ("layer", "Layer", self.layer),
            ("state", "Activity", self.state),
            ("around", "Around", self.around),
            ("span", "From", self.span),
            ("quantity", "Quantity", self.quantity),
        ):
            self._form.addRow(words, field)
            self._rows[name] = field
        row = QHBoxLayout()
        row.addWidget(self.units, 1)
        row.addWidget(self.compute)
        saves = QHBoxLayout()
        saves.addWidget(self.save_picture)
        saves.addWidget(self.save_numbers)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addLayout(self._form)
        column.addLayout(row)
        column.addWidget(self.bar)
        column.addWidget(self.view, 1)
        column.addWidget(self.said)
        column.addLayout(saves)

    @staticmethod
    def _fill(box: QComboBox, names: list[str], chosen: int, as_written: bool = False) -> None:
        before = box.currentText()
        box.clear()
        for name in names:
            box.addItem(name if as_written else name.replace("_", " "), name)
        kept = box.findText(before)
        box.setCurrentIndex(kept if kept >= 0 else chosen % max(len(names), 1))

    def _follow(self) -> None:
        what = str(self.what.currentData())
        for name, field in self._rows.items():
            self._form.setRowVisible(field, name in FIELDS[what])
        n = len(self._selection.units)
        of_units = "around" in FIELDS[what] or "quantity" in FIELDS[what]
        self.units.setText(f"{n} unit{'' if n == 1 else 's'} selected" if of_units else "")
        self.compute.setEnabled(self._where is not None)
        for button in (self.save_picture, self.save_numbers):
            button.setEnabled(self.chart is not None)

    # --- computing --------------------------------------------------------------------------------------

    def _press(self) -> None:
        if self._job is not None:
            self._cancel()
            self.say("Cancelled.")
            return
        try:
            compute = self._wanted()
        except UserError as problem:
            self.say(str(problem), trouble=True)
            return
        where = self._where

        def work(job: Job) -> object:
            import recorder

            assert where is not None
            with recorder.open(where) as recording:
                return compute(recording, job.report)

        self._job = Job(work, self)
        self._job.progress.connect(self._show_progress)
        self._job.done.connect(self._show)
        self._job.failed.connect(self._show_failure)
        self.compute.setText("Cancel")
        self.say("Computing…")
        self._job.start()

    def _wanted(self) -> Compute:
        """What is asked for now, as a function of the recording."""
        what, state = str(self.what.currentData()), str(self.state.currentData())
        layer, quantity = str(self.layer.currentData()), str(self.quantity.currentData())
        units = self._selection.units
        assert self._extent is not None
        if what == "average":
            events = (self._events | self._annotated).get(str(self.around.currentData()), {})
            span = _seconds(self.before_s), _seconds(self.after_s)
            return lambda recording, report: _charts().average_chart(
                recording, units, state, dict(events), span, report
            )
        if what == "tuning":
            return lambda recording, report: _charts().tuning_chart(
                recording, units, state, quantity, report
            )
        if what == "trajectory":
            behaviours = {
                name: [(int(a), int(b)) for a, b in bouts]
                for name, bouts in detected_in(self._extent).items()
            }
            return lambda recording, report: _charts().trajectory_chart(
                recording, layer, state, dict(behaviours), report
            )
        return lambda recording, report: _charts().spectrum_chart(recording, layer, report)

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._finish()

    def _finish(self) -> None:
        self._job = None
        self.compute.setText("Compute")
        self.bar.setValue(0)

    def _show_progress(self, share: float, words: str) -> None:
        self.bar.setValue(round(1000 * share))
        self.say(f"{words[:1].upper()}{words[1:]}…")

    def _show(self, chart: Chart) -> None:
        self._finish()
        self.chart = chart
        self.view.show_chart(chart)
        self.say(chart.said)
        self._follow()

    def _show_failure(self, sentence: str) -> None:
        self._finish()
        self.say(sentence, trouble=True)

    # --- saving -----------------------------------------------------------------------------

    def save_numbers_to(self, path: Path) -> None:
        """Saves every point as a CSV file. Raises `RunError` where it cannot."""
        assert self.chart is not None
        with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self.chart.rows())

    def _ask(self, ending: str, save: Callable[[Path], None]) -> None:
        if self.chart is None or self._extent is None:
            return
        stem = Path(self._extent.name).stem
        name = f"{stem}-{self.chart.title.lower().replace(' ', '-').replace('/', '-')}.{ending}"
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Save", str(self._folder / name), f"{ending.upper()} (*.{ending})"
        )
        if not chosen:
            return
        path = Path(chosen)
        if path.suffix.lower() != f".{ending}":
            path = path.with_name(f"{path.name}.{ending}")
            if path.exists() and not confirm_replacing(self, path.name):
                return
        self._folder = path.parent
        try:
            save(path)
            self.say(f"Saved: {path}")
        except RunError as problem:
            self.say(str(problem), trouble=True)


def _charts() -> ModuleType:
    """Imported in the worker: SciPy takes its time."""
    from analysis import charts

    return charts


def _events_of(extent: Extent) -> dict[str, dict[str, list[int]]]:
    """What an average may be around: ticks of one or two lines each, delivered and sham apart."""
    listed = places(extent.events, extent.trial_starts, extent.last_tick)
    found: dict[str, dict[str, list[int]]] = {}
    for name in listed:
        if name not in (BEHAVIOURS, STIMULI, TRIALS, *extent.stimuli):
            found[name] = {name: [place.tick for place in listed[name]]}
    for event in extent.events:
        if event.kind == "stimulus" and event.phase == "onset":
            line = f"{event.name} (sham)" if event.sham else event.name
            found.setdefault(event.name, {}).setdefault(line, []).append(event.tick)
    if TRIALS in listed:
        found["trial start"] = {"trial start": [place.tick for place in listed[TRIALS]]}
    return found


def _seconds(field: QLineEdit) -> float:
    try:
        value = float(field.text())
    except ValueError:
        value = -1.0
    if not 0 <= value <= 60:
        raise UserError(f"Write seconds from 0 to 60 (with a decimal point), not {field.text()!r}.")
    return value
