"""What counts in each task, read from the simulator after every tick of an episode.

A fall: the torso's upward axis (1 upright, -1 on its back) comes below 0.3. In the gaps it also counts when
the trunk drops below the floor or the task ends the episode. Elsewhere the axis must stay there for two
seconds, because an animal that rears or climbs is not one that has fallen; and in the bowl, where it starts
in any orientation, only after it was once upright.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from dm_control.locomotion.tasks.reach import TwoTouchState

from analysis.stride_frequency import stride_hz
from rig.arenas.gaps import gaps_of
from rig.arenas.tasks import CONTROL_TIMESTEP_S
from rig.body_quantities import FALLEN_BELOW_UP, PAWS, UPRIGHT_ABOVE_UP

Array = np.ndarray

FALLEN_FOR_S = 2.0
UPRIGHT_FOR_S = 0.5
UNDECIDED_S = 1.0
"""A gap that is reached in the last second of the allotted time counts neither way."""
PAIR_INTERVAL_S = (0.7, 0.9)
STRIDE_JOINT = "walker/hip_L_extend"


class EpisodeStatistics(Protocol):
    """Reads one episode."""

    def update(self) -> None:
        """A tick is over."""

    def fell(self, ended: bool) -> bool:
        """Whether the animal fell; `ended` is whether the task ended the episode."""

    def summary(self, lasted_s: float, limit_s: float, cut_short: bool) -> dict[str, Any]:
        """What was measured, as JSON.

        Args:
            lasted_s: simulated seconds that the episode lasted.
            limit_s: the most that it could have lasted.
            cut_short: the task ended it, or the simulation became unstable.
        """


class TrunkPath:
    """The trunk's path and uprightness; part of every task's statistics."""

    def __init__(self, environment: Any) -> None:
        physics = environment.physics
        self.model, self.data = physics.model.ptr, physics.data.ptr
        self.torso = self.model.body("walker/torso").id
        self._hip = self.model.joint(STRIDE_JOINT).qposadr[0]
        self.start_m = self.data.xpos[self.torso].copy()
        self.start_upright = float(self.data.xmat[self.torso, 8])
        self._position: list[Array] = []
        self._upright: list[float] = []
        self._hips: list[float] = []
        self._speed: list[float] = []

    def update(self) -> None:
        """Read a tick."""
        self._position.append(self.data.xpos[self.torso].copy())
        self._upright.append(float(self.data.xmat[self.torso, 8]))
        self._hips.append(float(self.data.qpos[self._hip]))
        self._speed.append(float(self.data.subtree_linvel[self.torso, 0]))

    @property
    def position_m(self) -> Array:
        """(ticks, 3) where it was."""
        return np.array(self._position).reshape(-1, 3)

    @property
    def upright(self) -> Array:
        """(ticks,) the torso's upward axis."""
        return np.array(self._upright)

    @property
    def speed_m_s(self) -> Array:
        """(ticks,) speed along x."""
        return np.array(self._speed)

    def stride_hz(self) -> float | None:
        """Stride frequency from the second second on; None where too short."""
        hz = stride_hz(np.array(self._hips[50:]))
        return hz if np.isfinite(hz) else None

    def travelled_m(self) -> float:
        """Length of the way, in steps of a fifth of a second: sway within a stride does not count."""
        way = np.vstack([self.start_m, self.position_m])[::10, :2]
        return float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())


def first_lasting(holds: Array, for_s: float) -> int | None:
    """The first tick from which (ticks,) booleans hold for `for_s` seconds; None if they never do.

    >>> first_lasting(np.array([True, False, True, True, True]), 0.06)
    2
    """
    n, run = round(for_s / CONTROL_TIMESTEP_S), 0
    for tick, value in enumerate(holds):
        run = run + 1 if value else 0
        if run >= n:
            return tick - n + 1
    return None


class CorridorStatistics:
    """Speed from the standing start; an animal that has fallen stays in, its speed counts as it is."""

    def __init__(self, environment: Any) -> None:
        self.trunk = TrunkPath(environment)

    def update(self) -> None:
        """Read a tick."""
        self.trunk.update()

    def fell(self, ended: bool) -> bool:
        """Whether the torso's upward axis ever came below `FALLEN_BELOW_UP`."""
        return bool((self.trunk.upright < FALLEN_BELOW_UP).any())

    def summary(self, lasted_s: float, limit_s: float, cut_short: bool) -> dict[str, Any]:
        """Distance, speed and stride along the corridor."""
        position, start = self.trunk.position_m, self.trunk.start_m
        distance = float(position[-1, 0] - start[0]) if len(position) else 0.0
        return {
            "distance_m": distance,
            "speed_m_s": distance / max(lasted_s, CONTROL_TIMESTEP_S),
            "speed_over_all_m_s": distance / limit_s,
            "peak_speed_m_s": float(self.trunk.speed_m_s.max(initial=0.0)),
            "stride_hz": self.trunk.stride_hz(),
            "least_upright": float(self.trunk.upright.min(initial=1.0)),
            "most_offset_m": float(np.abs(position[:, 1]).max(initial=0.0)),
        }


class GapsStatistics(CorridorStatistics):
    """As the corridor, and every gap that was reached: its width, and whether it was crossed.

    A gap is reached when the skull is beyond its near edge. It is crossed when the trunk and all four paws
    are beyond its far edge at the same moment, the trunk above the floor. One that is reached in the last
    second of the time that the episode may last is left out, crossed or not: to count it only where it was
    crossed would favour what is fast. A fall into a gap ends the episode, but not its time: it counts.
    """

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        model = self.trunk.model
        self._skull = model.body("walker/skull").id
        self._paws = [model.body(f"walker/{name}").id for name in PAWS]
        near, far = gaps_of(model, self.trunk.data)
        self.gaps = list(zip(near.tolist(), far.tolist(), strict=True))
        self._reached: dict[int, int] = {}
        self._crossed: set[int] = set()
        self._ticks = 0

    def update(self) -> None:
        """Read a tick."""
        super().update()
        where = self.trunk.data.xpos
        front = where[self._skull, 0]
        back = min(where[self.trunk.torso, 0], where[self._paws, 0].min())
        above = where[self.trunk.torso, 2] > 0
        for index, (near, far) in enumerate(self.gaps):
            if near > front:
                break
            self._reached.setdefault(index, self._ticks)
            if back > far and above:
                self._crossed.add(index)
        self._ticks += 1

    def fell(self, ended: bool) -> bool:
        """Whether it fell over or into a gap; an end by the task is a fall."""
        return ended or super().fell(ended) or bool((self.trunk.position_m[:, 2] < 0).any())

    def summary(self, lasted_s: float, limit_s: float, cut_short: bool) -> dict[str, Any]:
        """As in the corridor, and `gaps`: width, when it was reached, whether it was crossed."""
        result = super().summary(lasted_s, limit_s, cut_short)
        result["gaps"] = [
            {
                "width_m": round(self.gaps[index][1] - self.gaps[index][0], 4),
                "reached_s": round(tick * CONTROL_TIMESTEP_S, 3),
                "crossed": index in self._crossed,
            }
            for index, tick in self._reached.items()
            if tick * CONTROL_TIMESTEP_S < limit_s - UNDECIDED_S
        ]
        return result


class ForageStatistics:
    """Orbs collected, and how far the animal went for them."""

    def __init__(self, environment: Any) -> None:
        self.trunk = TrunkPath(environment)
        task = environment.task
        self._targets = [one for kind in task._active_targets for one in kind]

    def update(self) -> None:
        """Read a tick."""
        self.trunk.update()

    def fell(self, ended: bool) -> bool:
        """Whether it lay for `FALLEN_FOR_S`."""
        return _lies(self.trunk.upright)

    def summary(self, lasted_s: float, limit_s: float, cut_short: bool) -> dict[str, Any]:
        """Orbs collected and there, and the way that it went."""
        return {
            "orbs": sum(bool(target.activated) for target in self._targets),
            "orbs_there": len(self._targets),
            "travelled_m": self.trunk.travelled_m(),
        }


class EscapeStatistics:
    """Distance of the trunk from the centre of the bowl, and when the animal was upright.

    It has righted itself when the torso's upward axis was above 0.8 for half a second.
    """

    def __init__(self, environment: Any) -> None:
        self.trunk = TrunkPath(environment)

    def update(self) -> None:
        """Read a tick."""
        self.trunk.update()

    def _righted(self) -> int | None:
        return first_lasting(self.trunk.upright > UPRIGHT_ABOVE_UP, UPRIGHT_FOR_S)

    def fell(self, ended: bool) -> bool:
        """Whether it lay for `FALLEN_FOR_S` after it was once upright."""
        since = self._righted()
        return since is not None and _lies(self.trunk.upright[since:])

    def summary(self, lasted_s: float, limit_s: float, cut_short: bool) -> dict[str, Any]:
        """Distance from the centre at the end and at most, and when it was upright."""
        away = np.linalg.norm(self.trunk.position_m[:, :2], axis=1)
        since = self._righted()
        return {
            "distance_m": float(away[-1]) if len(away) else 0.0,
            "most_distance_m": float(away.max(initial=0.0)),
            "began_upright": self.trunk.start_upright,
            "righted": since is not None,
            "righted_after_s": None if since is None else round(since * CONTROL_TIMESTEP_S, 3),
        }


class TwoTapStatistics:
    """First taps and what followed them, from the task's own record of touches."""

    def __init__(self, environment: Any) -> None:
        self.trunk = TrunkPath(environment)
        self._task = environment.task
        self._state = self._task._state_logic
        self._intervals: list[float | None] = []
        self._outcomes: list[str] = []
        self._waiting = False

    def update(self) -> None:
        """Read a tick."""
        self.trunk.update()
        task, before = self._task, self._state
        now = self._state = task._state_logic
        if now == before:
            return
        if now == TwoTouchState.TOUCHED_ONCE:
            self._waiting = True
        elif before == TwoTouchState.TOUCHED_ONCE:
            self._waiting = False
            touched = bool(task._targets[0][0].activated[1])
            interval = float(task._second_touch_time - task._first_touch_time)
            # without a second touch the task notes the time at which it gave up waiting
            self._intervals.append(round(interval, 4) if touched else None)
            low, high = PAIR_INTERVAL_S
            good = now == TwoTouchState.TOUCHED_TWICE and low <= interval <= high
            soon = now == TwoTouchState.TOUCHED_TOO_SOON
            self._outcomes.append("pair" if good else "too soon" if soon else "none in time")

    def fell(self, ended: bool) -> bool:
        """Whether it lay for `FALLEN_FOR_S`."""
        return _lies(self.trunk.upright)

    def summary(self, lasted_s: float, limit_s: float, cut_short: bool) -> dict[str, Any]:
        """First taps, how each ended, and the intervals; one that still waits at the end has no outcome."""
        return {
            "first_taps": len(self._outcomes) + self._waiting,
            "outcomes": self._outcomes,
            "intervals_s": self._intervals,
            "travelled_m": self.trunk.travelled_m(),
        }


def _lies(upright: Array) -> bool:
    return first_lasting(upright < FALLEN_BELOW_UP, FALLEN_FOR_S) is not None


_BY_TASK: dict[str, Any] = {
    "corridor": CorridorStatistics,
    "gaps": GapsStatistics,
    "forage": ForageStatistics,
    "escape": EscapeStatistics,
    "two_tap": TwoTapStatistics,
}


def statistics_for(task: str, environment: Any) -> EpisodeStatistics:
    """The statistics of a task, for a composer environment that was just reset."""
    made: EpisodeStatistics = _BY_TASK[task](environment)
    return made
