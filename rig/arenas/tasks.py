"""The arenas and tasks of the rig: dm_control's own classes with the settings of its
`locomotion.examples.basic_rodent_2020` (Merel & Aldarondo et al., ICLR 2020), plus a plain corridor.

Physics runs at 1 ms, the animal acts every 20 ms. The stock observables are switched off, because
`rig.arenas.senses` and `rig.arenas.camera` read the same values several times faster. Maze and two-touch
are dm_control's tasks too, but draw from their own random state and look for touches faster.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from dm_control import composer
from dm_control.composer.variation import distributions
from dm_control.locomotion.arenas import bowl, corridors, floors, labmaze_textures, mazes
from dm_control.locomotion.tasks import corridors as corridor_tasks
from dm_control.locomotion.tasks import escape, random_goal_maze, reach
from dm_control.locomotion.walkers import rodent

from rig.arenas.names import TASKS
from rig.arenas.randomness import drawn_from
from rig.arenas.substeps import WholeTickEnvironment, nothing_between
from rig.arenas.touch import Target, TwoTapTarget, look_once

CONTROL_TIMESTEP_S = 0.02
PHYSICS_TIMESTEP_S = 0.001

_SPAWN = (5, 0, 0)
_TIMESTEPS = {
    "physics_timestep": PHYSICS_TIMESTEP_S,
    "control_timestep": CONTROL_TIMESTEP_S,
}


def _run(arena: corridors.EmptyCorridor) -> composer.Task:
    return corridor_tasks.RunThroughCorridor(
        walker=rodent.Rat(),
        arena=arena,
        walker_spawn_position=_SPAWN,
        walker_spawn_rotation=0,
        target_velocity=1.0,
        contact_termination=False,
        terminate_at_height=-0.3,
        **_TIMESTEPS,
    )


def _corridor() -> composer.Task:
    return _run(
        corridors.GapsCorridor(
            platform_length=40,
            gap_length=0,
            corridor_width=2,
            corridor_length=40,
            aesthetic="outdoor_natural",
        )
    )


def _gaps() -> composer.Task:
    return _run(
        corridors.GapsCorridor(
            platform_length=distributions.Uniform(0.4, 0.8),
            gap_length=distributions.Uniform(0.05, 0.2),
            corridor_width=2,
            corridor_length=40,
            aesthetic="outdoor_natural",
        )
    )


class Forage(random_goal_maze.ManyGoalsMaze):
    """dm_control's maze, with its layout and textures drawn from the environment's random state."""

    def initialize_episode_mjcf(self, random_state: np.random.RandomState) -> None:
        """Draw the maze."""
        with drawn_from(random_state):
            super().initialize_episode_mjcf(random_state)

    def skip_maze(self) -> None:
        """Let an episode's layout pass: their generator goes on from episode to episode."""
        self._maze_arena.maze.regenerate()

    def after_substep(self, physics: Any, random_state: np.random.RandomState) -> None:
        """Find touched targets."""
        super().after_substep(physics, random_state)
        look_once(physics, itertools.chain(*self._active_targets))


class TwoTap(reach.TwoTouch):
    """dm_control's two-touch, with spawn and targets drawn from the environment's random state.

    `drawn_at` is where its orbs were when this episode's arena was built: where the one before left them.
    """

    def initialize_episode_mjcf(self, random_state: np.random.RandomState) -> None:
        """Build the arena."""
        self.drawn_at = [tuple(map(float, place)) for place in self._target_positions]
        super().initialize_episode_mjcf(random_state)

    def initialize_episode(self, physics: Any, random_state: np.random.RandomState) -> None:
        """Draw where the animal looks and where the orb is."""
        self._random_state = random_state
        with drawn_from(random_state):
            super().initialize_episode(physics, random_state)

    def _randomize_targets(self, physics: Any, random_state: Any = None) -> None:
        super()._randomize_targets(physics, self._random_state)

    def after_substep(self, physics: Any, random_state: np.random.RandomState) -> None:
        """Find out whether the orb is touched."""
        super().after_substep(physics, random_state)
        look_once(physics, itertools.chain(*self._targets))


def orbs_of(task: Any) -> list[Any]:
    """The orbs of a task's present episode, in one order; none where it has none."""
    if isinstance(task, TwoTap):
        return list(itertools.chain(*task._targets))
    if isinstance(task, Forage):
        return list(itertools.chain(*task._active_targets))
    return []


def _forage() -> composer.Task:
    return Forage(
        walker=rodent.Rat(),
        maze_arena=mazes.RandomMazeWithTargets(
            x_cells=11,
            y_cells=11,
            xy_scale=0.5,
            z_height=0.3,
            max_rooms=4,
            room_min_size=4,
            room_max_size=5,
            spawns_per_room=1,
            targets_per_room=3,
            wall_textures=labmaze_textures.WallTextures(style="style_01"),
            aesthetic="outdoor_natural",
        ),
        target_builder=_forage_target,
        target_reward_scale=50.0,
        contact_termination=False,
        **_TIMESTEPS,
    )


def _forage_target(**options: Any) -> Target:
    return Target(
        radius=0.05, height_above_ground=0.125, rgb1=(0, 0, 0.4), rgb2=(0, 0, 0.7), **options
    )


def _escape() -> composer.Task:
    return escape.Escape(
        walker=rodent.Rat(),
        arena=bowl.Bowl(size=(20.0, 20.0), aesthetic="outdoor_natural"),
        **_TIMESTEPS,
    )


def _two_tap_target(**options: Any) -> TwoTapTarget:
    return TwoTapTarget(radius=0.025, **options)


def _two_tap() -> composer.Task:
    return TwoTap(
        walker=rodent.Rat(),
        arena=floors.Floor(size=(10.0, 10.0), aesthetic="outdoor_natural"),
        target_builders=[_two_tap_target],
        randomize_spawn_rotation=True,
        target_type_rewards=[25.0],
        shuffle_target_builders=False,
        target_area=(1.5, 1.5),
        **_TIMESTEPS,
    )


_BUILDERS: dict[str, Callable[[], composer.Task]] = {
    "corridor": _corridor,
    "gaps": _gaps,
    "forage": _forage,
    "escape": _escape,
    "two_tap": _two_tap,
}


def make(
    task: str,
    random_state: np.random.RandomState | int,
    time_limit_s: float = math.inf,
) -> composer.Environment:
    """One environment of the named task, ready for `reset()`.

    Args:
        task: one of `TASKS`.
        random_state: everything random in the environment follows from it.
        time_limit_s: simulated seconds after which an episode ends.

    Raises:
        ValueError: the task's name is not in `TASKS`.
    """
    if task not in _BUILDERS:
        raise ValueError(f"there is no task {task!r}; the tasks are {', '.join(TASKS)}")
    state = (
        random_state
        if isinstance(random_state, np.random.RandomState)
        else np.random.RandomState(random_state)
    )
    with drawn_from(state):  # the maze draws its layout's seed when it is built
        built = _BUILDERS[task]()
    for observable in built.observables.values():
        observable.enabled = False
    kind = WholeTickEnvironment if nothing_between(built) else composer.Environment
    return kind(
        task=built,
        time_limit=time_limit_s,
        random_state=state,
        strip_singleton_obs_buffer_dim=True,
    )
