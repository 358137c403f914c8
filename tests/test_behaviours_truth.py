"""The rig's behaviours against takes with known times: a quick part of `python -m bench.detection`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bench.detection import Find, Score, finds, score
from bench.ground_truth import climbs_of, ease, joined, jumps, poses, runs, stumbles, to_the_orb
from bench.stage import Take


def scores(make: Callable[[int], Iterator[Take]], seed: int) -> dict[str, Score]:
    into: dict[str, Score] = {}
    for take in make(seed):
        score(take, finds(take), into)
    return into


@pytest.fixture(scope="module")
def posed() -> dict[str, Score]:
    return scores(poses, 1)


@pytest.mark.parametrize(
    ("name", "late_ticks"),
    [
        *(("rear", 4), ("lean", 16), ("jump", 1), ("fallen", 11), ("righting", 6)),
        *(("spin_left", 13), ("turn_left", 16)),
    ],
)
def test_scripted_poses_are_found_and_nothing_else(
    posed: dict[str, Score], name: str, late_ticks: int
) -> None:
    own = posed[name]
    assert own.true > 0
    assert (own.precision, own.recall) == (1.0, 1.0)
    # what is averaged over 400 ms is told less exactly
    assert np.median(np.abs(own.began_error)) <= {"righting": 8, "turn_left": 4}.get(name, 3)
    assert np.median(own.delay) <= late_ticks


def test_what_is_not_there_is_not_found(posed: dict[str, Score]) -> None:
    for name in ("stumble", "spin_right", "turn_right"):
        assert (posed[name].true, posed[name].false) == (0, 0)


def test_an_orb_is_approached() -> None:
    own = scores(to_the_orb, 0)
    assert (own["approach"].hits, own["approach"].false) == (1, 0)
    assert np.abs(own["approach"].began_error).max() <= 4
    assert own["tap_left"].false == own["tap_right"].false == 0


def test_a_body_thrown_into_the_air_jumps() -> None:
    own = scores(jumps, 0)["jump"]
    assert own.true >= 4
    assert own.f1 >= 0.9
    assert np.abs(own.began_error).max() <= 1


def test_a_running_body_that_is_pushed_stumbles() -> None:
    own = scores(stumbles, 1)["stumble"]
    assert own.true == 2
    assert (own.hits, own.false) == (2, 0)
    assert max(own.delay) <= 8


def test_the_scoring_itself() -> None:
    take = Take("", np.zeros((0, 0)), [], truth={"rear": [(20, 30), (60, 70)]})
    own: dict[str, Score] = {}
    found = [Find("rear", 22, 25, 31), Find("rear", 31, 33, 35), Find("rear", 90, 95, 99)]
    score(take, found, own)
    rear = own["rear"]
    assert (rear.true, rear.hits, rear.false) == (2, 1, 2)
    assert (rear.began_error, rear.delay) == ([2], [5])
    assert (rear.precision, rear.recall) == (pytest.approx(1 / 3), 0.5)
    assert rear.f1 == pytest.approx(0.4)
    take.unclear.append((85, 95))
    own.clear()
    score(take, found, own)
    assert own["rear"].false == 1


def test_the_pieces_of_truth() -> None:
    assert runs(np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool), 2) == [(0, 2), (6, 9)]
    assert joined([(0, 2), (3, 4), (8, 9)], 2) == [(0, 4), (8, 9)]
    assert (ease(10, 10, 4), ease(12, 10, 4), ease(14, 10, 4)) == (0.0, 0.5, 1.0)
    rise = np.array([0.0, -0.5, 0.0, 0.9, 0.8, 1.0, 0.0, 0.1, 0.9])
    assert climbs_of(rise, 0.3) == [(1, 5), (6, 8)]
