"""Teach the eyes first: from one picture, the cues that the experts decide by.

The experts drive the animals with noise; the ResNet learns to tell from what each animal sees which task it
is in, where the next gap or the orb is, which way is free (`training.rollout.auxiliary_targets`).
The head that tells them is thrown away; the features stay. Imitation then starts with eyes that already
know what matters, and can learn from stored features, which is several times as fast as from stored pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agent.network import Vision
from training.rollout.auxiliary_targets import CUES, SCALES
from training.rollout.vector_env import to_input

Array = np.ndarray


@dataclass(frozen=True)
class VisionSettings:
    """How many pictures to look at, and how long to learn from them.

    `ticks` of every animal, of which one in `every` is looked at, where it is and from `places` others.
    """

    ticks: int = 2000
    every: int = 3
    places: int = 8
    batches: int = 12000
    batch: int = 128
    learning_rate: float = 2e-3


def varied(pixels: Tensor) -> Tensor:
    """The pictures a little brighter or darker, with more or less contrast: shadows come and go."""
    n = len(pixels)
    contrast = 1 + 0.05 * torch.randn(n, 1, 1, 1)
    return pixels * contrast + 0.02 * torch.randn(n, 1, 1, 1)


def teach(
    vision: Vision,
    pictures: Array,
    cues: Array,
    settings: VisionSettings,
    rng: np.random.Generator,
    report: Callable[[float, dict[str, float]], None],
) -> dict[str, float]:
    """Train the ResNet on pictures (n, 64, 64, 3) uint8 and cues (n, cues), NaN where a cue is left out.

    Returns:
        the root mean square error of each cue in its own units, on the last twentieth of the pictures;
        `report` gets the part done and the same so far.
    """
    opened = [p for p in vision.parameters() if not p.requires_grad]
    for parameter in opened:
        parameter.requires_grad_(True)
    head = nn.Linear(vision.out.out_features, len(CUES))
    optimiser = torch.optim.Adam([*vision.parameters(), *head.parameters()], settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.batches)
    # neighbouring pictures look alike: those that the errors are measured on are a stretch of their own
    last = len(cues) * 19 // 20
    known = ~np.isnan(cues)
    target, mask = np.nan_to_num(cues), known.astype(np.float32)
    # a cue that applies to few pictures counts as much in each of them as it would in all
    share = np.maximum(known.mean(0), 0.02)
    mask = mask / np.sqrt(share).astype(np.float32)

    def errors() -> dict[str, float]:
        rows = np.arange(last, len(cues))[:3000]
        with torch.no_grad():
            told = torch.cat(
                [head(vision(to_input(pictures[part]))) for part in np.array_split(rows, 8)]
            ).numpy()
        square = np.where(known[rows], (told - target[rows]) ** 2, np.nan)
        return {
            name: float(np.sqrt(np.nanmean(square[:, k]))) * SCALES.get(name, 1.0)
            for k, name in enumerate(CUES)
            if known[rows, k].any()
        }

    for batch in range(settings.batches):
        rows = rng.integers(0, last, settings.batch)
        told = head(vision(varied(to_input(pictures[rows]))))
        miss = nn.functional.smooth_l1_loss(
            told, torch.from_numpy(target[rows]), reduction="none", beta=0.5
        )
        loss = (miss * torch.from_numpy(mask[rows])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if (batch + 1) % 250 == 0 or batch + 1 == settings.batches:
            report((batch + 1) / settings.batches, errors())
    for parameter in opened:
        parameter.requires_grad_(False)
    return errors()
