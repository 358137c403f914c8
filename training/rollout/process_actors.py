"""Actors in processes of this machine, without Ray: each answers requests from a pipe with rollouts.

A process has a thread that reads, so that a request with weights never waits for the rollout that the
process is about to send, nor the other way round.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from agent.errors import SubjectError
from parallel.processes import one_thread_each
from parallel.ray_cluster import in_a_sentence

ENDS_S = 5.0
"""How long a process may take to end."""


class ActorFailed(Exception):
    """An actor died, or raised an error of its own; `index` says which."""

    def __init__(self, index: int, sentence: str) -> None:
        super().__init__(sentence)
        self.index = index


@dataclass(frozen=True)
class _Started:
    process: SpawnProcess
    pipe: Connection


class ProcessActors:
    """Actors by index, each in a process of its own.

    Args:
        make_actor: makes the actor of an index, given how many of this index were there before it; called
            in its process, so it has to be importable, or a `functools.partial` of what is.
    """

    def __init__(self, make_actor: Callable[[int, int], Any]) -> None:
        self._make = make_actor
        self._context = multiprocessing.get_context("spawn")
        self._actors: dict[int, _Started] = {}

    def start(self, index: int, replaced: int) -> None:
        """Start an actor; one of this index that there is already is ended first.

        Args:
            index: of the actor.
            replaced: how many of this index were there before it.
        """
        self.end(index)
        ours, theirs = self._context.Pipe()
        with one_thread_each():
            process = self._context.Process(
                target=_work, args=(theirs, self._make, index, replaced), daemon=True
            )
            process.start()
        theirs.close()
        self._actors[index] = _Started(process, ours)

    def send(self, index: int, arguments: tuple[Any, ...]) -> None:
        """Send an actor the arguments of its `collect_rollout`."""
        try:
            self._actors[index].pipe.send(arguments)
        except OSError:
            pass  # it died: the next `receive` says so

    def receive(self) -> tuple[int, Any]:
        """The index of the next actor to answer, and its rollout.

        Raises:
            ActorFailed: it failed.
            SubjectError: raised by an actor itself.
        """
        by_pipe = {one.pipe: index for index, one in self._actors.items()}
        pipe = wait(list(by_pipe))[0]
        assert isinstance(pipe, Connection)
        index = by_pipe[pipe]
        try:
            kind, answer = pipe.recv()
        except (EOFError, OSError):
            raise ActorFailed(index, "its process ended") from None
        if kind == "refused":
            raise SubjectError(answer)
        if kind == "failed":
            raise ActorFailed(index, answer)
        return index, answer

    def process_id(self, index: int) -> int:
        """Identifier of an actor's process."""
        return self._actors[index].process.pid or 0

    def end(self, index: int) -> None:
        """End an actor, if there is one of this index."""
        started = self._actors.pop(index, None)
        if started is not None:
            started.pipe.close()
            started.process.terminate()
            started.process.join(ENDS_S)
            started.process.kill()  # one that is suspended would be waited for when this program ends

    def close(self) -> None:
        """End all."""
        for index in list(self._actors):
            self.end(index)


def _work(
    pipe: Connection, make_actor: Callable[[int, int], Any], index: int, replaced: int
) -> None:
    """What an actor's process does until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the learner's, which ends its actors
    requests: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()

    def read() -> None:
        while True:
            try:
                requests.put(pipe.recv())
            except (EOFError, OSError):
                os._exit(0)  # the learner is gone

    threading.Thread(target=read, daemon=True).start()
    try:
        actor = make_actor(index, replaced)
        while True:
            pipe.send(("rollout", actor.collect_rollout(*requests.get())))
    except SubjectError as error:
        pipe.send(("refused", str(error)))
    except Exception as error:
        pipe.send(("failed", in_a_sentence(error) or type(error).__name__))
