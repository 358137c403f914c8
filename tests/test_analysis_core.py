"""Statistics of activity against their definitions, written out as loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from analysis.core import aligned, mean_during, modulation, ranking, template, z_scored

FLOATS = st.floats(-4, 4, width=32)
ACTIVITY = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30), elements=FLOATS
)


@st.composite
def activity_and_spans(draw: st.DrawFn) -> tuple[np.ndarray, list[tuple[int, int]]]:
    activity = draw(ACTIVITY)
    starts = draw(st.lists(st.integers(0, len(activity) - 1), min_size=1, max_size=5))
    return activity, [(start, draw(st.integers(start + 1, len(activity)))) for start in starts]


def noise(n_ticks: int, n_units: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n_ticks, n_units), np.float32)


def test_z_scores_are_in_standard_deviations() -> None:
    z = z_scored(noise(500, 8) * [1, 2, 3, 4, 5, 6, 7, 0] + 10)
    assert np.allclose(z.mean(0), 0, atol=1e-5)
    assert np.allclose(z[:, :7].std(0), 1, atol=1e-4)
    assert (z[:, 7] == 0).all()


def test_a_unit_that_only_rounding_moves_is_zero() -> None:
    still = np.full((1000, 1), 0.1, np.float32)
    still[::2] = np.nextafter(np.float32(0.1), np.float32(1))
    assert (z_scored(still) == 0).all()


@given(activity_and_spans())
def test_modulation_is_as_defined(drawn: tuple[np.ndarray, list[tuple[int, int]]]) -> None:
    activity, spans = drawn
    z = z_scored(activity)
    median = int(np.median([stop - start for start, stop in spans]))
    at_each_tick = []
    for since in range(median):
        ongoing = [z[start + since] for start, stop in spans if start + since < stop]
        assert 2 * len(ongoing) >= len(spans)
        at_each_tick.append(np.abs(np.mean(ongoing, axis=0)))
    assert np.allclose(modulation(activity, spans), np.mean(at_each_tick, axis=0), atol=1e-5)


def test_modulated_units_come_first() -> None:
    activity = noise(1000, 12)
    spans = [(start, start + 20) for start in range(30, 950, 60)]
    for start, stop in spans:
        activity[start:stop, 4] += 3  # on throughout
        activity[start:stop, 9] += 2 * np.sin(
            np.arange(20) / 20 * 2 * np.pi
        )  # up, then down: mean 0
    assert set(ranking(modulation(activity, spans))[:2].tolist()) == {4, 9}
    # neither a unit's scale nor its offset plays a part
    assert np.allclose(modulation(activity * 7 + 3, spans), modulation(activity, spans), atol=1e-3)


def test_ranking_is_strongest_first_and_keeps_equals() -> None:
    assert ranking(np.array([0.5, 2.0, 0.5, 3.0])).tolist() == [3, 1, 0, 2]


@given(activity_and_spans())
def test_a_mean_counts_each_tick_once(drawn: tuple[np.ndarray, list[tuple[int, int]]]) -> None:
    activity, spans = drawn
    rows = sorted({row for start, stop in spans for row in range(start, stop)})
    expected = np.mean([activity[row].astype(float) for row in rows], axis=0)
    assert np.allclose(mean_during(activity, spans), expected, atol=1e-6)


@given(ACTIVITY, st.data())
def test_a_template_is_the_mean_of_its_windows(activity: np.ndarray, data: st.DataObject) -> None:
    moments = data.draw(st.lists(st.integers(0, len(activity) - 1), min_size=1, max_size=4))
    before = data.draw(st.integers(0, min(moments)))
    after = data.draw(st.integers(1, len(activity) - max(moments)))
    windows = aligned(activity, moments, before, after)
    assert windows.shape == (len(moments), before + after, activity.shape[1])
    for moment, window in zip(moments, windows, strict=True):
        assert np.array_equal(window[before], activity[moment])
    found = template(activity, moments, before, after)
    assert np.allclose(found, windows.mean(0, dtype=float), atol=1e-6)
