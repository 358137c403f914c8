"""V-MPO (Song et al. 2020): maximum a posteriori policy optimisation on advantages instead of Q.

E-step: the top fraction of the actions, weighted by exp(advantage / eta), is a policy better than the present
one and within a KL bound of it; the dual gives the temperature eta. M-step: the network fits these actions by
weighted maximum likelihood, mean and standard deviation each within a KL bound of where they were, by
multipliers alpha. The mean is fitted with the old standard deviation and the standard deviation around the
old mean (Abdolmaleki et al. 2018b), so that it cannot collapse to make a mean look likely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

INITIAL_ETA = 1.0
INITIAL_ALPHA = 5.0
"""Initial temperature and multipliers (Song et al. 2020, table 4)."""
LOG_RANGE = math.log(1e-4), math.log(1e4)
"""Within which temperatures and multipliers are kept."""


@dataclass(frozen=True)
class Bounds:
    """KL bounds: of the E-step; of mean and standard deviation in the M-step, in nats a tick."""

    eta: float
    mean: float
    std: float


class Multipliers(nn.Module):
    """Temperature of each task, and multipliers of the bounds on mean and standard deviation, as logarithms.

    Each task has its own temperature, because the scale of its advantages is its own.
    """

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.log_eta = nn.Parameter(torch.full((tasks,), math.log(INITIAL_ETA)))
        self.log_alpha_mean = nn.Parameter(torch.tensor(math.log(INITIAL_ALPHA)))
        self.log_alpha_std = nn.Parameter(torch.tensor(math.log(INITIAL_ALPHA)))

    def clamp(self) -> None:
        """Keep all of them within `LOG_RANGE`."""
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.clamp_(*LOG_RANGE)


@dataclass(frozen=True)
class Gaussian:
    """Diagonal normal distributions: mean (..., actions), std (actions,)."""

    mean: Tensor
    std: Tensor

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-density (...,) of actions (..., actions)."""
        error = (action - self.mean) / self.std
        return (-0.5 * error.pow(2) - self.std.log() - 0.5 * math.log(2 * math.pi)).sum(-1)


def divergence(old: Gaussian, new: Gaussian) -> tuple[Tensor, Tensor]:
    """KL(old || new) were only the mean to change, (...,), and were only the std to change, ()."""
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
    top_fraction: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """E-step.

    Args:
        advantage: (n,) of actions.
        log_ratio: (n,) logarithm of each action's clipped importance ratio.
        task: (n,) int64, the task of each action; each task has a top fraction of its own.
        log_eta: (tasks,) logarithm of the temperatures.
        bound: of the KL divergence, epsilon_eta.
        top_fraction: fraction of the actions, with the largest advantages, that counts.

    Returns:
        weights (n,) without gradient, whose sum is 1, and the loss () of the temperatures.
    """
    weights = torch.zeros_like(advantage)
    loss = log_eta.new_zeros(())
    for one in task.unique():
        mine = torch.nonzero(task == one).squeeze(1)
        best = mine[advantage[mine].topk(math.ceil(top_fraction * len(mine))).indices]
        share = len(mine) / len(task)
        eta = log_eta[one].exp()
        exponent = log_ratio[best] + advantage[best] / eta
        dual = eta * (bound + exponent.logsumexp(0) - math.log(len(best)))
        loss = loss + share * dual
        weights[best] = share * exponent.detach().softmax(0)
    return weights, loss


@dataclass(frozen=True)
class VmpoLosses:
    """Losses of policy, temperatures and trust region, and the KL divergences of mean and std; each ()."""

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
    top_fraction: float = 0.5,
) -> VmpoLosses:
    """All that V-MPO minimises, over n actions.

    Args:
        new: the policy that is trained, mean (n, actions).
        old: the policy that it is kept near, mean (n, actions), without gradient.
        action: (n, actions).
        advantage: (n,).
        log_ratio: (n,) logarithm of each action's clipped importance ratio.
        task: (n,) int64.
        multipliers: temperatures and alphas.
        bounds: of the KL divergences.
        top_fraction: of the actions that the E-step follows.
    """
    weights, eta = expectation(
        advantage, log_ratio, task, multipliers.log_eta, bounds.eta, top_fraction
    )
    fit_mean = Gaussian(new.mean, old.std).log_prob(action)
    fit_std = Gaussian(old.mean, new.std).log_prob(action)
    kl_mean_each, kl_std = divergence(old, new)
    kl_mean = kl_mean_each.mean()
    alpha_mean = multipliers.log_alpha_mean.exp()
    alpha_std = multipliers.log_alpha_std.exp()
    # the network is penalised for its distance; the multiplier grows while that is beyond the bound
    trust = (
        alpha_mean * (bounds.mean - kl_mean.detach())
        + alpha_mean.detach() * kl_mean
        + alpha_std * (bounds.std - kl_std.detach())
        + alpha_std.detach() * kl_std
    )
    policy = -(weights * (fit_mean + fit_std)).sum()
    return VmpoLosses(policy, eta, trust, kl_mean.detach(), kl_std.detach())
