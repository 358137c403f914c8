"""A rollout: some consecutive ticks of all environments of one actor, as actors send it to the learner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
LayerState = tuple[tuple[Array, Array], ...]
"""Per layer (h, c), each (environments, units) float32."""


@dataclass(frozen=True)
class Rollout:
    """T ticks of the B environments of one actor; arrays are float32 unless said.

    Attributes:
        proprioception: (T, B, senses) in natural units.
        features: (T, B, features) encoding of the images by the vision encoder of the network that acted.
        images: (T, B, 64, 64, 3) uint8, or None where the features are enough.
        action: (T, B, actions) before clipping.
        policy_mean: (T, B, actions) mean action of the network that acted.
        policy_std: (actions,) its standard deviation.
        log_prob: (T, B) log-density of `action` under the network that acted; NaN where the action was not
            sampled from it.
        reward: (T, B) the task's reward times `REWARD_SCALES`.
        discount: (T, B) 0 where the task ended the episode, else 1.
        is_first: (T, B) bool, an episode begins with this tick (the state before it is zero). Only the first
            tick of a rollout can be one.
        expert_action: (T, B, actions) the expert's action in this state.
        auxiliary_targets: (T, B, targets) of the vision encoder, NaN where left out.
        loss_weight: (T, B) weight of the imitation loss (`TaskExpert.loss_weight`); 0 where the environment
            needs a reset.
        state: of the LSTMs before the first tick.
        task: (B,) int64, index into `rig.arenas.names.TASKS`.
        last_proprioception: (B, senses) after the last tick, to bootstrap values from.
        last_features: (B, features) after the last tick.
        policy_version: number of the weights that acted.
    """

    proprioception: Array
    features: Array
    images: Array | None
    action: Array
    policy_mean: Array
    policy_std: Array
    log_prob: Array
    reward: Array
    discount: Array
    is_first: Array
    expert_action: Array
    auxiliary_targets: Array
    loss_weight: Array
    state: LayerState
    task: Array
    last_proprioception: Array
    last_features: Array
    policy_version: int


REWARD_SCALES = {"corridor": 1.0, "gaps": 1.0, "forage": 0.4, "escape": 2.0, "two_tap": 0.4}
"""Factors that bring the rewards of all tasks to about 1 a tick for a good run."""
