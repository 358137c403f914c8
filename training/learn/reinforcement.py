"""Reinforcement learning as in the paper (section 2.3): actors, a buffer of new rollouts, one learner.

    actors ──► newest rollouts ──► V-trace ──► value ──────────► core, encoders
                                      └──► V-MPO, kickstarting ──► policy layers, encoders

The value is learned with V-trace, the policy with the E-step on advantages (V-MPO), and pulled towards the
experts by a kickstarting term (Schmitt et al. 2018) whose weight falls to 0. No gradient of the policy
reaches the core: `Network.run` detaches it. `Learner.update` is one update from top to bottom.

Values are in units of the mean reward: (1 - discount) times the discounted sum, as in imitation.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agent.network import Network, core_parameters
from training.learn import metrics, vmpo
from training.learn.checks import check_at_least_1, check_fractions
from training.learn.dagger import ACTION_STD_RANGE
from training.learn.imitation_losses import action_error
from training.learn.metrics import MetricsAccumulator, ReinforcementMetrics, Writer
from training.learn.sequence_buffer import SequenceBatch, SequenceBuffer
from training.learn.training_loop import Counts, TrainingLoop, gradient_step
from training.learn.vmpo import Bounds, Gaussian, Multipliers
from training.learn.vtrace import vtrace
from training.rollout.actor_pool import ActorPool, Request
from training.rollout.rollout import Rollout
from training.rollout.vector_env import to_input

REPORT_EVERY_S = 10.0


@dataclass(frozen=True)
class ReinforcementSettings:
    """Settings of the stage; it is left out where `rollouts` is 0.

    Attributes:
        rollouts: of all actors together.
        rollout_ticks: ticks of a rollout, of every environment.
        burn_in: ticks at a sequence's start that only update the state.
        buffer_rollouts: newest rollouts, from which sequences are sampled.
        learning_starts: rollouts before the first update.
        updates_per_rollout: updates of the network after each rollout.
        batch_size: sequences in an update.
        critic_warmup: fraction of the training in which at first only the value's own layer learns. The core
            waits too, because the policy reads it, and would change when it does.
        update_target_every: updates after which the policy that acts becomes the newest.
        learning_rate: of Adam, for the network; it falls along a cosine
        final_learning_rate: to this.
        multiplier_learning_rate: of Adam, for temperatures and multipliers.
        discount: a tick.
        lambda_: of V-trace.
        top_fraction: fraction of the actions that the E-step follows.
        bound_eta, bound_mean, bound_std: KL bounds, in nats a tick (`vmpo.Bounds`).
        value_loss_weight: of the value's loss.
        kickstart: weight of the experts' actions at first; it falls linearly to 0
        kickstart_until: at this fraction of the training.
        min_std, max_std: bounds of the actions' standard deviation.
        train_vision: train the vision encoder too, from images; several times as slow.
        seed: of the sampling of sequences.
    """

    rollouts: int = 4000
    rollout_ticks: int = 32
    burn_in: int = 4
    buffer_rollouts: int = 6
    learning_starts: int = 3
    updates_per_rollout: int = 3
    batch_size: int = 64
    critic_warmup: float = 0.05
    update_target_every: int = 12
    learning_rate: float = 3e-5
    final_learning_rate: float = 1e-5
    multiplier_learning_rate: float = 1e-2
    discount: float = 0.97
    lambda_: float = 0.95
    top_fraction: float = 0.5
    bound_eta: float = 0.1
    bound_mean: float = 0.002
    bound_std: float = 1e-4
    value_loss_weight: float = 0.5
    kickstart: float = 0.1
    kickstart_until: float = 0.8
    min_std: float = ACTION_STD_RANGE[0]
    max_std: float = ACTION_STD_RANGE[1]
    train_vision: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least_1(self, "rollout_ticks", "buffer_rollouts", "learning_starts")
        check_at_least_1(self, "updates_per_rollout", "batch_size", "update_target_every")
        check_fractions(self, "discount", "lambda_", "top_fraction")
        check_fractions(self, "critic_warmup", "kickstart_until")
        if self.discount == 1 or self.top_fraction == 0:
            raise ValueError("discount is below 1 and top_fraction above 0")
        if self.burn_in >= self.rollout_ticks:
            raise ValueError(f"burn_in is below rollout_ticks, not {self.burn_in}")
        if self.learning_starts > self.buffer_rollouts:
            raise ValueError(
                f"learning_starts is at most buffer_rollouts, not {self.learning_starts}"
            )
        if not 0 < self.min_std <= self.max_std:
            raise ValueError(f"min_std is above 0 and at most max_std, not {self.min_std}")

    def kickstart_weight(self, fraction: float) -> float:
        """Weight of the experts' actions when this fraction of the training is done."""
        if fraction >= self.kickstart_until:
            return 0.0
        return self.kickstart * (1 - fraction / self.kickstart_until)

    def learning_rate_at(self, fraction: float) -> float:
        """The network's learning rate when this fraction of the training is done."""
        first, last = self.learning_rate, self.final_learning_rate
        return last + 0.5 * (first - last) * (1 + math.cos(math.pi * min(fraction, 1.0)))


class Learner(nn.Module):
    """The network that learns, the target network that it improves on, and the multipliers.

    Attributes:
        network: trained in place.
        target: the policy that acts.
        updates: updates since it was made.

    Args:
        network: what learns.
        tasks: how many tasks there are.
        settings: of the stage.
    """

    def __init__(self, network: Network, tasks: int, settings: ReinforcementSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = network
        self.target = copy.deepcopy(network).requires_grad_(False)
        self.multipliers = Multipliers(tasks)
        network.vision.requires_grad_(settings.train_vision)
        self._core = list(core_parameters(network))
        core = {id(one) for one in self._core}
        self._rest = [p for p in network.parameters() if p.requires_grad and id(p) not in core]
        self.optimiser = torch.optim.Adam(
            [
                {"params": [*self._core, *self._rest], "lr": settings.learning_rate},
                {
                    "params": list(self.multipliers.parameters()),
                    "lr": settings.multiplier_learning_rate,
                },
            ]
        )
        self.updates = 0

    def update(self, batch: SequenceBatch, fraction: float) -> dict[str, float]:
        """One update, when this fraction of the training is done.

        Returns:
            metrics by name: losses, divergences, multipliers, explained variance of the value, and
            `skipped_update`, 1 where a gradient was not finite and nothing changed.
        """
        settings, network, target = self.settings, self.network, self.target
        features = batch.features if batch.images is None else self._encode(batch.images)
        out = network.run(batch.proprioception, features, batch.state)
        new = Gaussian(out.mean, network.action_std())
        with torch.no_grad():
            before = target.run(batch.proprioception, batch.features, batch.state)
            old = Gaussian(before.mean, target.action_std())
            end = network.run(batch.last_proprioception[None], batch.last_features[None], out.state)
            # a ratio of 0 where the action is not the network's: nothing is traced through it
            log_ratio = torch.where(
                batch.log_prob.isfinite(), old.log_prob(batch.action) - batch.log_prob, -torch.inf
            )
        returns = vtrace(
            (1 - settings.discount) * batch.reward,
            settings.discount * batch.discount,
            out.value.detach(),
            end.value[0],
            log_ratio,
            settings.lambda_,
        )

        value_error = out.value - returns.target
        value_loss = weighted_mean(value_error.pow(2), batch.value_mask)

        mask = batch.policy_mask
        task = batch.task.expand_as(mask)[mask]
        policy = vmpo.losses(
            Gaussian(new.mean[mask], new.std),
            Gaussian(old.mean[mask], old.std),
            batch.action[mask],
            standardised(returns.advantage[mask], task),
            returns.ratio[mask].log(),
            task,
            self.multipliers,
            Bounds(settings.bound_eta, settings.bound_mean, settings.bound_std),
            settings.top_fraction,
        )

        # negative log-likelihood of the experts' actions, without the part that is constant
        error = action_error(out.mean, batch.expert_action)
        bc_nll = (error / old.std).pow(2).sum(-1) / 2
        kickstart_loss = weighted_mean(bc_nll, batch.expert_weight)
        kickstart_weight = settings.kickstart_weight(fraction)

        loss = settings.value_loss_weight * value_loss
        warmup = fraction < settings.critic_warmup
        if not warmup:
            loss = loss + policy.policy + policy.eta + policy.trust
            loss = loss + kickstart_weight * kickstart_loss
        self.optimiser.param_groups[0]["lr"] = settings.learning_rate_at(fraction)
        updated = self._step(loss, value_only=warmup)
        self.updates += 1
        target_variance = returns.target[batch.value_mask].var().clamp(min=1e-12)
        return {
            "loss/value": value_loss.item(),
            "loss/policy": policy.policy.item(),
            "loss/eta": policy.eta.item(),
            "loss/kickstart": kickstart_loss.item(),
            "kickstart_weight": kickstart_weight,
            "kl/mean": policy.kl_mean.item(),
            "kl/std": policy.kl_std.item(),
            "eta": self.multipliers.log_eta.exp().mean().item(),
            "alpha/mean": self.multipliers.log_alpha_mean.exp().item(),
            "alpha/std": self.multipliers.log_alpha_std.exp().item(),
            "learning_rate": settings.learning_rate_at(fraction),
            "entropy": (new.std.log() + 0.5 * math.log(2 * math.pi * math.e)).sum().item(),
            "importance_ratio": returns.ratio[batch.value_mask].mean().item(),
            "explained_variance": 1
            - (value_error[batch.value_mask].var() / target_variance).item(),
            "skipped_update": float(not updated),
        }

    def update_target(self) -> None:
        """From now on the network as it is acts, and is what is improved on."""
        self.target.load_state_dict(self.network.state_dict())

    def weights(self) -> dict[str, np.ndarray]:
        """Weights of the policy that acts, by parameter name, for the actors."""
        return {name: one.numpy().copy() for name, one in self.target.state_dict().items()}

    def _encode(self, images: Tensor) -> Tensor:
        """Features (T, B, features) of images (T, B, 64, 64, 3)."""
        ticks, batch = images.shape[:2]
        flat = to_input(images.reshape(-1, *images.shape[2:]))
        return self.network.vision(flat).reshape(ticks, batch, -1)  # type: ignore[no-any-return]

    def _step(self, loss: Tensor, value_only: bool) -> bool:
        frozen = (*self._rest, *self.network.lstms[0].parameters()) if value_only else ()
        # clipped apart, because the value's gradient would vanish beside the policy's
        if not gradient_step(self.optimiser, loss, [self._core, self._rest], frozen):
            return False
        self.multipliers.clamp()
        with torch.no_grad():
            self.network.log_std.clamp_(
                math.log(self.settings.min_std), math.log(self.settings.max_std)
            )
        return True


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean () of values (T, B) with weights (T, B); 0 where all weights are 0."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def standardised(advantage: Tensor, task: Tensor) -> Tensor:
    """Advantages (n,) in standard deviations within their task (n,), so that one temperature fits all."""
    scaled = advantage.clone()
    for one in task.unique():
        mine = task == one
        if mine.sum() > 1:
            scaled[mine] /= advantage[mine].std() + 1e-8
    return scaled


def train(
    network: Network,
    pool: ActorPool[Rollout],
    settings: ReinforcementSettings,
    path: Path,
    tasks: Sequence[str],
    report: Callable[[ReinforcementMetrics], None],
    writer: Writer | None = None,
) -> tuple[Learner, Counts]:
    """Learn until `settings.rollouts` rollouts were collected, resuming the checkpoint at `path`.

    Args:
        network: trained in place, from the weights that it has, unless there is a checkpoint.
        pool: collects rollouts, with the target network's weights.
        settings: of the stage.
        path: the checkpoint.
        tasks: names that `Rollout.task` numbers.
        report: called every few seconds, and at the end.
        writer: for TensorBoard; steps are rollouts.

    Returns:
        the learner, and what was left out.

    Raises:
        SubjectError: the checkpoint is damaged or of another architecture, or the actors cannot go on.
    """
    torch.manual_seed(settings.seed)
    learner = Learner(network, len(tasks), settings)
    loop = TrainingLoop(path, settings.rollouts, learner, learner.optimiser)
    rng = np.random.default_rng([settings.seed, loop.completed])
    buffer = SequenceBuffer(settings.buffer_rollouts, settings.burn_in)
    request = Request(settings.rollout_ticks, on_policy=True, keep_images=settings.train_vision)
    pool.publish(learner.weights())
    recent = MetricsAccumulator(tasks)

    def summarise(fraction: float) -> None:
        summary = recent.report(fraction, loop.counts)
        report(summary)
        metrics.write(writer, summary.scalars(), loop.completed)

    for index in loop.steps(summarise, report_every_s=REPORT_EVERY_S):
        result = pool.next(request)
        loop.count_actors(pool)
        buffer.add(result.rollout)
        recent.add_rollout(result.actor, result.rollout)
        recent.add_update({"policy_lag": result.policy_lag})
        if len(buffer) >= settings.learning_starts:
            for _ in range(settings.updates_per_rollout):
                batch = buffer.sample(settings.batch_size, rng)
                update = learner.update(batch, index / settings.rollouts)
                recent.add_update(update)
                loop.counts.skipped_updates += round(update["skipped_update"])
                if learner.updates % settings.update_target_every == 0:
                    learner.update_target()
                    pool.publish(learner.weights())
    return learner, loop.counts
