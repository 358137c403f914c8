"""The actors of the pipeline stages that collect rollouts, and the log of those that learn from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from agent.architecture import NetworkConfig
from parallel.progress import Progress
from training.learn.metrics import Writer
from training.rollout.actor_pool import ActorPool
from training.rollout.rollout import Rollout
from training.rollout.vector_env import VectorEnv, VectorEnvSettings
from training.settings import Settings


def make_vector_env(
    network: NetworkConfig,
    environments: VectorEnvSettings,
    skills: Path,
    seed: int,
    stage: int,
    resumed: int,
    actor: int,
    replaced: int,
) -> VectorEnv:
    """The environments of an actor; importable, because Ray makes them in another process.

    Args:
        network: shape of the network that acts.
        environments: of which tasks, and how they are disturbed.
        skills: folder of the experts' skills.
        seed: of the training,
        stage: number of the pipeline stage,
        resumed: steps that it had completed when it was resumed,
        actor: number of the actor,
        replaced: and actors of this number that died before: together the seed of everything random.
    """
    own = 10_000 * seed + 100 * stage + actor
    return VectorEnv(network, environments, skills, own, resumed, replaced)


def environments(
    settings: Settings, work: Path, stage: int, resumed: int = 0
) -> Callable[[int, int], VectorEnv]:
    """What makes the environments of an actor's number, given how many actors of it died before.

    Every stage and every actor has seeds of its own.

    Args:
        settings: of the training.
        work: the work folder, which has the skills of the experts.
        stage: its number.
        resumed: steps that it had completed when it was resumed.
    """
    skills = (work / "skills").resolve()
    seed = settings.dagger.seed
    return partial(
        make_vector_env, settings.network, settings.vector_env, skills, seed, stage, resumed
    )


def actors(
    settings: Settings, make: Callable[[int, int], VectorEnv], stage: str, progress: Progress
) -> ActorPool[Rollout]:
    """The actors of a stage.

    Args:
        settings: of the training.
        make: makes the environments of an actor's number, given how many actors of it died before.
        stage: its name, for the progress,
        progress: which hears of actors that failed.
    """
    chosen = settings.actors
    return ActorPool(
        make, chosen.count, chosen.ray or None, lambda text: progress(stage, 0.0, text)
    )


@contextmanager
def actors_and_log(
    settings: Settings, work: Path, stage: str, number: int, resumed: int, progress: Progress
) -> Iterator[tuple[ActorPool[Rollout], Writer]]:
    """The actors of a stage that learns while they act, and its TensorBoard log in `work/log`.

    The learner leaves them their cores: on two cores that two actors have, a rollout with its updates took
    nearly twice as long with two threads as with one, because threads that wait for each other spin.

    Args:
        settings: of the training.
        work: the work folder.
        stage: its name,
        number: its number,
        resumed: and the steps that it had completed when it was resumed.
        progress: hears of actors that failed.
    """
    # imported here: it takes seconds, and not every stage writes a log
    from torch.utils.tensorboard import SummaryWriter

    make = environments(settings, work, number, resumed)
    writer = SummaryWriter(str(work / "log"))
    threads = torch.get_num_threads()
    try:
        with actors(settings, make, stage, progress) as pool:
            if settings.actors.count > 1 and not settings.actors.ray:  # Ray's may be elsewhere
                torch.set_num_threads(max(1, threads - settings.actors.count))
            yield pool, writer
    finally:
        torch.set_num_threads(threads)
        writer.close()
