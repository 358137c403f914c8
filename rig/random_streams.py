"""Random numbers that depend on nothing but (seed, stream, tick).

Generators are counter-based (Philox) and made anew for every draw, so that a session and its
counterfactual, or a session and its re-run from the middle, see the same numbers wherever they ask for
the same thing at the same tick.
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, stream: str, tick: int = 0) -> np.random.Generator:
    """The generator of a named stream at a tick, e.g. `generator(7, "motor noise", 120)`."""
    name = int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")
    key = np.array([seed & 0xFFFFFFFFFFFFFFFF, name], dtype=np.uint64)
    counter = np.array([0, 0, 0, tick], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def episode_random_state(seed: int, trial: int) -> np.random.RandomState:
    """dm_control draws arenas and starting poses from a RandomState: one for each trial."""
    return np.random.RandomState(generator(seed, "episode", trial).integers(0, 2**32, size=16))
