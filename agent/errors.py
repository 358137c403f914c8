"""What can be wrong with a subject, in one sentence for the person in front of it."""

from __future__ import annotations


class SubjectError(Exception):
    """A subject, or the settings to train one, cannot be used: what, where, and what to do."""
