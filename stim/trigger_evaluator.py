"""Which of a protocol's triggers fire at a tick, and which of its conditions hold.

Every tick is observed once, after the detectors' step; triggers and conditions are evaluated for it after
that. Nothing is remembered beyond a trial.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from rig.bus.message_types import Array, Event, Tick
from rig.errors import RunError
from stim.detectors.definition import Behaviour
from stim.detectors.forecast import Forecast
from stim.stimuli.baselines import Values
from stim.ticks import ticks_of
from stim.triggers import (
    Activity,
    AllOf,
    AnyEvent,
    AnyOf,
    BehaviourTransition,
    Condition,
    ForecastOnset,
    Level,
    Not,
    OperatorKey,
    Present,
    TaskEvent,
    ThresholdCrossing,
    TrialStart,
    TrialTime,
    Trigger,
    Within,
    events_in,
    parts_of,
)


class ActivityMonitor:
    """Follows one `Activity`: its smoothed value, and whether that is within its levels.

    Args:
        activity: what to follow.
        slices: where each layer's units are in the activity arrays.
        seed: of the session, for units drawn at random.
        values: rankings from baselines.

    Attributes:
        value: at the last tick; NaN until the smoothing window is full.
        holds: whether it is within the levels.
        held: the same at the tick before; None where it had no value then.
    """

    def __init__(
        self, activity: Activity, slices: Mapping[str, slice], seed: int, values: Values | None
    ) -> None:
        layer = slices[activity.layer]
        units = activity.units.indices(layer.stop - layer.start, seed, values)
        self._units = units + layer.start
        self._array = f"{activity.state}_{'natural' if activity.natural else 'applied'}"
        self._window: deque[float] = deque(maxlen=max(1, ticks_of(activity.smoothing_ms)))
        self._activity = activity
        self.holds = False
        self.held: bool | None = None
        self.value = math.nan

    def observe(self, arrays: Mapping[str, Array]) -> None:
        """Takes in the arrays of a tick; until the window is full, the activity is not within any level."""
        if not len(self._units):
            return
        self._window.append(float(arrays[self._array][self._units].mean()))
        full = len(self._window) == self._window.maxlen
        self.held = self.holds if full and not math.isnan(self.value) else None
        self.value = sum(self._window) / len(self._window) if full else math.nan
        self.holds = self._activity.holds(self.value)

    def forget(self) -> None:
        """Begins anew, with a trial."""
        self._window.clear()
        self.holds, self.held, self.value = False, None, math.nan


class TriggerEvaluator:
    """Follows the triggers and conditions of a protocol through a session.

    Args:
        triggers: all that will be evaluated.
        conditions: all that will be evaluated.
        behaviours: of the session, for the forecasts of their onsets.
        body_state: names of the entries of the body state.
        layers: layer name to number of units, in the order of the activity arrays.
        seed: of the session, for units drawn at random.
        values: rankings from baselines.

    Raises:
        RunError: the subject has no such layer, the body state lacks what a forecast needs, or a behaviour
            cannot be forecast.
    """

    def __init__(
        self,
        triggers: Iterable[Trigger],
        conditions: Iterable[Condition],
        behaviours: Sequence[Behaviour],
        body_state: Sequence[str],
        layers: Mapping[str, int],
        seed: int,
        values: Values | None = None,
    ) -> None:
        parts = [part for condition in conditions for part in parts_of(condition)]
        self._remembered = {part.event: -1 for part in parts if isinstance(part, Within)}
        events = [event for each in (*triggers, *self._remembered) for event in events_in(each)]
        slices: dict[str, slice] = {}
        start = 0
        for name, n_units in layers.items():
            slices[name] = slice(start, start + n_units)
            start += n_units
        activities = {
            each.activity
            for each in (*events, *parts)
            if isinstance(each, ThresholdCrossing | Level)
        }
        for activity in activities:
            if activity.layer not in slices:
                raise RunError(f"The session's subject has no layer {activity.layer!r}.")
        self._monitors = {each: ActivityMonitor(each, slices, seed, values) for each in activities}
        by_name = {behaviour.name: behaviour for behaviour in behaviours}
        try:
            self._forecasts = {
                each: Forecast(by_name[each.behaviour], each.lead_ms, body_state)
                for each in dict.fromkeys(events)
                if isinstance(each, ForecastOnset)
            }
        except ValueError as problem:
            raise RunError(f"The protocol waits for a forecast, but {problem}.") from None
        self._forecast_onsets: set[ForecastOnset] = set()
        self._found: dict[tuple[str, str], Event] = {}
        self._present: dict[str, bool] = dict.fromkeys(by_name, False)
        self._task_events: frozenset[str] = frozenset()
        self._keys: frozenset[str] = frozenset()
        self._tick = -1
        self._trial = -1
        self._started = -1

    def begin_trial(self, trial: int) -> None:
        """A trial begins with the next tick that is observed; it has not started yet."""
        self._trial, self._started = trial, -1
        for monitor in self._monitors.values():
            monitor.forget()
        for forecast in self._forecasts.values():
            forecast.begin_trial()
        for event in self._remembered:
            self._remembered[event] = -1
        for name in self._present:
            self._present[name] = False

    def observe(
        self, tick: int, content: Tick, arrays: Mapping[str, Array], found: Sequence[Event]
    ) -> None:
        """Takes in a tick.

        Args:
            tick: of the session.
            content: its task events and inputs from outside.
            arrays: its activity, (units,) float32 each, and the body state, (entries,) float64.
            found: onsets and offsets of behaviours that the detectors found in it.
        """
        self._tick = tick
        self._found = {(event.name, event.phase): event for event in found}
        for event in found:
            self._present[event.name] = event.phase == "onset"
        self._task_events = frozenset(content.task_events)
        self._keys = frozenset(each.name for each in content.inputs if each.kind == "key")
        for monitor in self._monitors.values():
            monitor.observe(arrays)
        self._forecast_onsets = {
            each
            for each, forecast in self._forecasts.items()
            if forecast.step(tick, arrays["body"], content.task_events)
        }
        for trigger in self._remembered:
            if self.fired(trigger):
                self._remembered[trigger] = tick

    def start_trial(self, tick: int) -> None:
        """The trial started at this tick: the one just observed, or one before it."""
        self._started = tick

    @property
    def present(self) -> tuple[str, ...]:
        """The behaviours that are present at the tick just observed."""
        return tuple(name for name, present in self._present.items() if present)

    @property
    def started(self) -> bool:
        """Whether the trial has started."""
        return self._started >= 0

    def fired(self, trigger: Trigger) -> str:
        """What fired a trigger at the tick just observed, in words for the record; "" if nothing did."""
        match trigger:
            case BehaviourTransition(name, phase):
                event = self._found.get((name, phase))
                return f"{name}.{phase} {event.number}" if event is not None else ""
            case TrialStart():
                return f"trial {self._trial} start" if self._tick == self._started else ""
            case TrialTime(time_ms):
                due = self.started and self._tick - self._started == trigger.ticks
                return f"{time_ms:g} ms of trial {self._trial}" if due else ""
            case TaskEvent(name):
                return f"task {name}" if name in self._task_events else ""
            case OperatorKey(key):
                return f"key {key}" if key in self._keys else ""
            case ForecastOnset(name, lead_ms):
                return (
                    f"{name}.onset foretold {lead_ms:g} ms"
                    if trigger in self._forecast_onsets
                    else ""
                )
            case ThresholdCrossing(activity):
                monitor = self._monitors[activity]
                crossed = monitor.holds and monitor.held is False
                return f"activity of {activity.layer} {monitor.value:.4g}" if crossed else ""
            case AnyEvent(events):
                return next((cause for each in events if (cause := self.fired(each))), "")

    def holds(self, condition: Condition) -> bool:
        """Whether a condition holds at the tick just observed."""
        match condition:
            case Present(name):
                return self._present[name]
            case Level(activity):
                return self._monitors[activity].holds
            case Within(event, _):
                last = self._remembered[event]
                return last >= 0 and self._tick - last <= condition.ticks
            case Not(inner):
                return not self.holds(inner)
            case AllOf(inner):
                return all(self.holds(each) for each in inner)
            case AnyOf(inner):
                return any(self.holds(each) for each in inner)
