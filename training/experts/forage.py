"""The expert of the maze: go to an orb that is in sight, otherwise explore.

It uses no more of the maze than the camera shows: an orb counts from when it is in the camera's field of view
with no wall in between, and for `REMEMBERED_TICKS` after. Exploring goes where there is room, preferably
straight on, and to the left rather than to the right.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.experts.interface import Pose
from training.experts.maze import FloorPlan
from training.experts.pose import BodyReader
from training.experts.righting import Righting
from training.experts.view import View
from training.skills.library import Skills
from training.skills.spinning import SPEED, YAW_RAD_S

Array = np.ndarray

VIEW_RAD = 0.62
"""Half the angle of view within which an orb counts as in sight; the camera's is 0.70."""
SIGHT_M = 2.5
"""Greatest distance of an orb in sight: farther off, its 5 cm are smaller than two pixels."""
REMEMBERED_TICKS = 60
"""For how long it heads for an orb that has left the view."""
WIDTH_M = 0.12
"""Width of the free ways that it looks for."""
LIFT = {"cervical_extend": -1.0, "lumbar_extend": 0.3, "atlas": 1.0}
"""Added to the gait to raise the head: an orb hangs at 7.5-17.5 cm, and the trot carries the head below."""
LIFT_WITHIN_M = 0.25
"""Distance of an orb from the head within which the head is raised."""
SPIN_RAD = 1.6
"""Angle beyond which it turns on the spot."""
CLEAR_M = 0.09
"""Least distance of a wall from a sampled pose."""
FAN_RAD = np.linspace(-1.8, 1.8, 25)
"""Directions relative to the heading among which exploring chooses."""
FALLEN_TICKS = 15
"""How many ticks it has to lie before it gets up."""


@dataclass
class _Aim:
    """An orb that was in sight: its position (3,) in m, and how many ticks ago."""

    place: Array
    age: int


class ForageExpert:
    """Chases orbs in sight, else explores; gets up after falls."""

    loss_weight = 1.0

    def __init__(self, skills: Skills) -> None:
        self._locomotion = skills.locomotion()
        self._spinning = skills.spinning()
        self._righting = Righting(skills.path("righting"), FALLEN_TICKS)

    def begin(self, environment: Any) -> None:
        """Start an episode in a composer environment that was just reset."""
        self._body = BodyReader(environment)
        self._righting.begin()
        self._task = environment.task
        self._camera = View(self._body, SIGHT_M)
        self._plan = FloorPlan(self._task._maze_arena)
        self._aim: _Aim | None = None
        self._turning = 0.0
        targets = list(itertools.chain(*self._task._active_targets))
        physics = environment.physics
        self._orbs = [(target, np.array(physics.bind(target.geom).xpos)) for target in targets]

    def _view(self) -> tuple[Array, float]:
        """Position (2,) of the head (m), and the heading of the camera (rad from the x axis)."""
        data, head = self._body.data, self._body.head
        camera = self._body.model.camera("walker/egocentric").id
        # a camera looks along its own negative z axis
        ahead = -data.cam_xmat[camera].reshape(3, 3)[:, 2]
        return data.xpos[head][:2], float(np.arctan2(ahead[1], ahead[0]))

    def _in_sight(self) -> Array | None:
        """Position (3,) of the best orb in sight: the nearest, where turning counts as distance."""
        head, look = self._view()
        best, least = None, np.inf
        for target, place in self._orbs:
            if target.activated:
                continue
            there = place[:2] - head
            distance = float(np.hypot(*there))
            bearing = (np.arctan2(there[1], there[0]) - look + np.pi) % (2 * np.pi) - np.pi
            if distance > SIGHT_M or abs(bearing) > VIEW_RAD:
                continue
            if not self._plan.sight(head, place[:2]):
                continue
            cost = distance + 0.3 * abs(bearing)
            if self._aim is not None and np.array_equal(place, self._aim.place):
                cost -= 0.3  # no dithering between two
            if cost < least:
                best, least = place, cost
        return best

    def _look(self) -> None:
        best = self._in_sight()
        if best is not None:
            self._aim = _Aim(best, 0)
        elif self._aim is not None:
            self._aim.age += 1
            gone = any(t.activated and np.array_equal(p, self._aim.place) for t, p in self._orbs)
            if gone or self._aim.age > REMEMBERED_TICKS:
                self._aim = None

    def act(self) -> Array:
        """Action (actuators,) float64 in [-1, 1] for this tick."""
        self._look()
        up = self._righting.act(self._body)
        if up is not None:
            return up
        speed, yaw = self._chase(self._aim.place) if self._aim is not None else self._explore()
        body = self._body
        if speed == 0.0:
            yaw = float(np.sign(yaw)) * YAW_RAD_S
            one = np.array([SPEED])
            return self._spinning.act(body.activation()[None], one, np.array([yaw]))[0]
        running = float(np.clip(body.forward_speed_m_s() / 0.5, 0, 1))
        speed = min(speed, 0.5 + 0.5 * running)
        action = self._locomotion.act(body.activation()[None], np.array([speed]), np.array([yaw]))[
            0
        ]
        if self._aim is not None and self._near(self._aim.place):
            for joint, lift in LIFT.items():
                action[body.actuators[joint]] += lift
        return np.clip(action, -1, 1)

    def _near(self, orb: Array) -> bool:
        """Whether the head is about to pass under an orb at a position (3,)."""
        ahead = orb[:2] - self._body.data.xpos[self._body.head][:2]
        return float(np.hypot(*ahead)) < LIFT_WITHIN_M

    def _chase(self, orb: Array) -> tuple[float, float]:
        """Speed and yaw rate commands towards an orb; a speed of 0 asks to turn on the spot."""
        bearing = self._body.bearing_rad(orb)
        distance = float(np.hypot(*(orb[:2] - self._body.place_m()[:2])))
        if abs(bearing) > 0.5:
            radius = 0.35
            side = np.sign(bearing)
            centre = np.array([0.0, side * radius])
            at = distance * np.array([np.cos(bearing), np.sin(bearing)])
            inside = np.hypot(*(at - centre)) < radius - 0.08
            if inside or abs(bearing) > SPIN_RAD:
                return 0.0, float(side)
            return 0.6, float(side * 6.0)
        return (1.0 if abs(bearing) < 0.25 else 0.7), float(np.clip(6 * bearing, -3.0, 3.0))

    def _explore(self) -> tuple[float, float]:
        """Speed and yaw rate commands to where there is room; a speed of 0 asks to turn on the spot."""
        place, heading = self._body.place_m()[:2], self._body.heading_rad()
        ahead = place + 0.05 * np.array([np.cos(heading), np.sin(heading)])
        free = self._plan.free_m(ahead, heading + FAN_RAD, WIDTH_M, 1.2)
        worth = free - 0.25 * np.abs(FAN_RAD) + 0.05 * FAN_RAD
        worth += 0.3 * np.exp(-((FAN_RAD - self._turning) ** 2) / 0.18)
        chosen = float(FAN_RAD[int(worth.argmax())])
        self._turning = chosen
        if abs(chosen) > SPIN_RAD:
            return 0.0, chosen
        if abs(chosen) > 0.5 or free[len(free) // 2] < 0.3:
            return 0.6, float(np.clip(6 * chosen, -6, 6))
        return (1.0 if abs(chosen) < 0.25 else 0.7), float(np.clip(4 * chosen, -3, 3))

    def sample_pose(self, rng: np.random.Generator) -> Pose:
        """A random pose in the maze, every other time heading for an orb in sight more or less."""
        place = self._plan.sample_position(rng, CLEAR_M)
        heading = rng.uniform(-np.pi, np.pi)
        shown = [p for o, p in self._orbs if not o.activated and self._plan.sight(place, p[:2])]
        if shown and rng.random() < 0.5:
            there = shown[int(rng.integers(len(shown)))][:2] - place
            heading = np.arctan2(there[1], there[0]) + rng.normal(0, 0.3)
        return float(place[0]), float(place[1]), float(heading)

    def auxiliary_targets(self) -> Mapping[str, float]:
        """Whether an orb is in sight, where in the image, and free distances (m) in three directions."""
        head, look = self._view()
        free = self._plan.free_m(head, look + np.array([0.0, 0.5, -0.5]), 0.0, 2.0)
        orb = self._in_sight()
        targets = {
            "orb_seen": float(orb is not None),
            "free_ahead": float(free[0]),
            "free_left": float(free[1]),
            "free_right": float(free[2]),
        }
        if orb is not None:
            targets |= self._camera.orb(orb)
        return targets
