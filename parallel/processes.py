"""Function calls in processes of this machine, several at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from rig.child_python import ONE_THREAD, environment
from rig.errors import RunError

Arguments = TypeVar("Arguments", bound=tuple[Any, ...])
Result = TypeVar("Result")


def in_processes(
    function: Callable[..., Result], calls: Sequence[Arguments], jobs: int
) -> Iterator[tuple[Arguments, Result]]:
    """Call a module's function with each tuple of arguments, in as many processes as `jobs`.

    With one job, or one call, it is called here.

    Args:
        function: can be imported by name; what it takes and returns can be sent between processes.
        calls: its arguments, a tuple for each call.
        jobs: processes.

    Yields:
        arguments and result, as they are done.

    Raises:
        RunError: a process died.
    """
    with process_pool(min(jobs, len(calls))) as run:
        yield from run(function, calls)


@contextmanager
def process_pool(
    jobs: int,
) -> Iterator[
    Callable[[Callable[..., Result], Sequence[Arguments]], Iterator[tuple[Arguments, Result]]]
]:
    """Processes that stay between calls: a function with the arguments and results of `in_processes`.

    Args:
        jobs: processes; with one or none, functions are called here.

    Raises:
        RunError: a process died.
    """
    if jobs <= 1:

        def here(
            function: Callable[..., Result], calls: Sequence[Arguments]
        ) -> Iterator[tuple[Arguments, Result]]:
            for one in calls:
                yield one, function(*one)

        yield here
        return
    with one_thread_each():
        pool = ProcessPoolExecutor(
            jobs, multiprocessing.get_context("spawn"), initializer=_end_silently
        )

        def there(
            function: Callable[..., Result], calls: Sequence[Arguments]
        ) -> Iterator[tuple[Arguments, Result]]:
            running: dict[Future[Result], Arguments] = {}
            rest = iter(calls)
            while True:
                # few are handed over at a time, so that an interruption does not wait for the rest
                for one in rest:
                    running[pool.submit(function, *one)] = one
                    if len(running) > jobs:
                        break
                if not running:
                    return
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield running.pop(future), future.result()

        try:
            yield there
        except BrokenProcessPool:
            raise RunError(
                "One of its processes died (out of memory?); what was finished is kept, run it again."
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_silently() -> None:
    """Ctrl-C, which goes to all processes of a terminal, ends this one without a traceback."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes begun inside use one thread for linear algebra: there is one for each core already.

    Nor do they look for modules in the working folder (`rig.child_python`).
    """
    changed = environment() | ONE_THREAD
    kept = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
