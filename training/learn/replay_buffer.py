"""The newest segments, for the learner to draw sequences from.

Every sequence keeps the state in which it began, so that learning can begin there without living through the
episode again. Pictures are not kept: the features that the eyes made of them are enough, because the eyes
stay as they are. A few pictures go into an album, by which the eyes are taught again once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from agent.network import State
from training.rollout.rollout import Segment

Array = np.ndarray


@dataclass(frozen=True)
class Batch:
    """Sequences, (ticks, sequences, ...), with the states in which they begin; see `Segment`."""

    senses: Tensor
    features: Tensor
    label: Tensor
    reward: Tensor
    discount: Tensor
    weight: Tensor
    state: State


class Replay:
    """The newest `capacity` segments.

    Args:
        capacity: segments kept.
        warm_ticks: ticks at a sequence's start that count little, because the state in which it begins
            was left by an older network.
    """

    def __init__(self, capacity: int, warm_ticks: int) -> None:
        self.segments: deque[Segment] = deque(maxlen=capacity)
        self._warm = warm_ticks

    def add(self, segment: Segment) -> None:
        """Keep a segment."""
        self.segments.append(replace(segment, pictures=None))

    def batch(
        self, sequences: int, newest: int, newest_part: float, rng: np.random.Generator
    ) -> Batch:
        """Random sequences, the part `newest_part` of them out of the `newest` segments."""
        last = len(self.segments)
        recent = rng.integers(max(0, last - newest), last, round(newest_part * sequences))
        which = np.concatenate([recent, rng.integers(0, last, sequences - len(recent))])
        rows = [(self.segments[i], int(rng.integers(len(self.segments[i].task)))) for i in which]
        return self.joined(rows)

    def joined(self, rows: list[tuple[Segment, int]]) -> Batch:
        """Sequences of these animals of these segments."""

        def stacked(name: str) -> Tensor:
            return torch.from_numpy(
                np.stack([getattr(segment, name)[:, k] for segment, k in rows], 1)
            )

        layers = range(len(rows[0][0].state))
        state = tuple(
            (
                torch.from_numpy(np.stack([segment.state[layer][0][k] for segment, k in rows])),
                torch.from_numpy(np.stack([segment.state[layer][1][k] for segment, k in rows])),
            )
            for layer in layers
        )
        weight = stacked("weight").clone()
        weight[: self._warm] *= torch.where(stacked("fresh")[0], 1.0, 0.2)
        return Batch(
            senses=stacked("senses"),
            features=stacked("features"),
            label=stacked("label"),
            reward=stacked("reward"),
            discount=stacked("discount"),
            weight=weight,
            state=state,
        )


class Album:
    """Pictures with their cues, a few of every segment: what the network itself saw, to teach its eyes by.

    Args:
        capacity: pictures kept, the newest.
        every: of so many ticks one is kept.
    """

    def __init__(self, capacity: int, every: int) -> None:
        self._every, self._turn = every, 0
        self._kept: deque[tuple[Array, Array]] = deque()
        self._capacity = capacity

    def __len__(self) -> int:
        return sum(len(cues) for _, cues in self._kept)

    def add(self, segment: Segment) -> None:
        """Keep some pictures of a segment that has them."""
        if segment.pictures is None:
            return
        self._turn += 1
        chosen = slice(self._turn % self._every, None, self._every)
        there = segment.weight[chosen] > 0
        self._kept.append((segment.pictures[chosen][there], segment.cues[chosen][there]))
        while len(self) > self._capacity:
            self._kept.popleft()

    def all(self) -> tuple[Array, Array]:
        """Pictures (n, 64, 64, 3) uint8 and cues (n, cues)."""
        pictures, cues = zip(*self._kept, strict=True)
        return np.concatenate(pictures), np.concatenate(cues)
