"""V-MPO (Song et al. 2020): maximum a posteriori policy optimisation on advantages instead of Q.

E-step: the better half of the actions, weighted by exp(advantage / eta), is a policy that is better than the
present one and no further from it than a bound; its dual gives the temperature eta. M-step: the network
follows these actions by weighted maximum likelihood, its mean and its spread each kept within a bound of KL
divergence from where they were, by multipliers alpha. The mean is fitted with the old spread and the spread
about the old mean (Abdolmaleki et al. 2018b), so that a spread cannot collapse to make a mean look likely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

ETA = 1.0
ALPHA = 5.0
"""Where temperature and multipliers begin (Song et al. 2020, table 4)."""
LEAST, MOST = math.log(1e-4), math.log(1e4)


@dataclass(frozen=True)
class Bounds:
    """How far a policy may move: of the E-step; of mean and of spread, in nats a tick, in the M-step."""

    eta: float
    mean: float
    std: float


class Multipliers(nn.Module):
    """Temperature of each task, and multipliers of the bounds on mean and spread; kept as logarithms.

    A task has a temperature of its own because its advantages have a spread of their own.
    """

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.log_eta = nn.Parameter(torch.full((tasks,), math.log(ETA)))
        self.log_alpha_mean = nn.Parameter(torch.tensor(math.log(ALPHA)))
        self.log_alpha_std = nn.Parameter(torch.tensor(math.log(ALPHA)))

    def clamp(self) -> None:
        """Keep all of them finite."""
        with torch.no_grad():
            for one in self.parameters():
                one.clamp_(LEAST, MOST)


@dataclass(frozen=True)
class Gaussian:
    """Diagonal: mean (..., actions), std (actions,)."""

    mean: Tensor
    std: Tensor

    def log_prob(self, action: Tensor) -> Tensor:
        """(...,) log-density of actions (..., actions)."""
        error = (action - self.mean) / self.std
        return (-0.5 * error.pow(2) - self.std.log() - 0.5 * math.log(2 * math.pi)).sum(-1)

    def detach(self) -> Gaussian:
        """The same without gradient."""
        return Gaussian(self.mean.detach(), self.std.detach())


def divergence(old: Gaussian, new: Gaussian) -> tuple[Tensor, Tensor]:
    """KL(old || new) were only the mean to change, (...,), and were only the spread to change, ()."""
    mean = 0.5 * ((new.mean - old.mean) / old.std).pow(2).sum(-1)
    ratio = old.std / new.std
    std = (0.5 * ratio.pow(2) - 0.5 - ratio.log()).sum()
    return mean, std


def expectation(
    advantage: Tensor,
    log_ratio: Tensor,
    task: Tensor,
    log_eta: Tensor,
    bound: float,
    part: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """E-step.

    Args:
        advantage: (n,) of actions.
        log_ratio: (n,) clipped importance of each, for the age of the policy that chose it.
        task: (n,) in which task each was chosen; every task is judged by itself.
        log_eta: (tasks,) logarithm of the temperatures.
        bound: of the KL divergence, epsilon_eta.
        part: the best part of the actions that counts.

    Returns:
        weights (n,) without gradient, whose sum is 1, and the loss of the temperatures.
    """
    weights = torch.zeros_like(advantage)
    loss = log_eta.new_zeros(())
    for one in task.unique():
        mine = torch.nonzero(task == one).squeeze(1)
        best = mine[advantage[mine].topk(math.ceil(part * len(mine))).indices]
        share = len(mine) / len(task)
        eta = log_eta[one].exp()
        exponent = log_ratio[best] + advantage[best] / eta
        dual = eta * (bound + exponent.logsumexp(0) - math.log(len(best)))
        loss = loss + share * dual
        weights[best] = share * exponent.detach().softmax(0)
    return weights, loss


@dataclass(frozen=True)
class Losses:
    """Of the policy, the temperatures and the trust region; and how far mean and spread have moved."""

    policy: Tensor
    eta: Tensor
    trust: Tensor
    kl_mean: Tensor
    kl_std: Tensor


def losses(
    new: Gaussian,
    old: Gaussian,
    action: Tensor,
    advantage: Tensor,
    log_ratio: Tensor,
    task: Tensor,
    multipliers: Multipliers,
    bounds: Bounds,
    part: float = 0.5,
) -> Losses:
    """All that V-MPO minimises, over n ticks; arguments as in `expectation`, actions (n, actions)."""
    weights, eta = expectation(advantage, log_ratio, task, multipliers.log_eta, bounds.eta, part)
    fit = Gaussian(new.mean, old.std).log_prob(action) + Gaussian(old.mean, new.std).log_prob(
        action
    )
    kl_mean_each, kl_std = divergence(old, new)
    kl_mean = kl_mean_each.mean()
    alpha_mean = multipliers.log_alpha_mean.exp()
    alpha_std = multipliers.log_alpha_std.exp()
    # the network pays for its distance, the multiplier grows while that is beyond the bound
    trust = (
        alpha_mean * (bounds.mean - kl_mean.detach())
        + alpha_mean.detach() * kl_mean
        + alpha_std * (bounds.std - kl_std.detach())
        + alpha_std.detach() * kl_std
    )
    return Losses(-(weights * fit).sum(), eta, trust, kl_mean.detach(), kl_std.detach())
