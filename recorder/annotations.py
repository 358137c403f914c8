"""Annotations of a recording: what people saw in it and when. `recorder.annotation_file` keeps them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from rig.errors import UserError

ENDING = ".annotations.nwb"


class Label(msgspec.Struct, frozen=True):
    """A behaviour that may be annotated in a channel, and the key that begins and ends it ("": none)."""

    name: str
    key: str = ""


class Channel(msgspec.Struct, frozen=True):
    """Somebody's view of a recording: a name, a colour ("#rrggbb") and the behaviours that are looked for."""

    name: str
    colour: str
    labels: tuple[Label, ...] = ()


class Annotation(msgspec.Struct, frozen=True, order=True):
    """A bout: from `start_tick` up to, not including, `stop_tick`. `created` is ISO 8601 with its zone."""

    start_tick: int
    stop_tick: int
    channel: str
    label: str
    author: str = ""
    created: str = ""


class Annotations(msgspec.Struct, frozen=True):
    """All annotations of a recording.

    Attributes:
        session: of the recording, its id.
        recordings: the names of the recording's files.
        first_tick, last_tick: of the recording.
        tick_s: seconds of a tick.
        channels: in the order in which they are shown.
        rows: in order of time.
    """

    session: str
    recordings: tuple[str, ...]
    first_tick: int
    last_tick: int
    tick_s: float = 0.02
    channels: tuple[Channel, ...] = ()
    rows: tuple[Annotation, ...] = ()

    @property
    def n_ticks(self) -> int:
        """Of the recording."""
        return self.last_tick + 1 - self.first_tick

    def labels(self, channel: str) -> tuple[str, ...]:
        """The behaviours of a channel: those that it has, then others that stand in its rows."""
        own = [
            each.name for found in self.channels if found.name == channel for each in found.labels
        ]
        own += [each.label for each in self.rows if each.channel == channel]
        return tuple(dict.fromkeys(own))

    def bouts(self, channel: str | None, label: str) -> NDArray[np.int64]:
        """(bouts, 2) first tick and the tick after the last, in order, none touching another.

        Args:
            channel: its name; None: all of them together.
            label: of the behaviour.
        """
        found = [
            (each.start_tick, each.stop_tick)
            for each in self.rows
            if each.label == label and channel in (None, each.channel)
        ]
        return joined(found)


def joined(found: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Intervals (first, after the last) as (n, 2) int64 in order, those that overlap or touch as one.

    >>> joined([(5, 9), (0, 3), (2, 4), (9, 10)]).tolist()
    [[0, 4], [5, 10]]
    """
    result: list[list[int]] = []
    for start, stop in sorted(found):
        if stop <= start:
            continue
        if result and start <= result[-1][1]:
            result[-1][1] = max(result[-1][1], stop)
        else:
            result.append([start, stop])
    return np.array(result, np.int64).reshape(-1, 2)


def annotations_path(recording: Path) -> Path:
    """Where the annotations of a recording are: F.annotations.nwb beside F.nwb."""
    return recording.with_name(f"{recording.stem}{ENDING}")


def is_annotations(path: Path) -> bool:
    """Whether a file is called as annotations are."""
    return path.name.lower().endswith(ENDING)


def recording_of_annotations(path: Path) -> Path:
    """The recording beside which a file of annotations lies: F.nwb of F.annotations.nwb."""
    return path.with_name(f"{path.name[: -len(ENDING)]}.nwb")


def check_is_of(path: Path, annotations: Annotations, session: str) -> None:
    """Raises `UserError` where annotations are not of the recording of this session (its id)."""
    if annotations.session != session:
        raise UserError(
            f"{path} annotates another session ({annotations.session}, {', '.join(annotations.recordings)}), "
            f"not this one ({session}); move it away to annotate this recording."
        )
