"""What happened in terms of the task during one tick: taps, orbs, gaps, the way out.

A `Reader` looks at the task after every tick of physics and says what is new, by the names in
`rig.arenas.names.TASK_EVENTS`. dm_control's tasks have no public word for most of it; what counts as a
touch, and as one in time, is still decided by their own code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dm_control.locomotion.tasks.corridors import RunThroughCorridor
from dm_control.locomotion.tasks.escape import Escape
from dm_control.locomotion.tasks.reach import TwoTouchState

from rig.arenas.gaps import gaps_of
from rig.arenas.tasks import Forage, TwoTap

Reader = Callable[[], tuple[str, ...]]
"""Called once after every tick: the events of that tick, in the order in which the task saw them."""

_TAPS = {
    TwoTouchState.TOUCHED_ONCE: "first_tap",
    TwoTouchState.TOUCHED_TWICE: "second_tap",
    TwoTouchState.TOUCHED_TOO_SOON: "tap_too_soon",
    TwoTouchState.NO_SECOND_TOUCH: "tap_missed",
}
_PAWS = ("hand_L", "hand_R", "foot_L", "foot_R")


def reader_of(environment: Any) -> Reader:
    """The reader for an environment that was just reset; made anew at every trial."""
    task, physics = environment.task, environment.physics
    if isinstance(task, TwoTap):
        return _two_tap(task)
    if isinstance(task, Forage):
        return _forage(task)
    if isinstance(task, RunThroughCorridor):
        return _gaps(physics.model.ptr, physics.data.ptr)
    if isinstance(task, Escape):
        return _escape(physics.model.ptr, physics.data.ptr)
    return lambda: ()


def _two_tap(task: TwoTap) -> Reader:
    before = task._state_logic

    def read() -> tuple[str, ...]:
        nonlocal before
        now = task._state_logic
        if now == before:
            return ()
        fresh = (TwoTouchState.PRE_TOUCH, TwoTouchState.TOUCHED_ONCE)
        moved = before != TwoTouchState.PRE_TOUCH and now in fresh
        before = now
        tap = _TAPS.get(now)
        return (*(("orb_moved",) if moved else ()), *((tap,) if tap else ()))

    return read


def _forage(task: Forage) -> Reader:
    orbs = [orb for kind in task._active_targets for orb in kind]
    collected = sum(orb.activated for orb in orbs)

    def read() -> tuple[str, ...]:
        nonlocal collected
        before, collected = collected, sum(orb.activated for orb in orbs)
        return ("orb",) * (collected - before)

    return read


def _gaps(model: Any, data: Any) -> Reader:
    """Crossed is a gap when trunk and paws are all beyond it at the same moment, the trunk above ground."""
    far_edges = [float(far) for far in gaps_of(model, data)[1]]
    torso = model.body("walker/torso").id
    paws = np.array([model.body(f"walker/{name}").id for name in _PAWS])
    crossed = 0

    def read() -> tuple[str, ...]:
        nonlocal crossed
        if crossed == len(far_edges) or data.xpos[torso, 0] <= far_edges[crossed]:
            return ()
        before, back = crossed, data.xpos[paws, 0].min()
        if data.xpos[torso, 2] > 0:
            while crossed < len(far_edges) and min(back, data.xpos[torso, 0]) > far_edges[crossed]:
                crossed += 1
        return ("gap_crossed",) * (crossed - before)

    return read


def _escape(model: Any, data: Any) -> Reader:
    """Escaped has the animal whose trunk is beyond the terrain, for the first time."""
    torso = model.body("walker/torso").id
    half_width_m = float(model.hfield_size[0][0])
    out = False

    def read() -> tuple[str, ...]:
        nonlocal out
        x, y, _ = data.xpos[torso]
        if out or np.hypot(x, y) < half_width_m:
            return ()
        out = True
        return ("escaped",)

    return read
