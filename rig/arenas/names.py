"""Names: of the tasks (the plain corridor, and the paper's four), what happens in them, camera qualities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

CameraQuality = Literal["fast", "unculled", "stock", "soft"]
CAMERA_QUALITIES: tuple[CameraQuality, ...] = ("fast", "unculled", "stock", "soft")
"""How the animal's view is drawn (`rig.arenas.camera`)."""

TASKS: tuple[str, ...] = ("corridor", "gaps", "forage", "escape", "two_tap")

TASK_EVENTS: Mapping[str, tuple[str, ...]] = {
    "corridor": (),
    "gaps": ("gap_crossed",),
    "forage": ("orb",),
    "escape": ("escaped",),
    "two_tap": ("first_tap", "second_tap", "tap_too_soon", "tap_missed", "orb_moved"),
}
"""What a tick's `task_events` can be in each task.

`gap_crossed`: trunk and all paws are beyond a gap. `orb`: one was collected. `escaped`: the trunk is beyond
the terrain. `first_tap`; `second_tap`: in time, 0.7 to 0.9 s after the first; `tap_too_soon`: before that;
`tap_missed`: the time for it is over. `orb_moved`: the orb of two-tap has another place, to be tapped anew.
"""
TASK_EVENTS_VERSION = 2
"""How they are found. In version 1 an orb that the animal touches where a trial puts it brings a reward, and
no event; sessions that were recorded so are run again so."""
