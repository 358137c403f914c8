"""Learn first from what a trained subject lives, before living oneself.

What a teacher lives, with the experts' labels, teaches a network of another shape or seed as well, which
then need not find its own way to where there is something to learn. The states in which the segments began
are those of the teacher, so consecutive segments are joined into longer sequences, and what this network
makes of the first of them counts only where an episode begins there.
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
from torch import Tensor

from agent.errors import SubjectError
from agent.network import Network, Outputs
from agent.subject import Subject
from training.learn import checkpoint
from training.learn.dagger import CHECKPOINT_EVERY_S, ImitationSettings, errors
from training.learn.replay_buffer import Batch
from training.rollout.actor_pool import Fleet, Order
from training.rollout.rollout import Segment
from training.rollout.rollout_store import Lived
from training.rollout.vector_env import HerdSettings
from training.skills.library import SKILLS

Array = np.ndarray

NEXT_WITHIN = 16
"""A worker's next segment is at most so many segments later: others come in between."""


@dataclass(frozen=True)
class ApprenticeshipSettings:
    """Settings of the stage; it is left out where `teacher` is empty.

    Attributes:
        teacher: a trained subject, for instance "rodent"; its eyes, its normalisation of the senses and its
            skills are taken, and what it lives is learned from.
        segments: so many the teacher lives, in this subject's herd, part of its animals led by their experts
            (`imitation.expert_least`).
        updates: steps of learning.
        sequences: of one step.
        joined: segments in a sequence.
        learning_rate: of Adam, falls along a cosine to a tenth.
    """

    teacher: str = ""
    segments: int = 300
    updates: int = 2500
    sequences: int = 24
    joined: int = 4
    learning_rate: float = 1e-3


def inherit(network: Network, teacher: Subject) -> None:
    """Give a network the eyes and the normalisation of the senses of a trained subject.

    Raises:
        SubjectError: its eyes are of another architecture.
    """
    try:
        network.vision.load_state_dict(teacher.network.vision.state_dict())
        network.mean.copy_(teacher.network.mean)
        network.std.copy_(teacher.network.std)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise SubjectError(
            f"[apprenticeship] teacher: {teacher.folder} cannot teach this network ({reason}); give it the "
            "same eyes in [network], or leave the section out"
        ) from None


def lived_folder(
    runs: Path, teacher: Subject, skills: Path, herd: HerdSettings, imitation: ImitationSettings
) -> Path:
    """The folder below `runs` for what this teacher lives in such a herd; several apprentices share it.

    `skills` is the folder of those that the herd's experts are made of.
    """
    files = sorted(path for name in SKILLS if (path := skills / f"{name}.npz").exists())
    follows_from = [
        teacher.sha256,
        asdict(herd),
        imitation.segment_ticks,
        imitation.expert_least,
        *(hashlib.sha256(path.read_bytes()).hexdigest() for path in files),
    ]
    tag = hashlib.sha256(json.dumps(follows_from).encode()).hexdigest()[:8]
    return runs / f"{teacher.name}-lived-{tag}"


def have_it_live(
    teacher: Subject,
    fleet: Fleet[Segment],
    settings: ApprenticeshipSettings,
    imitation: ImitationSettings,
    folder: Path,
    report: Callable[[float, str], None],
) -> None:
    """Have the teacher live until `settings.segments` segments are in `folder`, on from those that are there.

    Args:
        teacher: acts as it is; it learns nothing.
        fleet: lives; after an interruption with other random draws than before, or it lives the same again.
        settings: of the stage.
        imitation: a segment's ticks, and the part of the animals that experts lead.
        folder: see `lived_folder`.
        report: told the part done (0 to 1) and a line of text.

    Raises:
        SubjectError: the fleet cannot go on.
    """
    kept = Lived(folder, settings.segments)
    fleet.publish({k: v.numpy().copy() for k, v in teacher.network.state_dict().items()})
    order = Order(imitation.segment_ticks, imitation.expert_least)
    began, ticks = time.monotonic(), 0
    for number in range(kept.count(), settings.segments):
        segment = fleet.next(order).lived
        kept.add(number, segment)
        ticks += segment.reward.size
        rate = ticks / (time.monotonic() - began)
        report((number + 1) / settings.segments, f"{teacher.name} lives, {rate:.0f} ticks/s")


def chains(segments: Sequence[Segment], joined: int) -> list[list[Segment]]:
    """All runs of `joined` consecutive segments of one worker.

    A segment is another's next where an animal goes on as it ended there.
    """
    following: list[int | None] = []
    for index, one in enumerate(segments):
        later = range(index + 1, min(index + 1 + NEXT_WITHIN, len(segments)))
        following.append(next((k for k in later if _goes_on(one, segments[k])), None))
    found = []
    for first in range(len(segments)):
        chain: list[Segment] = []
        place: int | None = first
        while place is not None and len(chain) < joined:
            chain.append(segments[place])
            place = following[place]
        if len(chain) == joined:
            found.append(chain)
    return found


def _goes_on(one: Segment, other: Segment) -> bool:
    if one.last_senses.shape != other.senses[0].shape:
        return False
    same = (one.last_senses == other.senses[0]).all(1)
    return bool((same & ~other.fresh[0]).any())


def learn(
    network: Network,
    settings: ApprenticeshipSettings,
    imitation: ImitationSettings,
    folder: Path,
    path: Path,
    report: Callable[[float, str], None],
) -> None:
    """Learn by `settings.updates` steps, resuming the checkpoint at `path`.

    Args:
        network: trained in place; has what `inherit` gives.
        settings: of the stage.
        imitation: seed, blur, discount and trace.
        folder: what the teacher lived, see `lived_folder`.
        path: the checkpoint, written every minute and at the end.
        report: told the part done (0 to 1) and a line of text.

    Raises:
        SubjectError: too little was lived, or the checkpoint is damaged.
    """
    torch.manual_seed(imitation.seed)
    network.vision.requires_grad_(False)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learned, settings.learning_rate)
    done = checkpoint.load(path, network, optimiser)
    if done >= settings.updates:
        return
    found = chains(Lived(folder, settings.segments).all(), settings.joined)
    if not found:
        raise SubjectError(
            f"[apprenticeship] {folder} has no {settings.joined} segments that follow one another; "
            "raise 'segments', or lower 'joined'"
        )
    rng = np.random.default_rng([imitation.seed, 7, done])
    saved = time.monotonic()
    for update in range(done, settings.updates):
        part = update / settings.updates
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (0.55 + 0.45 * math.cos(math.pi * part))
        picks = [found[i] for i in rng.integers(len(found), size=settings.sequences)]
        rows = [(chain, int(rng.integers(len(chain[0].task)))) for chain in picks]
        policy, value, spread = _losses(network, rows, imitation)
        optimiser.zero_grad()
        (policy + 0.5 * value + 0.02 * spread).backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        last = update + 1 == settings.updates
        if last or time.monotonic() - saved > CHECKPOINT_EVERY_S:
            checkpoint.save(path, network, optimiser, update + 1)
            saved = time.monotonic()
        if last or update % 10 == 0:
            told = f"policy {float(policy.detach()):.4f}, value {float(value.detach()):.4f}"
            report((update + 1) / settings.updates, told)


def _losses(
    network: Network, rows: list[tuple[list[Segment], int]], imitation: ImitationSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Losses of sequences of several segments each, begun in the state that has seen nothing."""
    state = network.zero_state(len(rows))
    sure = torch.zeros(len(rows))  # 1 where the state holds what came before
    outs: list[Outputs] = []
    parts: list[Batch] = []
    for index in range(len(rows[0][0])):
        here = [(chain[index], k) for chain, k in rows]
        fresh = _stacked(here, "fresh")[0] > 0
        state = tuple(
            (torch.where(fresh[:, None], 0.0, h), torch.where(fresh[:, None], 0.0, c))
            for h, c in state
        )
        sure = torch.where(fresh, 1.0, sure)
        senses, features = _stacked(here, "senses"), _stacked(here, "features")
        batch = Batch(
            senses=senses + imitation.blur * network.std * torch.randn_like(senses),
            features=features + imitation.blur * torch.randn_like(features),
            label=_stacked(here, "label"),
            reward=_stacked(here, "reward"),
            discount=_stacked(here, "discount"),
            weight=_stacked(here, "weight") * sure.clamp(min=0.05),
            state=state,
        )
        out = network.run(batch.senses, batch.features, state)
        outs.append(out)
        parts.append(batch)
        state, sure = out.state, torch.ones(len(rows))
    whole = Batch(
        **{
            name: torch.cat([getattr(part, name) for part in parts])
            for name in ("senses", "features", "label", "reward", "discount", "weight")
        },
        state=parts[0].state,
    )
    mean, value = torch.cat([o.mean for o in outs]), torch.cat([o.value for o in outs])
    return errors(network, mean, value, whole, imitation)


def _stacked(rows: Sequence[tuple[Segment, int]], name: str) -> Tensor:
    """One array of the animals in `rows`, (ticks, rows, ...) float32."""
    arrays: list[Array] = [getattr(segment, name)[:, k] for segment, k in rows]
    return torch.from_numpy(np.stack(arrays, 1).astype(np.float32))
