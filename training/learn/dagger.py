"""DAgger (Ross et al. 2011): the network acts, the experts say what it should have done, it learns from that.

The policy learns the experts' actions; the core learns to predict the tasks' discounted rewards; no gradient
passes from the policy to the core (Merel & Aldarondo 2020). Sequences are learned by backpropagation through
a rollout, from the recurrent states in which they began.
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

from agent.errors import SubjectError
from agent.network import Network
from rig.arenas.names import TASKS
from training.learn import metrics
from training.learn.checks import check_at_least_1, check_fractions
from training.learn.image_buffer import ImageBuffer
from training.learn.imitation_losses import ImitationLosses, action_error, losses
from training.learn.metrics import Writer
from training.learn.replay_buffer import ReplayBuffer, to_device
from training.learn.training_loop import Counts, TrainingLoop, gradient_step
from training.learn.vision import VisionSettings, pretrain
from training.rollout.actor_pool import ActorPool, Request
from training.rollout.rollout import Rollout
from training.rollout.rollout_store import RolloutStore
from training.rollout.vector_env import to_input

Array = np.ndarray
WARMUP_ROLLOUTS = 8
"""The learning rate rises over so many rollouts of learning: Adam's first steps, from moments of few
gradients, are as large as any, and could undo what a trained network has learned."""
ROLLOUTS_WITH_IMAGES = 100
"""So many rollouts before the vision encoder is retrained keep their images (16 MB each), to encode them
anew."""
ACTION_STD_RANGE = (0.03, 0.06)
"""Bounds of the standard deviation of actions. The network's errors are larger, but motor noise as large as
they are does harm on top of them."""
MIN_SENSE_STD = 0.02
"""Added to the standard deviation of each sense before inputs are divided by it."""
LOG_EVERY = 10
"""Rollouts between two entries in TensorBoard."""


@dataclass(frozen=True)
class DaggerSettings:
    """Settings of the stage.

    Attributes:
        init_from: a subject whose weights and vision encoder the network begins with; "": it begins with
            nothing but the pretrained vision encoder.
        init_share: share of the weights that it began with in the mean that is written as the subject; the
            rest is what it ended with. Two states of one training often differ in what they do well, and
            their mean does both. Not where reinforcement learning follows, which goes on from what it ended
            with.
        rollouts: of all actors together; 0: the subject is what distillation left.
        learning_starts: rollouts before the first update: fewer would be overfitted, and a trained network
            would forget by them what they do not show.
        rollout_ticks: ticks of a rollout, of every environment.
        expert_decay_rollouts: rollouts over which the fraction of environments that experts act in falls
            from 1
        min_expert_fraction: to this. It stays above 0, because experts free animals that are stuck.
        updates_per_rollout: updates of the network after each rollout.
        batch_size: sequences in an update.
        recent_rollouts: so many newest rollouts are recent.
        recent_fraction: fraction of a batch from the recent rollouts, the rest from all.
        buffer_rollouts: rollouts in the replay buffer.
        input_noise: standard deviation of Gaussian noise on the inputs, in standard deviations of each sense.
        burn_in: ticks at a sequence's start with a smaller loss weight.
        learning_rate: of Adam; it falls along a cosine
        final_learning_rate: to this.
        ema: decay per rollout of the exponential moving average of the network, which acts and ships (0.98:
            over about 50 rollouts; 0: no average).
        discount: a tick.
        lambda_: of the lambda-returns.
        retrain_vision_at: when this fraction of `rollouts` is collected, the vision encoder is retrained on
            images that the network itself came across; 0, or 1 or more: never.
        image_buffer_size: images kept for that.
        image_buffer_every: one tick in so many is kept.
        device: on which it learns, as PyTorch names it; actors act on the CPU.
        max_minutes: it ends after so long, with the learning rate fallen to its final one, also where fewer
            rollouts were collected; 0: it does not. One that is resumed counts its minutes anew.
        seed: of weights, environments and sampling.
    """

    init_from: str = ""
    init_share: float = 0.0
    rollouts: int = 500
    learning_starts: int = 4
    rollout_ticks: int = 32
    expert_decay_rollouts: int = 10
    min_expert_fraction: float = 0.2
    updates_per_rollout: int = 14
    batch_size: int = 64
    recent_rollouts: int = 60
    recent_fraction: float = 0.25
    buffer_rollouts: int = 1500
    input_noise: float = 0.05
    burn_in: int = 6
    learning_rate: float = 1e-3
    final_learning_rate: float = 2e-5
    ema: float = 0.98
    discount: float = 0.97
    lambda_: float = 0.9
    retrain_vision_at: float = 0.4
    image_buffer_size: int = 40000
    image_buffer_every: int = 8
    device: str = "cpu"
    max_minutes: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is a fraction, from 0 to below 1, not {self.ema}")
        if not 0 <= self.init_share < 1:
            raise ValueError(f"init_share is a fraction, from 0 to below 1, not {self.init_share}")
        if self.init_share and not self.init_from:
            raise ValueError(
                "init_share needs init_from: without it there is nothing to share with"
            )
        check_at_least_1(
            self, "rollout_ticks", "batch_size", "recent_rollouts", "image_buffer_every"
        )
        check_fractions(self, "min_expert_fraction", "recent_fraction", "discount", "lambda_")
        if self.discount == 1:
            raise ValueError("discount is below 1: values are in units of (1 - discount)")
        if not 1 <= self.learning_starts <= self.buffer_rollouts:
            raise ValueError(
                f"learning_starts is from 1 to buffer_rollouts ({self.buffer_rollouts}), "
                f"not {self.learning_starts}"
            )

    def learning_rate_after(self, index: int, minutes: float = 0.0) -> float:
        """Learning rate after rollout `index` (from 0) and so many minutes: a short rise, then a cosine."""
        first, last = self.learning_rate, self.final_learning_rate
        fraction, learned = self.fraction_done(index, minutes), index + 2 - self.learning_starts
        falling = last + 0.5 * (first - last) * (1 + math.cos(math.pi * min(fraction, 1.0)))
        return falling * min(1.0, learned / (WARMUP_ROLLOUTS + 1))

    def fraction_done(self, rollouts: int, minutes: float) -> float:
        """The fraction of the training that is done after so many rollouts, and minutes where they count."""
        by_time = minutes / self.max_minutes if self.max_minutes else 0.0
        return max(rollouts / self.rollouts, by_time)


@dataclass(frozen=True)
class DaggerMetrics:
    """How the training goes.

    Attributes:
        fraction: of the training that is done.
        policy_loss: of the last update.
        value_loss: of the last update.
        action_error: by task, running mean of the root mean square error of the network's mean action.
        reward: by task, running mean of the scaled reward a tick.
        ticks_per_s: of all environments together.
        counts: what was left out.
    """

    fraction: float
    policy_loss: float
    value_loss: float
    action_error: dict[str, float] = field(default_factory=dict)
    reward: dict[str, float] = field(default_factory=dict)
    ticks_per_s: float = math.nan
    counts: Counts = field(default_factory=Counts)

    def scalars(self) -> dict[str, float]:
        """All of them by TensorBoard tag."""
        return {
            "dagger/policy_loss": self.policy_loss,
            "dagger/value_loss": self.value_loss,
            **{f"dagger_reward/{task}": value for task, value in self.reward.items()},
            **{f"dagger_action_error/{task}": value for task, value in self.action_error.items()},
            "dagger/ticks_per_s": self.ticks_per_s,
            **self.counts.scalars(),
        }


def check_device(device: str) -> None:
    """Whether PyTorch can use a device here.

    Raises:
        SubjectError: it cannot.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise SubjectError(
            f'[dagger] device: PyTorch cannot use {device!r} here ({reason}); set it to "cpu"'
        ) from None


def moving_average(network: Network, decay: float) -> AveragedModel:
    """The exponential moving average of a network's weights; over fewer updates while there are few."""

    def mean(old: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        return torch.lerp(new, old, min(decay, float((1 + updates) / (10 + updates))))

    return AveragedModel(network, avg_fn=mean)


def train(
    network: Network,
    pool: ActorPool[Rollout],
    settings: DaggerSettings,
    path: Path,
    report: Callable[[DaggerMetrics], None],
    writer: Writer | None = None,
    vision: VisionSettings | None = None,
) -> Counts:
    """Learn until `settings.rollouts` rollouts were collected, resuming the checkpoint at `path`.

    The vision encoder is frozen, except that it may be retrained once.

    Args:
        network: trained in place, from the weights that it has, unless there is a checkpoint. At the end it
            has the weights of the moving average.
        pool: collects rollouts, with the moving average's weights.
        settings: of the stage.
        path: the checkpoint; rollouts are kept beside it, in `<stem>-rollouts`.
        report: called after every rollout.
        writer: for TensorBoard; steps are rollouts.
        vision: how the vision encoder is retrained; None: it is not.

    Returns:
        what was left out.

    Raises:
        SubjectError: the checkpoint is damaged or of another architecture, or the actors cannot go on.
    """
    torch.manual_seed(settings.seed)
    network.to(settings.device)
    network.vision.requires_grad_(False)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learned, settings.learning_rate)
    average = moving_average(network, settings.ema)
    acting = average.module
    assert isinstance(acting, Network)
    loop = TrainingLoop(path, settings.rollouts, network, optimiser, acting)
    average.n_averaged.fill_(loop.completed)
    rng = np.random.default_rng([settings.seed, loop.completed])
    buffer = ReplayBuffer(settings.buffer_rollouts, settings.burn_in)
    store = RolloutStore(path.with_name(f"{path.stem}-rollouts"), settings.buffer_rollouts)
    if not loop.completed:
        store.clear()
    for rollout in store.load_all():
        if len(rollout.reward) != settings.rollout_ticks:
            ticks_there = len(rollout.reward)
            raise SubjectError(
                f"{store.folder} holds rollouts of {ticks_there} ticks, and [dagger] rollout_ticks is "
                f"{settings.rollout_ticks}: set it to {ticks_there} to resume, or begin anew with --fresh"
            )
        buffer.add(rollout)
    loop.counts.unreadable_rollouts += store.unreadable
    images = ImageBuffer(settings.image_buffer_size, settings.image_buffer_every)
    with_images: deque[Rollout] = deque(maxlen=ROLLOUTS_WITH_IMAGES)
    retrain_at = (
        round(settings.retrain_vision_at * settings.rollouts) if vision else settings.rollouts
    )
    began, ticks = time.monotonic(), 0
    latest = ImitationLosses(*torch.full((3,), math.nan))
    errors: dict[str, float] = {}
    rewards: dict[str, float] = {}

    def summarise(by_rollouts: float) -> None:
        minutes = (time.monotonic() - began) / 60
        fraction = max(by_rollouts, min(1.0, settings.fraction_done(loop.completed, minutes)))
        summary = DaggerMetrics(
            fraction,
            float(latest.policy.detach()),
            float(latest.value.detach()),
            dict(errors),
            dict(rewards),
            ticks / (time.monotonic() - began),
            replace(loop.counts),
        )
        report(summary)
        if fraction == 1 or loop.completed % LOG_EVERY == 1:
            metrics.write(writer, summary.scalars(), loop.completed)

    for index in loop.steps(summarise):
        minutes = (time.monotonic() - began) / 60
        if settings.max_minutes and minutes > settings.max_minutes:
            loop.save()
            summarise(loop.completed / loop.total)
            break
        if index == retrain_at and len(images):
            assert vision is not None
            network.cpu()
            pretrain(network.vision, *images.all(), vision, rng, lambda fraction, errors: None)
            loop.counts.forgotten_rollouts += len(buffer.rollouts) - len(with_images)
            buffer.rollouts.clear()  # their features are of another encoder
            for old in with_images:
                buffer.add(encode_again(network, old))
            with_images.clear()
            network.to(settings.device)
            acting.vision.load_state_dict(network.vision.state_dict())
            # in this order, so that whenever it is interrupted no stored rollout is of another encoder than
            # the checkpoint's
            store.clear()
            loop.save()
            for number, encoded in enumerate(buffer.rollouts, index - len(buffer.rollouts)):
                store.add(number, encoded)
        pool.publish({k: v.numpy(force=True).copy() for k, v in acting.state_dict().items()})
        decayed = 1 - index / max(1, settings.expert_decay_rollouts)
        rollout = pool.next(
            Request(
                settings.rollout_ticks,
                expert_fraction=max(settings.min_expert_fraction, decayed),
                keep_images=index < retrain_at < settings.rollouts,
            )
        ).rollout
        loop.count_actors(pool)
        if index >= retrain_at and rollout.images is not None:
            rollout = encode_again(acting, rollout)  # asked for before the encoder was retrained
        images.add(rollout)
        if retrain_at - ROLLOUTS_WITH_IMAGES <= index < retrain_at:
            with_images.append(rollout)
        buffer.add(rollout)
        store.add(index, rollout)
        ticks += rollout.reward.size
        normalised = bool((network.std != 1).any())
        if index == settings.learning_starts - 1 and not normalised:
            _normalise_inputs(network, buffer)
        if index + 1 >= settings.learning_starts:
            loop.set_learning_rate(settings.learning_rate_after(index, minutes))
            for _ in range(settings.updates_per_rollout):
                batch = buffer.sample(
                    settings.batch_size, settings.recent_rollouts, settings.recent_fraction, rng
                )
                latest = losses(
                    network,
                    to_device(batch, settings.device),
                    settings.input_noise,
                    settings.discount,
                    settings.lambda_,
                )
                loop.counts.skipped_updates += not gradient_step(optimiser, latest.total, [learned])
                with torch.no_grad():
                    network.log_std.clamp_(*(math.log(bound) for bound in ACTION_STD_RANGE))
        average.update_parameters(network)
        _update_running_means(rollout, errors, rewards)
    network.load_state_dict(acting.state_dict())
    network.cpu()
    return loop.counts


def encode_again(network: Network, rollout: Rollout) -> Rollout:
    """A rollout with the features that the network's present vision encoder gives, and without images.

    There is no image after the last tick: its features are those of the last tick.
    """
    assert rollout.images is not None
    with torch.no_grad():
        inputs = (to_input(images).to(network.mean.device) for images in rollout.images)
        features = np.stack([network.vision(one).numpy(force=True) for one in inputs])
    return replace(rollout, images=None, features=features, last_features=features[-1])


def _update_running_means(
    rollout: Rollout, errors: dict[str, float], rewards: dict[str, float]
) -> None:
    """Running means, by task, of the action's error and of the reward a tick."""
    error = action_error(torch.tensor(rollout.policy_mean), torch.tensor(rollout.expert_action))
    square = error.pow(2).mean(-1).numpy() * rollout.loss_weight
    for index in np.unique(rollout.task):
        here, name = rollout.task == index, TASKS[index]
        new = float(square[:, here].sum() / max(1.0, rollout.loss_weight[:, here].sum())) ** 0.5
        reward = float(rollout.reward[:, here].mean())
        errors[name] = 0.95 * errors.get(name, new) + 0.05 * new
        rewards[name] = 0.95 * rewards.get(name, reward) + 0.05 * reward


def _normalise_inputs(network: Network, buffer: ReplayBuffer) -> None:
    """Set the network's input normalisation from the rollouts so far."""
    senses = np.concatenate(
        [one.proprioception.reshape(-1, one.proprioception.shape[-1]) for one in buffer.rollouts]
    )
    network.mean.copy_(torch.from_numpy(senses.mean(0)))
    network.std.copy_(torch.from_numpy(senses.std(0) + MIN_SENSE_STD))
