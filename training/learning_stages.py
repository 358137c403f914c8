"""The pipeline stages that train the network: vision, distillation, DAgger, reinforcement learning.

Each reads what earlier stages left in the work folder, resumes its own checkpoint there, records itself for
the subject's provenance, and writes the subject where it ends with one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agent.errors import SubjectError
from agent.network import Network
from agent.subject import Subject, find, load
from parallel.progress import Progress
from rig.arenas.names import TASKS
from training import provenance
from training.learn import checkpoint, dagger, distillation, reinforcement
from training.learn import vision as vision_encoder
from training.learn.metrics import ReinforcementMetrics
from training.rollout.rollout_store import RolloutStore
from training.settings import Settings
from training.skill_stages import SEARCHES
from training.skills.search import read_arrays, write_arrays
from training.stage_actors import actors, actors_and_log, environments, make_vector_env
from training.written_subject import own_ticks, with_history, write_subject

Array = np.ndarray
STAGES = provenance.LEARNING_STAGES
COLLECTING_FRACTION = 0.7
"""Of the time of a stage that first collects data and then learns, about, for its progress."""
COLLECTING_PARTS = 20
"""Parts in which images are collected, for progress."""


def vision(settings: Settings, work: Path, progress: Progress) -> None:
    """Pretrain the vision encoder into `work/vision.npz`; not where another subject's is taken over.

    Args:
        settings: of the training.
        work: the work folder.
        progress: called as it goes.
    """
    path = work / "vision.npz"
    if path.exists() or settings.distillation.teacher or settings.dagger.init_from:
        return
    provenance.add(work, "vision", settings)
    network, chosen = _new_network(settings), settings.vision
    collecting = environments(settings, work, 0)(0, 0)
    parts = []
    step = max(1, chosen.ticks // COLLECTING_PARTS)
    for tick in range(0, chosen.ticks, step):
        ticks = min(step, chosen.ticks - tick)
        parts.append(collecting.collect_images(ticks, chosen.image_every, chosen.poses))
        fraction = min(1.0, (tick + step) / chosen.ticks)
        progress("vision", COLLECTING_FRACTION * fraction, "collects images")
    collecting.close()
    images, targets = (np.concatenate(rows) for rows in zip(*parts, strict=True))

    def report(fraction: float, errors: Mapping[str, float]) -> None:
        text = ", ".join(f"{name} {value:.2f}" for name, value in errors.items())
        done = COLLECTING_FRACTION + (1 - COLLECTING_FRACTION) * fraction
        progress("vision", done, f"test errors {text}")

    rng = np.random.default_rng(settings.dagger.seed)
    resumed = work / "vision.safetensors"
    counts = vision_encoder.pretrain(network.vision, images, targets, chosen, rng, report, resumed)
    write_arrays(path, **{k: v.numpy() for k, v in network.vision.state_dict().items()})
    resumed.unlink(missing_ok=True)
    provenance.add(work, "vision", None, **counts.nonzero())


def distil(settings: Settings, work: Path, progress: Progress) -> None:
    """Collect the teacher's rollouts, as far as there are none, and learn from them.

    Args:
        settings: of the training.
        work: the work folder.
        progress: called as it goes.
    """
    chosen, stage = settings.distillation, "distillation"
    path = work / f"{stage}.safetensors"
    network = _new_network(settings)
    if chosen.begin_as_teacher:
        teacher = _copy_weights(chosen.teacher, network)
    else:
        teacher = _load(chosen.teacher)
        distillation.copy_encoder(network, teacher)
    facts = {"teacher": teacher.name, "teacher_sha256": teacher.sha256}
    if path.exists():
        checkpoint.restore(path, network)  # a damaged one is said before hours of collecting
        if checkpoint.completed(path) >= chosen.updates:
            return  # also where environments or skills have changed, whose rollouts it would collect
    provenance.add(work, stage, settings, **facts)
    skills = (work / "skills").resolve()
    folder = distillation.rollouts_folder(
        work.parent, teacher, skills, settings.vector_env, settings.dagger
    )
    collected = RolloutStore(folder, chosen.rollouts).count()
    if collected < chosen.rollouts:
        make = partial(
            make_vector_env,
            teacher.config,
            settings.vector_env,
            skills,
            0,  # whichever pupil collects them
            _stage_number(stage),
            collected,
        )
        with actors(settings, make, stage, progress) as pool:
            distillation.collect_teacher(
                teacher,
                pool,
                chosen,
                settings.dagger,
                folder,
                lambda done, text: progress(stage, COLLECTING_FRACTION * done, text),
            )
    counts = distillation.train(
        network,
        chosen,
        settings.dagger,
        folder,
        path,
        lambda done, text: progress(
            stage, COLLECTING_FRACTION + (1 - COLLECTING_FRACTION) * done, text
        ),
    )
    provenance.add(work, stage, None, **counts.nonzero())


def imitate(settings: Settings, work: Path, folder: Path, progress: Progress) -> None:
    """Train by DAgger, and write the subject.

    Args:
        settings: of the training.
        work: the work folder.
        folder: of the subject.
        progress: called as it goes.
    """
    chosen, path = settings.dagger, work / "dagger.safetensors"
    network = _new_network(settings)
    earlier: Subject | None = None
    facts: dict[str, str] = {}
    if chosen.init_from:
        parent = find(chosen.init_from)
        if parent.resolve() == folder.resolve():
            raise SubjectError(
                f"[dagger] init_from: {folder} would be written over what it begins with; give the "
                "subject another name, or train it into another folder"
            )
        subject = _copy_weights(parent, network)
        earlier = subject
        facts = {"init_from": subject.name, "init_from_sha256": subject.sha256}
    elif settings.distillation.teacher:
        checkpoint.restore(needed(work / "distillation.safetensors", "distillation"), network)
        if _beginning(settings):
            earlier = _load(_beginning(settings))
    else:
        _load_encoder(network, needed(work / "vision.npz", "vision"))

    def report(now: dagger.DaggerMetrics) -> None:
        tasks = ", ".join(
            f"{task} {now.reward[task]:.3f} (error {error:.3f})"
            for task, error in now.action_error.items()
        )
        progress(
            "dagger",
            now.fraction,
            f"policy {now.policy_loss:.4f}, value {now.value_loss:.4f}, reward a tick: {tasks}; "
            f"{now.ticks_per_s:.0f} ticks/s{now.counts}",
        )

    if checkpoint.completed(path) < chosen.rollouts:
        provenance.add(work, "dagger", settings, **facts)
        number, resumed = _stage_number("dagger"), checkpoint.completed(path)
        with actors_and_log(settings, work, "dagger", number, resumed, progress) as (pool, writer):
            counts = dagger.train(network, pool, chosen, path, report, writer, settings.vision)
        provenance.add(work, "dagger", None, **counts.nonzero())
    elif chosen.rollouts:
        checkpoint.restore(path, network)
    training: dict[str, Any] = own_ticks(settings, checkpoint.completed(path))
    if earlier is not None:
        if chosen.init_share:
            _mix_in(network, earlier, chosen.init_share)
        training = with_history(earlier, training, settings.name)
    write_subject(network, settings, work, folder, training)


def _load_encoder(network: Network, path: Path) -> None:
    """Give the network the vision encoder that the stage "vision" left."""
    encoder = {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}
    try:
        network.vision.load_state_dict(encoder)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise SubjectError(
            f"{path} holds another vision encoder than [network] asks for ({reason}); correct [network], or "
            "train the stage 'vision' anew (--fresh)"
        ) from None


def _mix_in(network: Network, subject: Subject, share: float) -> None:
    """Weights that are the mean of a subject's, with this share, and the network's own."""
    begun_with = subject.network.state_dict()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            value.lerp_(begun_with[name], share)


def reinforce(settings: Settings, work: Path, folder: Path, progress: Progress) -> None:
    """Continue by reinforcement learning from the DAgger checkpoint, or from the subject as it is.

    Args:
        settings: of the training.
        work: the work folder.
        folder: of the subject.
        progress: called as it goes.
    """
    chosen, path = settings.reinforcement, work / "reinforcement.safetensors"
    network, imitated = _new_network(settings), work / "dagger.safetensors"
    training = own_ticks(settings, checkpoint.completed(imitated))
    if imitated.exists() or not (folder / "subject.toml").exists():
        checkpoint.restore(needed(imitated, "dagger"), network)
        begun_as = _beginning(settings)
        if begun_as:
            training = with_history(_load(begun_as), training, settings.name)
    else:
        training = with_history(_copy_weights(folder, network), {}, settings.name)

    def report(now: ReinforcementMetrics) -> None:
        tasks = ", ".join(f"{task} {value:.3f}" for task, value in now.reward.items())
        text = f"reward a tick: {tasks}; {now.ticks_per_s:.0f} ticks/s{now.counts}"
        progress("reinforcement", now.fraction, text)

    if checkpoint.completed(path) < chosen.rollouts:
        provenance.add(work, "reinforcement", settings)
        number, resumed = _stage_number("reinforcement"), checkpoint.completed(path)
        with actors_and_log(settings, work, "reinforcement", number, resumed, progress) as (
            pool,
            writer,
        ):
            _, counts = reinforcement.train(network, pool, chosen, path, TASKS, report, writer)
        provenance.add(work, "reinforcement", None, **counts.nonzero())
    else:
        checkpoint.restore(path, reinforcement.Learner(network, len(TASKS), chosen))
    ticks = chosen.rollouts * chosen.rollout_ticks * len(settings.vector_env.tasks)
    write_subject(network, settings, work, folder, {**training, "reinforcement_ticks": ticks})


def _beginning(settings: Settings) -> str:
    """The subject that DAgger goes on from, by name or folder; "": it begins with no other's policy."""
    teaches = settings.distillation.begin_as_teacher
    return settings.dagger.init_from or (settings.distillation.teacher if teaches else "")


def _new_network(settings: Settings) -> Network:
    torch.manual_seed(settings.dagger.seed)
    return Network(settings.network)


def _stage_number(stage: str) -> int:
    return len(SEARCHES) + STAGES.index(stage)


def _load(name_or_path: str | Path) -> Subject:
    """A subject to learn from. Loading sets PyTorch to one thread; training has use for more."""
    threads = torch.get_num_threads()
    subject = load(name_or_path, "torch")
    torch.set_num_threads(threads)
    return subject


def _copy_weights(name_or_path: str | Path, network: Network) -> Subject:
    """Give the network the weights of a subject of the same architecture."""
    subject = _load(name_or_path)
    if subject.config != network.config:
        raise SubjectError(
            f"{subject.folder} holds a subject of another architecture than [network] asks for; correct "
            "[network], or train from an earlier stage"
        )
    network.load_state_dict(subject.network.state_dict())
    return subject


def needed(path: Path, stage: str) -> Path:
    """A file that an earlier stage left.

    Raises:
        SubjectError: it is missing.
    """
    if not path.exists():
        raise SubjectError(f"{path} is missing: train the stage '{stage}' first")
    return path
