"""The expert of two-tap: finds the orb, comes to stand before it, taps it and 0.8 s later again.

It looks for a green orb by turning to the left, on a small circle. The orb hangs at
14 cm; in the running gait the camera is at 5.5 cm and level, and the orb would leave the image at a distance
of 12 cm. So the animal looks up, the more the nearer it is, and keeps the orb in view until it rears for it;
where it came too near it steps back. The ticks of a tap are counted from its beginning, then from the first
touch. An orb that is no longer green is left alone: it will move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.experts.interface import Pose
from training.experts.pose import REARING, BodyReader
from training.experts.righting import Righting
from training.experts.view import View
from training.skills import steering, walking_backward
from training.skills.library import Skills
from training.skills.locomotion import Locomotion
from training.skills.movement_follower import MovementFollower
from training.skills.spinning import YAW_RAD_S as SPIN_YAW_RAD_S
from training.skills.tap import AGAIN_KNOTS, LONGEST_REACH, LOOK_AGAIN_TICK
from training.skills.tap import load as load_tap

Array = np.ndarray

SEEN_TO_M = 2.8
"""Greatest distance at which an orb counts as seen. It is a pixel wide at 1.9 m, and shows faintly beyond
that, up to 3.5 m."""
OUT_OF_VIEW_RAD = 0.65
"""An orb that is not in view, and whose bearing is greater, is looked for by turning to the left, whichever
side it is on: the network does not remember the side for long."""
SIDE_REMEMBERED_TICKS = 20
"""For so long it does: an orb that has just left the view to a side is turned to."""
IN_FRONT_RAD, BESIDE_M = 0.5, 0.03
"""It turns on the spot where the orb's bearing is greater, and nearer than `NEAR_M` its distance to the side
too."""
SPIN_PER_RAD = 1.2
"""Fraction of the fastest turn, per rad to be turned."""
NEAR_M = 0.3
"""Distance from which on centimetres count, and the animal looks farther up."""
STOPPING_S = 0.05
"""How far the animal moves on after the command to stand, over its speed."""
TOO_FAR_M, TOO_NEAR_M, BACK_UNTIL_M = 0.03, 0.025, 0.01
"""It taps where it stands at the tap's own distance, at most so much too far or too near; from nearer it
steps back, until it is too near by the last of these."""
STANDING_TICKS = 2
"""How many ticks it stands before it taps."""
SLOW_M_S, TURNING_RAD_S = 0.15, 1.0
"""An animal that moves and turns no faster stands."""
SPIN_SPEED, SPIN_FAST = 0.4, 0.6
"""Speed commands that turn it on the spot at 3.2 and 4.6 rad/s."""
FASTEST = 0.7
"""Greatest speed command: with more it runs hardly faster, and falls now and then."""
LOOK_UP = {"cervical_extend": -0.5, "atlas": 0.5}
"""Added to the gait to look 30 degrees up, so that an orb is in view from near and far alike."""
LOOK_UP_NEAR = {"cervical_extend": -1.0, "atlas": 1.0}
"""Added instead near an orb, which hangs above the camera when it is in reach."""
LOOK_UP_UNDER = {"cervical_extend": -1.0, "atlas": 1.0, "lumbar_extend": 0.3}
"""Added instead almost under it, and standing: 54 degrees up."""
UNDER_M = 0.14
"""Distance from the trunk within which an orb counts as almost overhead."""
LOOK_ROUND_SIDE, LOOK_ROUND_SPEED = 0.3, 0.7
"""Of the spin that looks for the orb: on a circle 40 cm across, at 1.9 rad/s. On one of 24 cm an animal stays
under an orb that is overhead."""
TAP_TICKS = AGAIN_KNOTS[-1]
"""Length of the second part of a tap."""
LANDING_TICKS = 8
"""How many ticks it stands after a tap."""
REMEMBERED_TICKS = 30
"""How many ticks it heads for an orb that has left the view."""
REACHABLE_M = 0.15
"""Distance within which an animal that rears is taken to have begun a tap by itself."""
PATIENCE_TICKS = 10
"""How many ticks more than the first part of a tap it may take, from its beginning, until it is given up; and
how many until it is begun."""
FALLEN_TICKS = 15
"""How many ticks it has to lie, outside a tap, before it gets up."""
TAPPING, TAPPING_WEIGHT = frozenset({"reach", "again"}), 3.0
"""Modes of a tap, and the loss weight there: taps are rare, and everything else serves them."""
PACE_WEIGHT, BEGUN_TICK, MOST_BEHIND = 0.02, 1, 3
"""Of a reach (`MovementFollower`), which may be waited for until it has begun, and then may not stand still:
an animal that half follows would stay half reared."""
BEHIND_RAD = 2.0
"""An orb whose bearing is greater is turned to from any distance."""


class TwoTapExpert:
    """Finds, approaches and taps the orb twice.

    Args:
        skills: with `steering`, `spinning`, `walking_backward`, `righting` and `tapping`.
    """

    loss_weight = 1.0

    def __init__(self, skills: Skills) -> None:
        self._locomotion = skills.locomotion()
        self._spinning = Locomotion(steering.load(skills.path("spinning")), SPIN_SPEED)
        self._walking_backward = skills.walking_backward()
        self._tap = load_tap(skills.path("tapping"))
        self._righting = Righting(skills.path("righting"), FALLEN_TICKS)

    def begin(self, environment: Any) -> None:
        """Start an episode in a composer environment that was just reset."""
        self._body = BodyReader(environment)
        self._righting.begin()
        self._view = View(self._body, SEEN_TO_M)
        # the task has no public name for its one orb
        self._orb = environment.task._targets[0][0]
        self._goal: Array | None = None  # position of the orb when it was last seen
        self._seen = False
        self._unseen = 0  # ticks since it was seen
        self._mode = ""
        self._ticks = 0  # in this mode
        self._standing = 0  # ticks for which the command was to stand
        self._was_touched = False
        self._touched_at = np.zeros(3)
        self._off = (0.0, 0.0)  # where the orb was, ahead and to the left, when the tap began

    def sample_pose(self, rng: np.random.Generator) -> Pose:
        """A random pose about the orb, mostly facing it, at distances uniform in their logarithm."""
        orb = self._place_of_orb()
        distance = np.exp(rng.uniform(np.log(0.05), np.log(SEEN_TO_M)))
        bearing = rng.normal(0, 0.35) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi)
        heading = rng.uniform(-np.pi, np.pi)
        x, y = orb[:2] - distance * np.array([np.cos(heading + bearing), np.sin(heading + bearing)])
        return float(x), float(y), float(heading)

    def auxiliary_targets(self) -> Mapping[str, float]:
        """Whether the orb is in the image, where, how far off, and whether it was touched."""
        orb = self._place_of_orb()
        targets = {"orb_seen": float(self._view.shows(orb)), **self._view.orb(orb)}
        if targets["orb_seen"]:
            targets["orb_touched"] = float(self._orb.activated[0])
        return targets

    def act(self) -> Array:
        """Action (actuators,) float64 in [-1, 1] for this tick."""
        action = self._act()
        tapping = self._mode in TAPPING or (self._mode == "approach" and self._standing > 0)
        self.loss_weight = TAPPING_WEIGHT if tapping else 1.0
        return action

    def _act(self) -> Array:
        self._ticks += 1
        self._look()
        touched, touched_again = self._orb.activated
        if touched and not self._was_touched:
            if self._mode != "reach":  # by accident: the second touch is due all the same
                self._off = (self._tap.ahead_m, 0.0)
            self._touched_at = self._place_of_orb().copy()
            self._enter("again")
        self._was_touched = touched
        if self._mode == "again":
            if self._ticks - 1 == LOOK_AGAIN_TICK:
                self._off = self._ahead_and_aside(self._touched_at)
            if self._ticks <= TAP_TICKS:
                return self._tap.touching_again(self._ticks - 1, *self._off)
            self._goal = None
            self._enter("land")
        if self._mode == "reach":
            waited = self._reach.tick < BEGUN_TICK and self._ticks > LONGEST_REACH
            if not waited and self._reach.clock <= LONGEST_REACH + PATIENCE_TICKS:
                return self._reach.next(self._body.activation())
            self._enter("land" if self._rearing() else "approach")
        up = self._righting.act(self._body)
        if up is not None:
            self._standing = 0
            return up
        if self._mode == "land":
            if self._ticks <= LANDING_TICKS:
                return self._stand()
            self._enter("find")
        if self._goal is None or touched or touched_again:
            return self._find()
        return self._approach(self._goal)

    def _enter(self, mode: str) -> None:
        self._mode, self._ticks, self._standing = mode, 1, 0

    def _place_of_orb(self) -> Array:
        return self._body.model.geom_pos[self._orb.geom_id]

    def _look(self) -> None:
        orb = self._place_of_orb()
        self._seen = self._view.shows(orb)
        if self._mode != "reach":  # then it looks up, and knows where the orb is by its posture
            self._unseen += 1
        if self._seen:
            self._unseen = 0
        if self._seen:
            self._goal = None if self._orb.activated[0] else orb.copy()
        elif self._unseen > REMEMBERED_TICKS:
            self._goal = None  # the network would not remember it either
        elif self._goal is not None and self._view.shows(self._goal):
            self._goal = None  # it is not where it was

    def _find(self) -> Array:
        """Look for the orb, in every tick in the same way.

        A network that sees nothing would have to count to do one thing after another.
        """
        if self._mode != "find":
            self._enter("find")
        return self._look_round()

    def _look_round(self) -> Array:
        """Turn to the left on a small circle: from there an orb that was overhead comes into view."""
        return self._spin(LOOK_ROUND_SIDE, LOOK_ROUND_SPEED)

    def _approach(self, goal: Array) -> Array:
        bearing = self._body.bearing_rad(goal)
        ahead, aside = self._ahead_and_aside(goal)
        distance = float(np.hypot(ahead, aside))
        if distance < REACHABLE_M and ahead > 0 and self._rearing():
            # it has begun by itself: continue from there
            self._off = (ahead, aside)
            self._enter("reach")
            self._reach = self._reaching(self._stand())
            self._reach.find(self._body.activation())
            return self._reach.next(self._body.activation())
        best = self._tap.ahead_m
        if self._mode in ("", "find") or (self._mode == "back" and distance > best - BACK_UNTIL_M):
            self._enter("approach")
        if self._mode == "back" or distance < best - TOO_NEAR_M:
            if self._mode != "back":
                self._enter("back")
            return self._back()
        if self._unseen > SIDE_REMEMBERED_TICKS and abs(bearing) > OUT_OF_VIEW_RAD:
            return self._look_round()
        beside = distance > NEAR_M or abs(aside) > BESIDE_M or abs(bearing) > BEHIND_RAD
        if abs(bearing) > IN_FRONT_RAD and beside:
            side = float(np.clip(SPIN_PER_RAD * bearing, -1, 1))
            return self._spin(side, SPIN_FAST if abs(bearing) > 1.0 else SPIN_SPEED)
        speed = self._body.forward_speed_m_s()
        left = ahead - best - STOPPING_S * max(speed, 0.0)
        if self._standing and ahead - best < TOO_FAR_M:
            left = min(left, 0.0)  # near enough: no shuffling
        if left > 0:
            self._standing = 0
            approach = float(np.clip(0.3 + 2.5 * (left - 0.02), 0.25, FASTEST))
            running = float(np.clip(speed / 0.5, 0, 1))
            yaw = float(np.clip(5.0 * bearing, -3.0, 3.0))
            return self._go(min(approach, 0.5 + 0.5 * running), yaw)
        if self._standing < STANDING_TICKS or abs(speed) > SLOW_M_S or self._turns():
            return self._stand()
        self._off = (ahead, aside)
        self._enter("reach")
        self._reach = self._reaching(self._body.activation())
        return self._reach.next(self._body.activation())

    def _reaching(self, activation: Array) -> MovementFollower:
        """The first part of a tap, for an animal that begins with activations (actuators,)."""
        ticks = range(LONGEST_REACH + 1)
        control = np.stack([self._tap.reaching(tick, *self._off) for tick in ticks])
        return MovementFollower(
            control,
            activation,
            PACE_WEIGHT,
            most_behind=MOST_BEHIND,
            clock_from=BEGUN_TICK,
        )

    def _ahead_and_aside(self, goal: Array) -> tuple[float, float]:
        bearing = self._body.bearing_rad(goal)
        distance = float(np.hypot(*(goal - self._body.place_m())[:2]))
        return distance * float(np.cos(bearing)), distance * float(np.sin(bearing))

    def _turns(self) -> bool:
        return abs(float(self._body.data.cvel[self._body.torso][2])) > TURNING_RAD_S

    def _rearing(self) -> bool:
        # one that stops from a run is raised in front too, but still moves
        slow = abs(self._body.forward_speed_m_s()) < SLOW_M_S
        return slow and float(self._body.matrix()[2, 0]) > REARING

    def _go(self, speed: float, yaw_rad_s: float) -> Array:
        self._standing = 0
        return self._command(self._locomotion, speed, yaw_rad_s)

    def _spin(self, side: float, speed: float) -> Array:
        self._standing = 0
        return self._command(self._spinning, speed, float(side) * SPIN_YAW_RAD_S)

    def _back(self) -> Array:
        self._standing = 0
        return self._command(
            self._walking_backward, walking_backward.SPEED, walking_backward.COMMAND
        )

    def _stand(self) -> Array:
        self._standing += 1
        return self._command(self._locomotion, 0.0, 0.0)

    def _command(self, locomotion: Locomotion, speed: float, yaw_rad_s: float) -> Array:
        activation = self._body.activation()[None]
        action = locomotion.act(activation, np.array([speed]), np.array([yaw_rad_s]))[0]
        for joint, lift in self._look_up(standing=speed == 0).items():
            action[self._body.actuators[joint]] += lift
        return np.clip(action, -1, 1)

    def _look_up(self, standing: bool) -> Mapping[str, float]:
        if self._goal is None:
            return LOOK_UP
        distance = float(np.hypot(*(self._goal - self._body.place_m())[:2]))
        if distance > NEAR_M:
            return LOOK_UP
        return LOOK_UP_UNDER if standing or distance < UNDER_M else LOOK_UP_NEAR
