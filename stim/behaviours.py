"""The behaviours that the rig knows, one short definition each.

Quantities are those of the body state (`rig.body_state.NAMES`) plus `ground_speed`; speeds are in m/s,
`yaw_rate` in rad/s (left is positive), `up` is 1 upright, 0 on the side and -1 on the back. Each condition
gives the threshold that begins the behaviour, then the one that ends it. The smoothing windows span about
a stride (3-6 Hz), turns a little more because the trunk yaws from side to side with each step.
"""

from __future__ import annotations

from stim.detectors import Behaviour, Condition

_UPRIGHT = Condition("min_up", "up", on=0.7, off=0.5)

STAND = Behaviour(
    "stand",
    "upright, and neither going anywhere nor turning",
    (
        Condition("max_forward_speed", "forward_speed", on=0.06, off=0.09),
        Condition("min_forward_speed", "forward_speed", on=-0.06, off=-0.09),
        Condition("max_yaw_rate", "yaw_rate", on=0.7, off=1.0),
        Condition("min_yaw_rate", "yaw_rate", on=-0.7, off=-1.0),
        _UPRIGHT,
    ),
    smoothing_ms=240,
    min_duration_ms=200,
)

WALK = Behaviour(
    "walk",
    "going forward slowly",
    (
        Condition("min_forward_speed", "forward_speed", on=0.09, off=0.06),
        Condition("max_forward_speed", "forward_speed", on=0.35, off=0.42),
        _UPRIGHT,
    ),
    smoothing_ms=200,
    min_duration_ms=160,
)

RUN = Behaviour(
    "run",
    "going forward fast",
    (Condition("min_forward_speed", "forward_speed", on=0.42, off=0.35), _UPRIGHT),
    smoothing_ms=200,
    min_duration_ms=100,
)

TURN_LEFT = Behaviour(
    "turn_left",
    "turning to its left",
    (Condition("min_yaw_rate", "yaw_rate", on=1.0, off=0.6), _UPRIGHT),
    smoothing_ms=240,
    min_duration_ms=160,
)

TURN_RIGHT = Behaviour(
    "turn_right",
    "turning to its right",
    (Condition("max_yaw_rate", "yaw_rate", on=-1.0, off=-0.6), _UPRIGHT),
    smoothing_ms=240,
    min_duration_ms=160,
)

FALLEN = Behaviour(
    "fallen",
    "on its side or back",
    (Condition("max_up", "up", on=0.3, off=0.5),),
    smoothing_ms=60,
    min_duration_ms=200,
)

BEHAVIOURS: tuple[Behaviour, ...] = (STAND, WALK, RUN, TURN_LEFT, TURN_RIGHT, FALLEN)
