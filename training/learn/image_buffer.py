"""Images that the network itself came across, with the targets that its vision encoder is retrained by."""

from __future__ import annotations

from collections import deque

import numpy as np

from training.rollout.rollout import Rollout

Array = np.ndarray


class ImageBuffer:
    """The newest images, a few of every rollout, with their auxiliary targets.

    Args:
        capacity: images kept.
        every: one tick in so many is kept.
    """

    def __init__(self, capacity: int, every: int) -> None:
        self._every, self._turn = every, 0
        self._kept: deque[tuple[Array, Array]] = deque()
        self._capacity = capacity

    def __len__(self) -> int:
        return sum(len(targets) for _, targets in self._kept)

    def add(self, rollout: Rollout) -> None:
        """Keep some images of a rollout that has them, not those of environments that need a reset."""
        if rollout.images is None:
            return
        self._turn += 1
        chosen = slice(self._turn % self._every, None, self._every)
        usable = rollout.loss_weight[chosen] > 0
        self._kept.append(
            (rollout.images[chosen][usable], rollout.auxiliary_targets[chosen][usable])
        )
        while len(self) > self._capacity:
            self._kept.popleft()

    def all(self) -> tuple[Array, Array]:
        """Images (n, 64, 64, 3) uint8 and targets (n, targets) float32, NaN where left out."""
        images, targets = zip(*self._kept, strict=True)
        return np.concatenate(images), np.concatenate(targets)
