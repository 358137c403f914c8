"""The regression targets of the vision encoder's pretraining: what of an image the experts decide by.

Most of them say where in the image something is, or how far it is from the camera, because a single image
shows no more: what that means for the trunk depends on the posture of the head, which proprioception has.
A target that does not apply, or that cannot be seen from where the animal looks, is left out. Positions in
the image are in half images: 0 is the middle, 1 the right or upper border.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Array = np.ndarray

TARGETS = (
    # which task it is
    "is_gaps", "is_forage", "is_escape", "is_two_tap",
    # corridor: heading of the camera (rad from the corridor's), trunk's distance left of the middle (m)
    "corridor_heading", "corridor_offset",
    # gaps: 1 where the near edge of the next gap is in the image, and its height; height of the far edge
    "gap_seen", "near_edge", "far_edge",
    # an orb: 1 in view, 0 not; position right and up in the image; logarithm of its distance (m)
    "orb_seen", "orb_right", "orb_up", "orb_log_m",
    # the colour of the orb of two-tap: 1 once it was touched
    "orb_touched",
    # maze: free distance (m, at most 2) ahead, and half right and half left of ahead
    "free_ahead", "free_left", "free_right",
    # bowl: bearing (rad to the left) of the way out, and distance from the centre (m)
    "out_bearing", "out_distance",
)  # fmt: skip
SCALES = {"corridor_heading": 0.3, "corridor_offset": 0.3, "near_edge": 0.2, "far_edge": 0.2,
          "orb_right": 0.2, "orb_up": 0.2, "orb_log_m": 0.4,
          "free_ahead": 0.5, "free_left": 0.5, "free_right": 0.5,
          "out_bearing": 1.0, "out_distance": 2.0}  # fmt: skip
"""Unit of each target in an array: its standard deviation, or less where precision matters; 1 if absent."""


def as_array(targets: Mapping[str, float]) -> Array:
    """Targets by name as an array (len(TARGETS),) float32 in units of `SCALES`, NaN where left out."""
    return np.array(
        [targets[name] / SCALES.get(name, 1.0) if name in targets else np.nan for name in TARGETS],
        np.float32,
    )
