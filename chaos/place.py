"""Where a session records to: an ordinary folder, or a disk so small that it can be filled."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

RESERVED_BYTES = 8 * 1024 * 1024
"""What the recorder leaves free: below that, and what waits to be written, it ends by itself."""
FIRST_BYTES = 4_300_000
"""What a recording in the corridor takes before its first tick, arena and animal, roughly."""
DISK_BYTES = 32_000_000


def may_mount() -> bool:
    """Whether a small disk can be mounted here."""
    return sys.platform == "linux" and os.geteuid() == 0 and bool(shutil.which("mount"))


class Place:
    """The folder that a session records into, and the terrible things that can happen to it.

    With `disk_bytes` it is a disk of its own of that size. Leaving the `with` block unmounts it.
    Raises OSError if it cannot be mounted.
    """

    def __init__(self, folder: Path, disk_bytes: int = 0) -> None:
        self.folder = folder / "recordings"
        self.folder.mkdir()
        self.file = self.folder / "session.nwb"
        self._mounted = False
        if disk_bytes:
            command = ["mount", "-t", "tmpfs", "-o", f"size={disk_bytes}", "none", str(self.folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise OSError(f"no small disk could be mounted: {done.stderr.strip()}")
            self._mounted = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)

    def fill(self) -> None:
        """Takes all room that is left on the disk, as another program would."""
        block = bytes(1 << 16)
        with contextlib.suppress(OSError), self._other.open("wb", buffering=0) as file:
            while True:
                if file.write(block) < len(block):
                    block = bytes(1)

    def make_room(self) -> None:
        """Gives the room back, and more than there was."""
        self._other.unlink(missing_ok=True)
        if self._mounted:
            command = ["mount", "-o", "remount,size=256m", str(self.folder)]
            subprocess.run(command, check=True, capture_output=True)

    def lose(self, how: str) -> None:
        """The folder is "removed", "moved" away, or removed and "made anew", empty."""
        if how == "moved":
            away = self.folder.with_name("moved")
            self.folder.rename(away)
            self.file = away / self.file.name
            return
        while self.folder.exists():  # the recorder may be making something in it
            shutil.rmtree(self.folder, ignore_errors=True)
        if how == "made anew":
            self.folder.mkdir()

    @property
    def _other(self) -> Path:
        return self.folder / "other.bin"
