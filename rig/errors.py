"""The two ways in which the rig gives up, each with one sentence for the person in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class UserError(Exception):
    """The user's input is wrong: a protocol, a path, an option. Exit status 2.

    The message is one sentence that says what is wrong, where, and what to do about it.
    """


class RunError(Exception):
    """A run failed for a reason outside the user's input: a full disk, a dead process. Exit status 1.

    The message is one sentence that says what happened and what was kept.
    """


@contextmanager
def ending_with(end: Callable[[], object]) -> Iterator[None]:
    """Calls `end` however a block is left, as `finally` does; but what made it fail is what is reported.

    An `end` that fails after a failure is often the same trouble again (a full disk, sockets that are gone)
    and would hide the sentence that says what it was.

    >>> with ending_with(lambda: 1 / 0):
    ...     raise RunError("The disk is full.")
    Traceback (most recent call last):
    rig.errors.RunError: The disk is full.
    """
    try:
        yield
    except BaseException:
        with suppress(Exception):
            end()
        raise
    end()
