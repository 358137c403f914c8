"""At what recordings side by side are aligned: a dialog, and what was chosen in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from gui.look.time_axis import axis_time
from gui.seen.markers import BEHAVIOURS, STIMULI, TRIALS, Extent, Place, places
from rig.bus.message_types import TICK_S

MOST_LISTED = 2000
"""Occurrences in one list."""


@dataclass(frozen=True)
class Alignment:
    """What the recordings are aligned at: a name ("": their own ticks), and which occurrence of it in each.

    `ticks` are those of the occurrences, each of its own recording.
    """

    at: str
    numbers: tuple[int, ...]
    ticks: tuple[int, ...]

    @property
    def offsets(self) -> tuple[int, ...]:
        """How many ticks each recording is further on than the first."""
        return tuple(tick - self.ticks[0] for tick in self.ticks)

    def words(self, number: int) -> str:
        """What is said over a recording: "aligned at run 2 (0:12.30) with run 1 (0:10.00)"."""
        own = self._occurrence(number)
        return f"aligned at {own}" + (f" with {self._occurrence(0)}" if number else "")

    def _occurrence(self, number: int) -> str:
        when = axis_time(self.ticks[number] * TICK_S, TICK_S)
        return f"{_name(self.at)} {self.numbers[number]} ({when})"


class AlignDialog(QDialog):
    """Asks for a kind of thing that all recordings have, and for one of them in each.

    Args:
        extents: the recordings, on their own ticks.
        ticks: where each is now.
        before: how they are aligned now.
    """

    def __init__(
        self,
        extents: Sequence[Extent],
        ticks: Sequence[int],
        before: Alignment | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Align the recordings")
        self.setMinimumWidth(460)
        self._ticks = tuple(ticks)
        self._places = [places(each.events, each.trial_starts, each.last_tick) for each in extents]
        common = [
            choice
            for choice in self._places[0]
            if choice not in (BEHAVIOURS, STIMULI) and all(choice in each for each in self._places)
        ]
        common.sort(key=lambda choice: choice != TRIALS)
        self.at = QComboBox()
        for choice in common:
            self.at.addItem(_name(choice), choice)
        self.occurrences = [QComboBox() for _ in extents]
        said = QLabel(
            "From then on the transport drives all of them at this distance."
            if common
            else "They have no trial, stimulus or behaviour in common to be aligned at."
        )
        said.setObjectName("muted")
        said.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Align at", self.at)
        for extent, box in zip(extents, self.occurrences, strict=True):
            name = QLabel(extent.name)
            form.addRow(name, box)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.align = buttons.addButton("Align", QDialogButtonBox.ButtonRole.AcceptRole)
        self.same = buttons.addButton("By the same tick", QDialogButtonBox.ButtonRole.ResetRole)
        assert self.align is not None
        assert self.same is not None
        self.align.setEnabled(bool(common))
        self.align.setDefault(True)
        self.align.setProperty("primary", True)
        self.same.setToolTip("Not aligned: tick 170 of one beside tick 170 of the others")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.same.clicked.connect(self._choose_same)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addLayout(form)
        column.addWidget(said)
        column.addWidget(buttons)
        self._chosen_same = False
        if before is not None and before.at in common:
            self.at.setCurrentIndex(common.index(before.at))
        self.at.currentIndexChanged.connect(lambda _: self._offer())
        self._offer()

    @property
    def alignment(self) -> Alignment:
        """What is chosen."""
        n = len(self.occurrences)
        if self._chosen_same:
            return Alignment("", (0,) * n, (0,) * n)
        numbers = tuple(box.currentIndex() for box in self.occurrences)
        found = (listed[number] for listed, number in zip(self._listed(), numbers, strict=True))
        return Alignment(
            str(self.at.currentData()),
            tuple(number + 1 for number in numbers),
            tuple(place.tick for place in found),
        )

    def _listed(self) -> list[tuple[Place, ...]]:
        choice = str(self.at.currentData())
        return [each.get(choice, ())[:MOST_LISTED] for each in self._places]

    def _offer(self) -> None:
        """The first one offers what goes on there now, or was last; the others the same in number."""
        chosen = 0
        for number, (box, listed) in enumerate(zip(self.occurrences, self._listed(), strict=True)):
            box.clear()
            for place, each in enumerate(listed, 1):
                box.addItem(f"{place}   {axis_time(each.tick * TICK_S, TICK_S)}")
            if number == 0:
                before = [each for each in listed if each.tick <= self._ticks[0]]
                chosen = max(len(before) - 1, 0)
            box.setCurrentIndex(min(chosen, len(listed) - 1))

    def _choose_same(self) -> None:
        self._chosen_same = True
        self.accept()


def ask_for_alignment(
    parent: QWidget, extents: Sequence[Extent], ticks: Sequence[int], before: Alignment | None
) -> Alignment | None:
    """Shows the dialog; None if the user changes their mind. As `AlignDialog`."""
    dialog = AlignDialog(extents, ticks, before, parent)
    return dialog.alignment if dialog.exec() == QDialog.DialogCode.Accepted else None


def _name(choice: str) -> str:
    return "trial" if choice == TRIALS else choice.replace("_", " ")
