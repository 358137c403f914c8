"""Intervals over seeds: their coverage, their definitions, and the verdicts that they lead to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from analysis import fig6
from analysis.cluster_statistics import (
    Estimate,
    Events,
    contrast,
    design_effect,
    interval_of_mean,
    jackknife,
    share,
    sign_flip_interval,
    wilson,
)
from analysis.representation import Representation
from analysis.resampling import above, bootstrap
from analysis.sharing import overlap_across
from analysis.verdicts import estimates_of, has_enough_data, judge, simultaneous


def difference(shares: np.ndarray) -> np.ndarray:
    return shares[:, 0] - shares[:, 1]


# --- shares -----------------------------------------------------------------------------------------


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    hits, n = counts
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=200))
def test_clusters_only_widen_the_interval(events: list[tuple[bool, int]]) -> None:
    hits, clusters = [hit for hit, _ in events], [cluster for _, cluster in events]
    clustered, alone = share(hits, clusters), wilson(sum(hits) / len(hits), len(hits))
    assert clustered.low <= alone[0] + 1e-12
    assert clustered.high >= alone[1] - 1e-12
    assert clustered.low - 1e-12 <= clustered.value <= clustered.high + 1e-12


def test_events_that_all_hang_on_their_seed_count_once_a_seed() -> None:
    hits, clusters = [True] * 40 + [False] * 40, [k // 10 for k in range(80)]
    # 8 seeds of which 4 hit: 10 events of each say no more than one would, but for n - 1
    assert design_effect(hits, clusters) == pytest.approx(10 * 8 / 7)


@pytest.mark.parametrize("n_seeds", [8, 10])
def test_a_difference_within_seeds_is_found_where_seeds_differ_much(n_seeds: int) -> None:
    seeds = [k for k in range(n_seeds) for _ in range(10)]
    one: Events = (
        [k < n_seeds / 2 or j < 3 + k % 2 for k in range(n_seeds) for j in range(10)],
        seeds,
    )
    other: Events = ([k < n_seeds / 2 or j < 1 for k in range(n_seeds) for j in range(10)], seeds)
    found = contrast([one, other], difference)
    assert found.value == pytest.approx(0.125, abs=0.01)
    assert 0 <= found.low < found.value < found.high
    assert found.clusters == n_seeds
    # without the pairs, seeds would hide it
    assert share(*one).low < share(*other).high


# --- coverage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_seeds", [6, 8, 10, 20])
@pytest.mark.parametrize("kind", ["normal", "shares"])
def test_an_interval_covers_the_truth_as_often_as_it_says(n_seeds: int, kind: str) -> None:
    rng = np.random.default_rng(n_seeds)
    n, covered = 600, 0
    for _ in range(n):
        if kind == "normal":
            truth, values = 0.4, rng.normal(0.4, 1.0, n_seeds)
        else:  # of 12 events a seed; seeds differ
            truth, values = 0.3, rng.binomial(12, rng.beta(3, 7, n_seeds)) / 12
        found = interval_of_mean(values)
        covered += found.low <= truth <= found.high
    # 600 simulations tell 95 % to within 2.7 points (three standard errors)
    assert covered / n > 0.92


def test_five_seeds_would_not_have_covered_it() -> None:
    """What a plain percentile bootstrap of five seeds covers, and why there is none here."""
    rng = np.random.default_rng(5)
    draws = rng.multinomial(5, [0.2] * 5, 2000) / 5
    covered = 0
    for _ in range(600):
        low, high = np.percentile(draws @ rng.normal(0, 1, 5), (2.5, 97.5))
        covered += low <= 0 <= high
    assert covered / 600 < 0.89
    assert not interval_of_mean(rng.normal(0, 1, 5)).bounded


@pytest.mark.parametrize("n_seeds", [7, 12])
def test_a_verdict_is_wrong_at_most_as_often_as_it_may(n_seeds: int) -> None:
    """Two conditions with the same rate, seeds that differ: a verdict either way is an error."""
    rng = np.random.default_rng(n_seeds)
    n, wrong = 400, 0
    seeds = np.repeat(np.arange(n_seeds), 6).tolist()
    for _ in range(n):
        rate = np.repeat(rng.beta(2, 2, n_seeds), 6)
        groups = [((rng.random(len(rate)) < rate).tolist(), seeds) for _ in range(2)]
        assert has_enough_data(groups)
        wrong += judge([contrast(groups, difference)]) != "cannot tell"
    assert wrong / n < 0.05 + 3 * math.sqrt(0.05 * 0.95 / n)


def test_several_margins_are_judged_together() -> None:
    rng = np.random.default_rng(0)
    n, wrong = 300, 0
    for _ in range(n):
        wrong += judge(estimates_of(list(rng.normal(0, 1, (3, 12))))) != "cannot tell"
    assert wrong / n < 0.05 + 3 * math.sqrt(0.05 * 0.95 / n)
    assert judge(estimates_of(list(rng.normal(3, 1, (3, 12))))) == "agrees"


# --- definitions ------------------------------------------------------------------------------------


@given(st.lists(st.integers(-20, 20), min_size=6, max_size=8), st.integers(-80, 80))
def test_the_interval_is_what_the_sign_flip_test_does_not_reject(
    values: list[int], quarters: int
) -> None:
    low, high = sign_flip_interval(values)
    mean = quarters / 4 + 0.01  # on no bound of an interval of whole numbers
    about = np.array(values) - mean
    signs = np.array(list(itertools.product((-1, 1), repeat=len(values))))
    sums = signs @ about
    tail = min((sums >= about.sum() - 1e-9).mean(), (sums <= about.sum() + 1e-9).mean())
    assert (low <= mean <= high) == (tail > 0.025)


def test_pseudo_values_of_a_mean_are_its_values() -> None:
    values = np.random.default_rng(0).normal(size=(9, 2))
    assert jackknife(lambda some: values[some].mean(0), range(9)) == pytest.approx(values)


def test_what_is_not_measured_decides_nothing() -> None:
    assert judge([]) == "cannot tell"
    nothing = interval_of_mean([float("nan")] * 12)
    assert str(nothing) == "not measured"
    assert judge([nothing]) == "cannot tell"
    assert judge([Estimate(1.0, 0.0, 2.0, 12)]) == "cannot tell"
    assert not has_enough_data([([True] * 30, [1, 2, 3, 4, 5] * 6)])


@pytest.mark.parametrize("n", [6, 9, 25])
def test_several_comparisons_of_few_episodes_are_as_wide_as_one_of_that_confidence(n: int) -> None:
    values = np.random.default_rng(4).normal(1.0, 1.0, n)

    def statistic(some: Sequence[int]) -> list[float]:
        return [float(values[list(some)].mean())]

    (found,) = bootstrap(statistic, [range(n)])
    (wider,) = bootstrap(statistic, [range(n)], confidence=simultaneous(3))
    held = above(found, 0.5, parts=3)
    assert held.value == pytest.approx(wider.value - 0.5)
    assert held.high - held.low == pytest.approx(wider.high - wider.low)


def test_episodes_stay_in_their_half_when_another_is_left_out() -> None:
    """Even and odd seeds share no cluster: within the task nothing overlaps, whichever is left out."""
    seeds = range(6)
    clusters = {seed: np.full(100, seed % 2) for seed in seeds}
    for left_out in seeds:
        some = [seed for seed in seeds if seed != left_out]
        parts = {"forage": [clusters[seed] for seed in some]}
        _, within = overlap_across(parts, {"forage": [seed % 2 for seed in some]})
        assert within == 0


def represented(layers: tuple[str, ...], between_tasks: np.ndarray) -> Representation:
    """A subject whose tasks are as alike in its policy layers as `between_tasks` says of each seed."""
    n = len(between_tasks)
    mean = Estimate(float(between_tasks.mean()), -np.inf, np.inf, n)
    known: dict[str, Any] = {name: {} for name in Representation.__dataclass_fields__}
    known["layers"], known["seeds"] = layers, tuple(range(n))
    known["mean_between_tasks"] = dict.fromkeys(layers, mean)
    known["pseudo_policy"] = between_tasks
    return Representation(**known)


@pytest.mark.parametrize(
    ("n_seeds", "n_deeper", "verdict"),
    [(6, 1, "agrees"), (6, 3, "cannot tell"), (7, 3, "agrees")],
)
def test_architectures_are_compared_together(n_seeds: int, n_deeper: int, verdict: str) -> None:
    """Six seeds are enough for one comparison, for three it takes seven (`analysis.verdicts`)."""
    single = represented(("core", "policy_0"), 0.6 + 0.01 * np.arange(n_seeds))
    deeper = represented(("core", "policy_0", "policy_1"), np.full(n_seeds, 0.3))
    several = {f"deeper_{k}": deeper for k in range(n_deeper)}
    (claim,) = fig6._one_layer({"single": single} | several)
    assert claim.verdict == verdict
    assert claim.measured.count(f"; {n_seeds} seeds)") == n_deeper
    assert ("no interval" in claim.measured) is (verdict == "cannot tell")
