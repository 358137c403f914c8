"""Losses of imitation: the policy towards the experts' actions, the value towards lambda-returns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agent.network import Network
from training.learn.replay_buffer import ImitationBatch

VALUE_COEFFICIENT = 0.5
STD_COEFFICIENT = 0.02


@dataclass(frozen=True)
class ImitationLosses:
    """Losses of a batch, each (): of the policy, the value, and the actions' standard deviation."""

    policy: Tensor
    value: Tensor
    std: Tensor

    @property
    def total(self) -> Tensor:
        """Their weighted sum, ()."""
        return self.policy + VALUE_COEFFICIENT * self.value + STD_COEFFICIENT * self.std


def lambda_returns(rewards: Tensor, discounts: Tensor, values: Tensor, lambda_: float) -> Tensor:
    """TD(lambda) targets of a value function.

    Args:
        rewards: (T, B).
        discounts: (T, B) of the tick after each; 0 where the episode ended.
        values: (T, B) predicted before each action.
        lambda_: 0 is one step of bootstrapping, 1 discounted returns.

    Returns:
        (T, B); that of the last tick is its value.
    """
    target = values[-1]
    targets = [target]
    for tick in range(len(rewards) - 2, -1, -1):
        bootstrap = (1 - lambda_) * values[tick + 1] + lambda_ * target
        target = rewards[tick] + discounts[tick] * bootstrap
        targets.append(target)
    return torch.stack(targets[::-1])


def action_error(mean: Tensor, expert_action: Tensor) -> Tensor:
    """Error of mean actions (..., actions) against the expert's.

    Actions are clipped to [-1, 1], so beyond a bound that the expert asks for there is no error.
    """
    error = mean - expert_action
    beyond = ((expert_action >= 1) & (error > 0)) | ((expert_action <= -1) & (error < 0))
    return error.masked_fill(beyond, 0.0)


def losses(
    network: Network, batch: ImitationBatch, input_noise: float, discount: float, lambda_: float
) -> ImitationLosses:
    """Losses of a network on a batch, with noise on its inputs.

    Args:
        network: runs the batch.
        batch: sequences with their states.
        input_noise: standard deviation of the noise, in standard deviations of each sense.
        discount: a tick.
        lambda_: of the lambda-returns.
    """
    senses, features = batch.proprioception, batch.features
    senses = senses + input_noise * network.std * torch.randn_like(senses)
    features = features + input_noise * torch.randn_like(features)
    out = network.run(senses, features, batch.state)
    return output_losses(network, out.mean, out.value, batch, discount, lambda_)


def output_losses(
    network: Network,
    mean: Tensor,
    value: Tensor,
    batch: ImitationBatch,
    discount: float,
    lambda_: float,
) -> ImitationLosses:
    """Losses of what a network made of a batch.

    Args:
        network: its standard deviation of actions is fitted to the error of the mean.
        mean: (T, B, actions).
        value: (T, B), in units of the mean reward: (1 - discount) times the discounted sum.
        batch: with the experts' actions and the rewards.
        discount: a tick.
        lambda_: of the lambda-returns.
    """
    error = action_error(mean, batch.expert_action)
    weight = batch.loss_weight / batch.loss_weight.sum()
    policy_loss = (error.pow(2).mean(-1) * weight).sum()
    target = lambda_returns(
        (1 - discount) * batch.reward, discount * batch.discount, value.detach(), lambda_
    )
    value_loss = ((value - target).pow(2) * weight).sum()
    precision = (-2 * network.log_std).exp()
    nll = (0.5 * error.detach().pow(2) * precision + network.log_std).mean(-1)
    return ImitationLosses(policy_loss, value_loss, (nll * weight).sum())
