"""Imitation: the network runs the flock itself, the expert labels what it should have done (DAgger).

The policy learns the expert's actions; the core learns to predict the task's discounted reward; no
gradient passes from the policy to the core (Merel & Aldarondo 2020). Sequences are learned from the
states in which they began, by backpropagation through a segment.

The animals start as the task starts them, or anywhere; some are shoved, and some have a part of their
muscles pushed off course for a while, so that the network learns to recover from what a stimulus may do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from agent.network import Network, State
from agent.training import checkpoint
from agent.training.expert import Expert
from agent.training.flock import Flock, reward
from agent.training.replay import Batch, Replay, Segment
from agent.training.vision import scatter, to_input, varied

Array = np.ndarray
CHECKPOINT_EVERY_S = 60.0


@dataclass(frozen=True)
class ImitationSettings:
    """Settings of imitation; `segments` is its length, the rest is explained where it is used."""

    segments: int = 500
    segment_ticks: int = 32
    expert_segments: int = 10
    episode_ticks: int = 500
    updates: int = 14
    sequences: int = 64
    newest: int = 12
    replay_segments: int = 400
    warm_ticks: int = 6
    learning_rate: float = 1e-3
    last_learning_rate: float = 2e-5
    discount: float = 0.97
    trace: float = 0.9
    action_noise: float = 0.1
    eyes_open_from: float = 0.8
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """How imitation goes: part done, losses, and how the undisturbed animals ran by themselves."""

    done: float
    policy_loss: float
    value_loss: float
    speed_m_s: float
    falls_per_min: float
    ticks_per_s: float


class Driver:
    """Runs the flock, a segment at a time, partly by the expert, and records it."""

    def __init__(
        self, flock: Flock, expert: Expert, network: Network, settings: ImitationSettings
    ) -> None:
        self.flock, self.expert, self.network, self.settings = flock, expert, network, settings
        self.rng = np.random.default_rng(settings.seed + 1)
        self.state: State = network.zero_state(flock.n)
        self.age = np.zeros(flock.n, int)
        self.push = np.zeros((flock.n, network.config.action_size))
        self.push_left = np.zeros(flock.n, int)
        self.fresh = np.ones(flock.n, bool)
        # a third of the animals act without noise, as an evaluation with the mean action does
        self.noise = np.where(np.arange(flock.n) % 3 == 0, 0.0, settings.action_noise)
        for index in range(flock.n):
            self._restart(index)

    def _restart(self, index: int) -> None:
        if self.rng.random() < 0.5:
            self.flock.reset(index)
        else:
            scatter(self.flock, index, self.rng)
        self.age[index] = -int(self.rng.integers(0, 100))
        self.push_left[index] = 0
        self.fresh[index] = True
        for h, c in self.state:
            h[index] = 0
            c[index] = 0

    def _disturb(self) -> None:
        """Begin and end pushes of the muscles; shove an animal now and then."""
        self.push_left -= 1
        self.push[self.push_left <= 0] = 0
        for index in np.flatnonzero(self.rng.random(self.flock.n) < 0.004):
            some = self.rng.random(self.push.shape[1]) < 0.5
            self.push[index] = some * self.rng.normal(0, 0.4, self.push.shape[1])
            self.push_left[index] = int(self.rng.integers(4, 26))
        for index in np.flatnonzero(self.rng.random(self.flock.n) < 0.002):
            self.flock.shove(int(index), 0.25)

    def segment(self, expert_part: float) -> tuple[Segment, Array, int]:
        """One segment, the expert driving about `expert_part` of the animals.

        Returns:
            the segment, the speeds (m/s) of animals that ran by themselves and undisturbed, and how many
            of those fell.
        """
        flock, settings = self.flock, self.settings
        begin = tuple((h.clone(), c.clone()) for h, c in self.state)
        fresh = torch.from_numpy(self.fresh.copy())
        self.fresh[:] = False
        led = self.rng.random(flock.n) < expert_part
        rows: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]] = []
        seen, speeds = [], []
        quiet = ~led & (self.push_left <= 0)
        poses = flock.poses()
        for _ in range(settings.segment_ticks):
            senses = torch.from_numpy(flock.proprioception())
            pictures = flock.pictures()
            with torch.no_grad():
                features = self.network.vision(to_input(pictures))
                out = self.network.run(senses[None], features[None], self.state)
            self.state = out.state
            label = self.expert.act(flock.activation(), poses)
            self._disturb()
            quiet &= self.push_left <= 0
            action = np.where(led[:, None], label, out.mean[0].numpy().clip(-1, 1)) + self.push
            awake = ~flock.fallen()
            flock.step(action + self.noise[:, None] * self.rng.normal(size=action.shape))
            poses = flock.poses()
            rows.append(
                (
                    senses,
                    features,
                    torch.from_numpy(label.astype(np.float32)),
                    torch.from_numpy(reward(poses.speed_m_s).astype(np.float32)),
                    torch.from_numpy(awake.astype(np.float32)),
                )
            )
            seen.append(pictures)
            speeds.append(np.where(quiet & (self.age > 50), poses.speed_m_s, np.nan))
            self.age += 1
        fallen = flock.fallen()
        falls = int((fallen & quiet).sum())
        off = np.abs(poses.offset_m) > 0.97
        for index in np.flatnonzero(
            fallen | off | (self.age > settings.episode_ticks) | (poses.x_m > 37)
        ):
            self._restart(int(index))
        senses, features, label_t, reward_t, awake_t = (
            torch.stack(x) for x in zip(*rows, strict=True)
        )
        segment = Segment(
            senses, features, label_t, reward_t, awake_t, fresh, begin, np.stack(seen)
        )
        spoken = np.concatenate(speeds)
        return segment, spoken[np.isfinite(spoken)], falls


def returns(rewards: Tensor, values: Tensor, discount: float, trace: float) -> Tensor:
    """Lambda-returns (T, B), in units of the mean reward: (1 - discount) times the discounted sum."""
    target = values[-1]
    targets = [target]
    for tick in range(len(rewards) - 2, -1, -1):
        ahead = (1 - trace) * values[tick + 1] + trace * target
        target = (1 - discount) * rewards[tick] + discount * ahead
        targets.append(target)
    return torch.stack(targets[::-1])


def losses(
    network: Network, batch: Batch, settings: ImitationSettings, pixels: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Policy, value and spread losses of a batch; from pixels (T*B, 3, 64, 64) where given."""
    features = batch.features
    if pixels is not None:
        features = network.vision(pixels).reshape(*batch.features.shape)
    out = network.run(batch.senses, features, batch.state)
    miss = out.mean - batch.label
    # a muscle asked for all it has may be asked for more: the action is clipped
    beyond = ((batch.label >= 1) & (miss > 0)) | ((batch.label <= -1) & (miss < 0))
    miss = miss.masked_fill(beyond, 0.0)
    weight = batch.weight / batch.weight.sum()
    policy = (miss.pow(2).mean(-1) * weight).sum()
    target = returns(batch.reward, out.value.detach(), settings.discount, settings.trace)
    value = ((out.value - target).pow(2) * weight).sum()
    precision = (-2 * network.log_std).exp()
    spread = (0.5 * miss.detach().pow(2) * precision + network.log_std).mean(-1)
    return policy, value, (spread * weight).sum()


SPREAD = (0.05, 0.12)
"""Bounds of the standard deviation of actions."""


def train(
    network: Network,
    flock: Flock,
    expert: Expert,
    settings: ImitationSettings,
    path: Path,
    report: Callable[[Report], None],
) -> None:
    """Imitate until `settings.segments` segments are lived, resuming the checkpoint at `path`."""
    torch.manual_seed(settings.seed)
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
    done = checkpoint.load(path, network, optimiser)
    driver = Driver(flock, expert, network, settings)
    replay = Replay(settings.replay_segments, settings.warm_ticks)
    began = saved = time.monotonic()
    policy = value = torch.tensor(math.nan)
    for lived, index in enumerate(range(done, settings.segments), start=1):
        expert_part = max(0.0, 1 - index / settings.expert_segments)
        segment, speeds, falls = driver.segment(expert_part)
        replay.add(segment)
        if index == 3:
            _normalise(network, replay)
        # after a resume the replay is empty: a few segments first, or one would be learned by heart
        if index >= 3 and lived >= 4:
            part = index / settings.segments
            rate = settings.last_learning_rate + 0.5 * (
                settings.learning_rate - settings.last_learning_rate
            ) * (1 + math.cos(math.pi * part))
            for group in optimiser.param_groups:
                group["lr"] = rate
            for update in range(settings.updates):
                pixels = None
                batch = replay.batch(settings.sequences, settings.newest, driver.rng)
                if part >= settings.eyes_open_from and update == 0:
                    newest, batch = replay.newest()
                    assert newest.pictures is not None
                    pixels = varied(to_input(newest.pictures.reshape(-1, 64, 64, 3)))
                policy, value, spread = losses(network, batch, settings, pixels)
                optimiser.zero_grad()
                (policy + 0.5 * value + 0.02 * spread).backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                with torch.no_grad():
                    network.log_std.clamp_(math.log(SPREAD[0]), math.log(SPREAD[1]))
        last = index + 1 == settings.segments
        if last or time.monotonic() - saved > CHECKPOINT_EVERY_S:
            checkpoint.save(path, network, optimiser, index + 1)
            saved = time.monotonic()
        minutes = flock.n * settings.segment_ticks * 0.02 / 60
        report(
            Report(
                (index + 1) / settings.segments,
                float(policy.detach()),
                float(value.detach()),
                float(speeds.mean()) if len(speeds) else math.nan,
                falls / minutes,
                lived * flock.n * settings.segment_ticks / (time.monotonic() - began),
            )
        )


def _normalise(network: Network, replay: Replay) -> None:
    """Set the network's input normalisation from what was felt so far."""
    felt = torch.cat(
        [segment.senses.reshape(-1, segment.senses.shape[-1]) for segment in replay.segments]
    )
    network.mean.copy_(felt.mean(0))
    network.std.copy_(felt.std(0) + 0.02)
