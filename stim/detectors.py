"""The online detector: from a body state each tick to behaviours with onset and offset.

A behaviour is a set of conditions on named quantities, each with two thresholds (hysteresis). Every tick
a detector turns each quantity into a confidence

    0 ... 0.25 at the off threshold ... 0.75 at the on threshold ... 1

and takes the least of them. The behaviour begins when that has been at least 0.75 for the minimum
duration, and ends as soon as it is 0.25 or less. An onset is found at the last tick of the minimum
duration; `began_tick` is its first.

Quantities waver within each stride (3-6 Hz), so they are averaged over a window that ends at the present
tick. A window of n ticks delays what a detector sees by (n - 1) / 2 ticks on average; that delay is not
subtracted from `began_tick`. At the beginning of a trial, until the window is full, the confidence is 0.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rig.errors import RunError
from rig.messages import TICK_S, Event

TICK_MS = TICK_S * 1000
ON_CONFIDENCE = 0.75
OFF_CONFIDENCE = 0.25


def ticks_of(time_ms: float) -> int:
    """A time in ticks, rounded to the nearest; halfway goes up (30 ms are 2 ticks, 29 ms are 1)."""
    return math.floor(time_ms / TICK_MS + 0.5)


@dataclass(frozen=True)
class Condition:
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


@dataclass(frozen=True)
class Behaviour:
    """The definition of a behaviour; times in ms of animal time, rounded to ticks by `ticks_of`."""

    name: str
    meaning: str
    conditions: tuple[Condition, ...]
    smoothing_ms: float = 0.0
    min_duration_ms: float = 100.0
    refractory_ms: float = 0.0


Quantity = Callable[[Sequence[float]], float]


def read_quantity(name: str, body_state: Sequence[str]) -> Quantity:
    """A function from a body-state vector to the named quantity.

    Quantities are the entries of the body state, and `ground_speed`: the horizontal speed in any direction.

    Raises:
        RunError: the session's body state lacks what the quantity is made of.
    """
    index = {entry: i for i, entry in enumerate(body_state)}
    try:
        if name == "ground_speed":
            x, y = index["torso_vx"], index["torso_vy"]
            return lambda body: math.hypot(body[x], body[y])
        at = index[name]
    except KeyError as missing:
        raise RunError(
            f"The session's body state has no {missing}, which detectors need."
        ) from None
    return lambda body: body[at]


class Detector:
    """One behaviour, tick by tick. `step` returns "onset", "offset" or "" and sets `confidence`."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._min_ticks = max(1, ticks_of(behaviour.min_duration_ms))
        self._refractory_ticks = ticks_of(behaviour.refractory_ms)
        self._on_for = 0
        self._not_before = -1
        self.present = False
        self.confidence = 0.0
        self.began_tick = -1

    def step(self, tick: int, values: Sequence[float]) -> str:
        """Takes the (smoothed) quantities of the conditions at a tick, in their order."""
        self.confidence = min(
            condition.confidence(value)
            for condition, value in zip(self.behaviour.conditions, values, strict=True)
        )
        if self.present:
            if self.confidence > OFF_CONFIDENCE:
                return ""
            self.reset()
            self._not_before = tick + self._refractory_ticks
            return "offset"
        self._on_for = self._on_for + 1 if self.confidence >= ON_CONFIDENCE else 0
        if self._on_for < self._min_ticks or tick < self._not_before:
            return ""
        self.present = True
        self.began_tick = max(tick - self._min_ticks + 1, self._not_before)
        return "onset"

    def reset(self) -> None:
        """Forgets what it has seen; the behaviour is not present."""
        self.present = False
        self._on_for = 0
        self._not_before = -1


class Detectors:
    """All behaviours of a session, in the order of their confidences.

    Args:
        behaviours: the definitions.
        body_state: names of the entries of the vectors that `step` will get.
    """

    def __init__(self, behaviours: Sequence[Behaviour], body_state: Sequence[str]) -> None:
        self._detectors = [Detector(behaviour) for behaviour in behaviours]
        self._numbers = dict.fromkeys((behaviour.name for behaviour in behaviours), 0)
        windows: dict[tuple[str, int], int] = {}  # several conditions share a smoothed quantity
        self._inputs: list[list[int]] = []
        for behaviour in behaviours:
            ticks = max(1, ticks_of(behaviour.smoothing_ms))
            self._inputs.append(
                [
                    windows.setdefault((condition.quantity, ticks), len(windows))
                    for condition in behaviour.conditions
                ]
            )
        self._windows: list[deque[float]] = [deque(maxlen=ticks) for _, ticks in windows]
        self._quantities = [read_quantity(name, body_state) for name, _ in windows]

    def step(self, tick: int, body: NDArray[np.float64]) -> tuple[NDArray[np.float32], list[Event]]:
        """The confidences at a tick, (behaviours,) float32, and what began or ended in it."""
        state: list[float] = body.tolist()
        smoothed = []
        for window, quantity in zip(self._windows, self._quantities, strict=True):
            window.append(quantity(state))
            # Summed anew each tick: a running sum would drift, and one NaN would stay in it for ever.
            full = len(window) == window.maxlen
            smoothed.append(sum(window) / len(window) if full else math.nan)
        events = []
        for detector, inputs in zip(self._detectors, self._inputs, strict=True):
            phase = detector.step(tick, [smoothed[i] for i in inputs])
            if phase:
                events.append(self._event(detector, phase, tick))
        confidences = np.array([detector.confidence for detector in self._detectors], np.float32)
        return confidences, events

    def begin_trial(self, tick: int) -> list[Event]:
        """Forgets the trial before; behaviours that were present end at this, its successor's first tick."""
        for window in self._windows:
            window.clear()
        events = []
        for detector in self._detectors:
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


def with_thresholds(
    behaviour: Behaviour, thresholds: Mapping[str, tuple[float, float | None]]
) -> Behaviour:
    """The behaviour with other (on, off) thresholds by condition name; off None keeps the distance."""
    conditions = []
    for condition in behaviour.conditions:
        on, off = thresholds.get(condition.name, (condition.on, condition.off))
        if off is None:
            off = on - (condition.on - condition.off)
        conditions.append(Condition(condition.name, condition.quantity, on, off))
    return Behaviour(
        behaviour.name,
        behaviour.meaning,
        tuple(conditions),
        behaviour.smoothing_ms,
        behaviour.min_duration_ms,
        behaviour.refractory_ms,
    )
