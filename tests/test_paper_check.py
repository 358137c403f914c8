"""Spectra, what tasks share, and the check of the paper's claims, on recordings that are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from agent.subject import Layer
from analysis.behaviour_features import morlet_amplitude
from analysis.sharing import cka, overlap, partition, representation_across, variance_between
from analysis.spectra import population_spectrum
from evaluation.paper import check
from evaluation.paper.activity import RecordedEpisode


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


def test_a_wavelet_gives_a_sines_amplitude_at_its_frequency():
    seconds = np.arange(1000) * 0.02
    waves = morlet_amplitude(3 * np.sin(2 * np.pi * 6 * seconds)[:, None], 50, np.array([2, 6, 18]))
    assert waves.shape == (1000, 1, 3)
    np.testing.assert_allclose(waves[300:700, 0], [[0, 3, 0]] * 400, atol=0.02)


def test_sharing_is_measured_as_it_is():
    rng = np.random.default_rng(0)
    here, there = (rng.normal(middle, 0.1, (200, 2)) for middle in (0, 5))
    one, other, same = partition([here, there, here], clusters=8)
    assert overlap(one, same) == 1
    assert overlap(one, other) == 0
    x = rng.normal(size=(20, 6))
    turned = x @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert cka(x, turned + 3) == pytest.approx(1)
    assert cka(x, rng.normal(size=(20, 6))) < 0.7
    assert variance_between({"a": x, "b": x + 100}) > 0.99
    assert variance_between({"a": x, "b": x}) < 1e-9
    clusters = np.repeat(np.arange(5), 20)
    activity = np.eye(5)[clusters] + 0.01 * rng.normal(size=(100, 5))
    both = representation_across({"a": activity, "b": activity}, {"a": clusters, "b": clusters})
    assert both["a", "b"] == pytest.approx(1)


def _recorded(seed, core_hz, policy_hz, stride_hz, offset, n=600):
    rng = np.random.default_rng(seed)
    seconds = np.arange(n) * 0.02
    gait = np.sin(2 * np.pi * (stride_hz * seconds[:, None] + np.random.default_rng(5).random(12)))

    def layer(hz, offset):
        return np.sin(2 * np.pi * (hz * seconds[:, None] + rng.random(16))) + offset

    def noise(shape):
        return 0.02 * rng.normal(size=shape)

    cells = np.hstack([layer(core_hz, offset), layer(policy_hz, 0.0)])
    return RecordedEpisode(
        cell_states=(cells + noise(cells.shape)).astype(np.float32),
        joint_angles=(gait[:, :6] + noise((n, 6))).astype(np.float32),
        body_positions=(gait[:, 6:] + noise((n, 6))).astype(np.float32),
        forces=(gait[:, :4] + noise((n, 4))).astype(np.float32),
        hip=gait[:, 0].astype(np.float32),
        speed_m_s=np.full(n, 0.9, np.float32),
    )


LAYERS = (Layer("core", 16), Layer("policy_0", 16))


def _claims(n_seeds, tasks=("gaps", "forage"), **options):
    recorded = {
        task: [_recorded(10 * seed + index, offset=index, **options) for seed in range(n_seeds)]
        for index, task in enumerate(tasks)
    }
    found = check.check(recorded, LAYERS)
    json.dumps(found.as_json(), allow_nan=False)
    return found.claims


def test_the_paper_is_agreed_with_or_not_by_rule():
    like = _claims(7, core_hz=0.3, policy_hz=7.0, stride_hz=4.5)
    assert [one.verdict for one in like[:4]] == ["agrees"] * 4
    assert like[-1].verdict == "agrees"
    unlike = _claims(7, ("gaps",), core_hz=7.0, policy_hz=0.3, stride_hz=7.0)
    assert [one.verdict for one in unlike] == ["disagrees"] * 4 + ["cannot tell"] * 4


def test_what_the_data_cannot_carry_is_said():
    few = _claims(5, core_hz=0.3, policy_hz=7.0, stride_hz=4.5)
    assert {one.verdict for one in few} == {"cannot tell"}
    assert "no interval" in few[0].measured
    slow = _claims(7, ("gaps",), core_hz=0.11, policy_hz=7.0, stride_hz=4.5, n=1500)
    assert [one.verdict for one in slow[:3]] == ["cannot tell", "cannot tell", "agrees"]
    assert "the median of core lies in the lowest bin" in slow[0].measured
    alone = check.check({"gaps": [_recorded(1, 3.0, 3.2, 4.5, 0)]}, LAYERS)
    assert {one.verdict for one in alone.claims} == {"cannot tell"}
    with pytest.raises(ValueError, match="5 s"):
        check.check({"gaps": []}, LAYERS)
