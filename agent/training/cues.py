"""What the eyes are taught to tell before imitation begins: the cues that the experts decide by.

A cue that does not apply, or that cannot be seen from where the animal looks, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Array = np.ndarray

CUES = (
    # which task it is
    "is_gaps", "is_forage", "is_escape", "is_two_tap",
    # corridor: heading (rad from its direction) and offset (m to the left)
    "corridor_heading", "corridor_offset",
    # gaps: from the trunk forwards (m) to the near and far edge of the next gap, and of the one after it
    "gap_near", "gap_far", "next_gap_near", "next_gap_far",
    # an orb: 1 in view, 0 not; where it is in view: bearing (rad to the left), distance (m), height above
    # the trunk (m)
    "orb_seen", "orb_bearing", "orb_distance", "orb_height",
    # the colour of the orb of two-tap: 1 once it was touched
    "orb_touched",
    # maze: free distance (m, at most 2) ahead, and half right and half left of ahead
    "free_ahead", "free_left", "free_right",
    # bowl: bearing (rad to the left) of the way out, and distance from the centre (m)
    "out_bearing", "out_distance",
)  # fmt: skip
SCALES = {"gap_near": 0.2, "gap_far": 0.2, "next_gap_near": 0.4, "next_gap_far": 0.4,
          "corridor_heading": 0.3, "corridor_offset": 0.3, "orb_bearing": 0.4, "orb_distance": 0.4,
          "orb_height": 0.1, "free_ahead": 0.5, "free_left": 0.5, "free_right": 0.5,
          "out_bearing": 1.0, "out_distance": 2.0}  # fmt: skip
"""About how much each varies; 1 where not named."""


def as_array(cues: Mapping[str, float]) -> Array:
    """Cues as (len(CUES),) float32 in units of `SCALES`, NaN where left out."""
    return np.array(
        [cues[name] / SCALES.get(name, 1.0) if name in cues else np.nan for name in CUES],
        np.float32,
    )
