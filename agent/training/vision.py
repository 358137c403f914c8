"""Teach the eyes first: from one picture, where the corridor goes and where the animal is in it.

The expert runs the flock with noise and from random starts; the ResNet learns to tell heading and offset
from what each animal sees. The head that tells them is thrown away; the features stay. Imitation then
starts with eyes that already know what matters, and can learn from stored features, which is several times
as fast as from stored pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agent.network import Vision
from agent.training.expert import Expert
from agent.training.flock import Flock

Array = np.ndarray


@dataclass(frozen=True)
class VisionSettings:
    """How many ticks of the flock to look at, and how long to learn from them."""

    ticks: int = 150
    views: int = 5
    soft_part: float = 0.15
    batches: int = 2000
    batch: int = 128
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class Views:
    """What was seen, (n, 64, 64, 3) uint8, and where, (n, 2): heading in rad, offset in m."""

    pictures: Array
    places: Array


def scatter(flock: Flock, index: int, rng: np.random.Generator) -> None:
    """Put an animal anywhere in the corridor, looking roughly along it."""
    flock.reset(
        index,
        heading_rad=float(rng.uniform(-0.9, 0.9)),
        offset_m=float(rng.uniform(-0.75, 0.75)),
        x_m=float(rng.uniform(1.0, 34.0)),
        joint_noise_rad=0.08,
    )


def collect(
    flock: Flock,
    expert: Expert,
    settings: VisionSettings,
    rng: np.random.Generator,
    report: Callable[[float], None],
) -> Views:
    """Pictures with their places: the expert runs the flock, which gives postures; each is seen elsewhere.

    A picture costs a third of a tick of physics, so every posture is looked at from several places.
    """
    n = settings.ticks * flock.n * settings.views
    pictures = np.empty((n, 64, 64, 3), np.uint8)
    places = np.empty((n, 2), np.float32)
    row = 0
    for index in range(flock.n):
        scatter(flock, index, rng)
    for tick in range(settings.ticks):
        poses = flock.poses()
        action = expert.act(flock.activation(), poses)
        flock.step(action + rng.normal(0, 0.1, action.shape))
        for index in range(flock.n):
            for _ in range(settings.views):
                heading, offset = rng.uniform(-1.0, 1.0), rng.uniform(-0.9, 0.9)
                soft = rng.random() < settings.soft_part
                pictures[row] = flock.picture_at(
                    index, rng.uniform(1.0, 36.0), offset, heading, soft
                )
                places[row] = heading, offset
                row += 1
        fallen = flock.fallen()
        for index in range(flock.n):
            if fallen[index] or (tick + index * 7) % 40 == 0:
                scatter(flock, index, rng)
        report((tick + 1) / settings.ticks)
    return Views(pictures, places)


def to_input(pictures: Array | Tensor) -> Tensor:
    """(n, 64, 64, 3) uint8 to what the ResNet reads, (n, 3, 64, 64) float32."""
    return torch.as_tensor(pictures).permute(0, 3, 1, 2).float() / 255 - 0.5


def varied(pixels: Tensor) -> Tensor:
    """The pictures a little brighter or darker, with more or less contrast: shadows come and go."""
    n = len(pixels)
    contrast = 1 + 0.05 * torch.randn(n, 1, 1, 1)
    return pixels * contrast + 0.02 * torch.randn(n, 1, 1, 1)


def teach(
    vision: Vision,
    views: Views,
    settings: VisionSettings,
    rng: np.random.Generator,
    report: Callable[[float, float, float], None],
) -> tuple[float, float]:
    """Train the ResNet; returns its error on the last tenth of the views: rad, m (root mean square).

    `report` gets the part done and the two errors so far.
    """
    head = nn.Linear(vision.out.out_features, 2)
    parameters = [*vision.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(parameters, settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.batches)
    last = len(views.places) * 19 // 20
    train, test = np.arange(last), np.arange(last, len(views.places))
    scale = torch.tensor([0.3, 0.3])

    def errors() -> tuple[float, float]:
        with torch.no_grad():
            told = head(vision(to_input(views.pictures[test[:2000]]))) * scale
        miss = (told - torch.from_numpy(views.places[test[:2000]])).pow(2).mean(0).sqrt()
        return float(miss[0]), float(miss[1])

    for batch in range(settings.batches):
        rows = rng.choice(train, settings.batch)
        told = head(vision(varied(to_input(views.pictures[rows]))))
        target = torch.from_numpy(views.places[rows]) / scale
        loss = nn.functional.smooth_l1_loss(told, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if (batch + 1) % 100 == 0 or batch + 1 == settings.batches:
            report((batch + 1) / settings.batches, *errors())
    return errors()
