"""The fleet: workers that live with the newest weights and send what they lived, in order of arrival.

    with Fleet(make_worker, workers=2, ray="local") as fleet:
        fleet.publish(weights)
        arrival = fleet.next(Order(ticks=32, own_spread=True))

One worker lives in this process; more, or one elsewhere, are Ray actors (Moritz et al. 2018) on a cluster
that is started here (`local`) or exists already (`host:port`). As in IMPALA (Espeholt et al. 2018) actors
and learner do not wait for each other: every actor has `AHEAD` orders, so that it starts the next segment
with the weights it has while the last one travels; the learner corrects for their age by V-trace. An actor
that dies is replaced. Weights travel as NumPy arrays by name.
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

Weights = Mapping[str, np.ndarray]
Lived = TypeVar("Lived")
Sent = TypeVar("Sent", covariant=True)

AHEAD = 2
"""Orders that an actor holds: one that it works on, one that waits."""
DEATHS = 3
"""A worker that fails this often without living a segment in between ends the training."""


class Worker(Protocol[Sent]):
    """What lives in a fleet, such as `training.rollout.vector_env.Herd`."""

    def live(
        self,
        weights: Weights | None,
        version: int,
        ticks: int,
        expert_part: float,
        own_spread: bool,
        keep_pictures: bool,
    ) -> Sent:
        """Live as an `Order` says, with weights of this number; None: those of the last call."""


@dataclass(frozen=True)
class Order:
    """How to live for a while: `Herd.live` explains it."""

    ticks: int
    expert_part: float = 0.0
    own_spread: bool = False
    keep_pictures: bool = False


@dataclass(frozen=True)
class Arrival(Generic[Lived]):
    """What a worker sent: its number, what it lived, and how many `publish`es old its weights were."""

    worker: int
    lived: Lived
    age: int


@dataclass(frozen=True)
class _Pending:
    worker: int
    version: int


class Fleet(Generic[Lived]):
    """Workers, in this process or as Ray actors; a context manager.

    Args:
        make_worker: makes the worker of a number from 0; called where the worker will live. Ray carries it
            there, so it has to be importable, or a `functools.partial` of what is.
        workers: how many.
        ray: None, this process; 'local', a cluster started here; 'host:port', a cluster that exists, on
            whose machines this package is installed.
        report: told in a sentence when a worker failed and was replaced.

    Raises:
        SubjectError: more than one worker without Ray, or a Ray cluster that does not answer or fit.
    """

    def __init__(
        self,
        make_worker: Callable[[int], Worker[Lived]],
        workers: int,
        ray: str | None = None,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        if workers < 1:
            raise SubjectError(f"a fleet has at least one worker, not {workers}")
        if ray is None and workers > 1:
            raise SubjectError(
                f"{workers} workers need Ray: set ray to 'local' or to the address of a cluster"
            )
        self._make, self._report = make_worker, report
        self.workers = workers
        self.deaths = 0
        self._version = 0
        self._weights: Weights | None = None
        self._here: Worker[Lived] | None = None
        self._ray: Any = None
        self._failed: Counter[int] = Counter()
        if ray is None:
            self._here = make_worker(0)
            self._fresh = True
            return
        self._ray, self._started = cluster.connect(ray, workers)
        self._check_room(ray)
        self._sent: Any = None
        self._actors: dict[int, Any] = {}
        self._orders: dict[Any, _Pending] = {}
        self._heard: dict[int, int] = {}
        for index in range(workers):
            self._employ(index)

    def publish(self, weights: Weights) -> None:
        """From now on workers start with these weights."""
        self._version += 1
        self._weights = weights
        if self._here is not None:
            self._fresh = True
        else:
            self._sent = self._ray.put(dict(weights))

    def next(self, order: Order) -> Arrival[Lived]:
        """What the next worker to finish lived; waits for it, and has the others go on meanwhile.

        Args:
            order: how to live in what is ordered from now on; with actors, what arrives now may have been
                ordered differently earlier.

        Raises:
            SubjectError: a worker said so itself, or one failed `DEATHS` times in a row.
        """
        if self._here is not None:
            weights, self._fresh = (self._weights if self._fresh else None), False
            return Arrival(0, self._here.live(weights, self._version, *_told(order)), 0)
        while True:
            for index in range(self.workers):
                waiting = sum(one.worker == index for one in self._orders.values())
                for _ in range(AHEAD - waiting):
                    self._order(index, order)
            done, _ = self._ray.wait(list(self._orders), num_returns=1)
            sent = self._orders.pop(done[0])
            try:
                # a copy: what Ray gives are views into its shared memory, which a replay would fill
                lived = copy.deepcopy(self._ray.get(done[0]))
            except self._ray.exceptions.RayError as error:
                self._replace(sent.worker, error)
                continue
            self._failed[sent.worker] = 0
            return Arrival(sent.worker, lived, self._version - sent.version)

    def processes(self) -> list[int]:
        """Process numbers of the workers, in their order."""
        if self._here is not None:
            return [os.getpid()]
        asked = [self._actors[index].process.remote() for index in range(self.workers)]
        return list(self._ray.get(asked))

    def close(self) -> None:
        """End the actors, and the cluster if it was started here; a worker here is closed if it can be."""
        close = getattr(self._here, "close", None)
        if close is not None:
            close()
        if self._ray is None or not self._ray.is_initialized():
            return
        for actor in self._actors.values():
            self._ray.kill(actor)
        if self._started:
            self._ray.shutdown()
        self._orders.clear()
        self._sent = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_room(self, address: str) -> None:
        there = self._ray.cluster_resources().get("CPU", 0)
        if there >= self.workers:
            return
        if self._started:
            self._ray.shutdown()
        raise SubjectError(
            f"{self.workers} workers need a processor each, and the Ray cluster {address} has {there:.0f}"
        )

    def _employ(self, index: int) -> None:
        told = cluster.environment()
        actor = self._ray.remote(num_cpus=1, max_restarts=0, runtime_env=told)(_Actor)
        self._actors[index] = actor.remote(self._make, index)
        self._heard[index] = -1

    def _order(self, index: int, order: Order) -> None:
        # weights that an actor has already are not sent again: orders reach it in their order
        news = self._sent if self._heard[index] != self._version else None
        self._heard[index] = self._version
        future = self._actors[index].live.remote(news, self._version, order)
        self._orders[future] = _Pending(index, self._version)

    def _replace(self, index: int, error: Exception) -> None:
        cause = getattr(error, "cause", None)
        if isinstance(cause, SubjectError):
            raise cause from None
        reason = cluster.in_a_sentence(cause or error)
        self._failed[index] += 1
        if self._failed[index] >= DEATHS:
            raise SubjectError(
                f"worker {index} failed {DEATHS} times in a row without living a segment: {reason}"
            ) from None
        self.deaths += 1
        self._report(f"worker {index} failed and was replaced: {reason}")
        self._ray.kill(self._actors[index])
        self._orders = {
            future: sent for future, sent in self._orders.items() if sent.worker != index
        }
        self._employ(index)


class _Actor:
    """A worker in a process of its own; Ray makes an actor of this class.

    Ray sets OMP_NUM_THREADS to 1 for an actor with one processor, which PyTorch keeps to.
    """

    def __init__(self, make_worker: Callable[[int], Worker[Any]], index: int) -> None:
        self._worker = make_worker(index)

    def live(self, weights: Weights | None, version: int, order: Order) -> Any:
        """As `Worker.live`."""
        return self._worker.live(weights, version, *_told(order))

    def process(self) -> int:
        """The number of the process."""
        return os.getpid()


def _told(order: Order) -> tuple[int, float, bool, bool]:
    return order.ticks, order.expert_part, order.own_spread, order.keep_pictures
