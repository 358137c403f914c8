"""Rotations of known frequency are found, strides and conserved sequences where they were put."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

import recorder
from analysis import fig8
from analysis.demixed import KINDS, demixed_of
from analysis.episodes import Episode, Episodes
from analysis.fig10 import strides_of
from analysis.fig11 import variability
from analysis.layer_dynamics import STATES, AllDynamics, dynamics_of
from analysis.resampling import exchanged
from analysis.rotations import flow_field, moments_of, rotation_of
from analysis.sequences import Totals, events_of
from analysis.strides import middles_of_stance
from analysis.tensor_entropy import tensor_entropy
from analysis.trajectory_picture import TrajectoryPicture
from analysis.variability import squares_of
from rig.errors import UserError
from tests.planted_recordings import N_UNITS, write

RATE_HZ = 50.0


def rotating(hz: tuple[float, ...], random: np.random.Generator, n_units: int = 30) -> np.ndarray:
    """Units that mix rotations of some frequencies, from a phase of their own, with a little noise."""
    t = np.arange(1000) / RATE_HZ
    axes, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n_units, 2 * len(hz))))
    latent = np.concatenate(
        [
            [np.cos(2 * np.pi * one * t + start), np.sin(2 * np.pi * one * t + start)]
            for one, start in zip(hz, 6.28 * random.random(len(hz)), strict=True)
        ]
    )
    return (axes @ latent).T + 0.01 * random.standard_normal((1000, n_units))


def test_rotations_have_their_frequencies_and_share_of_variance() -> None:
    random = np.random.default_rng(1)
    parts = [rotating((5.0, 2.0, 0.8), random) for _ in range(4)]
    found = dynamics_of(parts, RATE_HZ, shuffles=20)
    np.testing.assert_allclose(found.rotation.hz, (5.0, 2.0, 0.8), rtol=0.02)
    assert found.rotation.variance.sum() == pytest.approx(1, abs=0.02)
    assert found.rotation.r2 > 0.95
    assert found.null.p < 0.05
    assert found.entropy_null.p < 0.05
    assert found.entropy_null.level < 0.5
    planes = np.concatenate(found.rotation.planes, axis=1)
    np.testing.assert_allclose(planes.T @ planes, np.eye(6), atol=1e-6)


@pytest.fixture(scope="module")
def two_tasks() -> AllDynamics:
    """Rotations in one layer: seven episodes of forage, then two of gaps."""
    random = np.random.default_rng(9)
    counts = {"forage": 7, "gaps": 2}
    episodes = tuple(
        Episode((Path("a.nwb"),), "rodent", "", task, k, 0, 0, 1000, 1 / RATE_HZ, ("core",))
        for task, n in counts.items()
        for k in range(n)
    )
    of = {
        (task, "core", state): dynamics_of(
            [rotating((5.0, 2.0, 0.8), random) for _ in range(n)], RATE_HZ, shuffles=1
        )
        for task, n in counts.items()
        for state in STATES
    }
    return AllDynamics(Episodes(episodes), of)


def test_planes_of_a_task_with_few_episodes_have_no_interval(two_tasks: AllDynamics) -> None:
    planes = fig8._by_plane(two_tasks, "h")
    for task in two_tasks.found.tasks:
        hz, variance = planes[task, "core"]
        assert [each.value for each in hz] == pytest.approx((5.0, 2.0, 0.8), rel=0.02)
        assert {each.bounded for each in (*hz, *variance)} == {task == "forage"}
    said = fig8.claims_of(AllDynamics(Episodes(two_tasks.found.episodes[7:]), two_tasks.of))
    assert {each.verdict for each in said} == {"cannot tell"}
    assert all("inf" not in each.measured for each in said)
    assert "(no interval; drawn phases" in said[2].measured


def test_planes_of_a_task_have_the_intervals_that_they_have_without_other_tasks(
    two_tasks: AllDynamics,
) -> None:
    alone = AllDynamics(Episodes(two_tasks.found.of("forage")), two_tasks.of)
    own = "forage", "core"
    found = fig8._by_plane(two_tasks, "h")[own]
    assert found == fig8._by_plane(alone, "h")[own]
    assert {each.clusters for estimates in found for each in estimates} == {7}


def test_what_only_wanders_does_not_rotate() -> None:
    random = np.random.default_rng(2)
    parts = [np.cumsum(random.standard_normal((1000, 30)), axis=0) for _ in range(4)]
    found = dynamics_of(parts, RATE_HZ, shuffles=20)
    assert found.null.p > 0.05
    assert found.entropy_null.p > 0.05
    assert found.rotation.r2 < 0.1


def test_surrogates_of_maximum_entropy_keep_means_and_covariances() -> None:
    random = np.random.default_rng(6)
    scale = np.array([4.0, 2.0, 1.0, 0.5])[:, None] * (0.5 + random.random(12))
    data = gaussian_filter1d(random.standard_normal((40, 4, 12)), 3, axis=0) * scale
    data += np.sin(np.arange(40) / 6)[:, None, None] + np.arange(4)[:, None] + random.random(12)
    found = tensor_entropy(data)
    drawn = [found.draw(random) for _ in range(2000)]
    for k in range(3):
        others = tuple({0, 1, 2} - {k})
        np.testing.assert_allclose(
            np.mean(drawn, axis=0).mean(others), data.mean(others), atol=0.05
        )
        covariance = covariance_along(data - found.mean, k)
        made = np.mean([covariance_along(each - found.mean, k) for each in drawn], axis=0)
        np.testing.assert_allclose(made, covariance, atol=0.05 * np.diag(covariance).max())


def covariance_along(data: np.ndarray, k: int) -> np.ndarray:
    unfolded = np.moveaxis(data, k, 0).reshape(data.shape[k], -1)
    return unfolded @ unfolded.T


def test_the_direction_of_a_rotation() -> None:
    t = np.arange(500) / RATE_HZ
    for turn in (1, -1):
        circle = np.stack([np.cos(2 * np.pi * t), turn * np.sin(2 * np.pi * t)], axis=1)
        found = rotation_of(moments_of(circle, RATE_HZ), RATE_HZ, 1.0)
        assert found.hz[0] == pytest.approx(1.0, rel=1e-3)
        # along a plane's own axes it always goes from the first to the second
        field = flow_field([circle @ found.planes[0]], RATE_HZ, bins=3)
        assert field.change[1, 2, 1] > 5
        assert field.change[1, 0, 1] < -5


def test_a_foot_that_goes_back_and_forth() -> None:
    t = np.arange(200) / RATE_HZ
    ahead = 0.03 + 0.015 * np.sin(2 * np.pi * 4 * t) + 0.01 * t
    found = middles_of_stance(ahead, RATE_HZ)
    # it goes back through the middle half a period after it went forth
    expected = [round((k + 0.5) / 4 * RATE_HZ) for k in range(16)]
    assert len(found) >= 14
    assert all(min(abs(row - each) for each in expected) <= 1 for row in found)
    assert middles_of_stance(0.001 * np.sin(2 * np.pi * 4 * t), RATE_HZ) == []


@pytest.mark.parametrize("conserved", [True, False])
def test_sequences_of_strides_that_tasks_share_or_not(conserved: bool) -> None:
    random = np.random.default_rng(3)
    phases = {"forage": random.random(40), "gaps": random.random(40)}
    if conserved:
        phases["gaps"] = phases["forage"]
    parts, rows, tasks = [], [], []
    t = np.arange(400) / RATE_HZ
    for task, phase in phases.items():
        for _ in range(6):
            noise, start = 0.3 * random.standard_normal((400, 40)), random.random()
            parts.append(np.cos(2 * np.pi * (4.5 * t[:, None] - phase - start)) + noise)
            rows.append([round((k + start) / 4.5 * RATE_HZ) for k in range(3, 30)])
            tasks.append(task)
    found = strides_of(parts, rows, tasks, RATE_HZ, shuffles=30)
    assert found.within.value > 0.95
    assert (found.kept.low > 0.4) is conserved
    assert (found.null.p < 0.05) is conserved
    with pytest.raises(UserError, match="no task has so many"):
        strides_of(parts, [own[:1] for own in rows], tasks, RATE_HZ)


def test_less_deviation_where_trials_are_alike() -> None:
    random = np.random.default_rng(4)
    parts, rows = [], []
    for _ in range(6):
        part = random.standard_normal((500, 20))
        rows.append([int(row + random.integers(110)) for row in (100, 230, 360)])
        for row in rows[-1]:
            part[row - 20 : row] *= 0.3
        parts.append(part)
    windows = squares_of(events_of(parts, rows, 60, 30))
    deviation = windows.deviation(range(6)).mean(1)
    assert deviation[40:60].mean() == pytest.approx(0.3, abs=0.02)
    assert deviation[:40].mean() == pytest.approx(1.0, abs=0.05)
    others = squares_of(events_of(exchanged(parts, random), rows, 60, 30))
    assert others.counts.sum() == 18
    assert abs(others.deviation(range(6)).mean(1)[40:60].mean() - deviation[:40].mean()) < 0.3


def test_only_taps_with_their_whole_window_count() -> None:
    """2 s before the tap and 1 s after."""
    parts = list(np.random.default_rng(7).standard_normal((3, 300, 5)))
    rows = [[50, 99, 100, 180, 250, 251], [100, 299], []]
    assert variability(parts, rows, 1 / RATE_HZ, shuffles=2).taps == 4


def test_a_trajectory_goes_round_in_the_colours_of_behaviours(tmp_path: Path) -> None:
    t = np.arange(120) / RATE_HZ
    turn = 2 * np.pi * 1.25 * t  # once in 40 ticks
    random = np.random.default_rng(5)
    mixing = random.standard_normal((2, 2 * N_UNITS))
    h = np.stack([np.cos(turn), np.sin(turn)], axis=1) @ mixing
    file = write(
        tmp_path / "round.nwb", "forage", 1, h, behaviours={"run": [(0, 60)], "stand": [(60, 119)]}
    )
    with recorder.open(file) as recording:
        shown = TrajectoryPicture(recording, "policy_0/jpc", 0, 119)
        assert "1.2 Hz" in shown.title
        assert list(shown.legend) == ["run", "stand", "other"]
        pictures = {tick: shown.draw(tick) for tick in (20, 40, 59, 99)}
        with pytest.raises(UserError, match=r"policy_0/pca: write a layer"):
            TrajectoryPicture(recording, "policy_0/pca", 0, 119)
        with pytest.raises(UserError, match="no layer 'policy_9'"):
            TrajectoryPicture(recording, "policy_9", 0, 119)

    def place(tick: int, name: str) -> np.ndarray:
        """The middle of the point where the animal is now."""
        like = (pictures[tick] == shown.legend[name]).all(axis=2)
        inside = np.logical_and.reduce(
            [np.roll(like, (a, b), (0, 1)) for a in (-2, 2) for b in (-2, 2)]
        )
        return np.argwhere(inside).mean(0) - 239.5

    # every trial begins elsewhere: the jump is no turning
    h = np.concatenate([np.roll(h[:40], 13 * k, axis=0) + 2 * k % 3 for k in range(3)])
    file = write(tmp_path / "trials.nwb", "forage", 1, h, trial_ticks=40)
    with recorder.open(file) as recording:
        title = TrajectoryPicture(recording, "policy_0/jpc", 0, 119).title
    assert "1.2 Hz" in title

    # half a turn on it is on the other side, a whole turn on it is where it was, in another colour
    np.testing.assert_allclose(place(20, "run"), -place(40, "run"), atol=6)
    np.testing.assert_allclose(place(59, "run"), place(99, "stand"), atol=6)
    assert np.linalg.norm(place(20, "run")) > 120


def test_strides_are_taken_apart_by_phase_and_task() -> None:
    random = np.random.default_rng(8)
    turn = 2 * np.pi * np.arange(11) / 11
    axes = np.linalg.qr(random.standard_normal((30, 4)))[0].T
    course = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    sums, groups = [], {}
    for k, task in enumerate(("forage", "gaps", "escape")):
        groups[task] = tuple(range(8 * k, 8 * k + 8))
        mean = 3 * course @ axes[:2] + 2 * (k - 1) * axes[2]
        mean = mean + np.cos(turn + 2 * np.pi * k / 3)[:, None] * axes[3]
        sums += [5 * (mean + 0.3 * random.standard_normal((11, 30))) for _ in range(8)]
    found = demixed_of(Totals(np.stack(sums), np.full(24, 5)), groups)
    # 9 of a turn in the plane of phase, 4 x 2/3 of the tasks' levels, 1/2 of a turn that differs
    expected = np.array([9, 8 / 3, 0.5])
    for kind, share in zip(KINDS, expected / expected.sum(), strict=True):
        assert found.shares[kind].value == pytest.approx(share, abs=0.02)
        assert found.shares[kind].low < share < found.shares[kind].high
        assert found.own[kind].value > 0.9
    level = found.shown["task"].mean(1)
    assert abs(np.corrcoef(level, [-1, 0, 1])[0, 1]) > 0.99
