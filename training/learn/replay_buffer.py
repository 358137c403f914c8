"""The replay buffer of imitation: the newest rollouts, from which sequences are sampled.

A sequence is one environment's part of a rollout. It begins with the recurrent state that was current when
it was collected (stored state, Kapturowski et al. 2019). Images are not kept: the vision encoder is frozen,
and its features are enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agent.network import State
from training.rollout.rollout import Rollout

BURN_IN_WEIGHT = 0.2
"""Factor on the loss of burn-in ticks."""

Row = tuple[Rollout, int]
"""A sequence: a rollout and the index of one of its environments."""


@dataclass(frozen=True)
class ImitationBatch:
    """B sequences of T ticks, float32, as the fields of the same names in `Rollout`.

    Attributes:
        proprioception: (T, B, senses).
        features: (T, B, features).
        expert_action: (T, B, actions).
        reward: (T, B).
        discount: (T, B).
        loss_weight: (T, B).
        state: of the LSTMs before the first tick, per layer (h, c), each (B, units).
    """

    proprioception: Tensor
    features: Tensor
    expert_action: Tensor
    reward: Tensor
    discount: Tensor
    loss_weight: Tensor
    state: State


class ReplayBuffer:
    """The newest `capacity` rollouts.

    Attributes:
        rollouts: oldest first, without images.

    Args:
        capacity: rollouts kept.
        burn_in: ticks at a sequence's start with a smaller loss weight, because an older network left the
            state that it begins with.
    """

    def __init__(self, capacity: int, burn_in: int) -> None:
        self.rollouts: deque[Rollout] = deque(maxlen=capacity)
        self._burn_in = burn_in

    def add(self, rollout: Rollout) -> None:
        """Keep a rollout, without its images; the oldest goes where there are more than `capacity`."""
        self.rollouts.append(replace(rollout, images=None))

    def sample(
        self, batch_size: int, recent: int, recent_fraction: float, rng: np.random.Generator
    ) -> ImitationBatch:
        """Sample sequences, with replacement.

        Args:
            batch_size: how many sequences.
            recent: so many newest rollouts are recent.
            recent_fraction: fraction of the sequences that is sampled from the recent rollouts; the rest is
                from all.
            rng: where the choice comes from.
        """
        last = len(self.rollouts)
        newest = rng.integers(max(0, last - recent), last, round(recent_fraction * batch_size))
        which = np.concatenate([newest, rng.integers(0, last, batch_size - len(newest))])
        rows = [(self.rollouts[i], int(rng.integers(len(self.rollouts[i].task)))) for i in which]
        weight = stack(rows, "loss_weight").clone()
        weight[: self._burn_in] *= torch.where(stack(rows, "is_first")[0], 1.0, BURN_IN_WEIGHT)
        return ImitationBatch(
            proprioception=stack(rows, "proprioception"),
            features=stack(rows, "features"),
            expert_action=stack(rows, "expert_action"),
            reward=stack(rows, "reward"),
            discount=stack(rows, "discount"),
            loss_weight=weight,
            state=stack_state(rows),
        )


def to_device(batch: ImitationBatch, device: str) -> ImitationBatch:
    """The batch on a device, such as "cuda"; itself where it is there."""
    values: dict[str, Any] = {
        one.name: getattr(batch, one.name).to(device)
        for one in fields(batch)
        if one.name != "state"
    }
    state = tuple((h.to(device), c.to(device)) for h, c in batch.state)
    return ImitationBatch(**values, state=state)


def stack(rows: Sequence[Row], name: str) -> Tensor:
    """One field of all sequences, (T, rows, ...), in the field's dtype."""
    return torch.from_numpy(np.stack([getattr(rollout, name)[:, k] for rollout, k in rows], 1))


def stack_state(rows: Sequence[Row]) -> State:
    """The states before the sequences, per layer (h, c), each (rows, units) float32."""
    return tuple(
        (
            torch.from_numpy(np.stack([rollout.state[layer][0][k] for rollout, k in rows])),
            torch.from_numpy(np.stack([rollout.state[layer][1][k] for rollout, k in rows])),
        )
        for layer in range(len(rows[0][0].state))
    )
