"""The numbers that a protocol file may have: ranges that several of its keys share."""

from __future__ import annotations

from stim.protocol.kinds import Number
from stim.ticks import TICK_MS

LONGEST_MS = 3_600_000.0
LONGEST_S = 1_000_000.0
SHORTEST_MS = round(TICK_MS)
"""What has to last at all lasts a tick."""
MAX_RULES = 40
"""Each rule has at most one stimulus on at a time, of at most two interventions of three arrays: with those
on request, the arrays of an engine's reply then stay below the 1024 that a message may have."""

MS = Number(0, LONGEST_MS, "ms")
COUNT = Number(1, 1_000_000, whole=True)
WHOLE = Number(0, 1_000_000, whole=True)
SEED = Number(0, 2**53, whole=True)
SIGNED = Number(-1000, 1000)
"""A value of a quantity or of activity."""
