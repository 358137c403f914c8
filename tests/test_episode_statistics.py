"""What is counted in an episode of each task."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation import (
    episode_statistics,
)
from rig.arenas import tasks


def _placed(task, seed=1):
    environment = tasks.make(task, seed)
    environment.reset()
    return environment, episode_statistics.statistics_for(task, environment)


def _move(environment, x=None, z=None, turn=None):
    data = environment.physics.data.ptr
    data.qpos[0] = data.qpos[0] if x is None else x
    data.qpos[2] = data.qpos[2] if z is None else z
    if turn is not None:
        data.qpos[3:7] = np.cos(turn / 2), np.sin(turn / 2), 0, 0
    environment.physics.forward()


def test_gaps_are_those_of_the_arena():
    environment, statistics = _placed("gaps")
    widths = np.diff(statistics.gaps, axis=1)
    assert 0.05 <= widths.min() < widths.max() <= 0.2
    platforms = np.array(
        [b[0] - a[1] for a, b in zip(statistics.gaps, statistics.gaps[1:], strict=False)]
    )
    assert 0.4 - 1e-9 <= platforms.min() < platforms.max() <= 0.8 + 1e-9
    assert statistics.gaps[0][0] > 6
    environment.close()


def test_a_gap_is_crossed_with_all_paws_and_a_drop_is_a_fall():
    environment, statistics = _placed("gaps")
    stands, (first, second) = environment.physics.data.ptr.qpos[2], statistics.gaps[:2]
    for x in (first[0] - 0.3, first[0] - 0.02, first[1] + 0.02):
        _move(environment, x)
        statistics.update()
    # the nose is over, the hind paws are not
    assert [gap["crossed"] for gap in statistics.summary(1.0, 30.0, False)["gaps"]] == [False]
    _move(environment, first[1] + 0.25)
    statistics.update()
    assert [gap["crossed"] for gap in statistics.summary(1.0, 30.0, False)["gaps"]] == [True]
    assert not statistics.fell(False)
    _move(environment, second[0] + 0.01, stands - 0.2)
    statistics.update()
    found = statistics.summary(2.0, 30.0, True)
    assert statistics.fell(False)
    assert [gap["crossed"] for gap in found["gaps"]] == [True, False]
    assert found["gaps"][0]["width_m"] == pytest.approx(first[1] - first[0], abs=1e-4)
    assert found["speed_m_s"] == pytest.approx(15 * found["speed_over_all_m_s"])
    assert [gap["reached_s"] for gap in found["gaps"]] == [0.02, 0.08]
    environment.close()


def test_a_gap_reached_in_the_last_second_counts_neither_way():
    environment, statistics = _placed("gaps")
    first, second = statistics.gaps[:2]
    for x in (
        first[0] + 0.02,
        first[1] + 0.25,
        second[0] - 0.3,
        second[0] + 0.02,
        second[1] + 0.25,
    ):
        _move(environment, x)
        statistics.update()

    def counted(limit_s, ended=False):
        return [gap["crossed"] for gap in statistics.summary(0.1, limit_s, ended)["gaps"]]

    # reached at 0 s and at 0.06 s
    assert counted(30.0) == [True, True]
    assert counted(1.05) == [True]
    assert counted(1.0) == []
    # an end by the task, long before the time is up, decides a gap
    assert counted(30.0, True) == [True, True]
    environment.close()


def test_orbs_are_counted():
    environment, statistics = _placed("forage")
    assert statistics.summary(1, 30, False)["orbs"] == 0
    physics = environment.physics
    there = physics.bind(environment.task._active_targets[0][0].geom).xpos.copy()
    physics.data.ptr.qpos[:2] = there[:2]
    physics.data.ptr.qpos[2] = there[2]
    physics.forward()
    environment.step(np.zeros(38))
    statistics.update()
    found = statistics.summary(1, 30, False)
    assert found["orbs"] == 1
    assert found["orbs_there"] >= 3
    environment.close()


def test_the_bowl_counts_distance_and_half_a_second_upright():
    environment, statistics = _placed("escape")
    for turn, ticks in ((3.0, 30), (0.2, 24), (1.2, 5), (0.2, 26)):
        for _ in range(ticks):
            _move(environment, 1.5, 0.5, turn)
            statistics.update()
    found = statistics.summary(2, 20, False)
    assert found["distance_m"] == pytest.approx(1.5, abs=0.1)
    assert found["righted"]
    assert found["righted_after_s"] == pytest.approx((30 + 24 + 5) * 0.02)
    assert not statistics.fell(False)
    for _ in range(120):
        _move(environment, 1.5, 0.5, 2.0)
        statistics.update()
    assert statistics.fell(False)
    environment.close()


@pytest.mark.parametrize(
    ("second_s", "outcome"), [(0.8, "pair"), (0.4, "too soon"), (None, "none in time")]
)
def test_taps_and_their_intervals(second_s, outcome):
    """The orb is held against a forepaw, away from it, and against it again."""
    environment, statistics = _placed("two_tap")
    physics = environment.physics
    hand = physics.data.ptr.body("walker/hand_L")
    orb = physics.bind(environment.task._targets[0][0].geom)
    for tick in range(55):
        touching = tick == 2 or (second_s is not None and tick == 2 + round(second_s / 0.02))
        orb.pos = hand.xpos if touching else (5, 5, 1)
        environment.step(np.zeros(38))
        statistics.update()
    found = statistics.summary(1.1, 30, False)
    assert found["first_taps"] == 1
    assert found["outcomes"] == [outcome]
    if second_s is None:
        assert found["intervals_s"] == [None]
    else:
        assert found["intervals_s"][0] == pytest.approx(second_s, abs=0.021)
    environment.close()
