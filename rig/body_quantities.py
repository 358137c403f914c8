"""The names of the body state's entries, in their order, and what they are; imports nothing.

Units are metres, seconds and radians; x, y and z are world axes, forward and lateral are along the
animal's heading.
"""

from __future__ import annotations

FALLEN_BELOW_UP = 0.3
"""An animal lies where the upward part of its torso's vertical axis is below this (73° from upright)."""
UPRIGHT_ABOVE_UP = 0.8
"""It is upright above this (37°)."""

PAWS: tuple[str, ...] = ("hand_L", "hand_R", "foot_L", "foot_R")
PADS: tuple[str, ...] = ("palm_L", "palm_R", "sole_L", "sole_R")

NAMES: tuple[str, ...] = (
    *("torso_x", "torso_y", "torso_z"),
    *("torso_vx", "torso_vy", "torso_vz"),
    *("body_vx", "body_vy", "body_vz"),
    *("forward_speed", "lateral_speed"),
    *("yaw", "yaw_rate", "pitch", "roll", "up"),
    *("head_x", "head_y", "head_z", "head_pitch"),
    *(f"{paw}_{axis}" for paw in PAWS for axis in "xyz"),
    *(f"touch_{pad}" for pad in PADS),
    "n_contacts",
    "pelvis_up",
    *("torso_height", "head_height", *(f"{paw}_height" for paw in PAWS)),
    "ground_slope",
    *("orb_distance", "orb_bearing", "orb_height", "hand_L_to_orb", "hand_R_to_orb"),
)
"""`torso_v*` is the velocity of the torso, which swings forth and back within a stride; `body_v*` that
of the whole body's centre of mass, which hardly does, and `forward_speed` and `lateral_speed` are its
parts along and across the animal's heading. `yaw_rate` is positive to the left, `pitch` where the torso
points upwards, `roll` where its left side is up. `up` is the vertical part of the torso's own vertical axis:
1 upright, 0 on the side, -1 on the back; `pelvis_up` that of the pelvis. `touch_*` is the force on a paw's
pad (N); `n_contacts` counts all contacts in the arena.

`*_height` is the height above the ground under that part: the terrain of the bowl, elsewhere the floor's
level (also over a gap). `ground_slope` is how much the ground rises a metre, along the heading, from 8 cm
behind the torso to 8 cm ahead of it; 0 where it is flat.

`orb_*` is the nearest orb that was not collected (in two-tap, the one there is), from the torso:
horizontal distance, bearing (left is positive), height above it. `hand_*_to_orb` is from the middle of a
hand to the orb's surface, negative inside. All five are NaN where there is no orb. They are the
simulator's truth: the animal may not see it, and in the maze a wall may be between."""


def unit_of(name: str) -> str:
    """The unit of an entry of the body state; "1" where it is a plain number."""
    if name.startswith("touch_"):
        return "N"
    if name in ("n_contacts", "up", "pelvis_up", "ground_slope"):
        return "1"
    if name == "yaw_rate":
        return "rad/s"
    if name in ("yaw", "pitch", "roll", "head_pitch", "orb_bearing"):
        return "rad"
    if name.endswith(("_vx", "_vy", "_vz", "_speed")):
        return "m/s"
    return "m"
