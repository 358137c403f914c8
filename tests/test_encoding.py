"""Encoding, decoding, tangling and axes of speed where the answer was planted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from analysis.classes import tell
from analysis.decoding import (
    decode_classes,
    decode_tasks,
    decode_time,
    decode_values,
)
from analysis.encoding import encode, unique
from analysis.ridge import fit, predict_held_out, products_of
from analysis.speed_axes import speed_axis
from analysis.tangling_q import tangling_of

RATE_HZ = 50.0


def episodes(
    random: np.random.Generator, n: int, n_ticks: int, n_variables: int
) -> list[np.ndarray]:
    return [random.standard_normal((n_ticks, n_variables)) for _ in range(n)]


def test_coefficients_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    xs, ys = episodes(random, 3, 80, 6), []
    for x in xs:
        ys.append(x[:, :2] @ [[1.0, 2.0], [0.5, -1.0]] + 3 + random.standard_normal((80, 2)))
    found = fit(products_of(xs, ys), [0, 2], penalty=0.1)
    x, y = np.concatenate([xs[0], xs[2]]), np.concatenate([ys[0], ys[2]])
    expected = Ridge(alpha=0.1 * len(x)).fit(x, y)
    np.testing.assert_allclose(found[:-1].T, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(found[-1], expected.intercept_, atol=1e-6)
    # an episode is predicted from the others, and scored as scikit-learn scores
    held = predict_held_out(products_of(xs, ys), penalties=(0.1,))
    rest = Ridge(alpha=0.1 * 160).fit(x, y)
    error = ((ys[1] - rest.predict(xs[1])) ** 2).sum(0)
    np.testing.assert_allclose(held.error[1], error, rtol=1e-6)
    np.testing.assert_allclose(held.total[1], ((ys[1] - y.mean(0)) ** 2).sum(0), rtol=1e-6)


def test_what_only_one_group_says() -> None:
    random = np.random.default_rng(2)
    movement, context = episodes(random, 8, 300, 4), episodes(random, 8, 300, 3)
    copy = [each[:, :2] + 0.01 * random.standard_normal((300, 2)) for each in movement]
    units = [
        np.stack([a[:, 0], c[:, 0], 0.6 * a[:, 1] + 0.8 * c[:, 1], noise[:, 0]], axis=1)
        for a, c, noise in zip(movement, context, episodes(random, 8, 300, 1), strict=True)
    ]
    found = encode({"movement": movement, "copy": copy, "context": context}, units)
    np.testing.assert_allclose(found[""].r2(range(8)), (1, 1, 1, 0), atol=0.05)
    lost = found[""].r2(range(8)) - found["context"].r2(range(8))
    np.testing.assert_allclose(lost, (0, 1, 0.64, 0), atol=0.05)
    # what two groups say alike neither says alone
    assert unique(found, "copy").value == pytest.approx(0, abs=0.02)
    assert unique(found, "context").low < 0.41 < unique(found, "context").high


@pytest.mark.parametrize("planted", [True, False])
def test_values_and_classes_are_read_where_they_are(planted: bool) -> None:
    random = np.random.default_rng(3)
    n = 10
    slow = [np.cumsum(random.standard_normal((400, 2)), axis=0) / 20 for _ in range(n)]
    labels = [np.repeat(random.integers(0, 3, 20), 20) for _ in range(n)]
    tasks = [np.full(400, k % 2) for k in range(n)]
    xs = episodes(random, n, 400, 10)
    if planted:
        for x, y, own, task in zip(xs, slow, labels, tasks, strict=True):
            x[:, :2] += 5 * y
            x[np.arange(400), 2 + own] += 3.0
            x[:, 6] += 4.0 * task
    value = decode_values(xs, {"slow": slow}, shuffles=19)["slow"]
    behaviour = decode_classes(xs, labels, 3, shuffles=19)
    task = decode_tasks(xs, [k % 2 for k in range(n)], 2, shuffles=19)
    if planted:
        assert value.value.low > 0.1
        assert behaviour.value.value > 0.9
        assert task.value.value > 0.95
    assert (value.null.p <= 0.05) is planted
    assert (behaviour.null.p <= 0.05) is planted
    assert (task.null.p <= 0.1) is planted  # some deals are the same
    # some episodes stay in their places
    assert np.median(behaviour.null.shuffled) == pytest.approx(1 / 3, abs=0.08)


def test_rare_classes_count_as_much_as_common_ones() -> None:
    random = np.random.default_rng(4)
    labels = [(random.random(400) < 0.05).astype(int) for _ in range(6)]
    xs = episodes(random, 6, 400, 5)
    told = tell(
        xs, labels, 2
    )  # nothing to tell: always saying the common one would be right 95 % of the time
    assert told.accuracy(range(6)) == pytest.approx(0.5, abs=0.06)
    left_out = [np.where(own == 1, -1, own) for own in labels]
    assert tell(xs, left_out, 2).counts.sum() == sum((own == 0).sum() for own in labels)


def test_the_time_since_a_tap() -> None:
    random = np.random.default_rng(5)
    t = np.arange(40)[:, None]
    bumps = np.exp(-0.5 * ((t - np.arange(0, 40, 4)) / 4) ** 2)
    parts = [0.2 * random.standard_normal((300, 10)) for _ in range(7)]
    rows = [[int(random.integers(80)), int(120 + random.integers(130))] for _ in range(6)] + [[]]
    for part, own in zip(parts, rows, strict=True):
        for row in own:
            part[row : row + 40] += bumps
    found = decode_time(parts, rows, 0.02, shuffles=19)
    assert found.value.low > 0.8
    assert found.null.p == 0.05
    assert found.null.level < 0.3


def test_an_eight_is_more_tangled_than_a_circle() -> None:
    t = np.arange(600) / RATE_HZ
    turn = 2 * np.pi * 0.7 * t
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    eight = np.stack([np.cos(turn), np.sin(2 * turn)], axis=1)
    # the third dimension takes the crossing apart
    lifted = np.hstack([eight, np.sin(turn)[:, None]])
    high = [
        np.quantile(tangling_of([each], RATE_HZ)[0][1], 0.9) for each in (circle, eight, lifted)
    ]
    assert high[0] < high[2] < high[1]
    assert high[1] > 3 * high[0]
    # scale is no tangling
    assert np.quantile(tangling_of([10 * circle], RATE_HZ)[0][1], 0.9) == pytest.approx(
        high[0], rel=1e-6
    )


@pytest.mark.parametrize("planted", [True, False])
def test_an_axis_of_speed(planted: bool) -> None:
    random = np.random.default_rng(7)
    axis = random.standard_normal(20)
    axis /= np.linalg.norm(axis)
    speeds = [np.abs(np.cumsum(random.standard_normal(500))) / 10 for _ in range(8)]
    speeds[1::2] = [np.minimum(speed, 2.0) for speed in speeds[1::2]]  # none of these is fast
    parts = episodes(random, 8, 500, 20)
    if planted:
        parts = [part + np.outer(speed, axis) for part, speed in zip(parts, speeds, strict=True)]
    found = speed_axis(parts, speeds, shuffles=19)
    assert (found.null.p <= 0.05) is planted
    if planted:
        assert abs(found.axis @ axis) > 0.95
        assert found.share.value > 0.8
        slow = found.speed < 1.5
        assert np.corrcoef(found.speed[slow], found.along[slow])[0, 1] > 0.95
