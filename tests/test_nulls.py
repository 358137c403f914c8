"""Activity that follows no event, but does the same in every episode or wanders slowly, passes no null.

Time shifts within an episode would let all of it pass: where it begins and ends is what it has in common.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.decoding import decode_classes, decode_tasks, decode_time, decode_values
from analysis.fig10 import strides_of
from analysis.fig11 import variability
from analysis.resampling import Null, exchanged, null_of
from analysis.sequences import sequence_of, z_scored_together
from analysis.speed_axes import speed_axis

N_EPISODES, N_TICKS, N_UNITS = 12, 600, 12
RATE_HZ = 50.0


def decaying(random: np.random.Generator, noise: float = 0.3) -> list[np.ndarray]:
    """Units that start high or low and settle within 2 to 6 s, alike in each episode, (ticks, units)."""
    t = np.arange(N_TICKS)[:, None] / RATE_HZ
    size = random.uniform(1, 2, N_UNITS) * random.choice([-1, 1], N_UNITS)
    course = size * np.exp(-t / random.uniform(2, 6, N_UNITS))
    return z_scored_together(
        [course + noise * random.standard_normal(course.shape) for _ in range(N_EPISODES)]
    )


def events(random: np.random.Generator, n: int) -> list[list[int]]:
    return [sorted(random.integers(100, N_TICKS - 60, n).tolist()) for _ in range(N_EPISODES)]


def settling(random: np.random.Generator) -> list[np.ndarray]:
    """A speed that is high at first, (ticks,)."""
    t = np.arange(N_TICKS) / RATE_HZ
    return [
        np.exp(-t / random.uniform(2, 4)) + 0.2 * random.standard_normal(N_TICKS)
        for _ in range(N_EPISODES)
    ]


def of_sequence(random: np.random.Generator) -> Null:
    return sequence_of(decaying(random, 0.1), events(random, 3), 75, 25, 20).null


def of_variability(random: np.random.Generator) -> Null:
    return variability(decaying(random, 0.1), events(random, 3), 1 / RATE_HZ, 20).null


def of_strides(random: np.random.Generator) -> Null:
    tasks = ["gaps", "forage"] * (N_EPISODES // 2)
    return strides_of(decaying(random, 0.1), events(random, 30), tasks, RATE_HZ, 20).null


def of_speed(random: np.random.Generator) -> Null:
    return speed_axis(decaying(random), settling(random), (), 20).null


def of_values(random: np.random.Generator) -> Null:
    targets = {"speed": [each[:, None] for each in settling(random)]}
    return decode_values(decaying(random), targets, (), 20)["speed"].null


def of_classes(random: np.random.Generator) -> Null:
    labels = [(each < 0.3).astype(int) for each in settling(random)]
    return decode_classes(decaying(random), labels, 2, (), 20).null


def of_time(random: np.random.Generator) -> Null:
    return decode_time(decaying(random, 0.1), events(random, 3), 1 / RATE_HZ, 20).null


@pytest.mark.parametrize(
    "null", [of_sequence, of_variability, of_strides, of_speed, of_values, of_classes, of_time]
)
def test_what_decays_in_every_episode_alike_is_no_finding(
    null: Callable[[np.random.Generator], Null],
) -> None:
    found = null(np.random.default_rng(1))
    assert found.p > 0.05, found


def test_episodes_that_end_early_do_not_tell_their_task() -> None:
    random = np.random.default_rng(1)
    tasks = [k % 2 for k in range(N_EPISODES)]
    lengths = [(N_TICKS, 150 + 20 * k)[task] for k, task in enumerate(tasks)]
    parts = [part[:n] for part, n in zip(decaying(random), lengths, strict=True)]
    assert decode_tasks(parts, tasks, 2, 20).null.p > 0.05


def test_what_ends_early_is_not_put_into_late_places() -> None:
    parts = [np.full(n, n) for n in (100, 90, 70, 40, 30, 5)]
    random = np.random.default_rng(0)
    for _ in range(20):
        made = exchanged(parts, random, "aabaab")
        assert [len(each) for each in made] == [len(each) for each in parts]
        # 40 is too short for the places of the first two, and 5 for that of 70
        assert {int(each[0]) for each in made[:2]} == {100, 90}
        assert {int(each[0]) for each in made[3:5]} == {40, 30}
        assert [int(made[2][0]), int(made[5][0])] == [70, 5]


def test_slow_noise_passes_as_often_as_it_may() -> None:
    """Correlations of activity and targets that wander by themselves, and settle alike in every episode."""
    random, passed, n = np.random.default_rng(2), 0, 120
    course = np.exp(-np.arange(60) / 20)
    for _ in range(n):
        x, y = (
            [course + 0.1 * np.cumsum(random.standard_normal(60)) for _ in range(8)] for _ in "xy"
        )
        null = [
            np.corrcoef(np.concatenate(exchanged(x, random)), np.concatenate(y))[0, 1]
            for _ in range(19)
        ]
        value = np.corrcoef(np.concatenate(x), np.concatenate(y))[0, 1]
        passed += null_of(value, null).p <= 0.05
    assert passed / n < 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
