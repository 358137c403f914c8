"""The effect of a stimulus: branches of one session count as what they are, one session."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from analysis import effect
from analysis.pairs import Pairs, Signal

N_SESSIONS, BRANCHES = 8, 5


def pairs_of(changes: np.ndarray, seeds: np.ndarray) -> Pairs:
    """Pairs (n,) that differ by so much in one signal, from the tick after the branching on."""
    offsets = np.arange(-2, 30)
    without = np.random.default_rng(0).standard_normal((len(changes), len(offsets), 1))
    change = np.where(offsets > 0, changes[:, None], 0.0)[:, :, None]
    return Pairs(
        *((Signal("body", effect.SHOWN_QUANTITY, 0),), offsets, 0.02, without + change, without),
        *(tuple(map(Path, map(str, range(len(changes))))), seeds, ("silence",), 0, ()),
    )


def of_sessions() -> tuple[np.ndarray, np.ndarray]:
    """The change in each of eight sessions, whose branches are all but alike; that of each branch."""
    random = np.random.default_rng(1)
    own = random.normal(-0.5, 0.3, N_SESSIONS)
    apart = 0.01 * np.linspace(-1, 1, BRANCHES)
    return own, (own[:, None] + apart).ravel()


def test_branches_of_a_session_are_not_independent() -> None:
    own, changes = of_sessions()
    seeds = np.repeat(np.arange(N_SESSIONS), BRANCHES)
    error = own.std(ddof=1) / np.sqrt(N_SESSIONS)
    assert effect.standard_error_of(changes, seeds) == pytest.approx(error)
    found = effect.mean_with_interval(changes, seeds)
    assert (found.value, found.clusters) == (pytest.approx(own.mean()), N_SESSIONS)
    alone = effect.mean_with_interval(own, np.arange(N_SESSIONS))
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    said = "\n".join(effect._notes(pairs_of(changes, seeds)))
    assert (
        f"{own.mean():+.4g} ± {error:.2g} (standard error over 8 sessions, 40 pairs; 95 %" in said
    )
    few = "\n".join(effect._notes(pairs_of(changes[:25], seeds[:25])))
    assert "over 5 sessions, 25 pairs; fewer than 6 have no interval" in few


def test_one_session_speaks_for_itself(tmp_path: Path) -> None:
    _, changes = of_sessions()
    pairs = pairs_of(changes[:BRANCHES], np.full(BRANCHES, 3))
    said = "\n".join(effect._notes(pairs))
    assert "5 pairs from 1 session" in said
    assert "over 5 branches of one session only: it says nothing of others" in said
    effect._write(tmp_path / "effect.csv", pairs)
    with (tmp_path / "effect.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    assert (row["pairs"], row["sessions"]) == ("5", "1")
    error = changes[:BRANCHES].std(ddof=1) / np.sqrt(BRANCHES)
    assert float(row["standard_error"]) == pytest.approx(error, rel=1e-4)


def test_a_session_that_has_ended_counts_no_more() -> None:
    changes = np.array([[0.1, 0.1], [0.3, 0.3], [0.2, np.nan]])
    seeds = np.array([1, 1, 2])
    assert effect.sessions_of(changes, seeds).tolist() == [2, 1]
    # 0.1 and 0.3 add up to 0, and 0 is what is left of 0.2; then two pairs of one session
    assert effect.standard_error_of(changes, seeds) == pytest.approx([0.0, 0.1])
