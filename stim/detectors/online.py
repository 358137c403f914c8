"""The online detector: from a body state each tick to behaviours with onset and offset.

A behaviour (`stim.detectors.definition`) has at every tick a confidence from 0 to 1. It begins when that has
been at least 0.75 for the minimum duration, and ends as soon as it is 0.25 or less. An onset is found at the
last tick of the minimum duration.

Quantities waver within each stride (3-6 Hz), so they are averaged over a window that ends at the present
tick. A window of n ticks shows what was (n - 1) / 2 ticks ago on average; `began_tick`, which looks back,
is the first tick of the minimum duration less those. At the beginning of a trial, until the window is full,
the confidence is 0.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rig.bus.message_types import Event
from stim.detectors.definition import OFF_CONFIDENCE, ON_CONFIDENCE, Behaviour, Source
from stim.detectors.quantities import Quantity, read_quantity
from stim.ticks import ticks_of


class Detector:
    """One behaviour, tick by tick.

    Attributes:
        behaviour: its definition.
        present: whether it goes on.
        confidence: at the last tick, 0 to 1.
        began_tick: when the present or last occurrence began, looking back; -1 before the first.
        last_present: the last tick at which it was present; -inf before the first.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._min_ticks = max(1, ticks_of(behaviour.min_duration_ms))
        self._refractory_ticks = ticks_of(behaviour.refractory_ms)
        self._look_back = (max(1, ticks_of(behaviour.smoothing_ms)) - 1) // 2
        self._on_for = 0
        self._not_before = -1
        self.present = False
        self.confidence = 0.0
        self.began_tick = -1
        self.last_present = -math.inf

    def step(self, tick: int, confidence: float, may_begin: bool = True) -> str:
        """What happens at a tick: "onset", "offset" or "".

        Args:
            tick: of the session, one more at every call within a trial.
            confidence: at the tick, 0 to 1.
            may_begin: whether the behaviour can begin at this tick.
        """
        self.confidence = confidence
        if self.present:
            if confidence > OFF_CONFIDENCE:
                self.last_present = tick
                return ""
            self.present = False
            self._on_for = 0
            self._not_before = tick + self._refractory_ticks
            return "offset"
        on_for = self._on_for = self._on_for + 1 if confidence >= ON_CONFIDENCE else 0
        if on_for < self._min_ticks or tick < self._not_before or not may_begin:
            return ""
        self.present = True
        self.last_present = tick
        self.began_tick = max(tick - self._min_ticks + 1 - self._look_back, self._not_before)
        return "onset"

    def reset(self) -> None:
        """Forgets what it has seen; the behaviour is not present."""
        self.present = False
        self._on_for = 0
        self._not_before = -1
        self.last_present = -math.inf


class Smoothed:
    """Quantities of the body state, averaged over windows that end at the present tick; each kept once.

    Args:
        body_state: names of the entries of the vectors that `step` will get.
    """

    def __init__(self, body_state: Sequence[str]) -> None:
        self._body_state = body_state
        self._places: dict[tuple[str, int], int] = {}
        self._windows: list[tuple[deque[float], Quantity, int]] = []
        self.values: list[float] = []

    def place(self, quantity: str, ticks: int) -> int:
        """Where in `values` a quantity's mean over so many ticks will be."""
        key = (quantity, ticks)
        if key not in self._places:
            self._places[key] = len(self._windows)
            read = read_quantity(quantity, self._body_state)
            self._windows.append((deque(maxlen=ticks), read, ticks))
        return self._places[key]

    def step(self, body: Sequence[float]) -> list[float]:
        """The means at a tick, in the order of `place`, also kept as `values`; NaN until a window is full.

        `body` has the body state's entries.
        """
        # Summed anew each tick: a running sum would drift, and one NaN would stay in it for ever.
        values = []
        for window, read, ticks in self._windows:
            value = read(body)
            if ticks > 1:
                window.append(value)
                value = sum(window) / ticks if len(window) == ticks else math.nan
            values.append(value)
        self.values = values
        return values

    def begin_trial(self) -> None:
        """Forgets the trial before."""
        for place, ((quantity, ticks), (window, _, _)) in enumerate(
            zip(self._places, self._windows, strict=True)
        ):
            window.clear()  # and whoever remembers a tick of the trial before is made anew
            self._windows[place] = (window, read_quantity(quantity, self._body_state), ticks)


class Detectors:
    """All behaviours of a session, in the order of their confidences.

    Args:
        behaviours: the definitions. One that begins only `after` others stands behind them.
        body_state: names of the entries of the vectors that `step` will get.
        numbers_used: how often each has occurred already, by name; none unless given.

    Raises:
        RunError: a behaviour needs a quantity that the body state does not have.
    """

    def __init__(
        self,
        behaviours: Sequence[Behaviour],
        body_state: Sequence[str],
        numbers_used: Mapping[str, int] | None = None,
    ) -> None:
        self._detectors = [Detector(behaviour) for behaviour in behaviours]
        self._by_name = {detector.behaviour.name: detector for detector in self._detectors}
        self._numbers = dict.fromkeys(self._by_name, 0) | dict(numbers_used or {})
        self._smoothed = Smoothed(body_state)
        self._all = [
            (detector, _confidence_of(detector.behaviour, self._smoothed, body_state))
            for detector in self._detectors
        ]
        self._after = {
            detector.behaviour.name: (
                [self._by_name[name] for name in after.behaviours if name in self._by_name],
                ticks_of(after.within_ms),
            )
            for detector in self._detectors
            if (after := detector.behaviour.after) is not None
        }

    def step(
        self, tick: int, body: NDArray[np.float64], task_events: Sequence[str] = ()
    ) -> tuple[NDArray[np.float32], list[Event]]:
        """The confidences at a tick, (behaviours,) float32, and what began or ended in it.

        Args:
            tick: of the session.
            body: (entries,) float64, the body state in the order of its names.
            task_events: what happened in the task.
        """
        state: list[float] = body.tolist()
        self._smoothed.step(state)
        events = []
        confidences = []
        for detector, source in self._all:
            confidence = source.step(tick, state, task_events)
            may_begin = True
            if detector.behaviour.after is not None:
                others, within = self._after[detector.behaviour.name]
                may_begin = any(tick - other.last_present <= within for other in others)
            phase = detector.step(tick, confidence, may_begin)
            if phase:
                events.append(self._event(detector, phase, tick))
            confidences.append(confidence)
        return np.array(confidences, np.float32), events

    def begin_trial(self, tick: int) -> list[Event]:
        """Forgets the trial before; behaviours that were present end at this, its successor's first tick."""
        self._smoothed.begin_trial()
        events = []
        for detector, source in self._all:
            source.begin_trial()
            if detector.present:
                events.append(self._event(detector, "offset", tick, "the trial ended"))
            detector.reset()
        return events

    def _event(self, detector: Detector, phase: str, tick: int, cause: str = "") -> Event:
        name = detector.behaviour.name
        if phase == "onset":
            self._numbers[name] += 1
        began_tick = detector.began_tick if phase == "onset" else tick
        return Event(
            "behaviour",
            name,
            phase,
            tick,
            began_tick,
            self._numbers[name],
            confidence=round(detector.confidence, 4),
            cause=cause,
        )


def confidence_lines(behaviour: Behaviour, smoothed: Smoothed) -> list[tuple[int, float, float]]:
    """For each threshold the place of its quantity in `smoothed`, its off value, and the slope.

    The confidence is the line through (off, 0.25) and (on, 0.75).
    """
    ticks = max(1, ticks_of(behaviour.smoothing_ms))
    return [
        (smoothed.place(each.quantity, ticks), each.off, 0.5 / (each.on - each.off))
        for each in behaviour.thresholds
    ]


class _Thresholds:
    """The least confidence of several thresholds on smoothed quantities."""

    def __init__(self, behaviour: Behaviour, smoothed: Smoothed) -> None:
        self._smoothed = smoothed
        self._lines = confidence_lines(behaviour, smoothed)

    def step(self, tick: int, body: Sequence[float], events: Sequence[str]) -> float:
        values = self._smoothed.values
        least = 1.0
        for place, off, slope in self._lines:
            confidence = OFF_CONFIDENCE + (values[place] - off) * slope
            if not confidence >= least:  # also where it is NaN
                if not confidence > 0.0:
                    return 0.0
                least = confidence
        return least

    def begin_trial(self) -> None:
        pass


class _TaskEvents:
    """Confidence 1 from a task event on, for some ticks."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._names = frozenset(behaviour.events)
        self._ticks = max(1, ticks_of(behaviour.lasts_ms))
        self._until = -1

    def step(self, tick: int, body: Sequence[float], events: Sequence[str]) -> float:
        if events and not self._names.isdisjoint(events):
            self._until = tick + self._ticks
        return 1.0 if tick < self._until else 0.0

    def begin_trial(self) -> None:
        self._until = -1


def _confidence_of(behaviour: Behaviour, smoothed: Smoothed, body_state: Sequence[str]) -> Source:
    if behaviour.source is not None:
        return behaviour.source(body_state)
    return _TaskEvents(behaviour) if behaviour.events else _Thresholds(behaviour, smoothed)
