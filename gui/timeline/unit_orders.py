"""Orders of the units in the raster, and what the window keeps to know how behaviours modulate them.

An order is taken when it is chosen, so that rows stand still until it is chosen again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gui.seen.activity import KINDS, ActivityWindow
from gui.seen.seen_ticks import SeenTicks
from rig.bus.message_types import EngineReply, Event, Message

ORDERS = {
    "number": "by index",
    "mean": "by mean",
    "deviation": "by deviation",
    "peak": "by peak",
    "modulation": "by modulation",
    "correlation": "by correlation",
}
"""Highest or first on top. "modulation" is by a behaviour, "correlation" with the selected unit."""
LONGEST_WAIT_TICKS = 500
"""Ticks that no engine has answered after so many others are not waited for."""


def order(
    window: ActivityWindow, kind: str, by: str, n_ticks: int, end: int | None = None
) -> NDArray[np.intp]:
    """The units from first to last by "number", "mean", "deviation" or "peak", as far as is known now.

    Args:
        window: their activity.
        kind: of activity, one of `gui.seen.activity.KINDS`.
        by: one of `ORDERS`.
        n_ticks: among how many the peak is.
        end: the first tick that is not among them; None: all up to the newest.
    """
    statistics = window.statistics[kind]
    if by == "mean":
        return np.argsort(-statistics.mean, kind="stable")
    if by == "deviation":
        return np.argsort(-statistics.deviation(), kind="stable")
    if by == "peak":
        stop = window.last_tick + 1 if end is None else end
        seen = window.block(kind, stop - n_ticks, stop)
        return np.argsort(np.argmax(np.where(np.isnan(seen), -np.inf, seen), axis=1), kind="stable")
    return np.arange(window.n_units)


def correlation(
    window: ActivityWindow, kind: str, unit: int, n_ticks: int, end: int | None = None
) -> NDArray[np.float64]:
    """How each unit goes with this one, (n_units,), -1 to 1; 0 for one that does not change.

    Args:
        window: their activity.
        kind: of activity.
        unit: the one.
        n_ticks: over how many ticks, at most.
        end: the first tick that is not among them; None: all up to the newest.
    """
    stop = window.last_tick + 1 if end is None else end
    seen = window.block(kind, stop - n_ticks, stop)
    seen = seen[:, np.isfinite(seen).all(axis=0)].astype(np.float64)
    if seen.shape[1] < 2:
        return np.zeros(window.n_units)
    seen -= seen.mean(axis=1, keepdims=True)
    length = np.sqrt((seen**2).sum(axis=1))
    products = length * length[unit]
    alike = seen @ seen[unit]
    return np.divide(alike, products, out=np.zeros_like(alike), where=products > 1e-12)


class Modulation:
    """How much more active units are during each behaviour than outside it, over all that was seen.

    A tick is within a behaviour from where it was detected up to its offset. Ticks that are shown again, as
    replays do, count once.

    Args:
        behaviours: their names.
        n_units: units.
    """

    def __init__(self, behaviours: Sequence[str] = (), n_units: int = 0) -> None:
        self._places = {name: place for place, name in enumerate(behaviours)}
        self._open: set[tuple[int, int]] = set()  # place and number of what goes on
        self._waiting: dict[int, Message] = {}
        self._counted = SeenTicks()
        self._within = np.zeros(len(behaviours))
        self._ticks = 0
        self._sum_within = {kind: np.zeros((len(behaviours), n_units)) for kind in KINDS}
        self._sum = {kind: np.zeros(n_units) for kind in KINDS}
        self._squares = {kind: np.zeros(n_units) for kind in KINDS}

    def leave(self) -> None:
        """What comes next does not follow."""
        self._open.clear()
        self._waiting.clear()

    def add(self, ticks: Sequence[Message], answers: Sequence[Message]) -> None:
        """Takes in ticks, and what was found in them, each oldest first; an answer may come later."""
        known = self._counted.has([message.tick for message in ticks])
        for message, counted_before in zip(ticks, known, strict=True):
            if not counted_before:
                self._waiting[message.tick] = message
        counted: list[Message] = []
        inside: list[NDArray[np.bool_]] = []
        for answer in answers:
            if not isinstance(answer.content, EngineReply):
                continue
            for event in answer.content.events:
                self._note(event)
            tick = self._waiting.pop(answer.tick, None)
            if tick is not None:
                counted.append(tick)
                inside.append(self._going_on())
        if counted:
            self._count(counted, np.array(inside))
        if self._waiting:
            newest = max(self._waiting)
            for number in [n for n in self._waiting if n < newest - LONGEST_WAIT_TICKS]:
                del self._waiting[number]

    def seen_s(self, behaviour: str, tick_s: float) -> float:
        """For how long (s) a behaviour was seen."""
        place = self._places.get(behaviour)
        return 0.0 if place is None else float(self._within[place]) * tick_s

    def of(self, behaviour: str, kind: str) -> NDArray[np.float64] | None:
        """Mean within the behaviour minus mean outside, in standard deviations: (n_units,).

        None where it was not seen, or nothing else was.
        """
        place = self._places.get(behaviour)
        within = 0.0 if place is None else float(self._within[place])
        if place is None or not 0 < within < self._ticks:
            return None
        total, inside = self._sum[kind], self._sum_within[kind][place]
        mean = total / self._ticks
        deviation = np.sqrt(np.maximum(self._squares[kind] / self._ticks - mean**2, 0.0))
        difference = inside / within - (total - inside) / (self._ticks - within)
        still = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
        return np.where(still, 0.0, difference / np.where(still, 1.0, deviation))

    def _note(self, event: Event) -> None:
        place = self._places.get(event.name)
        if event.kind == "behaviour" and place is not None:
            if event.phase == "onset":
                self._open.add((place, event.number))
            else:
                self._open.discard((place, event.number))

    def _going_on(self) -> NDArray[np.bool_]:
        going = np.zeros(len(self._places), bool)
        going[[place for place, _ in self._open]] = True
        return going

    def _count(self, ticks: Sequence[Message], inside: NDArray[np.bool_]) -> None:
        self._counted.add([message.tick for message in ticks])
        self._ticks += len(ticks)
        self._within += inside.sum(axis=0)
        for kind in KINDS:
            values = np.stack([message.arrays[kind] for message in ticks]).astype(np.float64)
            self._sum[kind] += values.sum(axis=0)
            self._squares[kind] += (values**2).sum(axis=0)
            self._sum_within[kind] += inside.T.astype(np.float64) @ values
