"""What the flock lived through, kept in segments, and handed out in batches of sequences.

Pictures are kept for the newest segments only (12 kB each); for the older ones the features that the eyes
made of them then are enough, because the eyes hardly change any more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agent.network import State

Array = np.ndarray


@dataclass(frozen=True)
class Segment:
    """Some ticks of all animals; arrays are (ticks, animals, ...), states (animals, units).

    `awake` is 0 from where an animal lies. `fresh` marks animals whose episode began with the segment.
    `reward` is what the action of the tick earned.
    """

    senses: Tensor
    features: Tensor
    label: Tensor
    reward: Tensor
    awake: Tensor
    fresh: Tensor
    state: State
    pictures: Array | None


@dataclass(frozen=True)
class Batch:
    """Sequences, (ticks, sequences, ...), with the states in which they begin."""

    senses: Tensor
    features: Tensor
    label: Tensor
    reward: Tensor
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
        """Keep a segment; the one before it loses its pictures."""
        if self.segments:
            last = self.segments.pop()
            self.segments.append(Segment(**{**last.__dict__, "pictures": None}))
        self.segments.append(segment)

    def batch(self, sequences: int, newest: int, rng: np.random.Generator) -> Batch:
        """Random sequences, half of them out of the `newest` segments."""
        last = len(self.segments)
        recent = rng.integers(max(0, last - newest), last, sequences // 2)
        which = np.concatenate([recent, rng.integers(0, last, sequences - len(recent))])
        animals = self.segments[-1].senses.shape[1]
        rows = [(self.segments[i], int(rng.integers(animals))) for i in which]

        def joined(name: str) -> Tensor:
            return torch.stack([getattr(segment, name)[:, k] for segment, k in rows], 1)

        layers = range(len(self.segments[-1].state))
        state = tuple(
            (
                torch.stack([segment.state[layer][0][k] for segment, k in rows]),
                torch.stack([segment.state[layer][1][k] for segment, k in rows]),
            )
            for layer in layers
        )
        fresh = torch.stack([segment.fresh[k] for segment, k in rows])
        return Batch(
            senses=joined("senses"),
            features=joined("features"),
            label=joined("label"),
            reward=joined("reward"),
            weight=self._weight(joined("awake"), fresh),
            state=state,
        )

    def newest(self) -> tuple[Segment, Batch]:
        """The newest segment, which still has its pictures, and the same as a batch."""
        segment = self.segments[-1]
        return segment, Batch(
            senses=segment.senses,
            features=segment.features,
            label=segment.label,
            reward=segment.reward,
            weight=self._weight(segment.awake, segment.fresh),
            state=segment.state,
        )

    def _weight(self, awake: Tensor, fresh: Tensor) -> Tensor:
        weight = awake.clone()
        weight[: self._warm] *= torch.where(fresh, 1.0, 0.2)
        return weight
