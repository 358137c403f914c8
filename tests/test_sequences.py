"""Sequences of units: planted ones are found, noise that a plain sorting would make one of is not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from analysis import decoding_figure, fig7, fig11
from analysis.episodes import read_episodes
from analysis.layer_dynamics import all_dynamics
from analysis.loaded_episodes import read_by_subject
from analysis.resampling import bootstrap, phase_randomised
from analysis.sequences import peak_times, sequence_of, z_scored_together
from rig.errors import UserError
from tests.planted_recordings import N_UNITS, tap_session, write


def smooth_noise(random: np.random.Generator, n_ticks: int, n_units: int) -> np.ndarray:
    kernel = np.exp(-0.5 * (np.arange(-15, 16) / 5) ** 2)
    white = random.standard_normal((n_ticks + 30, n_units))
    return np.stack([np.convolve(unit, kernel, "valid") for unit in white.T], axis=1)


@pytest.mark.parametrize("planted", [True, False])
def test_a_planted_sequence_is_found_and_smooth_noise_is_not(planted: bool) -> None:
    random = np.random.default_rng(1)
    parts, rows = [], []
    for _ in range(8):
        part = smooth_noise(random, 600, 40)
        own = [int(row + random.integers(100)) for row in (100, 250, 400)]
        if planted:
            for row in own:
                for unit in range(40):
                    part[row - 40 + unit - 3 : row - 40 + unit + 3, unit] += 15.0
        parts.append(part)
        rows.append(own)
    found = sequence_of(z_scored_together(parts), rows, 40, 0, shuffles=40)
    assert found.events == 24
    if planted:
        assert found.null.p < 0.05
        assert found.similarity.low > 0.9
        assert np.abs(found.peaks - np.arange(40)).max() <= 4
        assert found.order.tolist() == sorted(range(40), key=found.order.tolist().index)
    else:
        assert found.null.p > 0.05
        assert found.similarity.low < 0.1


def test_a_peak_is_where_it_was_put() -> None:
    t = np.arange(50)[:, None]
    peaks = np.array([10, 25, 40])
    mean = -np.exp(-0.5 * ((t - peaks) / 4) ** 2)  # down counts as well as up
    np.testing.assert_allclose(peak_times(mean), peaks, atol=0.1)


def test_intervals_cover_what_they_say() -> None:
    random = np.random.default_rng(2)
    hits = 0
    for k in range(300):
        x = random.standard_normal(12)
        (found,) = bootstrap(lambda some, x=x: [x[some].mean()], [range(12)], draws=100, seed=k)
        hits += found.low <= 0 <= found.high
    assert 0.92 <= hits / 300 <= 0.985


def test_one_episode_says_nothing_of_how_its_group_varies() -> None:
    x = np.array([0.5, 0.7, 0.4, 0.6, 0.8, 0.6, 2.0])

    def means(some: list[int]) -> list[float]:
        last = [k for k in some if k == 6]
        return [float(x[[k for k in some if k < 6]].mean()), float(x[last].mean())]

    found = bootstrap(means, [range(6), [6]])
    assert [each.value for each in found] == pytest.approx([0.6, 2.0])
    assert not any(each.bounded for each in found)  # a draw of one is that one


def test_a_surrogate_keeps_the_spectrum_of_each_variable_and_no_relation_between_them() -> None:
    random = np.random.default_rng(3)
    for n in (500, 501):
        x = smooth_noise(random, n, 1)
        both = np.hstack([x, np.roll(x, 5)])
        made = phase_randomised(both, random)
        np.testing.assert_allclose(
            np.abs(np.fft.rfft(made, axis=0)), np.abs(np.fft.rfft(both, axis=0)), atol=1e-6
        )
        lagged = np.corrcoef(made[:-5, 0], made[5:, 1])[0, 1]
        assert abs(lagged) < 0.5 < np.corrcoef(both[:-5, 0], both[5:, 1])[0, 1]


@pytest.fixture(scope="module")
def taps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("taps")
    return [tap_session(folder / f"two_tap-{seed}.nwb", seed) for seed in range(6)]


def test_figure_7_from_recordings(taps: list[Path], tmp_path: Path) -> None:
    drawn = fig7.draw(taps, tmp_path / "fig7.png")
    assert [claim.verdict for claim in drawn.claims[::2]] == ["agrees", "agrees"]
    assert [claim.verdict for claim in drawn.claims[1::2]] != ["disagrees", "disagrees"]
    assert "6 of two-tap (seeds 0–5)" in drawn.notes[0]
    numbers = (tmp_path / "fig7.csv").read_text().splitlines()
    assert sum("second taps,two_tap" in line and ",12," in line for line in numbers) == 4


def test_the_time_since_a_tap_is_read_from_recordings(taps: list[Path], tmp_path: Path) -> None:
    drawn = decoding_figure.draw(taps, tmp_path / "decoding.png")
    assert "task is left out: there is one task." in drawn.notes
    with (tmp_path / "decoding.csv").open() as file:
        rows = {(row["measure"], row["layer"], row["state"]): row for row in csv.DictReader(file)}
    for layer in ("core", "policy_0"):
        planted = rows["R² of time since first tap", layer, "h"]
        assert float(planted["value"]) > 0.6
        assert float(planted["p"]) < 0.05
        assert planted["episodes"] == "6"
        # what moves at random cannot be read
        assert float(rows["R² of joint speed", layer, "h"]["p"]) > 0.05


def test_what_is_missing_is_said(taps: list[Path], tmp_path: Path) -> None:
    quiet = np.zeros((160, 2 * N_UNITS))
    other = write(tmp_path / "forage.nwb", "forage", 1, quiet[:5])
    short = write(tmp_path / "short.nwb", "two_tap", 2, quiet[:60])
    stranger = write(tmp_path / "stranger.nwb", "two_tap", 3, quiet, subject="stranger")
    (text := tmp_path / "text.nwb").write_text("no recording")
    for files, sentence in (
        (
            [other],
            r"In none of the 1 recordings is there an undisturbed episode of two-tap .* dataset",
        ),
        ([short], r"no episode lasted 3 s"),
        (taps[:2], r"10 second taps .* there are 4; record more"),
        ([*taps, stranger], "different subjects"),
    ):
        with pytest.raises(UserError, match=sentence):
            fig7.draw(files, tmp_path / "a.png")
    # as long as figure 7 needs, not as figure 11: 2 s before a tap and 1 s after
    at = {tick: "second_tap" for tick in range(135, 145)}
    early = [
        write(tmp_path / f"{k}.nwb", "two_tap", k, np.zeros((190, 32)), task_events=at)
        for k in (7, 8)
    ]
    with pytest.raises(UserError, match=r"Of 20 second taps none have 2 s before and 1 s after"):
        fig11.draw(early, tmp_path / "a.png")
    with pytest.raises(UserError, match=r"core of rodent has no rotations in two-tap \(h: "):
        all_dynamics(early)
    by_subject = read_by_subject([text, *taps])
    assert [len(each.episodes) for each in by_subject.values()] == [6]
    assert "is not a recording" in by_subject["rodent"].left_out[0]
    with pytest.raises(UserError, match="is not a recording"):
        read_by_subject([text])
    found = read_episodes([*taps, taps[0], text, short])
    assert len(found.episodes) == 6
    assert ["is not a recording" in each for each in found.left_out] == [True, False]
    assert "no episode lasted 3 s" in found.left_out[1]
    # another session, as a branch is, that has the first one's arena and noise
    again = tap_session(tmp_path / "again.nwb", 0)
    found = read_episodes([taps[0], again])
    assert len(found.episodes) == 1
    assert "again.nwb: trials that another recording of the same seed has" in found.notes()[1]
