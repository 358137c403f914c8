"""Commands, many at a time: on this machine, or as Ray tasks on a cluster (`parallel.ray_cluster`).

Each runs in a process of its own to its end, well or badly; what went wrong is a sentence.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from rig.child_python import PARENT, environment, python

STOPS_S = 30.0
"""How long commands may take to end in order when they are interrupted; sessions take 20 s at most."""
LOOKS_UP_S = 0.5
_WORKERS_KNOW = ("RODENT_RIG_SUBJECTS", "XDG_RUNTIME_DIR")


class Job(msgspec.Struct, frozen=True):
    """A command: the arguments of this program's Python, as `-m module ...`, and the folder to run in.

    `sees` is a file that a machine has to see to be able to run it.
    """

    arguments: list[str]
    work: str
    sees: str


class JobResult(msgspec.Struct, frozen=True):
    """How a command ended: a sentence where it failed, else ""; the wall time that it took."""

    sentence: str
    seconds: float


class Executor(Protocol):
    """Runs commands: `Processes` or `RayTasks`; a context manager."""

    def outcomes(self, jobs: Mapping[str, Job]) -> Iterator[tuple[str, JobResult]]:
        """Runs all jobs, several at once, and gives each job's key and outcome as it ends."""


def run_job(
    job: Job, started: Callable[[subprocess.Popen[str]], None] = lambda _: None
) -> JobResult:
    """Runs a command to its end, here; `started` is called with its process."""
    if not Path(job.sees).exists():
        return JobResult(
            f"the machine {socket.gethostname()} does not see {job.sees}, which has to lie where all "
            "machines of the cluster see it",
            0.0,
        )
    began = time.monotonic()
    process = subprocess.Popen(
        python(*job.arguments),
        cwd=job.work,
        env=environment() | {PARENT: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    started(process)
    said = None
    try:
        while said is None:
            # not for ever: Ray cancels a task between two instructions of Python
            with suppress(subprocess.TimeoutExpired):
                _, said = process.communicate(timeout=LOOKS_UP_S)
    except BaseException:  # a task that is cancelled: the command is ended in order
        _end(process)
        raise
    seconds = round(time.monotonic() - began, 2)
    if process.returncode == 0:
        return JobResult("", seconds)
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        return JobResult(f"it was ended by the signal {name}", seconds)
    words = [line.strip() for line in said.splitlines() if line.strip()]
    last = words[-1][:400] if words else "it said nothing"
    if any(word.startswith("Traceback (most recent call last)") for word in words):
        last = f"it stumbled over an error of its own: {last}"
    return JobResult(last, seconds)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOPS_S)
    except subprocess.TimeoutExpired:
        process.kill()


class Processes:
    """Runs on this machine, `jobs` at once; those that still run when it is left are ended in order."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._stopping = False
        self._alive: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def outcomes(self, jobs: Mapping[str, Job]) -> Iterator[tuple[str, JobResult]]:
        """As `Executor.outcomes`."""
        waiting: queue.SimpleQueue[tuple[str, Job]] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[str, JobResult]] = queue.SimpleQueue()
        for item in jobs.items():
            waiting.put(item)

        def work() -> None:
            while not self._stopping:
                try:
                    key, job = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    outcome = run_job(job, self._started)
                except OSError as problem:
                    outcome = JobResult(f"it could not be started: {problem.strerror}", 0.0)
                except Exception as problem:  # whatever it is: somebody waits for an outcome
                    words = f"it could not be run: {type(problem).__name__}: {problem}"
                    outcome = JobResult(words, 0.0)
                done.put((key, outcome))

        # The kernel tells a command that its parent is gone when the thread ends that started it: these
        # wait for theirs.
        self._threads = [
            threading.Thread(target=work, daemon=True) for _ in range(min(self._jobs, len(jobs)))
        ]
        for thread in self._threads:
            thread.start()
        for _ in jobs:
            yield done.get()

    def _started(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._alive = {each for each in self._alive if each.poll() is None} | {process}
            if self._stopping:
                process.terminate()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopping = True
            for process in self._alive:
                if process.poll() is None:
                    process.terminate()
        deadline = time.monotonic() + STOPS_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for process in self._alive:
            if process.poll() is None:
                process.kill()


class RayTasks:
    """Runs as Ray tasks, on a cluster started here ("local") or one that exists ("host:port").

    Args:
        address: of the cluster.
        jobs: how many at once; with None as many as a cluster that exists has processors.

    Raises:
        ClusterError: the cluster cannot be used.
    """

    def __init__(self, address: str, jobs: int | None) -> None:
        # `agent` brings torch, for which every command would wait
        from parallel import ray_cluster as cluster

        self._cluster = cluster
        self._ray, self._connected_here = cluster.connect(address, jobs)
        self._running: dict[Any, str] = {}
        """Tasks that have not ended: the key of each one's job."""
        self._jobs = jobs or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        environment = cluster.environment(*_WORKERS_KNOW)
        self._task = self._ray.remote(num_cpus=1, max_retries=0, runtime_env=environment)(run_job)

    def outcomes(self, jobs: Mapping[str, Job]) -> Iterator[tuple[str, JobResult]]:
        """As `Executor.outcomes`."""
        waiting = list(jobs.items())[::-1]
        running = self._running
        while waiting or running:
            while waiting and len(running) < self._jobs:
                key, job = waiting.pop()
                running[self._task.remote(job)] = key
            done, _ = self._ray.wait(list(running), num_returns=1)
            key = running.pop(done[0])
            try:
                outcome: JobResult = self._ray.get(done[0])
            except self._ray.exceptions.RayError as error:
                reason = self._cluster.in_a_sentence(getattr(error, "cause", None) or error)
                outcome = JobResult(f"its Ray worker failed: {reason}", 0.0)
            yield key, outcome

    def __enter__(self) -> RayTasks:
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._running:
            self._ray.cancel(task)
        if self._running:
            # else Ray kills what they have started
            tasks = list(self._running)
            self._ray.wait(tasks, num_returns=len(tasks), timeout=STOPS_S)
        if self._connected_here:
            self._ray.shutdown()
