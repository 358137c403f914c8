"""Ticks, as protocols count time: milliseconds of animal time, rounded to control steps of 20 ms."""

from __future__ import annotations

import math

from rig.bus.message_types import TICK_S

TICK_MS = TICK_S * 1000
"""Milliseconds of animal time in a tick."""


def ticks_of(time_ms: float) -> int:
    """A time in ticks, rounded to the nearest; halfway goes up.

    >>> ticks_of(29), ticks_of(30)
    (1, 2)
    """
    return math.floor(time_ms / TICK_MS + 0.5)
