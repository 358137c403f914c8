"""What a task remembers in Python from tick to tick, read out and put back: part of a snapshot.

The rest of an animal's state is MuJoCo's (`rig.animal`). A task of dm_control keeps its logic in
attributes, and changes its compiled model (the colour of an orb, its place). All of it is listed here, by
name; what is not listed is the same whenever the episode is drawn again from its seed, or is made anew at
every tick. `tests/test_snapshots.py` looks for what is missing from the lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dm_control.locomotion.tasks.reach import TwoTouchState

from rig.arenas.tasks import Forage, TwoTap, orbs_of

REMEMBERED: dict[type, tuple[str, ...]] = {
    TwoTap: (
        *("_target_positions", "_target_rewarded_once", "_target_rewarded_twice", "_state_logic"),
        *("_first_touch_time", "_second_touch_time", "_do_time_out", "_must_randomize_targets"),
    ),
    Forage: ("_target_rewarded",),
}
"""Attributes of a task; a task that is not here has none."""
OF_ORBS: dict[type, tuple[str, ...]] = {
    TwoTap: ("_touched_once", "_touched_twice", "_touch_time"),
    Forage: ("_activated",),
}
"""Attributes of each of its orbs."""
OF_MODEL: dict[type, tuple[str, ...]] = {
    TwoTap: ("geom_pos", "mat_texid"),
    Forage: ("mat_rgba",),
}
"""Fields of the compiled model that it changes."""


class TaskState:
    """Reads and puts back the state of an environment's task. Made anew when an episode has begun."""

    def __init__(self, environment: Any) -> None:
        self._task: Any = environment.task
        self._random: np.random.RandomState = environment.random_state
        self._model: Any = environment.physics.model.ptr
        self._remembered = REMEMBERED.get(type(self._task), ())
        self._of_orbs = OF_ORBS.get(type(self._task), ())
        self._at_first = {
            name: getattr(self._model, name).copy() for name in OF_MODEL.get(type(self._task), ())
        }

    def read(self) -> tuple[dict[str, Any], np.ndarray]:
        """The state as plain values, and the key of the random generator as (624,) int32."""
        _, key, *rest = self._random.get_state()
        model = {}
        for name, first in self._at_first.items():
            now = getattr(self._model, name)
            changed = np.flatnonzero(now != first)
            if len(changed):
                model[name] = [changed.tolist(), now.reshape(-1)[changed].tolist()]
        state = {
            "arena": arena_memory(self._task),
            "task": {name: _plain(getattr(self._task, name)) for name in self._remembered},
            "orbs": [
                # an orb that was never touched has no time of it
                [_plain(getattr(orb, name, None)) for name in self._of_orbs]
                for orb in orbs_of(self._task)
            ],
            "model": model,
            "random": [_plain(each) for each in rest],
        }
        return state, np.asarray(key, np.uint32).view(np.int32)

    def put_back(self, state: Mapping[str, Any], key: np.ndarray) -> None:
        """Restores what `read` gave, in the same episode, which has just begun.

        Raises ValueError, KeyError or TypeError where it is no state of this task.
        """
        self._random.set_state(("MT19937", key.view(np.uint32), *state["random"]))
        for name in self._remembered:
            value = state["task"][name]
            setattr(self._task, name, TwoTouchState(value) if name == "_state_logic" else value)
        for orb, values in zip(orbs_of(self._task), state["orbs"], strict=True):
            for name, value in zip(self._of_orbs, values, strict=True):
                setattr(orb, name, value)
        for name in self._at_first:
            changed, values = state["model"].get(name, ((), ()))
            getattr(self._model, name).reshape(-1)[np.asarray(changed, np.int64)] = values


def arena_memory(task: Any) -> list[Any]:
    """What of earlier episodes is in the arena of this one: where two-touch's orb was when it was built."""
    return [list(place) for place in task.drawn_at] if isinstance(task, TwoTap) else []


def remember_arena(task: Any, memory: list[Any], n_episodes: int) -> None:
    """Before an episode is drawn: as if `n_episodes` had been drawn before it, the last leaving `memory`."""
    if isinstance(task, TwoTap) and memory:
        task._target_positions = [tuple(place) for place in memory]
    elif isinstance(task, Forage):
        for _ in range(n_episodes):
            task.skip_maze()


def _plain(value: Any) -> Any:
    """A value without NumPy's types, and without enumerations."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    return int(value) if isinstance(value, TwoTouchState) else value
