"""Stimuli: which units of which layer are changed, to what, for how long a time course.

A stimulus becomes, for each tick that it is on, one intervention for each state that it changes:
applied = gain * natural + value, with gain 0 for both kinds here. A clamp has the same value throughout;
an overwrite follows its course tick by tick from its onset and holds the last value after its end.
Where several stimuli are on at once they apply in the order of the file, so that the last one wins on
units that they share; a stimulus of both states changes c, then h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rig.messages import Array, Intervention
from rig.random_streams import generator

STATES: Mapping[str, tuple[str, ...]] = {"cell": ("c",), "hidden": ("h",), "both": ("c", "h")}


@dataclass(frozen=True)
class Units:
    """A choice of units of a layer: "all", "listed", the "first" so many, or so many at "random"."""

    choice: str
    listed: tuple[int, ...] = ()
    count: int = 0
    seed: int | None = None

    def indices(self, n_units: int, session_seed: int) -> NDArray[np.int64]:
        """The indices within a layer of `n_units`, ascending unless listed: (units,) int64.

        A random choice without a seed of its own follows the session's.
        """
        if self.choice == "all":
            return np.arange(n_units)
        if self.choice == "first":
            return np.arange(self.count)
        if self.choice == "random":
            seed = session_seed if self.seed is None else self.seed
            drawn = generator(seed, "units").choice(n_units, size=self.count, replace=False)
            return np.sort(drawn).astype(np.int64)
        return np.array(self.listed, dtype=np.int64)


@dataclass(frozen=True)
class Stimulus:
    """A stimulus of a protocol.

    `kind` is "clamp" (to the value `to`) or "overwrite" (with `course`: a tuple of ticks for all units
    alike, or one such tuple for each unit); `state` is a key of `STATES`.
    """

    name: str
    kind: str
    layer: str
    units: Units
    state: str
    to: float = 0.0
    course: tuple[float, ...] | tuple[tuple[float, ...], ...] = ()

    @property
    def course_ticks(self) -> int:
        """The length of an overwrite's course."""
        first = self.course[0] if self.course else ()
        return len(first) if isinstance(first, tuple) and first else len(self.course)


class Delivery:
    """A stimulus made ready for a subject: arrays that can be sent as they are.

    Args:
        stimulus: what to deliver.
        layers: layer name to number of units.
        seed: the session's.
    """

    def __init__(self, stimulus: Stimulus, layers: Mapping[str, int], seed: int) -> None:
        self.units = stimulus.units.indices(layers[stimulus.layer], seed)
        self.interventions: Sequence[Intervention] = tuple(
            Intervention(stimulus.name, stimulus.layer, state) for state in STATES[stimulus.state]
        )
        self._gain = np.zeros(len(self.units), np.float32)
        if stimulus.kind == "clamp":
            values = np.full((1, len(self.units)), stimulus.to, np.float32)
        else:
            course = np.array(stimulus.course, np.float32)
            values = (
                course.T if course.ndim == 2 else np.repeat(course[:, None], len(self.units), 1)
            )
        self._values = np.ascontiguousarray(values)
        for array in (self.units, self._gain, self._values):
            array.flags.writeable = False

    def arrays(self, ticks_since_onset: int) -> tuple[Array, Array, Array]:
        """Units (i8), gains and values (f4) of a tick, each (units,); 0 is the first tick with it."""
        row = min(ticks_since_onset, len(self._values) - 1)
        return self.units, self._gain, self._values[row]
