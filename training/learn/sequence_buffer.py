"""The buffer of reinforcement learning: the few newest rollouts, from which sequences are sampled.

Only the newest are kept, because V-trace corrects for policies a little older than the present one, not for
very different ones. A sequence begins with the recurrent state that was current when it was collected.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agent.network import State
from training.learn.replay_buffer import Row, stack, stack_state
from training.rollout.rollout import Rollout


@dataclass(frozen=True)
class SequenceBatch:
    """B sequences of T ticks, float32 unless said.

    Attributes:
        proprioception: (T, B, senses).
        features: (T, B, features).
        images: (T, B, 64, 64, 3) uint8, or None.
        action: (T, B, actions).
        log_prob: (T, B) of the action under the policy that acted, NaN where it was not sampled from it.
        reward: (T, B).
        discount: (T, B) 0 where the task ended the episode, else 1.
        expert_action: (T, B, actions).
        value_mask: (T, B) bool, the episode had not ended and the network itself acted: the value is learned.
        policy_mask: (T, B) bool, of those, where the policy is learned too: not where an animal lies.
        expert_weight: (T, B) weight of the expert's action in the kickstarting loss.
        state: of the LSTMs before the first tick, per layer (h, c), each (B, units).
        last_proprioception: (B, senses) after the last tick.
        last_features: (B, features) after the last tick.
        task: (B,) int64.
    """

    proprioception: Tensor
    features: Tensor
    images: Tensor | None
    action: Tensor
    log_prob: Tensor
    reward: Tensor
    discount: Tensor
    expert_action: Tensor
    value_mask: Tensor
    policy_mask: Tensor
    expert_weight: Tensor
    state: State
    last_proprioception: Tensor
    last_features: Tensor
    task: Tensor


class SequenceBuffer:
    """The newest rollouts.

    Args:
        capacity: rollouts kept.
        burn_in: ticks at a sequence's start that only update the state, which an older network left; none
            where an episode begins.
    """

    def __init__(self, capacity: int, burn_in: int) -> None:
        self._rollouts: deque[Rollout] = deque(maxlen=capacity)
        self._burn_in = burn_in

    def __len__(self) -> int:
        return len(self._rollouts)

    def add(self, rollout: Rollout) -> None:
        """Keep a rollout; the oldest goes where there are more than `capacity`."""
        self._rollouts.append(rollout)

    def sample(self, batch_size: int, rng: np.random.Generator) -> SequenceBatch:
        """Sample sequences without replacement; all of them where there are no more than `batch_size`."""
        rows: list[Row] = [(one, k) for one in self._rollouts for k in range(len(one.task))]
        if len(rows) > batch_size:
            rows = [rows[i] for i in rng.choice(len(rows), batch_size, replace=False)]

        def per_sequence(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(one, name)[k] for one, k in rows]))

        discount, log_prob = stack(rows, "discount"), stack(rows, "log_prob")
        weight = stack(rows, "loss_weight")
        # an environment that ended stands still until the end of the rollout
        running = torch.cat([torch.ones_like(discount[:1]), discount[:-1]]).cumprod(0) > 0
        warmed_up = torch.ones_like(running)
        warmed_up[: self._burn_in] = stack(rows, "is_first")[0]
        value_mask = running & warmed_up & log_prob.isfinite()
        return SequenceBatch(
            proprioception=stack(rows, "proprioception"),
            features=stack(rows, "features"),
            images=None if rows[0][0].images is None else stack(rows, "images"),
            action=stack(rows, "action"),
            log_prob=log_prob,
            reward=stack(rows, "reward"),
            discount=discount,
            expert_action=stack(rows, "expert_action"),
            value_mask=value_mask,
            policy_mask=value_mask & (weight > 0),
            expert_weight=weight * running * warmed_up,
            state=stack_state(rows),
            last_proprioception=per_sequence("last_proprioception"),
            last_features=per_sequence("last_features"),
            task=per_sequence("task").long(),
        )
