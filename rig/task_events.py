"""What happened in terms of the task during one tick: taps, orbs, gaps, the way out.

A `Reader` looks at the task after every tick of physics and says what is new, by the names in
`rig.arenas.names.TASK_EVENTS`. dm_control's tasks have no public word for most of it; what counts as a
touch, and as one in time, is still decided by their own code.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from dm_control.locomotion.tasks.corridors import RunThroughCorridor
from dm_control.locomotion.tasks.escape import Escape
from dm_control.locomotion.tasks.reach import TwoTouchState

from rig.arenas.gaps import gaps_of
from rig.arenas.names import TASK_EVENTS_VERSION
from rig.arenas.tasks import Forage, TwoTap, orbs_of


class Reader(Protocol):
    """Called once after every tick: the events of that tick, in the order in which the task saw them.

    `seen` is all that it remembers from tick to tick, one number; put back, it goes on from there.
    """

    seen: int

    def __call__(self) -> tuple[str, ...]:
        """What is new."""


_TAPS = {
    TwoTouchState.TOUCHED_ONCE: "first_tap",
    TwoTouchState.TOUCHED_TWICE: "second_tap",
    TwoTouchState.TOUCHED_TOO_SOON: "tap_too_soon",
    TwoTouchState.NO_SECOND_TOUCH: "tap_missed",
}
_PAWS = ("hand_L", "hand_R", "foot_L", "foot_R")


def reader_of(environment: Any, version: int = TASK_EVENTS_VERSION) -> Reader:
    """The reader for an environment that was just reset; made anew at every trial.

    Args:
        environment: dm_control's, of one of our tasks.
        version: of how events are found.
    """
    task, physics = environment.task, environment.physics
    if isinstance(task, TwoTap):
        return _Taps(task)
    if isinstance(task, Forage):
        return _Orbs(task, version)
    if isinstance(task, RunThroughCorridor):
        return _Gaps(physics.model.ptr, physics.data.ptr)
    if isinstance(task, Escape):
        return _Escaped(physics.model.ptr, physics.data.ptr)
    return _Nothing()


class _Nothing:
    seen = 0

    def __call__(self) -> tuple[str, ...]:
        return ()


class _Taps:
    """`seen` is the state of the task's logic."""

    def __init__(self, task: TwoTap) -> None:
        self._task = task
        self.seen = int(task._state_logic)

    def __call__(self) -> tuple[str, ...]:
        before, now = self.seen, self._task._state_logic
        if now == before:
            return ()
        fresh = (TwoTouchState.PRE_TOUCH, TwoTouchState.TOUCHED_ONCE)
        moved = before != TwoTouchState.PRE_TOUCH and now in fresh
        self.seen = int(now)
        tap = _TAPS.get(now)
        return (*(("orb_moved",) if moved else ()), *((tap,) if tap else ()))


class _Orbs:
    """`seen` is how many were collected.

    The animal may be put where it touches one: the first tick's physics earns its reward, and has its event.
    """

    def __init__(self, task: Forage, version: int) -> None:
        self._orbs = orbs_of(task)
        self.seen = 0 if version > 1 else self._collected()

    def _collected(self) -> int:
        return sum(orb.activated for orb in self._orbs)

    def __call__(self) -> tuple[str, ...]:
        before, self.seen = self.seen, self._collected()
        return ("orb",) * (self.seen - before)


class _Gaps:
    """Crossed is a gap when trunk and paws are all beyond it at the same moment, the trunk above ground.

    `seen` is how many were.
    """

    def __init__(self, model: Any, data: Any) -> None:
        self._data = data
        self._far_edges = [float(far) for far in gaps_of(model, data)[1]]
        self._torso = model.body("walker/torso").id
        self._paws = np.array([model.body(f"walker/{name}").id for name in _PAWS])
        self.seen = 0

    def __call__(self) -> tuple[str, ...]:
        data, torso, edges, before = self._data, self._torso, self._far_edges, self.seen
        if before == len(edges) or data.xpos[torso, 0] <= edges[before]:
            return ()
        back = min(data.xpos[self._paws, 0].min(), data.xpos[torso, 0])
        if data.xpos[torso, 2] > 0:
            while self.seen < len(edges) and back > edges[self.seen]:
                self.seen += 1
        return ("gap_crossed",) * (self.seen - before)


class _Escaped:
    """Escaped has the animal whose trunk is beyond the terrain, for the first time; `seen` is 1 then."""

    def __init__(self, model: Any, data: Any) -> None:
        self._data = data
        self._torso = model.body("walker/torso").id
        self._half_width_m = float(model.hfield_size[0][0])
        self.seen = 0

    def __call__(self) -> tuple[str, ...]:
        x, y, _ = self._data.xpos[self._torso]
        if self.seen or np.hypot(x, y) < self._half_width_m:
            return ()
        self.seen = 1
        return ("escaped",)
