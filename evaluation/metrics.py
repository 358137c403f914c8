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

from rig.arenas.gaps import gaps_of
from rig.arenas.tasks import CONTROL_TIMESTEP_S

Array = np.ndarray

FALLEN_BELOW = 0.3
FALLEN_FOR_S = 2.0
UPRIGHT_ABOVE = 0.8
UPRIGHT_FOR_S = 0.5
UNDECIDED_S = 1.0
"""A gap reached this shortly before time is up is not counted, unless it is crossed or fallen into."""
PAIR_INTERVAL_S = (0.7, 0.9)
STRIDE_JOINT = "walker/hip_L_extend"
_PAWS = ("hand_L", "hand_R", "foot_L", "foot_R")


def stride_hz(angle_rad: Array) -> float:
    """Stride frequency: the spectral peak of a hip's angle, sampled every 20 ms, between 1 and 15 Hz."""
    if len(angle_rad) < 50:
        return float("nan")
    n = 4096
    power = np.abs(np.fft.rfft((angle_rad - angle_rad.mean()) * np.hanning(len(angle_rad)), n)) ** 2
    hz = np.fft.rfftfreq(n, CONTROL_TIMESTEP_S)
    inside = (hz >= 1) & (hz <= 15)
    return float(hz[inside][power[inside].argmax()])


class Meter(Protocol):
    """Reads one episode."""

    def after(self) -> None:
        """A tick is over."""

    def fell(self, ended: bool) -> bool:
        """Whether the animal fell; `ended` is whether the task ended the episode."""

    def figures(self, lasted_s: float, wanted_s: float, cut: bool) -> dict[str, Any]:
        """What was measured, as JSON; `cut` is whether the episode ended before its time."""


class Trunk:
    """The trunk's path and uprightness; every meter has one."""

    def __init__(self, environment: Any) -> None:
        physics = environment.physics
        self.model, self.data = physics.model.ptr, physics.data.ptr
        self.torso = self.model.body("walker/torso").id
        self._hip = self.model.joint(STRIDE_JOINT).qposadr[0]
        self.begin_m = self.data.xpos[self.torso].copy()
        self.begin_upright = float(self.data.xmat[self.torso, 8])
        self._place: list[Array] = []
        self._upright: list[float] = []
        self._hips: list[float] = []
        self._speed: list[float] = []

    def after(self) -> None:
        """Note a tick."""
        self._place.append(self.data.xpos[self.torso].copy())
        self._upright.append(float(self.data.xmat[self.torso, 8]))
        self._hips.append(float(self.data.qpos[self._hip]))
        self._speed.append(float(self.data.subtree_linvel[self.torso, 0]))

    @property
    def place_m(self) -> Array:
        """(ticks, 3) where it was."""
        return np.array(self._place).reshape(-1, 3)

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
        found = stride_hz(np.array(self._hips[50:]))
        return found if np.isfinite(found) else None

    def travelled_m(self) -> float:
        """Length of the way, in steps of a fifth of a second: sway within a stride does not count."""
        way = np.vstack([self.begin_m, self.place_m])[::10, :2]
        return float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())


def first_held(holds: Array, for_s: float) -> int | None:
    """The first tick from which (ticks,) booleans hold for `for_s` seconds; None if they never do."""
    n, run = round(for_s / CONTROL_TIMESTEP_S), 0
    for tick, value in enumerate(holds):
        run = run + 1 if value else 0
        if run >= n:
            return tick - n + 1
    return None


class Corridor:
    """Speed from the standing start; an animal that has fallen stays in, its speed counts as it is."""

    def __init__(self, environment: Any) -> None:
        self.trunk = Trunk(environment)

    def after(self) -> None:
        """See `Meter`."""
        self.trunk.after()

    def fell(self, ended: bool) -> bool:
        """See `Meter`."""
        return bool((self.trunk.upright < FALLEN_BELOW).any())

    def figures(self, lasted_s: float, wanted_s: float, cut: bool) -> dict[str, Any]:
        """See `Meter`."""
        place, begin = self.trunk.place_m, self.trunk.begin_m
        distance = float(place[-1, 0] - begin[0]) if len(place) else 0.0
        return {
            "distance_m": distance,
            "speed_m_s": distance / max(lasted_s, CONTROL_TIMESTEP_S),
            "speed_over_all_m_s": distance / wanted_s,
            "peak_speed_m_s": float(self.trunk.speed_m_s.max(initial=0.0)),
            "stride_hz": self.trunk.stride_hz(),
            "least_upright": float(self.trunk.upright.min(initial=1.0)),
            "most_offset_m": float(np.abs(place[:, 1]).max(initial=0.0)),
        }


class Gaps(Corridor):
    """As the corridor, and every gap that was reached: its width, and whether it was crossed.

    A gap is reached when the skull is beyond its near edge. It is crossed when the trunk and all four paws
    are beyond its far edge at the same moment, the trunk above the floor.
    """

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        model = self.trunk.model
        self._skull = model.body("walker/skull").id
        self._paws = [model.body(f"walker/{name}").id for name in _PAWS]
        near, far = gaps_of(model, self.trunk.data)
        self.gaps = list(zip(near.tolist(), far.tolist(), strict=True))
        self._reached: dict[int, int] = {}
        self._crossed: set[int] = set()
        self._ticks = 0

    def after(self) -> None:
        """See `Meter`."""
        super().after()
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
        """See `Meter`."""
        return ended or super().fell(ended) or bool((self.trunk.place_m[:, 2] < 0).any())

    def figures(self, lasted_s: float, wanted_s: float, cut: bool) -> dict[str, Any]:
        """See `Meter`."""
        found = super().figures(lasted_s, wanted_s, cut)
        fell = self.fell(cut)
        tried = []
        for index, tick in self._reached.items():
            crossed = index in self._crossed
            late = self._ticks - tick < UNDECIDED_S / CONTROL_TIMESTEP_S
            if crossed or fell or not late:
                near, far = self.gaps[index]
                tried.append({"width_m": round(far - near, 4), "crossed": crossed})
        found["gaps"] = tried
        return found


class Forage:
    """Orbs collected, and how far the animal went for them."""

    def __init__(self, environment: Any) -> None:
        self.trunk = Trunk(environment)
        task = environment.task
        self._targets = [one for kind in task._active_targets for one in kind]

    def after(self) -> None:
        """See `Meter`."""
        self.trunk.after()

    def fell(self, ended: bool) -> bool:
        """See `Meter`."""
        return _lay(self.trunk.upright)

    def figures(self, lasted_s: float, wanted_s: float, cut: bool) -> dict[str, Any]:
        """See `Meter`."""
        return {
            "orbs": sum(bool(target.activated) for target in self._targets),
            "orbs_there": len(self._targets),
            "travelled_m": self.trunk.travelled_m(),
        }


class Escape:
    """Distance of the trunk from the centre of the bowl, and when the animal was upright.

    It has righted itself when the torso's upward axis was above 0.8 for half a second.
    """

    def __init__(self, environment: Any) -> None:
        self.trunk = Trunk(environment)

    def after(self) -> None:
        """See `Meter`."""
        self.trunk.after()

    def _righted(self) -> int | None:
        return first_held(self.trunk.upright > UPRIGHT_ABOVE, UPRIGHT_FOR_S)

    def fell(self, ended: bool) -> bool:
        """See `Meter`."""
        since = self._righted()
        return since is not None and _lay(self.trunk.upright[since:])

    def figures(self, lasted_s: float, wanted_s: float, cut: bool) -> dict[str, Any]:
        """See `Meter`."""
        away = np.linalg.norm(self.trunk.place_m[:, :2], axis=1)
        since = self._righted()
        return {
            "distance_m": float(away[-1]) if len(away) else 0.0,
            "most_distance_m": float(away.max(initial=0.0)),
            "began_upright": self.trunk.begin_upright,
            "righted": since is not None,
            "righted_after_s": None if since is None else round(since * CONTROL_TIMESTEP_S, 3),
        }


class TwoTap:
    """First taps and what followed them, from the task's own record of touches."""

    def __init__(self, environment: Any) -> None:
        self.trunk = Trunk(environment)
        self._task = environment.task
        self._state = self._task._state_logic
        self._intervals: list[float | None] = []
        self._outcomes: list[str] = []
        self._waiting = False

    def after(self) -> None:
        """See `Meter`."""
        self.trunk.after()
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
        """See `Meter`."""
        return _lay(self.trunk.upright)

    def figures(self, lasted_s: float, wanted_s: float, cut: bool) -> dict[str, Any]:
        """See `Meter`; a first tap that still waits for its second at the end has no outcome."""
        return {
            "first_taps": len(self._outcomes) + self._waiting,
            "outcomes": self._outcomes,
            "intervals_s": self._intervals,
            "travelled_m": self.trunk.travelled_m(),
        }


def _lay(upright: Array) -> bool:
    return first_held(upright < FALLEN_BELOW, FALLEN_FOR_S) is not None


_METERS: dict[str, Any] = {
    "corridor": Corridor,
    "gaps": Gaps,
    "forage": Forage,
    "escape": Escape,
    "two_tap": TwoTap,
}


def meter_for(task: str, environment: Any) -> Meter:
    """The meter of a task, for an environment that was just reset."""
    made: Meter = _METERS[task](environment)
    return made
