"""Whether a window can be shown here at all."""

from __future__ import annotations

import os
import sys


def display_missing() -> str:
    """A sentence when no window can be shown here, else "": Qt itself would abort the process."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal", "vnc"):
        return ""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return (
        "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set; "
        "`rodent-rig run` does the same session without a window."
    )
