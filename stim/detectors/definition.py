"""Definitions of behaviours: what a detector looks for, and how users make their own.

A behaviour is a set of thresholds on named quantities (`stim.detectors.quantities`), each with a value that
begins it and one that ends it (hysteresis). Some are made of what happens in the task (`events`); and some
have their confidence from elsewhere (`source`): a classifier that was fit to recordings
(`stim.detectors.learned`), or a class of the user's own (`PythonDetector`). Some can begin only during, or
soon after, another one (`after`).

Every threshold turns its quantity into a confidence

    0 ... 0.25 at the off value ... 0.75 at the on value ... 1

of which the behaviour has the least. `stim.detectors.online` detects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

ON_CONFIDENCE = 0.75
OFF_CONFIDENCE = 0.25


@dataclass(frozen=True)
class Threshold:
    """A quantity has to reach `on`, and must then not fall back to `off`.

    With on above off it has to be large (`min_` names), with on below off small (`max_` names).

    Attributes:
        name: what protocols call the threshold, such as "min_forward_speed".
        quantity: one of `stim.detectors.quantities`.
        on, off: in the quantity's unit.
    """

    name: str
    quantity: str
    on: float
    off: float


class Source(Protocol):
    """Where a behaviour's confidence comes from, if not from thresholds or task events."""

    def step(self, tick: int, body: Sequence[float], events: Sequence[str]) -> float:
        """The confidence at a tick, 0 to 1.

        Args:
            tick: of the session.
            body: the body state's entries, in their order.
            events: what happened in the task.
        """

    def begin_trial(self) -> None:
        """Forgets the trial before."""


class PythonDetector(Protocol):
    """A detector of the user's own, in Python; used only with `--allow-python`.

    A class with a name and this one method; it may remember what it likes from tick to tick. A method
    `begin_trial()` is called, if there is one, at the beginning of every trial.
    """

    name: str

    def step(self, tick: int, body: Mapping[str, float], events: Sequence[str]) -> float:
        """The confidence, 0 to 1: from 0.75 on the behaviour begins, at 0.25 it ends.

        Args:
            tick: of the session.
            body: every entry of the body state by name (`rig.body_quantities`).
            events: what happened in the task.
        """


@dataclass(frozen=True)
class After:
    """A behaviour can only begin while one of these is present, or within a time of its end."""

    behaviours: tuple[str, ...]
    within_ms: float


@dataclass(frozen=True)
class Behaviour:
    """The definition of a behaviour; times in ms of animal time, rounded to ticks by `ticks_of`.

    One of `thresholds`, `events` and `source` says when it is present.

    Attributes:
        name: what protocols and recordings call it.
        meaning: what the animal does, in words.
        thresholds: it is present while all of them are reached.
        smoothing_ms: the window over which quantities are averaged, backwards in time.
        min_duration_ms: how long it has to last before it counts as begun.
        refractory_ms: how long after its end it cannot begin again.
        after: behaviours during or soon after which alone it can begin.
        events: it is present for `lasts_ms` after one of these task events.
        lasts_ms: as `events` says.
        source: makes, for a session with these names of body-state entries, what its confidence comes from.
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


def with_thresholds(
    behaviour: Behaviour, thresholds: Mapping[str, tuple[float, float | None]]
) -> Behaviour:
    """The behaviour with other thresholds.

    Args:
        behaviour: its definition.
        thresholds: the name of a threshold to its new (on, off), in the quantity's unit; an off of None
            keeps the distance between them.
    """
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
    """A behaviour that a Python detector finds.

    Args:
        detector: an object as `PythonDetector` describes.
        min_duration_ms: how long it has to last before it counts as begun.
        refractory_ms: how long after its end it cannot begin again.
    """
    return Behaviour(
        detector.name,
        "found by a Python detector",
        min_duration_ms=min_duration_ms,
        refractory_ms=refractory_ms,
        source=lambda body_state: _PythonSource(detector, body_state),
    )


class _PythonSource:
    """A `PythonDetector` as a source; a confidence that is not a number counts as 0."""

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
