"""Stimulate by hand: what is done to the selected units, for how long, and what is on.

The panel only asks; what it shows as on is what the session has said. In a blinded protocol it says of no
stimulus whether it is delivered or a sham.
"""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.look.labels import ElidedLabel, restyle
from gui.seen.stimuli_on import StimuliOn, StimulusOn
from gui.stimulate.stimulus_choice import Choice
from gui.timeline.selection import UnitSelection
from rig.bus.message_types import LayerInfo
from rig.bus.stimulus_request import FASTEST_HZ, LARGEST, LONGEST_MS, SHORTEST_MS

KINDS = {
    "clamp": "Clamp",
    "bias": "Bias",
    "pulses": "Pulse train",
    "overwrite": "Overwrite",
}
HELD_AT = {
    "value": "a value",
    "seen": "their mean so far",
    "baseline": "their mean in a recording…",
}
WITH = {"last": "what they did just now", "ticks": "what they did from …", "file": "a file (CSV)…"}
DELIVERY = {"deliver": "delivered", "draw": "drawn: delivered or sham", "sham": "a sham"}
DOCK_PX = 292
_MOST_SHOWN = 6


class StimulatePanel(QFrame):
    """The dock.

    `stimulate_pressed` asks for what `choice` says; `file_pressed` for a file of a kind ("baseline", "file");
    `release_pressed` carries a client's name of a stimulus, `release_all_pressed` nothing.

    Args: selection: the units that are acted on.
    """

    stimulate_pressed = pyqtSignal()
    release_pressed = pyqtSignal(str)
    release_all_pressed = pyqtSignal()
    file_pressed = pyqtSignal(str)

    def __init__(self, selection: UnitSelection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._selection = selection
        self._layers: tuple[LayerInfo, ...] = ()
        self._why_not = "No session runs."
        self._shown: tuple[object, ...] = ()
        self._listed: tuple[StimulusOn, ...] = ()
        self._files = {"baseline": "", "file": ""}
        self._make_fields()
        self._arrange()
        self.kind.currentIndexChanged.connect(self._follow)
        for box in (self.held_at, self.given, self.delivery):
            box.currentIndexChanged.connect(self._follow)
        self.held_at.activated.connect(lambda _: self._ask_for_file(self.held_at, "baseline"))
        self.given.activated.connect(lambda _: self._ask_for_file(self.given, "file"))
        self.until_released.currentIndexChanged.connect(self._follow)
        selection.changed.connect(self._follow)
        self._follow()

    # --- what is chosen ---------------------------------------------------------------------------

    @property
    def units(self) -> dict[str, list[int]]:
        """The selected units by layer, numbered within it."""
        found: dict[str, list[int]] = {}
        first = 0
        for layer in self._layers:
            own = [u - first for u in self._selection.units if first <= u < first + layer.n_units]
            if own:
                found[layer.name] = sorted(own)
            first += layer.n_units
        return found

    @property
    def choice(self) -> Choice:
        """What the fields say."""
        for field in self._numbers:
            field.interpretText()  # what is typed counts, also before enter is pressed
        kind = self.kind.currentData()
        return Choice(
            kind=kind,
            state=self.state.currentData(),
            held_at=self.held_at.currentData(),
            given=self.given.currentData(),
            amount=self.amount.value(),
            rate_hz=self.rate.value() if kind == "pulses" else 0.0,
            width_ms=self.pulse_ms.value() if kind == "pulses" else 0.0,
            begin_s=self.begin.value(),
            course_ms=self.course.value(),
            for_ms=None if self.until_released.currentData() else self.length.value(),
            delivery=self.delivery.currentData(),
            chance=self.chance.value(),
        )

    # --- what is shown ----------------------------------------------------------------------------

    def describe(self, layers: tuple[LayerInfo, ...]) -> None:
        """The layers of the subject."""
        self._layers = layers
        self._follow()

    def allow(self, why_not: str) -> None:
        """Lets stimulate, or says in a sentence why not."""
        if why_not != self._why_not:
            self._why_not = why_not
            self.say("")
            self._follow()

    def say(self, sentence: str, wrong: bool = False) -> None:
        """A sentence below the button: what was refused, or done."""
        self.sentence.setText(sentence or self._why_not)
        restyle(self.sentence, wrong=wrong and bool(sentence))
        self.sentence.setVisible(bool(self.sentence.text()))

    def show_file(self, which: str, name: str) -> None:
        """Names the file that was chosen for a "baseline" or a "file"; "": none, the choice goes back."""
        box = self.held_at if which == "baseline" else self.given
        self._files[which] = name
        if not name and box.currentData() == which:
            box.setCurrentIndex(0)
        self._follow()

    def show_on(self, stimuli: StimuliOn, blinded: bool) -> None:
        """What is on, for how many ticks, and how much there has been."""
        on = stimuli.on
        lines = tuple((each, stimuli.ticks_of(each)) for each in on)
        total = stimuli.total
        shown = (lines, blinded, total.stimuli, total.ticks, total.shams)
        if shown == self._shown:
            return
        self._shown = shown
        if on != self._listed:
            self._listed = on
            self._list(on)
        for (each, n_ticks), label in zip(lines[:_MOST_SHOWN], self._counts, strict=True):
            hidden = blinded or not each.sham
            label.setText(_count(n_ticks, "tick", "ticks") + ("" if hidden else ", sham"))
        self.nothing.setVisible(not on)
        if blinded:
            words = _count(total.stimuli + total.shams, "stimulus or sham", "stimuli or shams")
        else:
            words = (
                f"{_count(total.stimuli, 'stimulus', 'stimuli')}, "
                f"{_count(total.ticks, 'tick', 'ticks')} delivered; "
                f"{_count(total.shams, 'sham', 'shams')}"
            )
        self.total.setText(f"By hand today: {words}")
        self.release_all.setEnabled(bool(on))

    # --- inside -----------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        self.which = QLabel()
        self.which.setWordWrap(True)
        self.kind = _box(KINDS)
        self.state = _box({"cell": "cell state c", "hidden": "hidden state h"})
        self.held_at = _box(HELD_AT)
        self.given = _box(WITH)
        self.file = ElidedLabel()
        self.file.setObjectName("muted")
        self.amount = _number(-LARGEST, LARGEST, 0.0, 0.05, 3, " a.u.")
        self.rate = _number(0.1, FASTEST_HZ, 5.0, 1.0, 1, " Hz")
        self.pulse_ms = _number(SHORTEST_MS, LONGEST_MS, 40.0, 20.0, 0, " ms")
        self.begin = _number(0, 1e6, 0.0, 0.1, 2, " s")
        self.course = _number(SHORTEST_MS, 10_000, 1000.0, 20.0, 0, " ms")
        self.until_released = _box({False: "for", True: "until released"})
        self.length = _number(SHORTEST_MS, LONGEST_MS, 500.0, 20.0, 0, " ms")
        self.delivery = _box(DELIVERY)
        self.chance = _number(0.0, 1.0, 0.5, 0.05, 2, " delivered")
        self._numbers = (
            *(self.amount, self.rate, self.pulse_ms, self.begin, self.course),
            *(self.length, self.chance),
        )
        self.fire = QPushButton("Stimulate")
        self.fire.setToolTip("Stimulate the selected units as chosen here (Ctrl Enter)")
        self.fire.clicked.connect(self.stimulate_pressed)
        restyle(self.fire, primary=True)
        self.sentence = QLabel()
        self.sentence.setObjectName("sentence")
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.nothing = QLabel("Nothing is on.")
        self.nothing.setObjectName("muted")
        self.total = QLabel("By hand today: nothing")
        self.total.setObjectName("muted")
        self.total.setWordWrap(True)
        self.release_all = QPushButton("Release all")
        self.release_all.setToolTip(
            "End every stimulus at once, the protocol's too (escape twice within 0.6 s)"
        )
        self.release_all.clicked.connect(self.release_all_pressed)
        restyle(self.release_all, edged=True)
        self.release_all.setEnabled(False)
        self._counts: list[QLabel] = []

    def _arrange(self) -> None:
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(5)
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, field in (
            ("Do", self.kind),
            ("To", self.held_at),
            ("With", self.given),
            ("", self.file),
            ("", self.amount),
            ("Rate", self.rate),
            ("Width", self.pulse_ms),
            ("From", self.begin),
            ("Lasting", self.course),
            ("State", self.state),
            ("Length", self.until_released),
            ("", self.length),
            ("It is", self.delivery),
            ("Chance", self.chance),
        ):
            label = QLabel(words)
            label.setObjectName("muted")
            label.setBuddy(field)
            field.setAccessibleName(words or "Amount")
            self._form.addRow(label, field)
        rule = QFrame()
        rule.setObjectName("rule")
        rule.setFixedHeight(1)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(3)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(7)
        column.addWidget(self.which)
        column.addLayout(self._form)
        column.addWidget(self.fire)
        column.addWidget(self.sentence)
        column.addWidget(rule)
        column.addWidget(self.nothing)
        column.addLayout(self._rows)
        column.addWidget(self.release_all)
        column.addWidget(self.total)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        self.setMinimumWidth(DOCK_PX)

    def _follow(self) -> None:
        """Shows the fields that go with what is chosen, and whether it can be done."""
        units = self.units
        n_units = sum(map(len, units.values()))
        counts = ", ".join(
            f"{name}/{own[0]}" if n_units == 1 else f"{name} {len(own)}"
            for name, own in units.items()
        )
        self.which.setText(
            f"{n_units} unit{'s' * (n_units != 1)} selected: {counts}"
            if n_units
            else "Select units in the raster: click, drag, or with Ctrl."
        )
        kind = self.kind.currentData()
        clamps, overwrites = kind == "clamp", kind == "overwrite"
        holds, given = self.held_at.currentData(), self.given.currentData()
        self.file.set_full_text(self._files["baseline" if clamps else "file"])
        named = (clamps and holds == "baseline") or (overwrites and given == "file")
        for field, shown in (
            (self.held_at, clamps),
            (self.given, overwrites),
            (self.file, named),
            (self.amount, kind in ("bias", "pulses") or (clamps and holds == "value")),
            (self.rate, kind == "pulses"),
            (self.pulse_ms, kind == "pulses"),
            (self.begin, overwrites and given == "ticks"),
            (self.course, overwrites and given != "file"),
            (self.length, not self.until_released.currentData()),
            (self.chance, self.delivery.currentData() == "draw"),
        ):
            self._form.setRowVisible(field, shown)
        self.amount.setPrefix({"bias": "add ", "pulses": "add "}.get(kind, ""))
        self.fire.setEnabled(bool(n_units) and not self._why_not)
        if self._why_not:
            self.say("")

    def _ask_for_file(self, box: QComboBox, which: str) -> None:
        if box.currentData() == which:
            self.file_pressed.emit(which)

    def _list(self, on: tuple[StimulusOn, ...]) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            if (row := item.widget()) is not None:
                row.hide()
                row.deleteLater()
        self._counts = []
        for each in on[:_MOST_SHOWN]:
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            name = ElidedLabel()
            name.set_full_text(each.called or each.name)
            count = QLabel()
            count.setObjectName("muted")
            self._counts.append(count)
            line.addWidget(name, 1)
            line.addWidget(count)
            if each.called:
                release = QToolButton()
                release.setText("×")
                release.setObjectName("small")
                release.setToolTip(f"Release {each.called}")
                release.clicked.connect(
                    lambda _checked=False, called=each.called: self.release_pressed.emit(called)
                )
                line.addWidget(release)
            self._rows.addWidget(row)


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _box(words: dict[object, str] | dict[str, str] | dict[bool, str]) -> QComboBox:
    box = QComboBox()
    for data, text in words.items():
        box.addItem(text, data)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box


def _number(
    low: float, high: float, value: float, step: float, decimals: int, unit: str
) -> QDoubleSpinBox:
    """A field for a number.

    Args:
        low, high: its range.
        value: to begin with.
        step: of the arrows.
        decimals: places behind the point.
        unit: written behind it.
    """
    field = QDoubleSpinBox()
    field.setDecimals(decimals)
    field.setRange(low, high)
    field.setSingleStep(step)
    field.setValue(value)
    field.setSuffix(unit)
    field.setKeyboardTracking(False)
    field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    return field
