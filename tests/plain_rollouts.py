"""Rollouts in which every number is the same, to tell them apart."""

from __future__ import annotations

import numpy as np

from agent.architecture import NetworkConfig
from agent.network import Network
from training.rollout.auxiliary_targets import TARGETS
from training.rollout.rollout import Rollout


def plain_rollout(value: float, is_first: bool) -> Rollout:
    """Four ticks of two environments; `is_first`: an episode begins with it."""
    ticks, environments = 4, 2
    fill = np.full((ticks, environments, 1), float(value), np.float32)
    begins = np.zeros((ticks, environments), bool)
    begins[0] = is_first
    zero = Network(NetworkConfig(policy_layers=1)).zero_state(environments)
    return Rollout(
        proprioception=fill.repeat(158, 2), features=fill.repeat(64, 2),
        images=np.zeros((ticks, environments, 64, 64, 3), np.uint8),
        action=fill.repeat(38, 2), policy_mean=fill.repeat(38, 2),
        policy_std=np.ones(38, np.float32), log_prob=fill[..., 0], reward=fill[..., 0],
        discount=np.ones((ticks, environments), np.float32), is_first=begins,
        expert_action=fill.repeat(38, 2),
        auxiliary_targets=np.full((ticks, environments, len(TARGETS)), np.nan, np.float32),
        loss_weight=np.ones((ticks, environments), np.float32),
        state=tuple((h.numpy(), c.numpy()) for h, c in zero), task=np.zeros(environments, int),
        last_proprioception=fill[0].repeat(158, 1), last_features=fill[0].repeat(64, 1),
        policy_version=0,
    )  # fmt: skip
