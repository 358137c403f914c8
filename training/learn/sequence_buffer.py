"""What the fleet lived last, for reinforcement learning to draw sequences from.

Only the newest segments are kept: V-trace corrects for policies a little older than the present one, not for
strangers. Sequences begin in the state in which they were lived.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agent.network import State
from training.rollout.rollout import Segment


@dataclass(frozen=True)
class Sequences:
    """Sequences to learn from, (ticks T, sequences B, ...), float32 unless said; compare `Segment`.

    Attributes:
        discount: (T, B) 0 where the task ended the episode, else 1.
        judged: (T, B) bool, the animal was there and its own network acted: rewards tell about it.
        chosen: (T, B) bool, of those, where the action is worth judging: not those of an animal that lies.
        label_weight: (T, B) how much the expert's label counts.
        task: (B,) int64.
    """

    senses: Tensor
    features: Tensor
    pictures: Tensor | None
    action: Tensor
    log_prob: Tensor
    reward: Tensor
    discount: Tensor
    label: Tensor
    judged: Tensor
    chosen: Tensor
    label_weight: Tensor
    state: State
    last_senses: Tensor
    last_features: Tensor
    task: Tensor


class Experience:
    """The newest segments.

    Args:
        segments: how many are kept.
        warm_ticks: ticks at the start of a sequence that only bring the state up to date, which an older
            network left; none where an episode begins.
    """

    def __init__(self, segments: int, warm_ticks: int) -> None:
        self._kept: deque[Segment] = deque(maxlen=segments)
        self._warm = warm_ticks

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, segment: Segment) -> None:
        """Keep a segment, and forget the oldest."""
        self._kept.append(segment)

    def draw(self, sequences: int, rng: np.random.Generator) -> Sequences:
        """Some of the sequences, or all where there are not as many, none of them twice."""
        rows = [(one, k) for one in self._kept for k in range(len(one.task))]
        if len(rows) > sequences:
            rows = [rows[i] for i in rng.choice(len(rows), sequences, replace=False)]
        return self._joined(rows)

    def _joined(self, rows: list[tuple[Segment, int]]) -> Sequences:
        def along(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(one, name)[:, k] for one, k in rows], 1))

        def once(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(one, name)[k] for one, k in rows]))

        state = tuple(
            (
                torch.from_numpy(np.stack([one.state[layer][0][k] for one, k in rows])),
                torch.from_numpy(np.stack([one.state[layer][1][k] for one, k in rows])),
            )
            for layer in range(len(rows[0][0].state))
        )
        discount, weight, log_prob = along("discount"), along("weight"), along("log_prob")
        # after its end an episode stands still until the segment is over
        there = torch.cat([torch.ones_like(discount[:1]), discount[:-1]]).cumprod(0) > 0
        warmed = torch.ones_like(there)
        warmed[: self._warm] = along("fresh")[0]
        judged = there & warmed & log_prob.isfinite()
        return Sequences(
            senses=along("senses"),
            features=along("features"),
            pictures=None if rows[0][0].pictures is None else along("pictures"),
            action=along("action"),
            log_prob=log_prob,
            reward=along("reward"),
            discount=discount,
            label=along("label"),
            judged=judged,
            chosen=judged & (weight > 0),
            label_weight=weight * there * warmed,
            state=state,
            last_senses=once("last_senses"),
            last_features=once("last_features"),
            task=once("task").long(),
        )
