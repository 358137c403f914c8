"""The names of the tasks: the plain corridor, and the paper's four."""

from __future__ import annotations

TASKS: tuple[str, ...] = ("corridor", "gaps", "forage", "escape", "two_tap")
