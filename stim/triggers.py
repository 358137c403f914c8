"""What starts a stimulus, and what has to hold for it: events and conditions, as a protocol writes them.

An event (`Trigger`) fires at a tick: an onset, a key, a crossing of a threshold. A condition holds at a tick
or does not: a behaviour is present, an event fired not long ago. `stim.trigger_evaluator` evaluates both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stim.stimuli.stimuli import Units
from stim.ticks import ticks_of


@dataclass(frozen=True)
class Activity:
    """The mean activity of units of a layer, above or below a level.

    Attributes:
        layer: "core", "policy_0", ...
        units: which of its units.
        state: "c" (cell) or "h" (hidden).
        above, below: the levels, in units of activity; None: no such level.
        smoothing_ms: the window over which the mean is averaged, backwards in time.
        natural: before stimuli have changed it; False: as applied.
    """

    layer: str
    units: Units
    state: str
    above: float | None = None
    below: float | None = None
    smoothing_ms: float = 0.0
    natural: bool = True

    def holds(self, value: float) -> bool:
        """Whether a value is within the levels; NaN never is."""
        return (self.above is None or value > self.above) and (
            self.below is None or value < self.below
        )


# --- events -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BehaviourTransition:
    """The "onset" or "offset" (`phase`) of a behaviour, when it is found."""

    behaviour: str
    phase: str


@dataclass(frozen=True)
class TrialStart:
    """A trial starts: its first tick, or the protocol's `trial_starts`."""


@dataclass(frozen=True)
class TrialTime:
    """So long after the start of a trial."""

    time_ms: float

    @property
    def ticks(self) -> int:
        """Ticks from the trial's start."""
        return ticks_of(self.time_ms)


@dataclass(frozen=True)
class TaskEvent:
    """Something happens in the task, as `rig.task_events` names it; seen at the tick after its physics."""

    name: str


@dataclass(frozen=True)
class OperatorKey:
    """The operator, or a client of the bus, presses a key."""

    key: str


@dataclass(frozen=True)
class ThresholdCrossing:
    """Activity comes within its levels, having been outside them at the tick before."""

    activity: Activity


@dataclass(frozen=True)
class ForecastOnset:
    """The onset of a behaviour, forecast `lead_ms` ahead from the running state."""

    behaviour: str
    lead_ms: float


@dataclass(frozen=True)
class AnyEvent:
    """Any of several events."""

    events: tuple[Trigger, ...]


Trigger: TypeAlias = (
    BehaviourTransition
    | TrialStart
    | TrialTime
    | TaskEvent
    | OperatorKey
    | ThresholdCrossing
    | ForecastOnset
    | AnyEvent
)


# --- conditions ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Present:
    """A behaviour is present."""

    behaviour: str


@dataclass(frozen=True)
class Level:
    """Activity is within its levels."""

    activity: Activity


@dataclass(frozen=True)
class Within:
    """An event happened in this trial, now or at most so long ago."""

    event: Trigger
    within_ms: float

    @property
    def ticks(self) -> int:
        """How many ticks ago, at most."""
        return ticks_of(self.within_ms)


@dataclass(frozen=True)
class Not:
    """A condition does not hold."""

    condition: Condition


@dataclass(frozen=True)
class AllOf:
    """All of several conditions hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of several conditions holds."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = Present | Level | Within | Not | AllOf | AnyOf


def events_in(trigger: Trigger) -> tuple[Trigger, ...]:
    """The single events that a trigger is made of."""
    if isinstance(trigger, AnyEvent):
        return tuple(event for each in trigger.events for event in events_in(each))
    return (trigger,)


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """A condition and all those within it."""
    match condition:
        case Not(inner):
            return (condition, *parts_of(inner))
        case AllOf(inner) | AnyOf(inner):
            return (condition, *(part for each in inner for part in parts_of(each)))
        case _:
            return (condition,)
