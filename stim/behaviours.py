"""The behaviours that the rig knows, one short definition each.

Quantities are those of the body state (`rig.body_state.NAMES`) plus `ground_speed`; speeds are in m/s,
`yaw_rate` in rad/s (left is positive), `up` is 1 upright, 0 on the side and -1 on the back. Each condition
gives the threshold that begins the behaviour, then the one that ends it. An animal that speeds up stops
standing and begins to walk at 0.12 m/s, stops walking and begins to run at 0.40; one that slows down may
for a moment count as both.

Speeds are those of the whole body's centre of mass, which hardly swing within a stride (3-6 Hz): a window
of one stride is enough, and delays what is seen by half of it, 90 ms. The trunk's yaw rate swings by 7
rad/s to either side of its mean, so that turns need a window of two strides, a delay of 190 ms.
"""

from __future__ import annotations

from stim.detectors import Behaviour, Condition

_UPRIGHT = Condition("min_up", "up", on=0.7, off=0.5)

STAND = Behaviour(
    "stand",
    "upright, and neither going anywhere nor turning",
    (
        Condition("max_forward_speed", "forward_speed", on=0.08, off=0.12),
        Condition("min_forward_speed", "forward_speed", on=-0.08, off=-0.12),
        Condition("max_yaw_rate", "yaw_rate", on=0.8, off=1.2),
        Condition("min_yaw_rate", "yaw_rate", on=-0.8, off=-1.2),
        _UPRIGHT,
    ),
    smoothing_ms=180,
    min_duration_ms=200,
)

WALK = Behaviour(
    "walk",
    "going forward slowly",
    (
        Condition("min_forward_speed", "forward_speed", on=0.12, off=0.08),
        Condition("max_forward_speed", "forward_speed", on=0.35, off=0.40),
        _UPRIGHT,
    ),
    smoothing_ms=180,
    min_duration_ms=200,
)

RUN = Behaviour(
    "run",
    "going forward fast",
    (Condition("min_forward_speed", "forward_speed", on=0.40, off=0.28), _UPRIGHT),
    smoothing_ms=180,
    min_duration_ms=100,
)

TURN_LEFT = Behaviour(
    "turn_left",
    "turning to its left",
    (Condition("min_yaw_rate", "yaw_rate", on=1.2, off=0.6), _UPRIGHT),
    smoothing_ms=400,
    min_duration_ms=200,
)

TURN_RIGHT = Behaviour(
    "turn_right",
    "turning to its right",
    (Condition("max_yaw_rate", "yaw_rate", on=-1.2, off=-0.6), _UPRIGHT),
    smoothing_ms=400,
    min_duration_ms=200,
)

FALLEN = Behaviour(
    "fallen",
    "on its side or back",
    (Condition("max_up", "up", on=0.3, off=0.5),),
    smoothing_ms=60,
    min_duration_ms=200,
)

BEHAVIOURS: tuple[Behaviour, ...] = (STAND, WALK, RUN, TURN_LEFT, TURN_RIGHT, FALLEN)
