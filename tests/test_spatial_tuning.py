"""Units tuned to place and heading are found where they were planted, and where there are none, none."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pynapple as nap
import pytest
from scipy.signal import lfilter
from scipy.stats import false_discovery_control

from analysis.figures import FIGURES
from analysis.ridge import predict_held_out, products_of
from analysis.spatial_tuning import (
    heading_bins,
    maps_of,
    mean_vector_length,
    measured,
    passing,
    place_bins,
    rates_of,
    skaggs,
    tuned_units,
)
from analysis.spatial_tuning_figure import beyond
from rig.errors import UserError
from tests.planted_recordings import N_UNITS, write

RATE_HZ = 12.5
EPISODES, TICKS = 8, 360


def wandering(random: np.random.Generator, n_ticks: int = TICKS) -> tuple[np.ndarray, ...]:
    """x, y and heading of an animal that turns at random in 3 m x 3 m, at 0.5 m/s."""
    yaw = np.cumsum(random.normal(0, 0.25, n_ticks)) + 6.28 * random.random()
    place = np.cumsum(0.5 / RATE_HZ * np.stack([np.cos(yaw), np.sin(yaw)]), axis=1)
    return *(1.5 - np.abs((place + 1.5) % 6 - 3)), yaw


def slow(random: np.random.Generator, n_units: int, tau_s: float) -> np.ndarray:
    kept = np.exp(-1 / (tau_s * RATE_HZ))
    noise = random.standard_normal((TICKS + 500, n_units))
    return lfilter([np.sqrt(1 - kept**2)], [1, -kept], noise, axis=0)[500:]


def test_what_was_planted_is_tuned_and_nothing_else() -> None:
    random = np.random.default_rng(1)
    parts, places, headings = [], [], []
    for _ in range(EPISODES):  # fields and directions of each are its own
        x, y, yaw = wandering(random)
        part = slow(random, 24, 4.0)
        field = x[TICKS // 2], y[TICKS // 2]
        part[:, 0] += 8 * np.exp(-((x - field[0]) ** 2 + (y - field[1]) ** 2) / (2 * 0.4**2))
        part[:, 1] += 3 * np.cos(yaw - 6.28 * random.random())
        parts.append(part)
        places.append(place_bins(x, y))
        headings.append(heading_bins(yaw))
    rates = rates_of(parts)
    place = tuned_units(measured(rates, places, skaggs, RATE_HZ), draws=20)
    heading = tuned_units(measured(rates, headings, mean_vector_length, RATE_HZ), draws=20)
    assert place.passes[0]
    assert heading.passes[1]
    assert place.passes[2:].sum() <= 1
    assert heading.passes.sum() == 1
    assert place.value[0] > 1.1 * place.chance[0]
    assert place.share.low <= place.share.value <= place.share.high
    assert heading.null.value == heading.share.value == 1 / 24
    assert heading.null.level <= 1 / 24
    # pynapple's objects do as well
    frames = [nap.TsdFrame(t=np.arange(TICKS) / RATE_HZ, d=each) for each in rates]
    again = measured(frames, headings, mean_vector_length, RATE_HZ)
    assert tuned_units(again, draws=2).p.tolist() == heading.p.tolist()


@pytest.mark.parametrize("kind", ["slow", "walk", "decay"])
def test_slow_activity_passes_no_more_often_than_it_may(kind: str) -> None:
    p, passed = [], 0
    for seed in range(3):
        random = np.random.default_rng(seed)
        parts, places = [], []
        common = random.standard_normal(60)
        for _ in range(EPISODES):
            x, y, _ = wandering(random)
            places.append(place_bins(x, y))
            part = slow(random, 60, 5.0)
            if kind == "walk":
                part = np.cumsum(random.standard_normal((TICKS, 60)), axis=0)
            elif kind == "decay":  # in every episode alike, as after its beginning
                part = 0.2 * part + common * np.exp(-np.arange(TICKS) / 120)[:, None]
            parts.append(part)
        found = tuned_units(measured(rates_of(parts), places, skaggs, RATE_HZ, shifts=50), draws=2)
        p += found.p.tolist()
        passed += int(found.passes.sum())
    # of 180, which share places: 5 % are to be expected, and none after correction
    assert np.mean(np.array(p) <= 0.05) < 0.09
    assert passed <= 2


def test_false_discoveries_are_counted_as_scipy_does() -> None:
    random = np.random.default_rng(5)
    for power in (1, 3):
        p = random.random(50) ** power
        assert (passing(p) == (false_discovery_control(p) <= 0.05)).all()


def test_information_is_that_of_pynapple() -> None:
    random = np.random.default_rng(2)
    bins = random.integers(0, 5, 400)
    rates = random.random((400, 3)) + (bins == 2)[:, None] * [0, 1, 5]
    (mean,), occupancy = maps_of(rates, bins)
    curves = nap.compute_tuning_curves(
        nap.TsdFrame(t=np.arange(400.0), d=rates),
        nap.Tsd(t=np.arange(400.0), d=bins.astype(float)),
        bins=[np.arange(6) - 0.5],
    )
    with pytest.warns(UserWarning, match="mean firing rates"):
        expected = nap.compute_mutual_information(curves)["bits/spike"]
    np.testing.assert_allclose(skaggs(mean, occupancy), expected, rtol=1e-6)


def test_what_movement_says_is_taken_away() -> None:
    random = np.random.default_rng(3)
    xs = [random.standard_normal((200, 3)) for _ in range(6)]
    own = [random.standard_normal((200, 1)) for _ in xs]
    units = [np.hstack([x[:, :1], x[:, 1:2] + each]) for x, each in zip(xs, own, strict=True)]
    left = beyond(xs, units)
    assert max(np.abs(each[:, 0]).max() for each in left) < 0.2
    assert (
        min(np.corrcoef(each[:, 1], one[:, 0])[0, 1] for each, one in zip(left, own, strict=True))
        > 0.98
    )
    held = predict_held_out(products_of(xs, units))
    np.testing.assert_allclose(
        [(each**2).sum(0) for each in left], held.error, rtol=1e-3, atol=1e-3
    )


def test_the_figure(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    n = 4 * 140
    episodes = [np.repeat(np.stack(wandering(random, 140)), 4, axis=1) for _ in range(6)]
    x, y, yaw = np.concatenate(episodes, axis=1)
    h = 0.2 * random.standard_normal((len(x), 2 * N_UNITS))
    # of six episodes there are 720 exchanges: one unit alone would hardly pass
    h[:, :8] += np.cos((yaw - np.repeat(np.arange(6), n))[:, None] - np.arange(8))
    state = {"torso_x": x, "torso_y": y, "yaw": yaw}
    six = write(tmp_path / "six.nwb", "forage", 1, h, body=state, trial_ticks=n)
    figure = FIGURES["spatial_tuning"]
    drawn = figure.draw([six], tmp_path / "places.png")
    assert "6 episodes" in drawn.notes[0]
    with (tmp_path / "places.csv").open() as file:
        rows = {(row["measure"], row["layer"], row["state"]): row for row in csv.DictReader(file)}
    tuned = "share of units tuned to heading"
    assert float(rows[tuned, "core", "h"]["value"]) >= 4 / N_UNITS
    assert float(rows[tuned, "policy_0", "h"]["value"]) == 0
    one = write(tmp_path / "one.nwb", "forage", 2, h[:n], body=state)
    with pytest.raises(
        UserError, match="needs 6 undisturbed episodes of maze forage, and there is 1"
    ):
        figure.draw([one], tmp_path / "few.png")
