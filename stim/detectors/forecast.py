"""Forecasts: the onset of a behaviour some milliseconds before the detector finds it.

A real loop has a delay, and some experiments want the stimulus before the movement. As in DeepLabCut-Live's
forward prediction, every quantity of the behaviour's definition is extrapolated from its own running state:
a straight line through the last ticks of the smoothed values that the detector sees. There is nothing to
fit. The onset is forecast when by these lines the detector would find it within the lead: all conditions hold
for as long as the minimum duration asks, of which some ticks may have gone by already.

An onset that was not forecast is reported when it is found, with a lead of 0. A forecast that does not come
true lapses. `accuracy` reports from a recording what leads are reached, and how many forecasts are false.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rig.bus.message_types import TICK_S
from stim.detectors.behaviours import BEHAVIOURS
from stim.detectors.definition import OFF_CONFIDENCE, ON_CONFIDENCE, Behaviour
from stim.detectors.online import Detectors, Smoothed, confidence_lines
from stim.ticks import TICK_MS, ticks_of

TREND_TICKS = 5
"""Over so many ticks the line is laid; within them a stride hardly shows in the smoothed values."""
SURE_TICKS = 2
"""So many ticks in a row the forecast has to be the same: noise makes shorter ones."""
PATIENCE_TICKS = 10
"""So long after its time a forecast may still come true before it has lapsed."""
_WEIGHTS = np.arange(TREND_TICKS) - (TREND_TICKS - 1) / 2
_SLOPE: tuple[float, ...] = tuple((_WEIGHTS / (_WEIGHTS**2).sum()).tolist())


def can_be_forecast(behaviour: Behaviour) -> bool:
    """Whether there is anything to extrapolate: not for what is made of task events."""
    return not behaviour.events


class Forecast:
    """Forecasts the onsets of one behaviour.

    Args:
        behaviour: its definition.
        lead_ms: how long ahead of the detector's onset, in ms of animal time.
        body_state: names of the entries of the vectors that `step` will get.

    Raises:
        ValueError: the behaviour cannot be forecast (`can_be_forecast`).
        RunError: the body state lacks what the behaviour is made of.
    """

    def __init__(self, behaviour: Behaviour, lead_ms: float, body_state: Sequence[str]) -> None:
        if not can_be_forecast(behaviour):
            raise ValueError(
                f"{behaviour.name!r} follows from what happens in the task and cannot be foretold"
            )
        # what has to be sure for some ticks is looked for that much earlier
        self._ahead = max(1, ticks_of(lead_ms)) + SURE_TICKS - 1
        self._min_ticks = max(1, ticks_of(behaviour.min_duration_ms))
        needed = behaviour.after.behaviours if behaviour.after is not None else ()
        others = [
            each for each in BEHAVIOURS if each.name in needed and each.name != behaviour.name
        ]
        self._detectors = Detectors([*others, behaviour], body_state)
        self._place = len(others)
        self._after = behaviour.after
        self._smoothed = Smoothed(body_state)
        self._lines = confidence_lines(behaviour, self._smoothed)
        self._name = behaviour.name
        self._last_seen = dict.fromkeys((each.name for each in others), -math.inf)
        self._is_on = dict.fromkeys(self._last_seen, False)
        self.begin_trial()

    def begin_trial(self) -> None:
        """Forgets the trial before."""
        self._smoothed.begin_trial()
        self._detectors.begin_trial(0)
        self._recent: deque[list[float]] = deque(maxlen=TREND_TICKS)
        self._held = 0  # for so many ticks up to now the conditions hold
        self._sure = 0
        self._present = False
        self._forecast_tick = -1  # of a forecast that has neither come true nor lapsed
        for name in self._last_seen:
            self._last_seen[name], self._is_on[name] = -math.inf, False

    def step(self, tick: int, body: NDArray[np.float64], task_events: Sequence[str] = ()) -> bool:
        """Takes in a tick; True at the forecast of an onset, and at an onset that was not forecast.

        Args:
            tick: of the session.
            body: (entries,) float64, the body state in the order of its names.
            task_events: what happened in the task.
        """
        confidence, found = self._detectors.step(tick, body, task_events)
        onset = False
        for event in found:
            if event.name == self._name:
                onset = event.phase == "onset"
                self._present = onset
            else:
                self._is_on[event.name] = event.phase == "onset"
        for name, is_on in self._is_on.items():
            if is_on:
                self._last_seen[name] = tick
        now = float(confidence[self._place])
        self._held = self._held + 1 if now >= ON_CONFIDENCE else 0
        self._smoothed.step(body.tolist())
        self._recent.append(
            [
                OFF_CONFIDENCE + (self._smoothed.values[place] - off) * slope
                for place, off, slope in self._lines
            ]
            or [now]
        )
        if onset:
            was_forecast, self._forecast_tick = self._forecast_tick >= 0, -1
            self._sure = 0
            return not was_forecast
        if self._present:
            return False
        self._sure = self._sure + 1 if self._may_begin(tick) and self._is_coming() else 0
        if self._forecast_tick >= 0:
            late = tick - self._forecast_tick > self._ahead + PATIENCE_TICKS
            if late and not self._sure:
                self._forecast_tick = -1  # lapsed
            return False
        if self._sure < SURE_TICKS:
            return False
        self._forecast_tick = tick
        return True

    def _may_begin(self, tick: int) -> bool:
        if self._after is None:
            return True
        within = ticks_of(self._after.within_ms)
        return any(tick - last <= within for last in self._last_seen.values())

    def _is_coming(self) -> bool:
        """Whether by the trend the conditions will have held for the minimum duration by then."""
        if len(self._recent) < TREND_TICKS:
            return False
        first = max(1, self._ahead - self._min_ticks + 1)
        if self._ahead < self._min_ticks and self._held < self._min_ticks - self._ahead:
            return False  # they would have had to begin by now
        for series in zip(*self._recent, strict=True):
            slope = sum(w * value for w, value in zip(_SLOPE, series, strict=True))
            middle = sum(series) / TREND_TICKS + slope * (TREND_TICKS - 1) / 2
            # a line holds throughout if it does at both ends; comparisons with NaN are False
            begin, end = middle + slope * first, middle + slope * self._ahead
            if not (begin >= ON_CONFIDENCE and end >= ON_CONFIDENCE):
                return False
        return True


@dataclass(frozen=True)
class Accuracy:
    """How forecasts did in a recording.

    Attributes:
        onsets: how many there were.
        leads_ms: the lead of each onset that was forecast.
        false_alarms: forecasts that lapsed.
        minutes: of animal time.
    """

    onsets: int
    leads_ms: tuple[float, ...]
    false_alarms: int
    minutes: float

    @property
    def foreseen(self) -> int:
        """How many onsets were forecast before they were found."""
        return len(self.leads_ms)

    @property
    def median_lead_ms(self) -> float:
        """Of the onsets that were forecast; NaN where none was."""
        return float(np.median(self.leads_ms)) if self.leads_ms else math.nan

    @property
    def false_alarms_per_minute(self) -> float:
        """Forecasts that lapsed, per minute of the animal's time."""
        return self.false_alarms / self.minutes if self.minutes else math.nan

    def __str__(self) -> str:
        return (
            f"{self.foreseen} of {self.onsets} onsets foreseen, median lead "
            f"{self.median_lead_ms:.0f} ms, {self.false_alarms_per_minute:.2f} false alarms a minute"
        )


def accuracy(
    behaviour: Behaviour,
    lead_ms: float,
    body_state: Sequence[str],
    trials: Sequence[tuple[NDArray[np.float64], Sequence[Sequence[str]]]],
) -> Accuracy:
    """What lead a behaviour's forecasts reach in recorded trials, and how many are false.

    Args:
        behaviour: its definition.
        lead_ms: the lead that is asked for.
        body_state: the names of the body state's entries.
        trials: of each the body states (ticks, entries) and the task events of every tick.
    """
    needed = behaviour.after.behaviours if behaviour.after is not None else ()
    all_behaviours = [*(each for each in BEHAVIOURS if each.name in needed), behaviour]
    forecast = Forecast(behaviour, lead_ms, body_state)
    detectors = Detectors(all_behaviours, body_state)
    leads, onsets, false, ticks = [], 0, 0, 0
    for body, events in trials:
        forecast.begin_trial()
        detectors.begin_trial(0)
        forecast_tick: int | None = None
        for tick, (state, happened) in enumerate(zip(body, events, strict=True)):
            is_forecast = forecast.step(tick, state, happened)
            found = detectors.step(tick, state, happened)[1]
            onset = any(e.name == behaviour.name and e.phase == "onset" for e in found)
            if onset:
                onsets += 1
                if forecast_tick is not None:
                    leads.append((tick - forecast_tick) * TICK_MS)
                forecast_tick = None
            elif is_forecast:
                false += forecast_tick is not None  # the one before lapsed
                forecast_tick = tick
        false += forecast_tick is not None
        ticks += len(body)
    return Accuracy(onsets, tuple(leads), false, ticks * TICK_S / 60)
