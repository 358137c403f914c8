"""Spectra, what tasks share, and the check of the paper's claims, on episodes that are known."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis import fig5
from analysis.behaviour_features import feature_sets, morlet_amplitude
from analysis.distinctness import distinctness, plane, same_task
from analysis.loaded_episodes import LoadedEpisode, z_scored_activity
from analysis.mean_responses import Responses, responses
from analysis.representation import representation
from analysis.sharing import cka, overlap, partition, used_by
from analysis.spectra import medians_hz, part_spectra, population_spectrum
from analysis.timescales import DECIDES, Signal, timescales
from evaluation.paper import check
from rig.errors import UserError


def test_a_spectrum_finds_its_frequency():
    rng = np.random.default_rng(0)
    seconds = np.arange(1500) * 0.02
    parts = [
        np.sin(2 * np.pi * 4.5 * seconds + phase)[:, None] * rng.normal(size=12) for phase in (0, 1)
    ]
    spectrum = population_spectrum(parts, 50)
    assert spectrum.median_hz() == pytest.approx(4.5, abs=0.1)
    assert spectrum.window_s == 10
    assert spectrum.share_above(5) < 0.01
    assert np.trapezoid(spectrum.density, spectrum.hz) == pytest.approx(1, abs=0.01)
    with pytest.raises(ValueError, match="vary"):
        population_spectrum([np.ones((600, 3))], 50)


SECONDS = np.arange(1500) * 0.02


@pytest.mark.parametrize("hz", [0.3, 1.0, 4.5])
@pytest.mark.parametrize(
    "drift",
    [
        30 * SECONDS,
        0.1 * (SECONDS - 15) ** 2,
        10 * np.exp(-SECONDS / 8),
        10 / (1 + np.exp(-(SECONDS - 15) / 3)),
        10 * np.sin(2 * np.pi * 0.04 * SECONDS),
    ],
    ids=["line", "parabola", "decay", "step", "slow sine"],
)
def test_slow_drift_does_not_move_a_spectrum(hz, drift):
    """Units of known frequency, each with its own part of a drift that is several times as large."""
    rng = np.random.default_rng(1)
    parts = [
        np.sin(2 * np.pi * hz * SECONDS + phase)[:, None] * rng.normal(size=12)
        + drift[:, None] * rng.normal(size=12)
        for phase in (0, 1)
    ]
    assert drift.std() > 3 * np.sqrt(0.5)
    spectrum = population_spectrum(parts, 50)
    assert spectrum.median_hz() == pytest.approx(hz, abs=0.02)
    assert spectrum.median_resolved


def test_a_median_in_the_lowest_bin_is_not_resolved():
    rng = np.random.default_rng(1)
    slow = np.sin(2 * np.pi * 0.11 * SECONDS)[:, None] * rng.normal(size=12)
    assert not population_spectrum([slow], 50).median_resolved
    fast = np.sin(2 * np.pi * 0.5 * SECONDS)[:, None] * rng.normal(size=12)
    assert population_spectrum([fast], 50).median_resolved


def test_spectra_of_some_parts_are_those_of_the_parts_alone():
    rng = np.random.default_rng(2)
    mixing = rng.normal(size=12)
    parts = [np.sin(2 * np.pi * hz * SECONDS)[:, None] * mixing for hz in (1.0, 1.0, 6.0)]
    short = parts[0][:300]
    found = part_spectra([*parts, short], 50)
    assert found.used.tolist() == [True, True, True, False]
    assert found.spectrum([0, 1]).median_hz() == pytest.approx(1, abs=0.05)
    assert found.spectrum([2]).median_hz() == pytest.approx(6, abs=0.05)
    assert found.spectrum([3]) is None
    drifting = [part + 10 * SECONDS[:, None] * mixing for part in parts]
    assert part_spectra(drifting, 50).drift > 0.99 > 0.01 > found.drift


def test_a_median_lies_between_bins():
    hz = np.array([0.1, 0.2, 0.3])
    power = np.array([[1.0, 0.0, 0.0], [1.0, 2.0, 1.0], [3.0, 0.0, 1.0]])
    np.testing.assert_allclose(medians_hz(hz, power), [0.1, 0.2, 0.05 + 0.1 * 2 / 3])


def test_a_wavelet_gives_a_sines_amplitude_at_its_frequency():
    waves = morlet_amplitude(3 * np.sin(2 * np.pi * 6 * SECONDS)[:, None], 50, np.array([2, 6, 18]))
    assert waves.shape == (1500, 1, 3)
    np.testing.assert_allclose(waves[300:1200, 0], [[0, 3, 0]] * 900, atol=0.02)


def test_wavelets_are_those_of_pynapple():
    nap = pytest.importorskip("pynapple")
    x = np.cumsum(np.random.default_rng(0).normal(size=1500))
    hz = np.geomspace(1, 20, 7)
    # its Gaussian is exp(-x² / width) in periods; ours has a deviation of CYCLES / 2π periods
    width = 2 * (6 / (2 * np.pi)) ** 2
    theirs = nap.compute_wavelet_transform(
        nap.Tsd(t=SECONDS, d=x), hz, fs=50, gaussian_width=width, window_length=1.0, norm=None
    )
    ours = morlet_amplitude((x - x.mean())[:, None], 50, hz)[:, 0]
    inside = slice(400, 1100)
    for one, other in zip(ours[inside].T, np.abs(theirs.d)[inside].T, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.998


def test_features_have_the_papers_numbers():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(300, 20)) for _ in range(2)]
    sets = feature_sets(parts, parts, [part[:, :5] for part in parts], 50)
    assert {name: own[0].shape for name, own in sets.items()} == {
        "joint angles": (300, 20),
        "joint velocity": (300, 20),
        "actuator forces": (300, 5),
        "posture": (300, 30),
        "kinematics, fast": (300, 30),
        "kinematics, intermediate": (300, 30),
        "kinematics, slow": (300, 30),
        "behaviour": (300, 60),
    }


# --- sharing and similarity -------------------------------------------------------------------------


def test_cka_is_what_it_is_by_hand_and_has_its_invariances():
    # |xᵀy|² = 2² + 0², |xᵀx| = 2, |yᵀy| = √(2² + 6²)
    x = np.array([[-1.0], [0.0], [1.0]])
    y = np.array([[-1.0, 1.0], [0.0, -2.0], [1.0, 1.0]])
    assert cka(x, y) == pytest.approx(4 / (2 * np.sqrt(4 + 36)))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 6))
    turned = x @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert cka(x, 3 * turned + 7) == pytest.approx(1)
    y = rng.normal(size=(20, 6))
    assert cka(x, y) == pytest.approx(cka(y, x))
    assert cka(x, y) < 0.7
    stretched = x * [9, 1, 1, 1, 1, 1]  # of linear maps only turns and one scale do nothing
    assert cka(x, stretched) < 0.95
    grams = [one - one.mean(0) for one in (x, y)]
    grams = [one @ one.T for one in grams]
    by_grams = (grams[0] * grams[1]).sum() / np.prod([np.linalg.norm(one) for one in grams])
    assert cka(x, y) == pytest.approx(by_grams)


@pytest.mark.filterwarnings("error")
def test_an_animal_that_does_only_two_things_has_two_clusters():
    (clusters,) = partition([np.repeat([[0.0, 1.0], [3.0, 1.0]], 200, axis=0)], clusters=50)
    assert len(np.unique(clusters)) == 2
    assert len(np.unique(clusters[:200])) == len(np.unique(clusters[200:])) == 1
    assert partition([np.zeros((30, 2))])[0].tolist() == [0] * 30


def test_sharing_is_measured_as_it_is():
    rng = np.random.default_rng(0)
    here, there = (rng.normal(middle, 0.1, (200, 2)) for middle in (0, 5))
    one, other, same = partition([here, there, here], clusters=8)
    assert overlap(one, same) == 1
    assert overlap(one, other) == 0
    ticks = np.repeat([0, 1], [990, 10])
    rarely = np.repeat([1, 2], [5, 995])
    assert used_by({"gaps": [ticks], "forage": [rarely]}).tolist() == [1, 1, 1]


def test_neighbours_tell_clouds_apart_from_one():
    rng = np.random.default_rng(0)
    points, tasks, seeds = (
        rng.normal(size=(240, 5)),
        np.repeat([0, 1], 120),
        np.tile(np.arange(6), 40),
    )
    assert same_task(points, tasks, seeds).mean() == pytest.approx(0.5, abs=0.06)
    apart = points + 20 * tasks[:, None]
    assert same_task(apart, tasks, seeds).mean() == 1
    assert same_task(plane(apart), tasks, seeds).mean() == 1


def test_the_variance_between_tasks_is_what_was_measured():
    """Seeds have offsets of their own, so that pseudo-values have another mean than the share itself."""
    rng = np.random.default_rng(0)
    episodes = [
        episode(task, seed, rng.normal(size=(40, 4)) + rng.normal(size=4))
        for seed in range(7)
        for task in ("gaps", "forage")
    ]
    by_task = [
        np.concatenate([one.h[:, :2] for one in episodes if one.task == task])
        for task in ("gaps", "forage")
    ]
    # shares of variance do not change where units are scaled, but their weights do
    by_task = [one / np.concatenate(by_task).std(0) for one in by_task]
    between = np.var([one.mean(0) for one in by_task], axis=0).sum()
    within = np.mean([one.var(0) for one in by_task], axis=0).sum()
    found = distinctness(episodes)
    core = found.variance["core"]
    assert core.value == pytest.approx(between / (between + within), rel=1e-3)
    assert core.low < core.value < core.high
    assert f"variance between tasks core {100 * core.value:.2f}" in found.claim.measured


def test_ceiling_and_chance_bracket_what_layers_represent():
    """Two layers, one of which follows the features and one which does not, in two tasks."""
    rng = np.random.default_rng(0)
    episodes = []
    for seed in range(6):
        for task in ("gaps", "forage"):
            centres = np.random.default_rng(7).normal(size=(12, 6))
            posture = centres[rng.integers(0, 12, 40).repeat(10)] + 0.02 * rng.normal(size=(400, 6))
            other = np.random.default_rng(8).normal(size=(12, 16))[rng.integers(0, 12, 400)]
            h = np.hstack([other, posture @ np.random.default_rng(9).normal(size=(6, 16))])
            episodes.append(episode(task, seed, h, posture, posture, posture))
    found = representation(episodes, responses(episodes))
    follows, other = (found.with_features["posture", each] for each in ("policy_0", "core"))
    assert follows.low > 0.6
    assert found.feature_chance["posture", "policy_0"] < 0.4 < follows.value
    assert other.value < 0.4
    assert found.feature_ceilings["posture", "policy_0"] > 0.9
    assert found.between_tasks["posture", "policy_0"].value > 0.9
    assert found.layer_claims[0].verdict == "agrees"
    assert found.task_claims[0].verdict == "agrees"


def test_similarity_is_shown_of_each_layer_however_wide_and_of_enough_behaviours():
    random = np.random.default_rng(2)
    columns = {"core": slice(0, 3), "policy_0": slice(3, 10)}

    def shown(ticks):
        made = Responses(
            random.random((2, 6, 10)), random.random((2, 6, 4)), np.full((2, 6), ticks)
        )
        return made, fig5._matrices(Figure().subplots(1, 4), made, columns)

    made, panels = shown(5)
    assert [each.get_title() for each in panels] == ["core", "policy_0", "features"]
    policy = made.means(range(2), np.arange(6))[0][:, 3:]
    policy = policy - policy.mean(0)
    image = np.asarray(panels[1].images[0].get_array())
    # as similar as they are, in some order
    expected = np.sort((policy @ policy.T).ravel())
    np.testing.assert_allclose(np.sort(image.ravel()) / image.max(), expected / expected.max())
    with pytest.raises(
        UserError, match="4 clusters of behaviour with 10 ticks each, and there are 0"
    ):
        shown(4)


def test_means_over_episodes_are_weighted_by_their_ticks():
    found = Responses(
        sums=np.array([[[10.0], [0.0]], [[60.0], [90.0]]]),
        features=np.zeros((2, 2, 1)),
        ticks=np.array([[10.0, 0.0], [20.0, 30.0]]),
    )
    assert found.behaviours([0]).tolist() == [0]
    assert found.means([0, 1], np.array([0, 1]))[0].ravel().tolist() == [70 / 30, 3.0]


def test_units_are_scaled_over_all_episodes_together():
    parts = [episode("gaps", k, np.full((300, 2), [k, 5.0])) for k in (0, 2)]
    scaled = z_scored_activity(parts, "h")
    assert [part[0].tolist() for part in scaled] == [[-1, 0], [1, 0]]


# --- the claims -------------------------------------------------------------------------------------


def episode(task, seed, h, angles=None, positions=None, forces=None, hip=None, c=None):
    n, n_units = h.shape
    still = np.zeros((n, 3), np.float32)

    def or_still(values):
        return still if values is None else np.asarray(values, np.float32)

    return LoadedEpisode(
        task=task,
        seed=seed,
        recording=Path("made.nwb"),
        first_tick=0,
        rate_hz=50.0,
        layers={"core": slice(0, n_units // 2), "policy_0": slice(n_units // 2, n_units)},
        c=np.asarray(h if c is None else c, np.float32),
        h=np.asarray(h, np.float32),
        joint_angles=or_still(angles),
        body_positions=or_still(positions),
        forces=or_still(forces),
        hip=still[:, 0] if hip is None else hip.astype(np.float32),
        speed_m_s=np.full(n, 0.9, np.float32),
        behaviours={},
    )


def _recorded(seed, core_hz, policy_hz, stride_hz, offset, task="gaps", n=500):
    rng = np.random.default_rng(seed)
    seconds = np.arange(n) * 0.02
    gait = np.sin(2 * np.pi * (stride_hz * seconds[:, None] + np.random.default_rng(5).random(12)))

    def layer(hz, offset):
        return np.sin(2 * np.pi * (hz * seconds[:, None] + rng.random(16))) + offset

    def noise(shape):
        return 0.02 * rng.normal(size=shape)

    h = np.hstack([layer(core_hz, offset), layer(policy_hz, 0.0)])
    gait = gait + noise(gait.shape)
    drifting = h.copy()
    drifting[:, ::5] += 1000 * seconds[:, None]
    return episode(
        *(task, seed, h + noise(h.shape), gait[:, :6], gait[:, 6:], gait[:, :4], gait[:, 0]),
        c=drifting,
    )


def _claims(n_seeds, tasks=("gaps", "forage"), **options):
    recorded = [
        _recorded(10 * seed + index, offset=index, task=task, **options)
        for seed in range(n_seeds)
        for index, task in enumerate(tasks)
    ]
    recorded = [LoadedEpisode(**{**vars(one), "seed": one.seed // 10}) for one in recorded]
    found = check.check(recorded)
    json.dumps(found.as_json(), allow_nan=False)
    return found.claims


def test_the_paper_is_agreed_with_or_not_by_rule():
    like = _claims(7, core_hz=0.3, policy_hz=7.0, stride_hz=4.5)
    assert [one.verdict for one in like[:4]] == ["agrees"] * 4
    assert like[-1].verdict == "agrees"
    # counts are judged by what was counted: their pseudo-values have another mean
    used, several = map(int, re.findall(r"of (\d+) behaviours (\d+) are", like[5].measured)[0])
    assert f"margin {several / used - 0.5:+.2f} (" in like[5].measured
    unlike = timescales([_recorded(k, 7.0, 0.3, 7.0, 0) for k in range(7)]).claims
    assert [one.verdict for one in unlike] == ["disagrees"] * 4


def test_what_the_data_cannot_carry_is_said():
    few = _claims(2, ("gaps",), core_hz=0.3, policy_hz=7.0, stride_hz=4.5)
    assert {one.verdict for one in few} == {"cannot tell"}
    assert "no interval" in few[0].measured
    assert "one task alone" in few[-1].measured
    slow = timescales([_recorded(k, 0.11, 7.0, 4.5, 0, n=1500) for k in range(7)]).claims
    assert [one.verdict for one in slow[:3]] == ["cannot tell", "cannot tell", "agrees"]
    assert "the median of core lies in the lowest bin" in slow[0].measured


def test_the_signal_that_decides_is_the_outputs_and_drift_of_cell_states_is_said():
    found = timescales([_recorded(k, 0.3, 7.0, 4.5, 0) for k in range(3)])
    (core, policy) = (found.table[DECIDES]["all tasks"][each] for each in found.layers)
    assert (core.median_hz.value, policy.median_hz.value) == (
        pytest.approx(0.3, abs=0.02),
        pytest.approx(7.0, abs=0.05),
    )
    unscaled = found.table[Signal("c", False)]["all tasks"]["policy_0"]
    assert unscaled.drift > 0.999 > 0.5 > found.table[DECIDES]["all tasks"]["policy_0"].drift


def test_a_median_that_seeds_disagree_on_has_the_interval_of_drawn_seeds():
    """Of 13 seeds eight are slow in the core, five fast: without any one of them the median is slow."""
    found = timescales(
        [_recorded(k, 2.0 if k < 8 else 14.0, 7.0, 4.5, 0, n=100) for k in range(13)],
        {"kinematics, fast": [], "kinematics, slow": []},
    )
    median = found.claims[0]
    assert median.verdict == "cannot tell"
    value, low, high = map(
        float, re.findall(r"margin policy_0 (\S+) \((\S+) to (\S+); 13 seeds\)", median.measured)[0]
    )
    # octaves that 7 Hz are above twice the core's frequency, be that the fast or the slow ones'
    assert (low, high) == (pytest.approx(-2, abs=0.1), pytest.approx(0.81, abs=0.15))
    assert low < value <= high
