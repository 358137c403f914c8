"""The units that are selected in the window: one selection that raster, panels and stimulation share."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt6.QtCore import QObject, pyqtSignal


class UnitSelection(QObject):
    """Units by their numbers over all layers, in the order in which they were chosen, each once.

    A unit's number is its row in the raster before sorting: layer after layer, as `Description.layers` has
    them. `changed` follows every change, and comes only where there is one.

    >>> selection = UnitSelection()
    >>> selection.select([3, 1, 3])
    >>> selection.toggle(1)
    >>> selection.add([7, 3])
    >>> selection.units
    (3, 7)
    """

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._units: tuple[int, ...] = ()
        self._network = ""

    @property
    def units(self) -> tuple[int, ...]:
        """The selected units."""
        return self._units

    def select(self, units: Iterable[int]) -> None:
        """These units, and no others."""
        chosen = tuple(dict.fromkeys(int(unit) for unit in units))
        if chosen != self._units:
            self._units = chosen
            self.changed.emit()

    def add(self, units: Iterable[int]) -> None:
        """These units, too."""
        self.select((*self._units, *units))

    def toggle(self, unit: int) -> None:
        """One unit more, or, where it is selected, one less."""
        if unit in self._units:
            self.select(each for each in self._units if each != unit)
        else:
            self.add([unit])

    def clear(self) -> None:
        """No units."""
        self.select(())

    def of_network(self, sha256: str) -> None:
        """Units of this network are shown from now on; those selected stay if they were its units before."""
        if sha256 != self._network:
            self._network = sha256
            self.clear()
