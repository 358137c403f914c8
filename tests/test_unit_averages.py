"""Averages around events and tuning curves, on activity in which the answer was planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.event_average import EventMoments, event_average
from analysis.tuning import TuningSums, tuning

TICK_S = 0.02


def test_a_planted_response_is_found_with_its_standard_error() -> None:
    random = np.random.default_rng(0)
    activity = random.normal(2.0, 0.5, (12_000, 3))
    events = np.arange(100, 11_900, 120)
    response = np.sin(np.pi * np.arange(25) / 25)
    for event in events:
        activity[event + 5 : event + 30, 1] += 3 * response
    average = event_average(activity, events, before=50, after=100, tick_s=TICK_S)
    assert average.n_events == len(events) == average.n.min()
    planted = np.full((150, 3), 2.0)
    planted[55:80, 1] += 3 * response
    assert np.abs(average.mean - planted).max() < 5 * 0.5 / np.sqrt(len(events))
    assert average.sem.mean() == pytest.approx(0.5 / np.sqrt(len(events)), rel=0.05)
    assert average.time_s[[0, 50, -1]] == pytest.approx([-1.0, 0.0, 1.98])


def test_what_is_not_known_of_an_event_does_not_count() -> None:
    activity = np.arange(40.0)[:, None] * np.ones(2)
    activity[21] = np.nan
    trial = np.repeat([0, 1], [30, 10])
    average = event_average(
        activity, [1, 20, 28, 99, -1], before=2, after=3, tick_s=TICK_S, trial=trial
    )
    assert average.n_events == 3
    assert average.n.tolist() == [2, 3, 3, 2, 2]  # 1 has no -2; 20 no +1; 28 no +2
    assert average.mean[:, 0] == pytest.approx([22, 46 / 3, 49 / 3, 15.5, 12.5])
    nothing = event_average(activity, [], before=2, after=3, tick_s=TICK_S)
    assert np.isnan(nothing.mean).all()
    assert nothing.n.sum() == nothing.n_events == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(0, 9))
def test_moments_are_those_of_all_events_however_they_come(seed: int, one: int, two: int) -> None:
    windows = np.random.default_rng(seed).normal(30.0, 1.0, (one + two, 4, 3))
    parts = EventMoments(4, 3), EventMoments(4, 3)
    for k, window in enumerate(windows):
        parts[k >= one].add(window)
    average = parts[0].joined(parts[1]).average(1, TICK_S, units=[2, 0])
    assert average.n_events == one + two
    if one + two > 1:
        chosen = windows[:, :, [2, 0]]
        np.testing.assert_allclose(average.mean, chosen.mean(0), rtol=1e-5)
        expected = chosen.std(0, ddof=1) / np.sqrt(one + two)
        np.testing.assert_allclose(average.sem, expected, rtol=2e-3, atol=1e-5)


def test_a_planted_tuning_is_found() -> None:
    random = np.random.default_rng(1)
    heading = np.cumsum(random.normal(0, 0.15, 60_000)) % (2 * np.pi) - np.pi
    activity = np.stack([np.cos(heading - 1.0), np.zeros(60_000)], axis=1)
    activity += random.normal(0, 0.3, activity.shape)
    edges = np.linspace(-np.pi, np.pi, 13)
    curve = tuning(activity, heading, edges, tick_s=TICK_S)
    assert curve.occupancy_s.sum() == pytest.approx(1200.0)
    np.testing.assert_allclose(curve.mean[:, 0], np.cos(curve.centre - 1.0), atol=0.05)
    np.testing.assert_allclose(curve.mean[:, 1], 0.0, atol=0.03)
    assert curve.centre[np.argmax(curve.mean[:, 0])] == pytest.approx(1.0, abs=np.pi / 12)


def test_the_error_of_a_tuning_counts_visits_not_ticks() -> None:
    """A unit that has one value throughout a visit is known as often as there are visits."""
    random = np.random.default_rng(2)
    values = random.normal(0, 1, 4000)
    speed = np.repeat(np.tile([0.1, 0.7], 2000), 25)
    curve = tuning(np.repeat(values, 25)[:, None], speed, [0.0, 0.5, 1.0], tick_s=TICK_S)
    assert curve.n_visits.tolist() == [2000, 2000]
    assert curve.sem[:, 0] == pytest.approx(values.reshape(-1, 2).std(0) / np.sqrt(2000), rel=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 7), min_size=1, max_size=12))
def test_a_tuning_does_not_depend_on_how_ticks_are_batched(seed: int, sizes: list[int]) -> None:
    random = np.random.default_rng(seed)
    n = sum(sizes)
    variable = random.choice([0.0, 0.1, 0.5, 0.9, 1.0, 1.1, np.nan], n)
    activity, trial = random.normal(5, 1, (n, 2)), np.sort(random.integers(0, 3, n))
    whole = tuning(activity, variable, [0.0, 0.5, 1.0], tick_s=TICK_S, trial=trial)
    sums = TuningSums([0.0, 0.5, 1.0], 2)
    for part in np.split(np.arange(n), np.cumsum(sizes)[:-1]):
        sums.add(activity[part], variable[part], trial[part])
    sums.leave()
    batched = sums.tuning(TICK_S)
    for name in ("mean", "sem", "occupancy_s", "n_visits"):
        np.testing.assert_allclose(getattr(batched, name), getattr(whole, name), atol=1e-9)
