"""Forecasts of onsets: ahead by the lead on a steady way there, once an onset, honest about false alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.body_quantities import NAMES
from stim.detectors.behaviours import BEHAVIOURS, FIRST_TAP, REAR, RUN
from stim.detectors.definition import Behaviour, Threshold
from stim.detectors.forecast import Forecast, accuracy, can_be_forecast
from stim.detectors.online import Detectors

DASH = Behaviour(
    "dash", "", (Threshold("min_forward_speed", "forward_speed", 0.5, 0.3),), min_duration_ms=60
)


def states(values: Sequence[float], quantity: str = "forward_speed") -> np.ndarray:
    body = np.zeros((len(values), len(NAMES)))
    body[:, NAMES.index("up")] = body[:, NAMES.index("pelvis_up")] = 1.0
    body[:, NAMES.index(quantity)] = values
    return body


def forecasts(behaviour: Behaviour, lead_ms: float, body: np.ndarray) -> list[int]:
    forecast = Forecast(behaviour, lead_ms, NAMES)
    return [tick for tick, state in enumerate(body) if forecast.step(tick, state)]


def onsets(behaviour: Behaviour, body: np.ndarray) -> list[int]:
    detectors = Detectors([behaviour], NAMES)
    events = [event for tick, state in enumerate(body) for event in detectors.step(tick, state)[1]]
    return [event.tick for event in events if event.phase == "onset"]


@pytest.mark.parametrize("lead_ms", [20, 60, 100, 200])
def test_a_steady_rise_is_foretold_by_the_lead(lead_ms: int) -> None:
    body = states([0.0] * 20 + [0.02 * tick for tick in range(40)])
    (onset,) = onsets(DASH, body)
    assert forecasts(DASH, lead_ms, body) == [onset - lead_ms // 20]


def test_a_jump_that_nothing_announces_is_told_with_its_onset() -> None:
    behaviour = Behaviour("dash", "", DASH.thresholds, min_duration_ms=20)
    body = states([0.0] * 20 + [1.0] * 20)
    assert forecasts(behaviour, 100, body) == onsets(behaviour, body) == [20]


def test_it_is_told_once_until_the_behaviour_came_and_went_or_it_lapsed() -> None:
    rise = [0.02 * tick for tick in range(30)]
    away = [0.0] * 60
    came = forecasts(DASH, 100, states(away + rise + [0.6] * 50 + away + rise + [0.6] * 5))
    assert len(came) == 2
    short = [*away, *rise[:24], *away, *rise[:24], *away]  # up to 0.46 and back, twice
    lapsed = forecasts(DASH, 100, states(short))
    assert len(lapsed) == 2
    assert onsets(DASH, states(short)) == []


def test_a_forecast_asks_for_what_has_to_come_first() -> None:
    righting = next(behaviour for behaviour in BEHAVIOURS if behaviour.name == "righting")
    rise = [-0.9] * 40 + np.linspace(-0.9, 1.0, 60).tolist()
    upright = states([0.0] * 100)
    for name in ("up", "pelvis_up"):
        upright[:, NAMES.index(name)] = rise
    lying = upright.copy()
    lying[:, NAMES.index("torso_height")] = 0.03
    upright[:, NAMES.index("torso_height")] = 0.2  # carried through the air: never fallen
    assert forecasts(righting, 60, upright) == []
    assert len(forecasts(righting, 60, lying)) == 1


def test_task_events_cannot_be_foretold() -> None:
    assert not can_be_forecast(FIRST_TAP)
    with pytest.raises(ValueError, match="first_tap"):
        Forecast(FIRST_TAP, 100, NAMES)


def test_accuracy_counts_leads_and_false_alarms() -> None:
    rise = [0.02 * tick for tick in range(30)]
    good = states([0.0] * 20 + rise + [0.6] * 20)
    false = states([0.0] * 20 + rise[:24] + [0.0] * 56)
    events: list[tuple[str, ...]] = [()] * 100
    found = accuracy(DASH, 100, NAMES, [(good, events[: len(good)]), (false, events)])
    assert (found.onsets, found.foreseen, found.false_alarms) == (1, 1, 1)
    assert found.leads_ms == (100.0,)
    assert found.minutes == pytest.approx(170 * 0.02 / 60)
    assert "1 of 1 onsets foreseen, median lead 100 ms" in str(found)
    assert math.isnan(accuracy(REAR, 100, NAMES, [(good, events[: len(good)])]).median_lead_ms)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1, 2) | st.just(math.nan), max_size=120),
    st.sampled_from([20, 100, 300]),
    st.sampled_from([DASH, RUN]),
)
def test_no_onset_goes_untold(values: list[float], lead_ms: int, behaviour: Behaviour) -> None:
    """Between any two onsets, and up to the first, it was forecast at least once; never in between."""
    body = states(values)
    ticks, found = forecasts(behaviour, lead_ms, body), onsets(behaviour, body)
    for before, onset in zip([-1, *found], found, strict=False):
        assert any(before < tick <= onset for tick in ticks)
