"""Own what dm_control leaves to chance: some of its tasks draw from NumPy's *global* generator.

Two-touch takes its spawn rotation and targets from there, the maze its layout and textures. Here such
draws happen inside `drawn_from`, so that everything in an environment follows from its own random state
and the global generator is left as it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def drawn_from(random_state: np.random.RandomState) -> Iterator[None]:
    """Inside, draws from NumPy's global generator follow from one draw of `random_state`."""
    kept = np.random.get_state()
    np.random.seed(random_state.randint(2**31 - 1))
    try:
        yield
    finally:
        np.random.set_state(kept)
