"""The actor pool: actors collect rollouts with the newest weights; the learner takes them as they come.

    with ActorPool(make_actor, actors=2, ray="local") as pool:
        pool.publish(weights)
        result = pool.next(Request(ticks=32, on_policy=True))

One actor runs in this process, more in processes of this machine. With Ray (Moritz et al. 2018) they run on
a cluster that is started here (`local`) or exists already (`host:port`). As in IMPALA (Espeholt et al. 2018)
actors and learner do not wait for each other: every actor has `MAX_IN_FLIGHT` requests, so that it starts
the next rollout with the weights it has while the last one travels; the learner corrects for the policy lag
by V-trace. An actor that dies is replaced by one that meets other episodes. Weights travel as NumPy arrays
by name.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from agent.errors import SubjectError
from parallel import ray_cluster as cluster
from training.rollout.process_actors import ActorFailed, ProcessActors

Weights = Mapping[str, np.ndarray]
RolloutT = TypeVar("RolloutT")
RolloutT_co = TypeVar("RolloutT_co", covariant=True)

MAX_IN_FLIGHT = 2
"""Requests that an actor holds: one that it works on, one that waits."""
MAX_FAILURES = 3
"""An actor that fails this often in a row, without a rollout in between, ends the training."""


class Actor(Protocol[RolloutT_co]):
    """What a pool runs, such as `training.rollout.vector_env.VectorEnv`."""

    def collect_rollout(
        self,
        weights: Weights | None,
        version: int,
        ticks: int,
        expert_fraction: float,
        on_policy: bool,
        keep_images: bool,
    ) -> RolloutT_co:
        """Collect the rollout that a `Request` asks for.

        Args:
            weights: the network's state dict, each array as in the network; None: those of the last call.
            version: number of these weights.
            ticks: length of the rollout.
            expert_fraction: share of the environments in which the expert acts.
            on_policy: act with the network's own standard deviation and without perturbations.
            keep_images: send the images too.
        """


@dataclass(frozen=True)
class Request:
    """The rollout that is asked for; `VectorEnv.collect_rollout` explains the fields."""

    ticks: int
    expert_fraction: float = 0.0
    on_policy: bool = False
    keep_images: bool = False


@dataclass(frozen=True)
class Result(Generic[RolloutT]):
    """A rollout, the index of the actor that collected it, and how many `publish`es old its weights were."""

    actor: int
    rollout: RolloutT
    policy_lag: int


@dataclass(frozen=True)
class _InFlight:
    actor: int
    version: int


class ActorPool(Generic[RolloutT]):
    """Actors, in this process, in others of this machine, or as Ray actors; a context manager.

    Attributes:
        replaced_actors: actors that died and were replaced.
        lost_requests: requests that were lost with them.

    Args:
        make_actor: makes the actor of an index from 0, given how many of this index were there before it,
            so that what is random differs; called where the actor will run. Ray carries it there, so it has
            to be importable, or a `functools.partial` of what is.
        actors: how many.
        ray: None, this machine without Ray, a single actor in this process; 'local', a cluster started here;
            'host:port', a cluster that exists, on whose machines this package is installed.
        report: called with a sentence when an actor failed and was replaced.

    Raises:
        SubjectError: no actor, or more than the cluster has processors.
        ClusterError: a Ray cluster that does not answer.
    """

    def __init__(
        self,
        make_actor: Callable[[int, int], Actor[RolloutT]],
        actors: int,
        ray: str | None = None,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        if actors < 1:
            raise SubjectError(f"training needs at least one actor, not {actors}")
        self._make, self._report = make_actor, report
        self.actors = actors
        self.replaced_actors = self.lost_requests = 0
        self._version = 0
        self._weights: Weights | None = None
        self._in_process: Actor[RolloutT] | None = None
        self._ray: Any = None
        self._failures: Counter[int] = Counter()
        self._replaced: Counter[int] = Counter()
        self._processes: ProcessActors | None = None
        self._sent: dict[int, list[int]] = {index: [] for index in range(actors)}
        self._version_of = dict.fromkeys(range(actors), -1)
        if ray is None and actors > 1:
            self._processes = ProcessActors(make_actor)
            for index in range(actors):
                self._processes.start(index, 0)
            return
        if ray is None:
            self._in_process = make_actor(0, 0)
            self._unsent = True
            return
        self._ray, self._started = cluster.connect(ray, actors)
        self._check_room(ray)
        self._shared_weights: Any = None
        self._remote: dict[int, Any] = {}
        self._in_flight: dict[Any, _InFlight] = {}
        for index in range(actors):
            self._start_actor(index)

    def publish(self, weights: Weights) -> None:
        """From now on actors start rollouts with these weights, arrays by parameter name."""
        self._version += 1
        self._weights = weights
        if self._in_process is not None:
            self._unsent = True
        elif self._processes is None:
            self._shared_weights = self._ray.put(dict(weights))

    def next(self, request: Request) -> Result[RolloutT]:
        """The rollout of the next actor to finish; waits for it, while the others go on.

        Args:
            request: what is asked for from now on; with Ray, what comes now may have been asked for earlier
                by another request.

        Raises:
            SubjectError: raised by an actor itself, or one failed `MAX_FAILURES` times in a row.
        """
        if self._in_process is not None:
            weights, self._unsent = (self._weights if self._unsent else None), False
            rollout = self._in_process.collect_rollout(weights, self._version, *_fields(request))
            return Result(0, rollout, 0)
        if self._processes is not None:
            return self._next_of_processes(self._processes, request)
        while True:
            for index in range(self.actors):
                pending = sum(one.actor == index for one in self._in_flight.values())
                for _ in range(MAX_IN_FLIGHT - pending):
                    self._send(index, request)
            done, _ = self._ray.wait(list(self._in_flight), num_returns=1)
            sent = self._in_flight.pop(done[0])
            try:
                # a copy: Ray returns views of its shared memory, which a replay buffer would fill
                rollout = copy.deepcopy(self._ray.get(done[0]))
            except self._ray.exceptions.RayError as error:
                self._replace(sent.actor, error)
                continue
            self._failures[sent.actor] = 0
            return Result(sent.actor, rollout, self._version - sent.version)

    def _next_of_processes(self, processes: ProcessActors, request: Request) -> Result[RolloutT]:
        while True:
            for index, sent in self._sent.items():
                while len(sent) < MAX_IN_FLIGHT:
                    known = self._version_of[index] == self._version
                    weights = None if known else self._weights
                    processes.send(index, (weights, self._version, *_fields(request)))
                    self._version_of[index] = self._version
                    sent.append(self._version)
            try:
                index, rollout = processes.receive()
            except ActorFailed as failure:
                self._count_failure(failure.index, str(failure), len(self._sent[failure.index]))
                self._sent[failure.index].clear()
                self._version_of[failure.index] = -1
                processes.start(failure.index, self._replaced[failure.index])
                continue
            self._failures[index] = 0
            return Result(index, rollout, self._version - self._sent[index].pop(0))

    def process_ids(self) -> list[int]:
        """Process identifiers of the actors, in their order."""
        if self._in_process is not None:
            return [os.getpid()]
        if self._processes is not None:
            return [self._processes.process_id(index) for index in range(self.actors)]
        futures = [self._remote[index].process_id.remote() for index in range(self.actors)]
        return list(self._ray.get(futures))

    def close(self) -> None:
        """End the actors, and the cluster if it was started here; an actor here is closed if it can be."""
        close = getattr(self._in_process, "close", None)
        if close is not None:
            close()
        if self._processes is not None:
            self._processes.close()
        if self._ray is None or not self._ray.is_initialized():
            return
        for actor in self._remote.values():
            self._ray.kill(actor)
        if self._started:
            self._ray.shutdown()
        self._in_flight.clear()
        self._shared_weights = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check_room(self, address: str) -> None:
        processors = self._ray.cluster_resources().get("CPU", 0)
        if processors >= self.actors:
            return
        if self._started:
            self._ray.shutdown()
        raise SubjectError(
            f"{self.actors} actors need a processor each, and the Ray cluster {address} has "
            f"{processors:.0f}"
        )

    def _start_actor(self, index: int) -> None:
        environment = cluster.environment()
        actor = self._ray.remote(num_cpus=1, max_restarts=0, runtime_env=environment)(_RayActor)
        self._remote[index] = actor.remote(self._make, index, self._replaced[index])
        self._version_of[index] = -1

    def _send(self, index: int, request: Request) -> None:
        # weights that an actor has already are not sent again: requests reach it in their order
        weights = self._shared_weights if self._version_of[index] != self._version else None
        self._version_of[index] = self._version
        future = self._remote[index].collect_rollout.remote(weights, self._version, request)
        self._in_flight[future] = _InFlight(index, self._version)

    def _replace(self, index: int, error: Exception) -> None:
        cause = getattr(error, "cause", None)
        if isinstance(cause, SubjectError):
            raise cause from None
        lost = [future for future, sent in self._in_flight.items() if sent.actor == index]
        self._count_failure(index, cluster.in_a_sentence(cause or error), 1 + len(lost))
        self._ray.kill(self._remote[index])
        for future in lost:
            del self._in_flight[future]
        self._start_actor(index)

    def _count_failure(self, index: int, reason: str, lost: int) -> None:
        self._failures[index] += 1
        if self._failures[index] >= MAX_FAILURES:
            raise SubjectError(
                f"actor {index} failed {MAX_FAILURES} times in a row without a rollout: {reason}"
            ) from None
        self.replaced_actors += 1
        self._replaced[index] += 1
        self.lost_requests += lost
        self._report(f"actor {index} failed and was replaced: {reason}")


class _RayActor:
    """An actor in a process of its own; Ray makes a remote class of this.

    Ray sets OMP_NUM_THREADS to 1 for an actor with one processor, which PyTorch keeps to.
    """

    def __init__(
        self, make_actor: Callable[[int, int], Actor[Any]], index: int, replaced: int
    ) -> None:
        self._actor = make_actor(index, replaced)

    def collect_rollout(self, weights: Weights | None, version: int, request: Request) -> Any:
        """As `Actor.collect_rollout`."""
        return self._actor.collect_rollout(weights, version, *_fields(request))

    def process_id(self) -> int:
        """Identifier of the process."""
        return os.getpid()


def _fields(request: Request) -> tuple[int, float, bool, bool]:
    return request.ticks, request.expert_fraction, request.on_policy, request.keep_images
