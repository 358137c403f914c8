"""The recordings that were made or seen last, with what one wants to know of them before opening one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from PyQt6.QtCore import QSettings

KEY = "recent"
KEPT = 8


@dataclass(frozen=True)
class Recent:
    """A recording: its file, who, under which protocol, how long (s of animal time)."""

    file: str
    subject: str
    protocol: str
    duration_s: float


def recent(settings: QSettings) -> list[Recent]:
    """The newest first; those that are gone are left out."""
    try:
        listed = [Recent(**each) for each in json.loads(str(settings.value(KEY, "[]")))]
    except (TypeError, ValueError):
        return []
    # not of `Path`, which raises where a folder may not be looked into any more
    return [each for each in listed if os.path.exists(each.file)]


def remember(settings: QSettings, made: Recent) -> None:
    """Puts a recording first."""
    others = [each for each in recent(settings) if each.file != made.file]
    listed = [asdict(each) for each in (made, *others)][:KEPT]
    settings.setValue(KEY, json.dumps(listed))
