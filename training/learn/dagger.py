"""Imitation: the network lives in the herd itself, the experts label what it should have done (DAgger).

The policy learns the experts' actions; the core learns to predict the tasks' discounted rewards; no gradient
passes from the policy to the core (Merel & Aldarondo 2020). Sequences are learned from the states in which
they began, by backpropagation through a segment.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from agent.network import Network
from rig.arenas.names import TASKS
from training.learn import checkpoint
from training.learn.metrics import Writer
from training.learn.replay_buffer import Album, Batch, Replay
from training.learn.vision import VisionSettings, teach
from training.rollout.actor_pool import Fleet, Order
from training.rollout.rollout import Segment
from training.rollout.rollout_store import Lived
from training.rollout.vector_env import to_input

Array = np.ndarray
CHECKPOINT_EVERY_S = 60.0
WARM_SEGMENTS = 8
"""Over so many segments of learning its speed comes up: Adam's first steps, of moments that are hardly known,
are as large as any, and could undo what a trained network has learned."""
PICTURED_SEGMENTS = 100
"""So many of those before the eyes are taught again keep their pictures (16 MB each), to be seen anew."""


@dataclass(frozen=True)
class ImitationSettings:
    """Settings of imitation; `segments` is its length, the rest is explained where it is used.

    The experts drive all animals at first, over `expert_segments` ever fewer, and then `expert_least` of
    them: an animal that the network got stuck is freed now and then, and what an expert's life looks like is
    not forgotten. A part `newest_part` of the sequences learned from is drawn from the `newest` segments, the
    others from all `replay_segments`; what they feel and see is blurred by Gaussian noise of `blur` (standard
    deviations of each sense), so that they are not learned by heart. When the part `look_again` is done, the
    eyes are taught once more, by `album_pictures` of what the network itself has seen, of which one tick in
    `album_every` is kept, and the newest segments are seen anew with them; 1 or more: never.

    It begins as the subject that `begin_with` names, with that one's eyes, or, where it is empty, with
    nothing learned but the eyes. Learning waits for `first_segments`: fewer would be learned by heart, and a
    trained network would forget by them what they do not show.

    The network that lives, and that ships, is a running mean of the one that learns: after every segment it
    keeps the part `average` of what it was (0.98: a mean over about 50 segments; 0: no mean).
    """

    begin_with: str = ""
    segments: int = 500
    first_segments: int = 4
    segment_ticks: int = 32
    expert_segments: int = 10
    expert_least: float = 0.2
    updates: int = 14
    sequences: int = 64
    newest: int = 60
    newest_part: float = 0.25
    replay_segments: int = 1500
    blur: float = 0.05
    warm_ticks: int = 6
    learning_rate: float = 1e-3
    last_learning_rate: float = 2e-5
    average: float = 0.98
    discount: float = 0.97
    trace: float = 0.9
    look_again: float = 0.4
    album_pictures: int = 40000
    album_every: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.average < 1:
            raise ValueError(f"average is a part, from 0 to below 1, not {self.average}")
        if not 1 <= self.first_segments <= self.replay_segments:
            raise ValueError(
                f"first_segments is from 1 to replay_segments ({self.replay_segments}), "
                f"not {self.first_segments}"
            )


@dataclass(frozen=True)
class Report:
    """How imitation goes: part done, losses, mean reward a tick by task, speed of learning."""

    done: float
    policy_loss: float
    value_loss: float
    miss: dict[str, float] = field(default_factory=dict)
    reward: dict[str, float] = field(default_factory=dict)
    ticks_per_s: float = math.nan


def returns(rewards: Tensor, discounts: Tensor, values: Tensor, trace: float) -> Tensor:
    """Lambda-returns (T, B) of rewards, discounts and values (T, B), all of the same ticks."""
    target = values[-1]
    targets = [target]
    for tick in range(len(rewards) - 2, -1, -1):
        ahead = (1 - trace) * values[tick + 1] + trace * target
        target = rewards[tick] + discounts[tick] * ahead
        targets.append(target)
    return torch.stack(targets[::-1])


def missed(mean: Tensor, label: Tensor) -> Tensor:
    """Error of actions (..., actions); a muscle asked for all it has may be asked for more."""
    miss = mean - label
    beyond = ((label >= 1) & (miss > 0)) | ((label <= -1) & (miss < 0))
    return miss.masked_fill(beyond, 0.0)


def losses(
    network: Network, batch: Batch, settings: ImitationSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Policy, value and spread losses of a batch."""
    senses = batch.senses + settings.blur * network.std * torch.randn_like(batch.senses)
    features = batch.features + settings.blur * torch.randn_like(batch.features)
    out = network.run(senses, features, batch.state)
    return errors(network, out.mean, out.value, batch, settings)


def errors(
    network: Network, mean: Tensor, value_told: Tensor, batch: Batch, settings: ImitationSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """As `losses`, of the means (T, B, actions) and values (T, B) that a network made of a batch."""
    miss = missed(mean, batch.label)
    weight = batch.weight / batch.weight.sum()
    policy = (miss.pow(2).mean(-1) * weight).sum()
    # in units of the mean reward: (1 - discount) times the discounted sum
    target = returns(
        (1 - settings.discount) * batch.reward,
        settings.discount * batch.discount,
        value_told.detach(),
        settings.trace,
    )
    value = ((value_told - target).pow(2) * weight).sum()
    precision = (-2 * network.log_std).exp()
    spread = (0.5 * miss.detach().pow(2) * precision + network.log_std).mean(-1)
    return policy, value, (spread * weight).sum()


SPREAD = (0.03, 0.06)
"""Bounds of the standard deviation of actions. What the network errs by is more, but noise of that size on
top of it does harm: up to 0.12, `rodent` crossed 16 of 22 gaps, without any 37 of 42."""


def rate(settings: ImitationSettings, index: int) -> float:
    """Learning rate after segment `index`: along a cosine from the first to the last, after a short rise."""
    first, last = settings.learning_rate, settings.last_learning_rate
    part, learned = index / settings.segments, index + 2 - settings.first_segments
    falling = last + 0.5 * (first - last) * (1 + math.cos(math.pi * min(part, 1.0)))
    return falling * min(1.0, learned / (WARM_SEGMENTS + 1))


def averaged(network: Network, settings: ImitationSettings) -> AveragedModel:
    """The running mean of a network's weights; over fewer segments while few have been lived."""

    def mean(old: Tensor, new: Tensor, lived: Tensor | int) -> Tensor:
        kept = min(settings.average, float((1 + lived) / (10 + lived)))
        return torch.lerp(new, old, kept)

    return AveragedModel(network, avg_fn=mean)


def train(
    network: Network,
    fleet: Fleet[Segment],
    settings: ImitationSettings,
    path: Path,
    report: Callable[[Report], None],
    writer: Writer | None = None,
    eyes: VisionSettings | None = None,
) -> None:
    """Imitate until `settings.segments` segments are lived, resuming the checkpoint at `path`.

    The eyes stay as they are, once taught again: what a segment's pictures looked like to them is all that is
    learned from.

    Args:
        network: trained in place; where it begins, unless there is a checkpoint. In the end it is the mean
            of what it was (`ImitationSettings.average`).
        fleet: lives, with the weights that it is given here.
        settings: of the stage.
        path: the checkpoint, written every minute and at the end.
        report: told after every segment.
        writer: for TensorBoard; steps are segments.
        eyes: how they are taught again; None: not at all.

    Raises:
        SubjectError: the checkpoint is damaged or of another architecture, or the fleet cannot go on.
    """
    torch.manual_seed(settings.seed)
    network.vision.requires_grad_(False)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learned, settings.learning_rate)
    average = averaged(network, settings)
    living = average.module
    assert isinstance(living, Network)
    done = checkpoint.load(path, network, optimiser, living)
    average.n_averaged.fill_(done)
    rng = np.random.default_rng([settings.seed, done])
    replay = Replay(settings.replay_segments, settings.warm_ticks)
    lived = Lived(path.with_name(f"{path.stem}-lived"), settings.replay_segments)
    if not done:
        lived.forget()
    for segment in lived.all():
        replay.add(segment)
    album = Album(settings.album_pictures, settings.album_every)
    pictured: deque[Segment] = deque(maxlen=PICTURED_SEGMENTS)
    look_again = round(settings.look_again * settings.segments) if eyes else settings.segments
    began = saved = time.monotonic()
    policy = value = torch.tensor(math.nan)
    miss: dict[str, float] = {}
    reward: dict[str, float] = {}
    ticks = 0
    for index in range(done, settings.segments):
        if index == look_again and len(album):
            assert eyes is not None
            teach(network.vision, *album.all(), eyes, rng, lambda done, errs: None)
            replay.segments.clear()  # features of other eyes
            lived.forget()
            for number, seen in enumerate(pictured, index - len(pictured)):
                anew = seen_anew(network, seen)
                replay.add(anew)
                lived.add(number, anew)
            pictured.clear()
            living.vision.load_state_dict(network.vision.state_dict())
            checkpoint.save(path, network, optimiser, index, living)
        expert_part = max(settings.expert_least, 1 - index / max(1, settings.expert_segments))
        fleet.publish({k: v.numpy().copy() for k, v in living.state_dict().items()})
        order = Order(settings.segment_ticks, expert_part, keep_pictures=index < look_again)
        segment = fleet.next(order).lived
        album.add(segment)
        if look_again - PICTURED_SEGMENTS <= index < look_again:
            pictured.append(segment)
        replay.add(segment)
        lived.add(index, segment)
        ticks += segment.reward.size
        taken_over = bool((network.std != 1).any())
        if index == settings.first_segments - 1 and not taken_over:
            _normalise(network, replay)
        if index + 1 >= settings.first_segments:
            for group in optimiser.param_groups:
                group["lr"] = rate(settings, index)
            for _ in range(settings.updates):
                batch = replay.batch(settings.sequences, settings.newest, settings.newest_part, rng)
                policy, value, spread = losses(network, batch, settings)
                optimiser.zero_grad()
                (policy + 0.5 * value + 0.02 * spread).backward()
                torch.nn.utils.clip_grad_norm_(learned, 1.0)
                optimiser.step()
                with torch.no_grad():
                    network.log_std.clamp_(math.log(SPREAD[0]), math.log(SPREAD[1]))
        average.update_parameters(network)
        _tally(segment, miss, reward)
        last = index + 1 == settings.segments
        if last or time.monotonic() - saved > CHECKPOINT_EVERY_S:
            checkpoint.save(path, network, optimiser, index + 1, living)
            saved = time.monotonic()
        summary = Report(
            (index + 1) / settings.segments,
            float(policy.detach()),
            float(value.detach()),
            dict(miss),
            dict(reward),
            ticks / (time.monotonic() - began),
        )
        report(summary)
        if writer is not None and (last or index % 10 == 0):
            write(writer, summary, index + 1)
    network.load_state_dict(living.state_dict())


def seen_anew(network: Network, segment: Segment) -> Segment:
    """The segment, its pictures seen with the eyes that the network has now.

    What came after its last tick was not kept as a picture: it looks as the last tick does.
    """
    assert segment.pictures is not None
    with torch.no_grad():
        features = np.stack(
            [network.vision(to_input(pictures)).numpy() for pictures in segment.pictures]
        )
    return replace(segment, pictures=None, features=features, last_features=features[-1])


def write(writer: Writer, report: Report, step: int) -> None:
    """Write a report's figures."""
    writer.add_scalar("imitation/policy_loss", report.policy_loss, step)
    writer.add_scalar("imitation/value_loss", report.value_loss, step)
    for task, reward in report.reward.items():
        writer.add_scalar(f"imitation_reward/{task}", reward, step)
        writer.add_scalar(f"imitation_miss/{task}", report.miss[task], step)
    writer.add_scalar("imitation/ticks_per_s", report.ticks_per_s, step)


def _tally(segment: Segment, miss: dict[str, float], reward: dict[str, float]) -> None:
    """Running means, by task, of the action's error and of the reward a tick."""
    error = missed(torch.tensor(segment.behaviour_mean), torch.tensor(segment.label))
    square = error.pow(2).mean(-1).numpy() * segment.weight
    for index in np.unique(segment.task):
        here, name = segment.task == index, TASKS[index]
        new = float(square[:, here].sum() / max(1.0, segment.weight[:, here].sum())) ** 0.5
        earned = float(segment.reward[:, here].mean())
        miss[name] = 0.95 * miss.get(name, new) + 0.05 * new
        reward[name] = 0.95 * reward.get(name, earned) + 0.05 * earned


def _normalise(network: Network, replay: Replay) -> None:
    """Set the network's input normalisation from what was felt so far."""
    felt = np.concatenate([s.senses.reshape(-1, s.senses.shape[-1]) for s in replay.segments])
    network.mean.copy_(torch.from_numpy(felt.mean(0)))
    network.std.copy_(torch.from_numpy(felt.std(0) + 0.02))
