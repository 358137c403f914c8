"""Segments in which every number is the same, to tell them apart."""

from __future__ import annotations

import numpy as np

from agent.architecture import NetworkConfig
from agent.network import Network
from training.rollout.auxiliary_targets import CUES
from training.rollout.rollout import Segment


def plain_segment(value: float, fresh: bool) -> Segment:
    """Four ticks of two animals; `fresh`: an episode begins with it."""
    ticks, animals = 4, 2
    fill = np.full((ticks, animals, 1), float(value), np.float32)
    begins = np.zeros((ticks, animals), bool)
    begins[0] = fresh
    zero = Network(NetworkConfig(policy_layers=1)).zero_state(animals)
    return Segment(
        senses=fill.repeat(158, 2), features=fill.repeat(64, 2),
        pictures=np.zeros((ticks, animals, 64, 64, 3), np.uint8),
        action=fill.repeat(38, 2), behaviour_mean=fill.repeat(38, 2),
        behaviour_std=np.ones(38, np.float32), log_prob=fill[..., 0], reward=fill[..., 0],
        discount=np.ones((ticks, animals), np.float32), fresh=begins, label=fill.repeat(38, 2),
        cues=np.full((ticks, animals, len(CUES)), np.nan, np.float32),
        weight=np.ones((ticks, animals), np.float32),
        state=tuple((h.numpy(), c.numpy()) for h, c in zero), task=np.zeros(animals, int),
        last_senses=fill[0].repeat(158, 1), last_features=fill[0].repeat(64, 1), version=0,
    )  # fmt: skip
