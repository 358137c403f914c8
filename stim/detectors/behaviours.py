"""The behaviours that the rig knows, one short definition each: the repertoire of the paper's figure 4.

Quantities are those of the body state (`rig.body_quantities`) and those derived from it
(`stim.detectors.quantities`); lengths are in m, speeds in m/s, angles in rad, `yaw_rate` in rad/s (left is
positive), `up` is 1 upright, 0 on the side and -1 on the back. A behaviour begins where its thresholds are
`on` and ends where one is `off`: an animal that speeds up stops standing and begins to walk at 0.08 m/s, and
begins to run at 0.40; one that slows down may for a moment count as both.

Behaviours do not exclude each other: an animal may run, turn and approach an orb at once, and one that
spins also turns.

Speeds are those of the whole body's centre of mass, which hardly swing within a stride (3-6 Hz): a window
of one stride is enough, and delays what is seen by half of it, 90 ms. The trunk's yaw rate swings by 7
rad/s to either side of its mean, so that turns need a window of two strides, a delay of 190 ms. The delay is
taken off where an onset looks back (`began_tick`), not where it is found.
"""

from __future__ import annotations

from rig.body_quantities import FALLEN_BELOW_UP
from stim.detectors.definition import After, Behaviour, Threshold

_UPRIGHT = Threshold("min_up", "up", on=0.7, off=0.5)

STAND = Behaviour(
    "stand",
    "on its feet, and neither going anywhere nor turning",
    (
        Threshold("max_forward_speed", "forward_speed", on=0.05, off=0.09),
        Threshold("min_forward_speed", "forward_speed", on=-0.05, off=-0.09),
        Threshold("max_yaw_rate", "yaw_rate", on=0.8, off=1.2),
        Threshold("min_yaw_rate", "yaw_rate", on=-0.8, off=-1.2),
        _UPRIGHT,
    ),
    smoothing_ms=180,
    min_duration_ms=200,
)

WALK = Behaviour(
    "walk",
    "going forward slowly, and not round on the spot",
    (
        Threshold("min_forward_speed", "forward_speed", on=0.08, off=0.04),
        Threshold("max_forward_speed", "forward_speed", on=0.35, off=0.42),
        Threshold("max_yaw_rate", "yaw_rate", on=1.5, off=2.5),
        Threshold("min_yaw_rate", "yaw_rate", on=-1.5, off=-2.5),
        _UPRIGHT,
    ),
    smoothing_ms=180,
    min_duration_ms=200,
)

RUN = Behaviour(
    "run",
    "going forward fast: a trot or a gallop",
    (Threshold("min_forward_speed", "forward_speed", on=0.40, off=0.28), _UPRIGHT),
    smoothing_ms=180,
    min_duration_ms=100,
)

JUMP = Behaviour(
    "jump",
    "in the air, all paws well off the ground",
    (
        Threshold("min_paws_height", "paws_height", on=0.03, off=0.015),
        Threshold("min_torso_height", "torso_height", on=0.055, off=0.04),
        Threshold("min_least_up", "least_up", on=0.4, off=0.2),
    ),
    min_duration_ms=40,
)

REAR = Behaviour(
    "rear",
    "the trunk raised and the forepaws off the ground, the hind feet on it",
    (
        Threshold("min_pitch", "pitch", on=0.5, off=0.3),
        Threshold("min_forepaws_height", "forepaws_height", on=0.05, off=0.03),
        Threshold("max_hindpaws_height", "hindpaws_height", on=0.03, off=0.05),
        Threshold("min_pelvis_up", "pelvis_up", on=0.2, off=0.0),
    ),
    smoothing_ms=60,
    min_duration_ms=60,
)

SPIN_LEFT = Behaviour(
    "spin_left",
    "turning fast on the spot to its left",
    (
        Threshold("min_yaw_rate", "yaw_rate", on=1.8, off=0.9),
        Threshold("max_forward_speed", "forward_speed", on=0.22, off=0.32),
        _UPRIGHT,
    ),
    smoothing_ms=400,
    min_duration_ms=100,
)

SPIN_RIGHT = Behaviour(
    "spin_right",
    "turning fast on the spot to its right",
    (
        Threshold("max_yaw_rate", "yaw_rate", on=-1.8, off=-0.9),
        Threshold("max_forward_speed", "forward_speed", on=0.22, off=0.32),
        _UPRIGHT,
    ),
    smoothing_ms=400,
    min_duration_ms=100,
)

TURN_LEFT = Behaviour(
    "turn_left",
    "turning to its left",
    (Threshold("min_yaw_rate", "yaw_rate", on=1.2, off=0.4), _UPRIGHT),
    smoothing_ms=400,
    min_duration_ms=100,
)

TURN_RIGHT = Behaviour(
    "turn_right",
    "turning to its right",
    (Threshold("max_yaw_rate", "yaw_rate", on=-1.2, off=-0.4), _UPRIGHT),
    smoothing_ms=400,
    min_duration_ms=100,
)

CLIMB = Behaviour(
    "climb",
    "going up a slope",
    (
        Threshold("min_ground_slope", "ground_slope", on=0.12, off=0.05),
        Threshold("min_forward_speed", "forward_speed", on=0.08, off=0.03),
        _UPRIGHT,
    ),
    smoothing_ms=300,
    min_duration_ms=100,
)

LEAN = Behaviour(
    "lean",
    "on its feet, the trunk tilted to a side and kept there",
    (
        Threshold("min_side_tilt", "side_tilt", on=0.35, off=0.2),
        Threshold("max_forward_speed", "forward_speed", on=0.15, off=0.25),
        Threshold("min_least_up", "least_up", on=0.5, off=0.3),
    ),
    smoothing_ms=100,
    min_duration_ms=300,
)

STUMBLE = Behaviour(
    "stumble",
    "while going or just after it, tipping over to a side or onto the nose",
    (Threshold("min_tipped", "tipped", on=0.4, off=0.25),),
    min_duration_ms=40,
    after=After(("walk", "run"), within_ms=200),
)

FALLEN = Behaviour(
    "fallen",
    "trunk or pelvis on its side or back, low above the ground",
    (
        Threshold("max_least_up", "least_up", on=FALLEN_BELOW_UP, off=0.5),
        Threshold("max_torso_height", "torso_height", on=0.055, off=0.085),
    ),
    smoothing_ms=60,
    min_duration_ms=200,
)

RIGHTING = Behaviour(
    "righting",
    "was fallen, and is turning upright",
    (
        Threshold("min_mean_up_rate", "mean_up_rate", on=0.6, off=-0.4),
        Threshold("max_mean_up", "mean_up", on=0.8, off=0.95),
    ),
    smoothing_ms=400,
    min_duration_ms=60,
    after=After(("fallen",), within_ms=300),
)

APPROACH = Behaviour(
    "approach",
    "heading for an orb and coming nearer",
    (
        Threshold("max_orb_distance_rate", "orb_distance_rate", on=-0.12, off=-0.04),
        Threshold("max_orb_bearing", "orb_bearing", on=0.6, off=0.9),
        Threshold("min_orb_bearing", "orb_bearing", on=-0.6, off=-0.9),
    ),
    smoothing_ms=180,
    min_duration_ms=100,
)

TAP_LEFT = Behaviour(
    "tap_left",
    "the left forepaw at the orb",
    (Threshold("max_hand_L_to_orb", "hand_L_to_orb", on=0.006, off=0.016),),
    min_duration_ms=20,
)

TAP_RIGHT = Behaviour(
    "tap_right",
    "the right forepaw at the orb",
    (Threshold("max_hand_R_to_orb", "hand_R_to_orb", on=0.006, off=0.016),),
    min_duration_ms=20,
)

FIRST_TAP = Behaviour(
    "first_tap",
    "two-tap: the orb was tapped for the first time",
    events=("first_tap",),
    lasts_ms=100,
    min_duration_ms=20,
)

SECOND_TAP = Behaviour(
    "second_tap",
    "two-tap: the orb was tapped again in time",
    events=("second_tap",),
    lasts_ms=100,
    min_duration_ms=20,
)

BEHAVIOURS: tuple[Behaviour, ...] = (
    *(STAND, WALK, RUN, JUMP, REAR, SPIN_LEFT, SPIN_RIGHT, TURN_LEFT, TURN_RIGHT, CLIMB, LEAN),
    *(STUMBLE, FALLEN, RIGHTING, APPROACH, TAP_LEFT, TAP_RIGHT, FIRST_TAP, SECOND_TAP),
)
"""In this order; those that begin only after others stand behind them."""
