"""The expert of the gaps: run along the corridor, leap out of the run, run on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rig.arenas.gaps import gaps_of
from training.experts.corridor import run_along
from training.experts.interface import Pose
from training.experts.pose import BodyReader
from training.experts.righting import Righting
from training.experts.view import View
from training.skills import gap_running, leaping
from training.skills.gap_running import LANDING_TICKS, LONG_AGO, Runner
from training.skills.library import Skills
from training.skills.movement_follower import MovementFollower
from training.skills.running_leap_approach import BEARS_M
from training.skills.running_leap_table import LEAP_TICKS

Array = np.ndarray

SEEN_WITHIN_M = 0.8
"""A gap further off is less than a pixel high in the image of a camera 7 cm above the ground."""
SLOWS_WITHIN_M, STANDS_WITHIN_M, LEAPS_WITHIN_M = 0.6, 0.085, 0.11
"""Distances of the body's root from a gap within which the animal slows down, has to stand, and leaps if it
stands. The last is greater than the second, so that one that has stopped a little short leaps too."""
SQUARE_WITHIN_M = 0.45
"""Distance within which it heads along the corridor, instead of for its middle."""
WALK, STANDING_M_S = 0.25, 0.1
"""Speed command of the last steps, and the speed below which the animal stands."""
LOOK_DOWN = {"cervical_extend": 0.6, "atlas": -0.6}
"""Added to the gait to look 25 degrees down: an edge is in view until it is 12 cm away. By itself the gait
carries the head 30 degrees up, and no edge nearer than 25 cm is in view."""
LOOK_DOWN_NEAR, NEAR_M = {"cervical_extend": 0.8, "atlas": -0.8}, 0.25
"""Added within `NEAR_M` of an edge, to look 35 degrees down: the last centimetres show as a bright band that
grows from the lower border of the image. Farther away a head so low makes the gait rear up."""
REARED_BELOW = 0.75
"""Uprightness below which the animal stands until it has come down: running on, it would rear up and fall."""
LANDED_TICKS = 12
"""How many ticks the animal stands after a leap."""
CAREFUL_WITHIN_M, RUNS_ABOVE_M_S = 0.2, 0.1
"""An animal that is slower than this within such a distance of a gap stops before it and leaps from the
stand."""
SPEED_PER_TICK = 0.2
"""Share of the present speed in the running mean that this goes by: a trot's speed sways."""
CAUGHT_TICKS, SCRAMBLES_TICKS = 25, 20
"""An animal that has stood reared for so long hangs in a gap, with paws on its edge; it runs for so long."""
FALLEN_TICKS = 8
"""How long an animal lies before it gets up: for less it may be tumbling out of a leap."""
FLIES_FROM = 15
"""From this tick on a leap out of the run goes by the clock: it has pushed off."""
PACE_WEIGHT, MOST_BEHIND = 0.1, 3
"""Of a leap (`MovementFollower`). It cannot wait for an animal that is slow to follow."""
LEAPING_WEIGHT = 3.0
"""Loss weight of a leap and its landing (`TaskExpert.loss_weight`): a push that is learned at less than its
strength is too weak for wide gaps, and such a landing ends in a fall."""


def standing_leap(leap: leaping.Leap) -> MovementFollower:
    """The actions of a leap from the stand, and of the stand after it, in step with the body: call its `next`
    once a tick, until its `tick` is `LEAP_TICKS + LANDED_TICKS`.

    Once begun it does not wait: an animal that stood on would be asked for its first ticks, which are almost
    the stand, for ever.
    """
    control = leap.control[: leaping.LEAP_TICKS + LANDED_TICKS + 1]
    # it ends in the stand that it begins in
    return MovementFollower(control, leap.control[-1], PACE_WEIGHT, most_behind=MOST_BEHIND)


class GapsExpert:
    """Runs along the middle of the corridor, and leaps out of the run where the ground ends.

    Where it is too slow for that, or came to the edge at a wrong place, it stands and leaps from there.
    After a fall it gets up.
    """

    loss_weight = 1.0

    def __init__(self, skills: Skills) -> None:
        self._locomotion = skills.stepping()
        self._leap = leaping.load(skills.path("leaping"))
        self._skill = gap_running.load(skills.path("gap_running"))
        self._righting = Righting(skills.path("righting"), FALLEN_TICKS)

    def begin(self, environment: Any) -> None:
        """Start an episode in a composer environment that was just reset."""
        self._body = BodyReader(environment)
        self._near, self._far = gaps_of(self._body.model, self._body.data)
        self._standing_leap: MovementFollower | None = None
        self._runner = Runner(self._locomotion, self._skill, self._body.actuators, 1)
        self._running_leap: MovementFollower | None = None
        self._righting.begin()
        self._speed_m_s, self._careful, self._reared_ticks = 0.0, False, 0
        self._view = View(self._body, SEEN_WITHIN_M)

    def act(self) -> Array:
        """Action (actuators,) float64 in [-1, 1] for this tick."""
        action = self._act()
        from_stand = self._standing_leap
        stands_off = from_stand is not None and from_stand.tick < leaping.LEAP_TICKS
        leaps = stands_off or self._runner.tick[0] <= LEAP_TICKS + LANDING_TICKS
        self.loss_weight = LEAPING_WEIGHT if leaps else 1.0
        return action

    def _act(self) -> Array:
        rises = self._righting.act(self._body)
        if rises is not None:
            self._standing_leap = None
            self._runner.tick[0] = LONG_AGO
            return rises
        if self._standing_leap is not None:
            return self._leap_on(self._standing_leap)
        # distances are the body's root's, as in the searches: it is below the trunk, and differs when it
        # pitches
        edges = self._near - float(self._body.data.qpos[0])
        before = float(edges[edges > 0].min(initial=np.inf))
        self._speed_m_s += SPEED_PER_TICK * (self._body.forward_speed_m_s() - self._speed_m_s)
        reared = self._body.upright() < REARED_BELOW and self._runner.tick[0] >= LEAP_TICKS
        self._reared_ticks = self._reared_ticks + 1 if reared else 0
        if self._reared_ticks % (CAUGHT_TICKS + SCRAMBLES_TICKS) > CAUGHT_TICKS:
            return self._run(1.0, {})
        if self._runner.tick[0] >= LEAP_TICKS and self._is_careful(before):
            return self._stand_and_leap(before)
        return self._run_and_leap()

    def _is_careful(self, before: float) -> bool:
        """Whether it comes to the next edge slowly, or too late for a leap out of the run."""
        late = before < self._skill.leap.before_m - BEARS_M
        slow = self._speed_m_s < RUNS_ABOVE_M_S
        self._careful = before < CAREFUL_WITHIN_M and (self._careful or late or slow)
        return self._careful

    def _run_and_leap(self) -> Array:
        runner, data, activation = self._runner, self._body.data, self._body.activation()
        tick = int(runner.tick[0])
        if tick < FLIES_FROM and self._running_leap is not None:
            self._running_leap.next(activation)
            runner.tick[0] = self._running_leap.tick
        body = data.qpos[None], data.qvel[None], activation[None]
        action = runner.act(np.zeros(1, int), *body, self._near[None], self._far[None])
        if runner.tick[0] == 1 and tick >= LEAP_TICKS:
            controls = runner.expected_controls(0, float(runner.phase[0]))
            self._running_leap = MovementFollower(
                controls, activation, PACE_WEIGHT, most_behind=MOST_BEHIND
            )
            self._running_leap.next(activation)  # that of this tick
        return action[0]

    def _stand_and_leap(self, before: float) -> Array:
        velocity = self._body.data.subtree_linvel[self._body.torso][:2]
        stands = float(np.hypot(*velocity)) < STANDING_M_S
        if stands and before < LEAPS_WITHIN_M:
            self._standing_leap = standing_leap(self._leap)
            return self._leap_on(self._standing_leap)
        reared = self._body.upright() < REARED_BELOW
        look = {} if reared else LOOK_DOWN_NEAR if before < NEAR_M else LOOK_DOWN
        if before < STANDS_WITHIN_M or reared:
            return self._run(0.0, look)
        slowing = (before - STANDS_WITHIN_M) / (SLOWS_WITHIN_M - STANDS_WITHIN_M)
        # the last steps are square to the gap, wherever the middle is
        heading = 0.0 if before < SQUARE_WITHIN_M else None
        return self._run(float(np.clip(slowing, WALK, 1)), look, heading)

    def _leap_on(self, leap: MovementFollower) -> Array:
        action = leap.next(self._body.activation())
        if leap.tick >= leaping.LEAP_TICKS + LANDED_TICKS:
            self._standing_leap = None
        return action

    def _run(self, speed: float, look: Mapping[str, float], heading: float | None = None) -> Array:
        action = run_along(self._locomotion, self._body, speed, heading)
        for joint, flexion in look.items():
            action[self._body.actuators[joint]] += flexion
        return np.clip(action, -1, 1)

    def sample_pose(self, rng: np.random.Generator) -> Pose:
        """A random pose before a gap, at distances uniform in their logarithm.

        Gaps are drawn in proportion to their width squared, because wide ones are crossed least often.
        """
        width = (self._far - self._near)[1:]
        gap = 1 + int(rng.choice(len(width), p=width**2 / (width**2).sum()))
        away = float(np.exp(rng.uniform(np.log(0.05), np.log(SEEN_WITHIN_M))))
        x = max(self._near[gap] - away, self._far[gap - 1] + 0.05)
        return float(x), float(rng.normal(0, 0.15)), float(rng.normal(0, 0.2))

    def auxiliary_targets(self) -> Mapping[str, float]:
        """The camera's heading, the offset from the middle, and the next gap's edges in the image."""
        view, x = self._view, self._body.place_m()[0]
        targets = {
            "corridor_heading": view.heading_rad(),
            "corridor_offset": float(self._body.place_m()[1]),
            "gap_seen": 0.0,
        }
        ahead = np.flatnonzero(self._far > x)
        if len(ahead):
            near, far = view.edge(self._near[ahead[0]]), view.edge(self._far[ahead[0]])
            targets["gap_seen"] = float(near is not None)
            targets |= {} if near is None else {"near_edge": near}
            targets |= {} if far is None else {"far_edge": far}
        return targets
