"""Pretraining of the vision encoder: from single images, the targets that the experts decide by.

The experts act, with noise; the ResNet learns by regression from what each animal's camera shows which task
it is in, where the next gap or the orb is, which way is free (`training.rollout.auxiliary_targets`). The
linear head of the regression is thrown away; the features stay. Imitation then starts with features that
carry what matters, and can learn from stored features, several times as fast as from stored images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agent.network import Vision
from training.learn.checks import check_at_least_1
from training.learn.training_loop import Counts, TrainingLoop, gradient_step
from training.rollout.auxiliary_targets import SCALES, TARGETS
from training.rollout.vector_env import to_input

Array = np.ndarray

REPORT_EVERY = 250
TEST_IMAGES = 3000
MIN_SHARE = 0.02


@dataclass(frozen=True)
class VisionSettings:
    """Settings of the stage.

    Attributes:
        ticks: control steps of every environment.
        image_every: an environment is rendered every so many ticks,
        poses: from where the animal is, and from so many other places.
        updates: of the encoder.
        batch_size: images in an update.
        learning_rate: of Adam; it falls along a cosine to 0.
    """

    ticks: int = 2000
    image_every: int = 3
    poses: int = 8
    updates: int = 12000
    batch_size: int = 128
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        check_at_least_1(self, "ticks", "image_every", "updates", "batch_size")


def augment(pixels: Tensor) -> Tensor:
    """Images (n, 3, 64, 64) float32 with random contrast and brightness, because shadows come and go."""
    n = len(pixels)
    contrast = 1 + 0.05 * torch.randn(n, 1, 1, 1)
    return pixels * contrast + 0.02 * torch.randn(n, 1, 1, 1)


def pretrain(
    vision: Vision,
    images: Array,
    targets: Array,
    settings: VisionSettings,
    rng: np.random.Generator,
    report: Callable[[float, dict[str, float]], None],
    path: Path | None = None,
) -> Counts:
    """Train the vision encoder on images and their targets.

    Args:
        vision: trained in place.
        images: (n, 64, 64, 3) uint8.
        targets: (n, targets) float32 in units of `SCALES`, NaN where left out.
        settings: of the stage.
        rng: of the choice of batches.
        report: called with the fraction done (0 to 1) and, by target, the root mean square error in its own
            unit on the last twentieth of the images, which is not trained on.
        path: a checkpoint to resume; None: there is none.

    Returns:
        what was left out.
    """
    frozen = [p for p in vision.parameters() if not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    head = nn.Linear(vision.out.out_features, len(TARGETS))
    network = nn.Sequential(vision, head)
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
    loop = TrainingLoop(path, settings.updates, network, optimiser)
    # neighbouring images look alike, so those that are tested on are a stretch of their own
    last = len(targets) * 19 // 20
    known = ~np.isnan(targets)
    filled, mask = np.nan_to_num(targets), known.astype(np.float32)
    # a target that applies to few images counts as much in each of them as it would in all
    mask = mask / np.sqrt(np.maximum(known.mean(0), MIN_SHARE)).astype(np.float32)

    def test_errors() -> dict[str, float]:
        rows = np.arange(last, len(targets))[:TEST_IMAGES]
        with torch.no_grad():
            predicted = torch.cat(
                [network(to_input(images[part])) for part in np.array_split(rows, 8)]
            ).numpy()
        square = np.where(known[rows], (predicted - filled[rows]) ** 2, np.nan)
        return {
            name: float(np.sqrt(np.nanmean(square[:, k]))) * SCALES.get(name, 1.0)
            for k, name in enumerate(TARGETS)
            if known[rows, k].any()
        }

    def summarise(fraction: float) -> None:
        report(fraction, test_errors())

    for update in loop.steps(summarise, report_every=REPORT_EVERY):
        cosine = math.cos(math.pi * update / settings.updates)
        loop.set_learning_rate(settings.learning_rate * 0.5 * (1 + cosine))
        rows = rng.integers(0, last, settings.batch_size)
        predicted = network(augment(to_input(images[rows])))
        error = nn.functional.smooth_l1_loss(
            predicted, torch.from_numpy(filled[rows]), reduction="none", beta=0.5
        )
        loss = (error * torch.from_numpy(mask[rows])).mean()
        updated = gradient_step(optimiser, loss, [[*network.parameters()]], max_norm=math.inf)
        loop.counts.skipped_updates += not updated
    for parameter in frozen:
        parameter.requires_grad_(False)
    return loop.counts
