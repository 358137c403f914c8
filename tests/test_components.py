"""Principal components, on activity whose components are known."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.components import Components, RunningCovariance, aligned_to, fit


def _mixed(seed: int, deviations: tuple[float, ...], n_units: int = 12, n_ticks: int = 3000):
    """Activity of independent sources along random orthonormal axes, and these axes."""
    random = np.random.default_rng(seed)
    axes = np.linalg.qr(random.normal(size=(n_units, len(deviations))))[0].T
    sources = random.normal(size=(n_ticks, len(deviations)))
    sources = np.linalg.qr(sources - sources.mean(axis=0))[0] * np.sqrt(n_ticks)  # uncorrelated
    return random.normal(size=n_units) + (sources * deviations) @ axes, axes, sources


def test_known_components_are_found_with_their_shares() -> None:
    activity, axes, sources = _mixed(0, (3.0, 2.0, 1.0))
    found = fit(activity, 3)
    np.testing.assert_allclose(np.abs(found.axes @ axes.T), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(found.explained, np.array([9, 4, 1]) / 14, atol=1e-6)
    along = found.project(activity)
    signs = np.sign(np.diag(found.axes @ axes.T))
    np.testing.assert_allclose(along, sources * (3.0, 2.0, 1.0) * signs, atol=1e-6)


def test_z_scored_units_count_alike_and_one_that_never_changes_for_nothing() -> None:
    random = np.random.default_rng(1)
    shared = random.normal(size=500)
    activity = np.stack(
        [1000 * shared, shared + 5, random.normal(size=500), np.full(500, 7.0)], axis=1
    )
    plain, scored = fit(activity, 2), fit(activity, 2, z_scored=True)
    assert plain.explained[0] > 0.999
    np.testing.assert_allclose(scored.axes[0, :2], np.sqrt(0.5), atol=0.02)
    np.testing.assert_allclose(scored.axes[:, 3], 0.0, atol=1e-12)
    assert scored.explained.sum() == pytest.approx(1.0, abs=0.01)
    assert scored.project(activity).var(axis=0) == pytest.approx(np.diag(scored.covariance))


def test_in_parts_is_as_at_once_and_holes_count_for_nothing() -> None:
    activity, _, _ = _mixed(2, (3.0, 2.0, 1.0))
    running = RunningCovariance(12)
    for part in np.array_split(activity.astype(np.float32), 77):
        running.add(np.concatenate([part, np.full((1, 12), np.nan, np.float32)]))
    whole = fit(activity, 3)
    found = running.components(3)
    assert found.n_ticks == 3000
    np.testing.assert_allclose(found.axes, whole.axes, atol=1e-4)
    np.testing.assert_allclose(found.explained, whole.explained, atol=1e-4)


def test_old_activity_is_forgotten() -> None:
    before, now = _mixed(3, (3.0, 0.1))[0], _mixed(4, (3.0, 0.1))[0]
    running = RunningCovariance(12, memory_ticks=500)
    for part in np.array_split(np.concatenate([before, now]), 60):
        running.add(part)
    wanted = fit(now, 1)
    assert abs(float(running.components(1).axes[0] @ wanted.axes[0])) > 0.999


def test_axes_neither_flip_nor_rotate_wildly() -> None:
    """Two sources of nearly equal variance: which comes first, and with which sign, is a matter of chance."""
    activity, _, _ = _mixed(5, (2.01, 2.0, 0.05))
    first = fit(activity[:1500], 2)
    plain = fit(activity[1500:], 2)
    kept = aligned_to(plain, first)
    assert np.diag(kept.axes @ first.axes.T).min() > 0.99
    np.testing.assert_allclose(kept.axes @ kept.axes.T, np.eye(2), atol=1e-9)
    assert kept.explained.sum() == pytest.approx(plain.explained.sum())
    along = kept.project(activity[1500:])
    np.testing.assert_allclose(np.cov(along.T, bias=True), kept.covariance, atol=1e-6)
    mirrored = Components(
        first.mean,
        first.weight,
        -first.axes[::-1],
        first.covariance,
        first.total_variance,
        first.n_ticks,
    )
    np.testing.assert_allclose(aligned_to(mirrored, first).axes, first.axes, atol=1e-9)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match="two ticks"):
        fit(np.zeros((1, 3)), 1)
    with pytest.raises(ValueError, match="3 units have 1 to 3 components, not 4"):
        fit(np.zeros((5, 3)), 4)
    with pytest.raises(ValueError, match="cannot be aligned"):
        aligned_to(fit(np.eye(3), 1), fit(np.eye(3), 2))
