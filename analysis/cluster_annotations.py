"""Named clusters of a map as annotations beside recordings: the channel "map" of `F.annotations.nwb`.

So they are read as what people annotate is: shown below a replay's plots, learned by `rodent-rig learn`,
held against people and detectors by `rodent-rig agreement`.

A tick has the name that most of the map's nearest moments have, nearest in the features that the map is made
of. Their votes are averaged over `SMOOTHING_S`, so that a bout does not fall to pieces at the border of two.
Clusters of one name are one behaviour; those without a name are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.ndimage import uniform_filter1d

import recorder
from analysis.behaviour_map import BehaviourMap, features_at
from analysis.loaded_episodes import LoadedEpisode
from recorder.annotation_file import read_annotations, write_annotations
from recorder.annotation_lock import changing
from recorder.annotations import (
    Annotation,
    Annotations,
    Channel,
    Label,
    annotations_path,
    check_is_of,
)
from rig.clock import now
from rig.errors import UserError

Array = np.ndarray

CHANNEL = "map"
AUTHOR = "rodent-rig figure fig4"
COLOUR = "#7b8ff0"
NEIGHBOURS = 10
"""Moments of the map that vote on a tick."""
SMOOTHING_S = 0.2
LEAST_S = 0.1


def name_ticks(
    found: BehaviourMap, names: Mapping[int, str], features: Sequence[Array], rate_hz: float
) -> tuple[list[Array], float]:
    """The name of every tick, "" for none; and of the moments the part that their neighbours name so, too.

    Args:
        found: the map.
        names: of those of its clusters that have one.
        features: that it was made of, of every episode (ticks, features).
        rate_hz: ticks a second.

    Returns:
        (ticks,) text of every episode, and the part, from 0 to 1.
    """
    from sklearn.neighbors import KNeighborsClassifier

    own = np.array([names.get(int(each), "") for each in found.clusters])
    chosen = features_at(features, found.episode, found.row)
    voters: Any = KNeighborsClassifier(NEIGHBOURS, algorithm="brute").fit(chosen, own)
    known = voters.classes_
    width = max(1, round(SMOOTHING_S * rate_hz))
    named = []
    for part in features:
        votes = uniform_filter1d(voters.predict_proba(part), width, axis=0, mode="nearest")
        named.append(without_short(known[votes.argmax(1)], round(LEAST_S * rate_hz)))
    others = own[voters.kneighbors(return_distance=False)]
    agreeing = (others == own[:, None]).sum(1) * 2 > NEIGHBOURS
    return named, float(agreeing.mean())


def annotate(episodes: Sequence[LoadedEpisode], named: Sequence[Array]) -> tuple[Path, ...]:
    """Writes the channel "map" of the annotations beside every recording; other channels stay.

    Args:
        episodes: of the recordings.
        named: of each the name of every tick, "" for none (`name_ticks`).

    Returns:
        The files.

    Raises:
        UserError: a recording's annotations cannot be changed (`check`).
        RunError: one could not be written; what was there before is there still.
    """
    looked_for = sorted({str(name) for each in named for name in np.unique(each)} - {""})
    by_recording: dict[Path, list[Annotation]] = {}
    created = now().isoformat(timespec="seconds")
    for episode, own in zip(episodes, named, strict=True):
        rows = by_recording.setdefault(episode.recording, [])
        for first, after, name in bouts_of(own):
            ticks = episode.first_tick + first, episode.first_tick + after
            rows.append(Annotation(*ticks, CHANNEL, name, AUTHOR, created))
    return tuple(_write(recording, rows, looked_for) for recording, rows in by_recording.items())


def bouts_of(named: Array) -> list[tuple[int, int, str]]:
    """The bouts in the names of ticks: first row, the row after the last, name.

    >>> bouts_of(np.array(["", "run", "run", "rear", "", "run"]))
    [(1, 3, 'run'), (3, 4, 'rear'), (5, 6, 'run')]
    """
    edges = [0, *(np.flatnonzero(named[1:] != named[:-1]) + 1).tolist(), len(named)]
    return [(first, after, str(named[first])) for first, after in pairwise(edges) if named[first]]


def without_short(named: Array, least: int) -> Array:
    """The names of ticks, those of shorter stretches replaced: within a bout by its name, else by "".

    >>> without_short(np.array(["run", "run", "rear", "run", "run", "rear"]), 2).tolist()
    ['run', 'run', 'run', 'run', 'run', '']

    Args:
        named: of every tick, "" for none.
        least: ticks of the shortest stretch that stays.
    """
    result = named.copy()
    edges = [0, *(np.flatnonzero(named[1:] != named[:-1]) + 1).tolist(), len(named)]
    for first, after in pairwise(edges):
        if after - first < least:
            within = first > 0 and after < len(named) and result[first - 1] == named[after]
            result[first:after] = named[after] if within else ""
    return result


def check(recording: Path) -> None:
    """Checks that the channel "map" beside a recording can be written.

    Raises:
        UserError: its annotations are another session's, cannot be read, are changed in a window just now, or
            have bouts of a person in this channel.
        RunError: nothing can be written there.
    """
    path = annotations_path(recording)
    with changing(path), recorder.open(recording) as opened:
        _others(path, opened.session)


def _others(path: Path, session: str) -> Annotations | None:
    """What is annotated, without the channel "map"; None where there is no file."""
    if not path.exists():
        return None
    content = read_annotations(path)
    check_is_of(path, content, session)
    mine = [each for each in content.rows if each.channel == CHANNEL]
    person = next((each.author for each in mine if each.author != AUTHOR), None)
    if person is not None:
        raise UserError(
            f"{path} has a channel {CHANNEL!r} with bouts by {person or 'a person'}, which would be lost; "
            "give the channel another name in the window first."
        )
    return msgspec.structs.replace(
        content,
        channels=tuple(each for each in content.channels if each.name != CHANNEL),
        rows=tuple(each for each in content.rows if each.channel != CHANNEL),
    )


def _write(recording: Path, rows: Sequence[Annotation], looked_for: Sequence[str]) -> Path:
    path = annotations_path(recording)
    lasting: Counter[str] = Counter()
    for each in rows:
        lasting[each.label] += each.stop_tick - each.start_tick
    # the window shows six rows at once: what goes on for longest in this recording comes first
    labels = tuple(Label(name) for name in sorted(looked_for, key=lambda name: -lasting[name]))
    with recorder.open(recording) as opened:
        parts = opened.parts
    with changing(path), recorder.open(parts if len(parts) > 1 else recording) as opened:
        described = opened.description
        content = _others(path, opened.session) or Annotations(
            opened.session,
            tuple(each.name for each in parts),
            opened.first_tick,
            opened.last_tick,
            described.tick_s,
        )
        content = msgspec.structs.replace(
            content,
            channels=(*content.channels, Channel(CHANNEL, COLOUR, labels)),
            rows=tuple(sorted([*content.rows, *rows])),
        )
        write_annotations(path, content, described)
    return path
