"""Distillation: learn from the rollouts of a trained subject, before collecting own ones.

What a teacher collects, with the experts' actions, teaches a network of another shape or seed as well. The
states in which these rollouts began are the teacher's, so consecutive rollouts are joined into longer
sequences, and the first of them counts little, except where an episode begins in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from agent.errors import SubjectError
from agent.network import Network, Outputs
from agent.subject import Subject
from training import migration
from training.learn.checks import check_at_least_1
from training.learn.dagger import DaggerSettings
from training.learn.imitation_losses import ImitationLosses, output_losses
from training.learn.replay_buffer import ImitationBatch, stack
from training.learn.training_loop import Counts, TrainingLoop, gradient_step
from training.rollout.actor_pool import ActorPool, Request
from training.rollout.rollout import Rollout
from training.rollout.rollout_store import RolloutStore
from training.rollout.vector_env import VectorEnvSettings
from training.skills.library import SKILLS

Array = np.ndarray

MAX_DISTANCE = 16
"""An actor's next rollout is at most so many rollouts later: those of other actors come in between."""
UNKNOWN_STATE_WEIGHT = 0.05
"""Factor on the loss of a sequence's first rollout where no episode begins in it."""
REPORT_EVERY = 10


@dataclass(frozen=True)
class DistillationSettings:
    """Settings of the stage; it is left out where `teacher` is empty.

    Attributes:
        teacher: a trained subject, for instance "rodent". Its vision encoder, its normalisation of inputs and
            its skills are taken over, and its rollouts are learned from.
        begin_as_teacher: the network has the teacher's architecture and begins with its weights: to learn on
            from its own rollouts by other settings, another discount for one.
        rollouts: collected by the teacher in this subject's environments, a fraction of them with the experts
            acting (`dagger.min_expert_fraction`).
        updates: of the network.
        batch_size: sequences in an update.
        rollouts_per_sequence: consecutive rollouts in a sequence.
        learning_rate: of Adam; it falls along a cosine to a tenth.
    """

    teacher: str = ""
    begin_as_teacher: bool = False
    rollouts: int = 300
    updates: int = 2500
    batch_size: int = 24
    rollouts_per_sequence: int = 4
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_at_least_1(self, "rollouts", "updates", "batch_size", "rollouts_per_sequence")


def copy_encoder(network: Network, teacher: Subject) -> None:
    """Give a network the vision encoder and the input normalisation of a trained subject.

    Raises:
        SubjectError: its vision encoder is of another architecture.
    """
    try:
        network.vision.load_state_dict(teacher.network.vision.state_dict())
        network.mean.copy_(teacher.network.mean)
        network.std.copy_(teacher.network.std)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise SubjectError(
            f"[distillation] teacher: {teacher.folder} cannot teach this network ({reason}); give it the "
            "same vision encoder in [network], or leave the section out"
        ) from None


def rollouts_folder(
    runs: Path,
    teacher: Subject,
    skills: Path,
    environments: VectorEnvSettings,
    dagger: DaggerSettings,
) -> Path:
    """The folder for the rollouts of a teacher; all pupils with the same environments share it.

    Args:
        runs: where the folder is.
        teacher: by name and hash.
        skills: folder of the skills that the experts are made of.
        environments: of the actors.
        dagger: length of a rollout, and fraction of the environments in which experts act.
    """
    skill_files = (migration.skill_file(skills, name) for name in SKILLS)
    files = sorted(path for path in skill_files if path.exists())
    depends_on = [
        teacher.sha256,
        asdict(environments),
        dagger.rollout_ticks,
        dagger.min_expert_fraction,
        *(hashlib.sha256(path.read_bytes()).hexdigest() for path in files),
    ]
    tag = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:8]
    return runs / f"{teacher.name}-rollouts-{tag}"


def collect_teacher(
    teacher: Subject,
    pool: ActorPool[Rollout],
    settings: DistillationSettings,
    dagger: DaggerSettings,
    folder: Path,
    report: Callable[[float, str], None],
) -> None:
    """Collect rollouts of the teacher until there are `settings.rollouts` in `folder`.

    Args:
        teacher: acts; it does not learn.
        pool: collects; after an interruption it needs other seeds, or it collects the same again.
        settings: of the stage.
        dagger: length of a rollout, and fraction of the environments in which experts act.
        folder: of the rollouts, as `rollouts_folder` names it.
        report: called with the fraction done (0 to 1) and a line of text.

    Raises:
        SubjectError: the actors cannot go on.
    """
    store = RolloutStore(folder, settings.rollouts)
    pool.publish({k: v.numpy().copy() for k, v in teacher.network.state_dict().items()})
    request = Request(dagger.rollout_ticks, dagger.min_expert_fraction)
    began, ticks = time.monotonic(), 0
    for number in range(store.count(), settings.rollouts):
        rollout = pool.next(request).rollout
        store.add(number, rollout)
        ticks += rollout.reward.size
        rate = ticks / (time.monotonic() - began)
        report(
            (number + 1) / settings.rollouts,
            f"rollout {number + 1} of {teacher.name}, {rate:.0f} ticks/s",
        )


def consecutive_rollouts(rollouts: Sequence[Rollout], length: int) -> list[list[Rollout]]:
    """All series of `length` consecutive rollouts of one actor.

    A rollout follows another where at least one environment begins it as it ended the other.
    """
    following: list[int | None] = []
    for index, one in enumerate(rollouts):
        later = range(index + 1, min(index + 1 + MAX_DISTANCE, len(rollouts)))
        following.append(next((k for k in later if _follows(rollouts[k], one)), None))
    found = []
    for first in range(len(rollouts)):
        series: list[Rollout] = []
        position: int | None = first
        while position is not None and len(series) < length:
            series.append(rollouts[position])
            position = following[position]
        if len(series) == length:
            found.append(series)
    return found


def _follows(later: Rollout, one: Rollout) -> bool:
    if one.last_proprioception.shape != later.proprioception[0].shape:
        return False
    same = (one.last_proprioception == later.proprioception[0]).all(1)
    return bool((same & ~later.is_first[0]).any())


def train(
    network: Network,
    settings: DistillationSettings,
    dagger: DaggerSettings,
    folder: Path,
    path: Path,
    report: Callable[[float, str], None],
) -> Counts:
    """Learn from the teacher's rollouts, resuming the checkpoint at `path`.

    Args:
        network: trained in place, after `copy_encoder`.
        settings: of the stage.
        dagger: seed, input noise, discount and lambda.
        folder: the teacher's rollouts.
        path: the checkpoint.
        report: called with the fraction done (0 to 1) and a line of text.

    Returns:
        what was left out.

    Raises:
        SubjectError: there are too few rollouts, or the checkpoint is damaged.
    """
    torch.manual_seed(dagger.seed)
    network.vision.requires_grad_(False)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learned, settings.learning_rate)
    loop = TrainingLoop(path, settings.updates, network, optimiser)
    if loop.completed >= settings.updates:
        return loop.counts
    store = RolloutStore(folder, settings.rollouts)
    series = consecutive_rollouts(store.load_all(), settings.rollouts_per_sequence)
    loop.counts.unreadable_rollouts += store.unreadable
    if not series:
        raise SubjectError(
            f"[distillation] {folder} has no {settings.rollouts_per_sequence} rollouts that follow one "
            "another; raise 'rollouts', or lower 'rollouts_per_sequence'"
        )
    rng = np.random.default_rng([dagger.seed, 7, loop.completed])

    def summarise(fraction: float) -> None:
        text = f"policy {float(loss.policy.detach()):.4f}, value {float(loss.value.detach()):.4f}"
        report(fraction, text + str(loop.counts))

    for update in loop.steps(summarise, report_every=REPORT_EVERY):
        cosine = math.cos(math.pi * update / settings.updates)
        loop.set_learning_rate(settings.learning_rate * (0.55 + 0.45 * cosine))
        picks = [series[i] for i in rng.integers(len(series), size=settings.batch_size)]
        rows = [(one, int(rng.integers(len(one[0].task)))) for one in picks]
        loss = _losses(network, rows, dagger)
        loop.counts.skipped_updates += not gradient_step(optimiser, loss.total, [learned])
    return loop.counts


def _losses(
    network: Network, rows: list[tuple[list[Rollout], int]], dagger: DaggerSettings
) -> ImitationLosses:
    """Losses of sequences of several rollouts each, which begin in the zero state."""
    state = network.zero_state(len(rows))
    known = torch.zeros(len(rows))  # 1 where the state holds what came before
    outs: list[Outputs] = []
    parts: list[ImitationBatch] = []
    for index in range(len(rows[0][0])):
        here = [(series[index], k) for series, k in rows]
        is_first = stack(here, "is_first")[0]
        state = tuple(
            (torch.where(is_first[:, None], 0.0, h), torch.where(is_first[:, None], 0.0, c))
            for h, c in state
        )
        known = torch.where(is_first, 1.0, known)
        senses, features = stack(here, "proprioception"), stack(here, "features")
        batch = ImitationBatch(
            proprioception=senses + dagger.input_noise * network.std * torch.randn_like(senses),
            features=features + dagger.input_noise * torch.randn_like(features),
            expert_action=stack(here, "expert_action"),
            reward=stack(here, "reward"),
            discount=stack(here, "discount"),
            loss_weight=stack(here, "loss_weight") * known.clamp(min=UNKNOWN_STATE_WEIGHT),
            state=state,
        )
        out = network.run(batch.proprioception, batch.features, state)
        outs.append(out)
        parts.append(batch)
        state, known = out.state, torch.ones(len(rows))
    names = (
        "proprioception",
        "features",
        "expert_action",
        "reward",
        "discount",
        "loss_weight",
    )
    whole = ImitationBatch(
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in names},
        state=parts[0].state,
    )
    mean, value = torch.cat([o.mean for o in outs]), torch.cat([o.value for o in outs])
    return output_losses(network, mean, value, whole, dagger.discount, dagger.lambda_)
