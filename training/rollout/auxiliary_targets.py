"""What the eyes are taught to tell before imitation begins: what of a picture the experts decide by.

Most of it is where something is in the picture, or how far from the eyes, because only that can be told from
a picture alone: what it means for the trunk depends on how the head is held, which the network feels. A cue
that does not apply, or that cannot be seen from where the animal looks, is left out. Places in the picture
are in halves of it: 0 is its middle, 1 its right or upper border.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Array = np.ndarray

CUES = (
    # which task it is
    "is_gaps", "is_forage", "is_escape", "is_two_tap",
    # corridor: where the eyes look (rad from its direction), and how far left of its middle the trunk is (m)
    "corridor_heading", "corridor_offset",
    # gaps: 1 where the near edge of the next gap is in the picture, and how high in its middle; the far edge
    "gap_seen", "near_edge", "far_edge",
    # an orb: 1 in view, 0 not; how far right and up in the picture; logarithm of its distance (m)
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
"""In what each is told: about how much it varies, or less, where more exactly; 1 where not named."""


def as_array(cues: Mapping[str, float]) -> Array:
    """Cues as (len(CUES),) float32 in units of `SCALES`, NaN where left out."""
    return np.array(
        [cues[name] / SCALES.get(name, 1.0) if name in cues else np.nan for name in CUES],
        np.float32,
    )
