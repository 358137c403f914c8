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
from training.skills import gap_running, walking_backward
from training.skills.gap_running import LANDING_TICKS, Runner
from training.skills.library import Skills
from training.skills.movement_follower import MovementFollower
from training.skills.running_leap_approach import BEARS_M
from training.skills.running_leap_table import LEAP_TICKS
from training.skills.running_leap_trials import HEAD_DOWN_NEAR, REARED_BELOW

Array = np.ndarray

SEEN_WITHIN_M = 0.8
"""A gap further off is less than a pixel high in the image of a camera 7 cm above the ground."""
STANDS_M_S = 0.1
"""Speed below which an animal stands."""
BACKWARD_M_S, RUN_UP_M = 0.03, 0.15
"""An animal that goes backwards, at more than the first, goes on until it is so far before the edge."""
SPEED_PER_TICK = 0.2
"""Share of the present speed in the running mean that this goes by: a trot's speed sways."""
FALLEN_TICKS = 8
"""How long an animal lies before it gets up: for less it may be tumbling out of a leap."""
FLIES_FROM = 15
"""From this tick on a leap out of the run goes by the clock: it has pushed off."""
PACE_WEIGHT, MOST_BEHIND = 0.1, 3
"""Of a leap (`MovementFollower`). It cannot wait for an animal that is slow to follow."""
LEAPING_WEIGHT = 3.0
"""Loss weight of a leap and its landing (`TaskExpert.loss_weight`): a push that is learned at less than its
strength is too weak for wide gaps, and such a landing ends in a fall."""


class GapsExpert:
    """Runs along the middle of the corridor, and leaps out of the run where the ground ends.

    Where it is past the place of a leap, it stands, goes back, and runs up anew. After a fall it gets up. But
    for movements that have begun, what it does next goes by what the animal feels and sees, not by how long
    it has done something: a network has no clock for that.
    """

    loss_weight = 1.0

    def __init__(self, skills: Skills) -> None:
        self._locomotion = skills.stepping()
        self._walking_backward = skills.walking_backward()
        self._skill = gap_running.load(skills.path("gap_running"))
        self._righting = Righting(skills.path("righting"), FALLEN_TICKS)

    def begin(self, environment: Any) -> None:
        """Start an episode in a composer environment that was just reset."""
        self._body = BodyReader(environment)
        self._near, self._far = gaps_of(self._body.model, self._body.data)
        self._runner = Runner(self._locomotion, self._skill, self._body.actuators, 1)
        self._running_leap: MovementFollower | None = None
        self._righting.begin()
        self._speed_m_s = 0.0
        self._view = View(self._body, SEEN_WITHIN_M)

    def act(self) -> Array:
        """Action (actuators,) float64 in [-1, 1] for this tick."""
        action = self._act()
        leaps = self._runner.tick[0] <= LEAP_TICKS + LANDING_TICKS
        self.loss_weight = LEAPING_WEIGHT if leaps else 1.0
        return action

    def _act(self) -> Array:
        self._speed_m_s += SPEED_PER_TICK * (self._body.forward_speed_m_s() - self._speed_m_s)
        rises = self._righting.act(self._body)
        if rises is not None:
            self._runner.rest(0)
            return rises
        # distances are the body's root's, as in the searches: it is below the trunk, and differs when it
        # pitches
        edges = self._near - float(self._body.data.qpos[0])
        before = float(edges[edges > 0].min(initial=np.inf))
        stands = abs(self._speed_m_s) < STANDS_M_S
        if self._runner.tick[0] < LEAP_TICKS:
            return self._run_and_leap()
        reared = self._body.upright() < REARED_BELOW
        if reared and stands:
            self._runner.rest(0)
            return self._run(1.0)  # it hangs in a gap, with paws on its edge
        late = before < self._skill.leap.before_m - BEARS_M
        backward = self._speed_m_s < -BACKWARD_M_S
        if (late and stands) or (backward and before < RUN_UP_M):
            self._runner.rest(0)
            return self._back()
        if late:
            self._runner.rest(0)
            return self._run(0.0, {} if reared else HEAD_DOWN_NEAR)
        return self._run_and_leap()

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

    def _back(self) -> Array:
        speed, command = (
            np.array([one]) for one in (walking_backward.SPEED, walking_backward.COMMAND)
        )
        return self._walking_backward.act(self._body.activation()[None], speed, command)[0]

    def _run(self, speed: float, look: Mapping[str, float] = {}) -> Array:
        action = run_along(self._locomotion, self._body, speed)
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
