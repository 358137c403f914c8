"""Reinforcement learning as in the paper (section 2.3): a fleet of actors, a replay, one learner.

    fleet ──► newest segments ──► V-trace ──► value ──────────► core, encoders
                                     └──► V-MPO, kickstarting ──► policy layers, encoders

The value is learned with V-trace, the policy with the E-step on advantages (V-MPO), towards the experts by a
kickstarting term (Schmitt et al. 2018) whose weight falls to nothing. No gradient of the policy reaches the
core: `Network.run` cuts it off. `Learner.update` is the whole of it.

Values are in units of the mean reward: (1 - discount) times the discounted sum, as in imitation.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agent.network import Network, core_parameters
from training.learn import checkpoint, vmpo
from training.learn.dagger import SPREAD, missed
from training.learn.metrics import Course, Report, Writer, write
from training.learn.sequence_buffer import Experience, Sequences
from training.learn.vmpo import Bounds, Gaussian, Multipliers
from training.learn.vtrace import vtrace
from training.rollout.actor_pool import Fleet, Order
from training.rollout.rollout import Segment

CHECKPOINT_EVERY_S = 60.0
LOG_EVERY_S = 10.0
LARGEST_GRADIENT = 1.0
"""Norm to which gradients are cut, of the core and of the rest each by itself."""


@dataclass(frozen=True)
class Reinforcement:
    """Settings of reinforcement learning; 0 `segments` is none.

    Attributes:
        segments: how many segments, of all workers together, to live and learn from.
        segment_ticks: their length.
        warm_ticks: ticks at a sequence's start that only bring the state up to date.
        replay_segments: the newest segments, from which sequences are drawn.
        first_segments: so many are kept before learning begins.
        updates: updates of the network for each new segment.
        sequences: sequences in an update.
        critic_part: part of the training in which at first only the value's own layer learns: the policy
            reads the core, and would be led astray by one that changes before it may follow.
        target_every: updates after which the policy to be improved, which also acts, is the newest.
        learning_rate, last_learning_rate: Adam's for the network, falling along a cosine.
        multiplier_rate: Adam's for temperatures and multipliers.
        discount: a tick.
        trace: lambda of V-trace.
        best_part: the best part of the actions, which the E-step follows.
        bound_eta, bound_mean, bound_std: how far the policy may move, in nats a tick; see `vmpo`.
        value_weight: of the value's loss.
        kickstart: weight of the experts' labels at first; it falls evenly to 0,
        kickstart_until: at this part of the training.
        least_std, most_std: bounds of the actions' spread; those of imitation, unless given.
        eyes_open: let the eyes learn too, from pictures; several times as slow.
        seed: of the choice of sequences.
    """

    segments: int = 4000
    segment_ticks: int = 32
    warm_ticks: int = 4
    replay_segments: int = 6
    first_segments: int = 3
    updates: int = 3
    sequences: int = 64
    critic_part: float = 0.05
    target_every: int = 12
    learning_rate: float = 3e-5
    last_learning_rate: float = 1e-5
    multiplier_rate: float = 1e-2
    discount: float = 0.97
    trace: float = 0.95
    best_part: float = 0.5
    bound_eta: float = 0.1
    bound_mean: float = 0.002
    bound_std: float = 1e-4
    value_weight: float = 0.5
    kickstart: float = 0.1
    kickstart_until: float = 0.8
    least_std: float = SPREAD[0]
    most_std: float = SPREAD[1]
    eyes_open: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("segment_ticks", "replay_segments", "first_segments", "updates", "sequences"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        for name in ("discount", "trace", "best_part", "critic_part", "kickstart_until"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is between 0 and 1, not {getattr(self, name)}")
        if self.discount == 1 or self.best_part == 0:
            raise ValueError("discount is below 1 and best_part above 0")
        if self.target_every < 1:
            raise ValueError(f"target_every is at least 1, not {self.target_every}")
        if self.warm_ticks >= self.segment_ticks:
            raise ValueError(f"warm_ticks is below segment_ticks, not {self.warm_ticks}")
        if self.first_segments > self.replay_segments:
            raise ValueError(
                f"first_segments is at most replay_segments, not {self.first_segments}"
            )
        if not 0 < self.least_std <= self.most_std:
            raise ValueError(f"least_std is above 0 and at most most_std, not {self.least_std}")

    def kickstart_weight(self, part: float) -> float:
        """Weight of the labels when this part of the training is done."""
        if part >= self.kickstart_until:
            return 0.0
        return self.kickstart * (1 - part / self.kickstart_until)

    def rate(self, part: float) -> float:
        """The network's learning rate when this part of the training is done."""
        first, last = self.learning_rate, self.last_learning_rate
        return last + 0.5 * (first - last) * (1 + math.cos(math.pi * min(part, 1.0)))


class Learner(nn.Module):
    """The network that learns, the policy that it improves on, and the multipliers; saved together.

    `network` is trained in place. `tasks` is how many tasks there are.
    """

    def __init__(self, network: Network, tasks: int, settings: Reinforcement) -> None:
        super().__init__()
        self.settings = settings
        self.network = network
        self.target = copy.deepcopy(network).requires_grad_(False)
        self.multipliers = Multipliers(tasks)
        network.vision.requires_grad_(settings.eyes_open)
        self._core = list(core_parameters(network))
        core = {id(one) for one in self._core}
        self._rest = [p for p in network.parameters() if p.requires_grad and id(p) not in core]
        self.optimiser = torch.optim.Adam(
            [
                {"params": [*self._core, *self._rest], "lr": settings.learning_rate},
                {"params": list(self.multipliers.parameters()), "lr": settings.multiplier_rate},
            ]
        )
        self.updates = 0

    def update(self, lived: Sequences, part: float) -> dict[str, float]:
        """Learn once from some sequences, when this part of the training is done.

        Returns:
            what there is to log: losses, divergences, multipliers, how well the value tells what came.
        """
        settings, network, target = self.settings, self.network, self.target
        features = lived.features if lived.pictures is None else self._seen(lived.pictures)
        out = network.run(lived.senses, features, lived.state)
        new = Gaussian(out.mean, network.action_std())
        with torch.no_grad():
            before = target.run(lived.senses, lived.features, lived.state)
            old = Gaussian(before.mean, target.action_std())
            end = network.run(lived.last_senses[None], lived.last_features[None], out.state)
            # where somebody else acted the ratio is 0, and nothing is traced through it
            log_ratio = torch.where(
                lived.log_prob.isfinite(), old.log_prob(lived.action) - lived.log_prob, -torch.inf
            )
        traced = vtrace(
            (1 - settings.discount) * lived.reward,
            settings.discount * lived.discount,
            out.value.detach(),
            end.value[0],
            log_ratio,
            settings.trace,
        )

        miss = out.value - traced.target
        value_loss = mean_over(miss.pow(2), lived.judged)

        chosen = lived.chosen
        task = lived.task.expand_as(chosen)[chosen]
        policy = vmpo.losses(
            Gaussian(new.mean[chosen], new.std),
            Gaussian(old.mean[chosen], old.std),
            lived.action[chosen],
            in_spreads(traced.advantage[chosen], task),
            traced.ratio[chosen].log(),
            task,
            self.multipliers,
            Bounds(settings.bound_eta, settings.bound_mean, settings.bound_std),
            settings.best_part,
        )

        # the labels' negative log-likelihood, without what the network cannot change
        astray = (missed(out.mean, lived.label) / old.std).pow(2).sum(-1) / 2
        kickstart_loss = mean_over(astray, lived.label_weight)
        weight = settings.kickstart_weight(part)

        loss = settings.value_weight * value_loss
        if part >= settings.critic_part:
            loss = loss + policy.policy + policy.eta + policy.trust + weight * kickstart_loss
        self.optimiser.param_groups[0]["lr"] = settings.rate(part)
        self._step(loss, value_only=part < settings.critic_part)
        self.updates += 1
        told = traced.target[lived.judged].var()
        return {
            "loss/value": value_loss.item(),
            "loss/policy": policy.policy.item(),
            "loss/eta": policy.eta.item(),
            "loss/kickstart": kickstart_loss.item(),
            "kickstart_weight": weight,
            "kl/mean": policy.kl_mean.item(),
            "kl/std": policy.kl_std.item(),
            "eta": self.multipliers.log_eta.exp().mean().item(),
            "alpha/mean": self.multipliers.log_alpha_mean.exp().item(),
            "alpha/std": self.multipliers.log_alpha_std.exp().item(),
            "learning_rate": settings.rate(part),
            "entropy": (new.std.log() + 0.5 * math.log(2 * math.pi * math.e)).sum().item(),
            "ratio": traced.ratio[lived.judged].mean().item(),
            "value_explains": 1 - (miss[lived.judged].var() / told.clamp(min=1e-12)).item(),
        }

    def promote(self) -> None:
        """From now on the network as it is acts, and is what is improved on."""
        self.target.load_state_dict(self.network.state_dict())

    def weights(self) -> dict[str, np.ndarray]:
        """Of the policy that acts, for the fleet."""
        return {name: one.numpy().copy() for name, one in self.target.state_dict().items()}

    def _seen(self, pictures: Tensor) -> Tensor:
        ticks, batch = pictures.shape[:2]
        flat = pictures.reshape(-1, *pictures.shape[2:]).permute(0, 3, 1, 2)
        return self.network.vision(flat.float() / 255 - 0.5).reshape(ticks, batch, -1)  # type: ignore[no-any-return]

    def _step(self, loss: Tensor, value_only: bool) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        if value_only:
            for one in (*self._rest, *self.network.lstms[0].parameters()):
                one.grad = None
        # the value's gradient would vanish beside the policy's if they were cut together
        norms = [
            nn.utils.clip_grad_norm_(some, LARGEST_GRADIENT) for some in (self._core, self._rest)
        ]
        if not all(norm.isfinite() for norm in norms):
            self.optimiser.zero_grad()
            return
        self.optimiser.step()
        self.multipliers.clamp()
        with torch.no_grad():
            self.network.log_std.clamp_(
                math.log(self.settings.least_std), math.log(self.settings.most_std)
            )


def mean_over(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of (T, B) values, weighted; 0 where nothing counts."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def in_spreads(advantage: Tensor, task: Tensor) -> Tensor:
    """Advantages (n,) in standard deviations of those of their task, so that a temperature of 1 fits all."""
    scaled = advantage.clone()
    for one in task.unique():
        mine = task == one
        if mine.sum() > 1:
            scaled[mine] /= advantage[mine].std() + 1e-8
    return scaled


def train(
    network: Network,
    fleet: Fleet[Segment],
    settings: Reinforcement,
    path: Path,
    tasks: Sequence[str],
    report: Callable[[Report], None],
    writer: Writer | None = None,
) -> Learner:
    """Learn until `settings.segments` segments are lived, resuming the checkpoint at `path`.

    Args:
        network: trained in place; where it begins, unless there is a checkpoint.
        fleet: lives, with the weights that it is given here.
        settings: of the stage.
        path: the checkpoint, written every minute and at the end.
        tasks: names that `Segment.task` numbers.
        report: told how it goes, every few seconds.
        writer: for TensorBoard; steps are segments.

    Raises:
        SubjectError: the checkpoint is damaged or of another architecture, or the fleet cannot go on.
    """
    torch.manual_seed(settings.seed)
    learner = Learner(network, len(tasks), settings)
    done = checkpoint.load(path, learner, learner.optimiser)
    rng = np.random.default_rng([settings.seed, done])
    experience = Experience(settings.replay_segments, settings.warm_ticks)
    order = Order(settings.segment_ticks, own_spread=True, keep_pictures=settings.eyes_open)
    fleet.publish(learner.weights())
    course = Course(tasks)
    saved = told = time.monotonic()
    for index in range(done, settings.segments):
        arrival = fleet.next(order)
        experience.add(arrival.lived)
        course.lived(arrival.worker, arrival.lived)
        course.learned({"age": arrival.age})
        if len(experience) >= settings.first_segments:
            for _ in range(settings.updates):
                sequences = experience.draw(settings.sequences, rng)
                course.learned(learner.update(sequences, index / settings.segments))
                if learner.updates % settings.target_every == 0:
                    learner.promote()
                    fleet.publish(learner.weights())
        last, now = index + 1 == settings.segments, time.monotonic()
        if last or now - saved > CHECKPOINT_EVERY_S:
            checkpoint.save(path, learner, learner.optimiser, index + 1)
            saved = now
        if last or now - told > LOG_EVERY_S:
            summary = course.report((index + 1) / settings.segments)
            report(summary)
            if writer is not None:
                write(writer, summary, index + 1)
            course.restart()
            told = now
    return learner
