"""What units are held against: body, movement, touch, goal, task and value of every tick, in groups.

found = covariates(episodes)     # by group of each episode (ticks, variables), z-scored over all
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.components import RunningCovariance
from analysis.episodes import (
    Episode,
    body,
    joint_angles,
    joint_velocities,
    signals,
    task_event_rows,
    values,
)
from analysis.sequences import z_scored_together
from recorder.reading import Recording

Array = np.ndarray

EVERY = 4
"""Of so many ticks one counts (80 ms): the ticks between are much like it."""
COMPONENTS = 15
LIMIT_SD = 4.0
GROUPS: Mapping[str, str] = {
    "posture": "15 components of the joint angles",
    "joint speed": "15 components of the joint velocities",
    "forces": "15 components of the actuators' torques",
    "body": "speeds, turning, tilt and height of the trunk",
    "touch": "force on the four paws, contacts",
    "goal": "distance and direction of the nearest orb",
    "task": "which task it is",
    "events": "the time since the last event of the task",
    "value": "the network's own estimate of the reward to come, which is read out of the core",
}
_BODY = (
    *("forward_speed", "lateral_speed", "yaw_rate", "pitch", "roll", "torso_height"),
    *("torso_vz", "ground_slope"),
)
_TOUCH = ("touch_palm_L", "touch_palm_R", "touch_sole_L", "touch_sole_R", "n_contacts")
_EVENTS = ("first_tap", "second_tap", "orb", "gap_crossed")
_FORGOTTEN_S = 2.0


def covariates(episodes: Sequence[Episode], every: int = EVERY) -> dict[str, list[Array]]:
    """By group, of each episode (ticks, variables) float32, z-scored over all and cut off at ±4.

    Args:
        episodes: of one subject.
        every: of so many ticks one counts.
    """
    tasks = tuple(dict.fromkeys(each.task for each in episodes))
    raw = signals(episodes, lambda recording, one: _read(recording, one, tasks, every))
    found = {}
    for name in GROUPS:
        parts = [each[name] for each in raw]
        if name in ("posture", "joint speed", "forces"):
            parts = _components(parts)
        found[name] = bounded(parts)
    return found


def bounded(parts: Sequence[Array]) -> list[Array]:
    """Episodes (ticks, variables) as z-scores over all of them, cut off at ±4.

    A landing or a fall has torques a hundred times those of a step: a few ticks of it would decide what a
    regression makes of all others.

    >>> made, = bounded([np.concatenate([np.full((99, 1), 1.0), [[500.0]]])])
    >>> float(made.max())
    4.0
    """
    return [np.clip(part, -LIMIT_SD, LIMIT_SD) for part in z_scored_together(parts)]


def _components(parts: Sequence[Array]) -> list[Array]:
    parts = bounded(parts)
    running = RunningCovariance(parts[0].shape[1])
    for part in parts:
        running.add(part)
    components = running.components(min(COMPONENTS, parts[0].shape[1]), z_scored=True)
    return [components.project(part) for part in parts]


def _read(
    recording: Recording, episode: Episode, tasks: Sequence[str], every: int
) -> dict[str, Array]:
    rows = slice(None, None, every)
    distance, bearing = body(recording, episode, "orb_distance", "orb_bearing")[rows].T
    there = np.isfinite(distance)
    goal = np.stack(
        [
            there.astype(float),
            np.where(there, np.exp(-np.nan_to_num(distance)), 0),
            np.where(there, np.sin(np.nan_to_num(bearing)), 0),
            np.where(there, np.cos(np.nan_to_num(bearing)), 0),
        ],
        axis=1,
    )
    value = values(recording, episode, "value")
    since = [_fading(task_event_rows(recording, episode, name), episode) for name in _EVENTS]
    return {
        "posture": joint_angles(recording, episode)[rows],
        "joint speed": joint_velocities(recording, episode)[rows],
        "forces": values(recording, episode, "actuator_force")[rows],
        "body": body(recording, episode, *_BODY)[rows],
        "touch": np.log1p(np.abs(body(recording, episode, *_TOUCH)[rows])),
        "goal": goal,
        "task": np.tile([float(episode.task == task) for task in tasks], (len(goal), 1)),
        "events": np.stack(since, axis=1)[rows],
        "value": value[rows, None],
    }


def _fading(events: Sequence[int], episode: Episode) -> Array:
    """1 at an event, and less the longer ago the last one is (e-fold in 2 s); 0 before the first."""
    last = np.full(episode.n_ticks, -np.inf)
    for row in events:
        last[row:] = row
    return np.exp(-(np.arange(episode.n_ticks) - last) * episode.tick_s / _FORGOTTEN_S)
