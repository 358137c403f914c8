"""V-trace: by hand, as discounted returns, beside torchrl."""

from __future__ import annotations

import math

import pytest
import torch

from training.learn.vtrace import vtrace


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_vtrace_of_three_ticks_by_hand():
    traced = vtrace(
        reward=column(1, 2, 3),
        discount=column(0.5, 0.5, 0.5),
        value=column(4, 2, 6),
        last_value=torch.tensor([8.0]),
        log_ratio=column(math.log(2), math.log(0.5), 0.0),
        lambda_=0.5,
    )
    # ratios 2, 1/2, 1 are clipped to 1, 1/2, 1; so, from the end:
    # delta 3 + 4 - 6 = 1                 target 6 + 1 = 7
    # delta 1/2 (2 + 3 - 2) = 1.5         target 2 + 1.5 + 1/2 1/2 1/2 1 = 3.625
    # delta 1 + 1 - 4 = -2                target 4 - 2 + 1/2 1/2 1 1.625 = 2.40625
    assert traced.target.squeeze().tolist() == pytest.approx([2.40625, 3.625, 7])
    # 1 + 3.625 / 2 - 4, 2 + 7 / 2 - 2, 3 + 8 / 2 - 6
    assert traced.advantage.squeeze().tolist() == pytest.approx([-1.1875, 3.5, 1])
    assert traced.ratio.squeeze().tolist() == pytest.approx([1, 0.5, 1])


def test_vtrace_of_the_policy_that_acted_is_the_discounted_return():
    rng = torch.Generator().manual_seed(0)
    reward, value = torch.randn(2, 12, 5, generator=rng)
    last = torch.randn(5, generator=rng)
    discount = torch.full((12, 5), 0.9)
    discount[4, 2] = 0.0
    traced = vtrace(reward, discount, value, last, torch.zeros(12, 5))
    expected, ahead = [], last
    for tick in reversed(range(12)):
        ahead = reward[tick] + discount[tick] * ahead
        expected.append(ahead)
    torch.testing.assert_close(traced.target, torch.stack(expected[::-1]))
    torch.testing.assert_close(traced.advantage, traced.target - value)
    # what comes after its end does not reach the episode before
    torch.testing.assert_close(
        traced.target[:5, 2],
        vtrace(reward[:5], discount[:5], value[:5], last, torch.zeros(5, 5)).target[:, 2],
    )


def test_vtrace_agrees_with_torchrl():
    # not above: every process that runs tests would load it
    from torchrl.objectives.value.functional import vtrace_advantage_estimate

    rng = torch.Generator().manual_seed(1)
    reward, value, log_pi, log_mu = torch.randn(4, 20, 6, generator=rng)
    last = torch.randn(6, generator=rng)
    over = torch.rand(20, 6, generator=rng) < 0.1
    mine = vtrace(reward, 0.95 * ~over, value, last, log_pi - log_mu)

    def theirs(x: torch.Tensor) -> torch.Tensor:
        return x.T[..., None]

    following = torch.cat([value[1:], last[None]])
    advantage, target = vtrace_advantage_estimate(
        0.95, *(theirs(x) for x in (log_pi, log_mu, value, following, reward, over, over))
    )
    torch.testing.assert_close(theirs(mine.target), target)
    torch.testing.assert_close(theirs(mine.ratio * mine.advantage), advantage)


def test_actions_that_the_policy_would_never_take_change_no_target():
    value = column(1, 2, 3)
    never = torch.full((3, 1), -torch.inf)
    traced = vtrace(column(5, 5, 5), column(0.9, 0.9, 0.9), value, torch.tensor([9.0]), never)
    torch.testing.assert_close(traced.target, value)
