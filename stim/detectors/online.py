"""The online detector: from a body state each tick to behaviours with onset and offset.

A behaviour is a set of thresholds on named quantities (`stim.detectors.quantities`), each with a value that
begins it and one that ends it (hysteresis). Every tick a detector turns each quantity into a confidence

    0 ... 0.25 at the off threshold ... 0.75 at the on threshold ... 1

and takes the least of them. The behaviour begins when that has been at least 0.75 for the minimum
duration, and ends as soon as it is 0.25 or less. An onset is found at the last tick of the minimum
duration. Some behaviours can only begin during, or soon after, another one (`after`); some are made of
what happens in the task (`events`); and some have their confidence from elsewhere (`source`): a classifier
that was fit to recordings (`stim.detectors.learned`), or a class of the user's own (`PythonDetector`).

Quantities waver within each stride (3-6 Hz), so they are averaged over a window that ends at the present
tick. A window of n ticks shows what was (n - 1) / 2 ticks ago on average; `began_tick`, which looks back,
is the first tick of the minimum duration less those. At the beginning of a trial, until the window is full,
the confidence is 0.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rig.bus.messages import TICK_S, Event
from stim.detectors.quantities import Quantity, read_quantity

TICK_MS = TICK_S * 1000
ON_CONFIDENCE = 0.75
OFF_CONFIDENCE = 0.25


def ticks_of(time_ms: float) -> int:
    """A time in ticks, rounded to the nearest; halfway goes up (30 ms are 2 ticks, 29 ms are 1)."""
    return math.floor(time_ms / TICK_MS + 0.5)


@dataclass(frozen=True)
class Threshold:
    """A quantity has to reach `on`, and must then not fall back to `off`.

    With on above off it has to be large (`min_` names), with on below off small (`max_` names).
    """

    name: str
    quantity: str
    on: float
    off: float

    def confidence(self, value: float) -> float:
        """0..1; 0.75 at `on`, 0.25 at `off`, linear in between and beyond; 0 for NaN."""
        confidence = OFF_CONFIDENCE + (value - self.off) / (self.on - self.off) * 0.5
        if confidence > 1.0:
            return 1.0
        return confidence if confidence > 0.0 else 0.0  # also where it is NaN


class Source(Protocol):
    """Where a behaviour's confidence comes from, if not from thresholds or task events."""

    def step(self, tick: int, body: Sequence[float], events: Sequence[str]) -> float:
        """The confidence (0..1) at a tick with this body state and these task events."""

    def begin_trial(self) -> None:
        """Forgets the trial before."""


class PythonDetector(Protocol):
    """A detector of the user's own, in Python; used only with `--allow-python`.

    A class with a name and this one method; it may remember what it likes from tick to tick. A method
    `begin_trial()` is called, if there is one, at the beginning of every trial.
    """

    name: str

    def step(self, tick: int, body: Mapping[str, float], events: Sequence[str]) -> float:
        """The confidence (0..1): from 0.75 on the behaviour begins, at 0.25 it ends.

        `body` has every entry of the body state by name, `events` what happened in the task.
        """


@dataclass(frozen=True)
class After:
    """A behaviour can only begin while one of these is present, or within a time of its end."""

    behaviours: tuple[str, ...]
    within_ms: float


@dataclass(frozen=True)
class Behaviour:
    """The definition of a behaviour; times in ms of animal time, rounded to ticks by `ticks_of`.

    One of `thresholds`, `events` and `source` says when it is present: while all thresholds are reached;
    for `lasts_ms` after one of these task events; or by the confidence of a source, which is made for a
    session from the names of its body state's entries.
    """

    name: str
    meaning: str
    thresholds: tuple[Threshold, ...] = ()
    smoothing_ms: float = 0.0
    min_duration_ms: float = 100.0
    refractory_ms: float = 0.0
    after: After | None = None
    events: tuple[str, ...] = ()
    lasts_ms: float = 100.0
    source: Callable[[Sequence[str]], Source] | None = None


class Detector:
    """One behaviour, tick by tick. `step` returns "onset", "offset" or "" and sets `confidence`."""

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
        """Takes the confidence at a tick, and whether the behaviour may begin at it."""
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
    """Quantities of the body state, averaged over windows that end at the present tick; each kept once."""

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
        """The means at a tick, also kept as `values`; NaN until a window is full."""
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
        """The confidences at a tick, (behaviours,) float32, and what began or ended in it."""
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


class _Thresholds:
    """The least confidence of several thresholds on smoothed quantities."""

    def __init__(self, behaviour: Behaviour, smoothed: Smoothed) -> None:
        ticks = max(1, ticks_of(behaviour.smoothing_ms))
        self._smoothed = smoothed
        # place of the quantity, and the line through (off, 0.25) and (on, 0.75)
        self._lines = [
            (smoothed.place(c.quantity, ticks), c.off, 0.5 / (c.on - c.off))
            for c in behaviour.thresholds
        ]

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


class _Python:
    """A user's detector as a source; what it says that is no number counts as 0."""

    def __init__(self, detector: PythonDetector, body_state: Sequence[str]) -> None:
        self._detector = detector
        self._names = tuple(body_state)

    def step(self, tick: int, body: Sequence[float], events: Sequence[str]) -> float:
        named = dict(zip(self._names, body, strict=True))
        confidence = float(self._detector.step(tick, named, events))
        return min(max(confidence, 0.0), 1.0) if confidence == confidence else 0.0

    def begin_trial(self) -> None:
        begin = getattr(self._detector, "begin_trial", None)
        if begin is not None:
            begin()


def _confidence_of(behaviour: Behaviour, smoothed: Smoothed, body_state: Sequence[str]) -> Source:
    if behaviour.source is not None:
        return behaviour.source(body_state)
    return _TaskEvents(behaviour) if behaviour.events else _Thresholds(behaviour, smoothed)


def with_thresholds(
    behaviour: Behaviour, thresholds: Mapping[str, tuple[float, float | None]]
) -> Behaviour:
    """The behaviour with other (on, off) values by the thresholds' names; off None keeps the distance."""
    changed = []
    for threshold in behaviour.thresholds:
        on, off = thresholds.get(threshold.name, (threshold.on, threshold.off))
        if off is None:
            off = on - (threshold.on - threshold.off)
        changed.append(Threshold(threshold.name, threshold.quantity, on, off))
    return replace(behaviour, thresholds=tuple(changed))


def custom_behaviour(
    name: str,
    thresholds: Mapping[str, tuple[float, float]],
    *,
    smoothing_ms: float = 60.0,
    min_duration_ms: float = 100.0,
    refractory_ms: float = 0.0,
    after: After | None = None,
) -> Behaviour:
    """A behaviour of the user's own, as a protocol file defines it.

    In the file:

        detectors:
          my_rear:
            when:                                # all of these
              pitch: {above: 0.6, until: 0.4}    # begins above the first, ends below the second
              hindpaws_height: {below: 0.03, until: 0.05}
            after: {behaviour: stand, within_ms: 500}      # optional: begins only then
            smoothing_ms: 60
            min_duration_ms: 100
            refractory_ms: 1000

    Args:
        name: its name.
        thresholds: quantity (`stim.detectors.quantities`) to (on, off); on above off where it has
            to be large.
        smoothing_ms: the window over which quantities are averaged, backwards in time.
        min_duration_ms: how long it has to last before it counts as begun.
        refractory_ms: how long after its end it cannot begin again.
        after: behaviours during or soon after which alone it can begin.

    Raises:
        ValueError: an on and an off threshold are the same.
    """
    made = []
    for quantity, (on, off) in thresholds.items():
        if on == off:
            raise ValueError(f"on and off of {quantity!r} have to differ")
        side = "min" if on > off else "max"
        made.append(Threshold(f"{side}_{quantity}", quantity, on, off))
    return Behaviour(
        name,
        "defined in the protocol",
        tuple(made),
        smoothing_ms,
        min_duration_ms,
        refractory_ms,
        after,
    )


def python_behaviour(
    detector: PythonDetector, min_duration_ms: float = 20.0, refractory_ms: float = 0.0
) -> Behaviour:
    """A behaviour that a Python detector finds."""
    return Behaviour(
        detector.name,
        "found by a Python detector",
        min_duration_ms=min_duration_ms,
        refractory_ms=refractory_ms,
        source=lambda body_state: _Python(detector, body_state),
    )
