"""The two ways in which the rig gives up, each with one sentence for the person in front of it."""

from __future__ import annotations


class UserError(Exception):
    """The user's input is wrong: a protocol, a path, an option. Exit status 2.

    The message is one sentence that says what is wrong, where, and what to do about it.
    """


class RunError(Exception):
    """A run failed for a reason outside the user's input: a full disk, a dead process. Exit status 1.

    The message is one sentence that says what happened and what was kept.
    """
