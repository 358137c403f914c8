"""V-MPO: the E-step's weights and temperature, divergences, multipliers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from training.learn import vmpo
from training.learn.vmpo import Bounds, Gaussian, Multipliers


def test_the_better_half_counts_by_its_exponentiated_advantage_in_each_task():
    advantage = torch.tensor([3.0, 1.0, 2.0, 0.0, 50.0, -50.0])
    task = torch.tensor([0, 0, 0, 0, 1, 1])
    log_eta = torch.tensor([math.log(2.0), 0.0])
    weights, _ = vmpo.expectation(advantage, torch.zeros(6), task, log_eta, 0.1)
    # of the four in the first task 3 and 2 are the better half; e^1.5 to e^1
    first = math.exp(1.5) / (math.exp(1.5) + math.exp(1.0))
    expected = [4 / 6 * first, 0, 4 / 6 * (1 - first), 0, 2 / 6, 0]
    assert weights.tolist() == pytest.approx(expected)
    rare = torch.tensor([math.log(0.5), 0, 0, 0, 0, 0])
    weights, _ = vmpo.expectation(advantage, rare, task, log_eta, 0.1)
    first = 0.5 * math.exp(1.5) / (0.5 * math.exp(1.5) + math.exp(1.0))
    assert weights[0].item() == pytest.approx(4 / 6 * first)


def test_the_temperature_that_minimises_its_loss_keeps_the_e_step_within_its_bound():
    advantage = torch.randn(400, generator=torch.Generator().manual_seed(2))
    task = torch.zeros(400, dtype=torch.int64)
    log_eta = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([log_eta], 0.05)
    for _ in range(600):
        weights, loss = vmpo.expectation(advantage, torch.zeros(400), task, log_eta, 0.2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    some = weights[weights > 0]
    assert len(some) == 200
    away = (some * (some * len(some)).log()).sum().item()
    assert away == pytest.approx(0.2, abs=0.005)


def test_divergences_are_those_of_gaussians():
    rng = torch.Generator().manual_seed(3)
    old = Gaussian(torch.randn(7, 3, generator=rng), torch.rand(3, generator=rng) + 0.1)
    new = Gaussian(torch.randn(7, 3, generator=rng), torch.rand(3, generator=rng) + 0.1)

    def known(mean: torch.Tensor, std: torch.Tensor) -> Independent:
        return Independent(Normal(mean, std.expand_as(mean)), 1)

    mean, std = vmpo.divergence(old, new)
    start = known(old.mean, old.std)
    torch.testing.assert_close(mean, kl_divergence(start, known(new.mean, old.std)))
    torch.testing.assert_close(std.expand(7), kl_divergence(start, known(old.mean, new.std)))
    action = torch.randn(7, 3, generator=rng)
    torch.testing.assert_close(old.log_prob(action), start.log_prob(action))


@pytest.mark.parametrize(("moved", "rises"), [(0.5, True), (0.001, False)])
def test_multipliers_rise_where_the_policy_has_moved_beyond_its_bound(moved, rises):
    multipliers = Multipliers(1)
    old = Gaussian(torch.zeros(10, 2), torch.full((2,), 0.5))
    new = Gaussian(torch.full((10, 2), moved), torch.full((2,), 0.5 + 0.1 * moved))
    some = vmpo.losses(
        new, old, torch.zeros(10, 2), torch.zeros(10), torch.zeros(10),
        torch.zeros(10, dtype=torch.int64), multipliers, Bounds(0.1, 0.01, 0.001),
    )  # fmt: skip
    some.trust.backward()
    for one in (multipliers.log_alpha_mean, multipliers.log_alpha_std):
        assert (one.grad < 0) == rises
