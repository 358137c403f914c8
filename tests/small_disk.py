"""A disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CAN_MOUNT = os.geteuid() == 0
"""Only root may mount one, and not on every machine."""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """A new folder with room for so much; None where this machine does not let us mount a small disk."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if not CAN_MOUNT or subprocess.run(command, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
