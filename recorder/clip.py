"""Clips: the last of a session, recorded after it has happened (`rig.bus.clip_ring`).

A clip begins in the middle of a session, and of a trial: what was open and acting then comes before its first
tick, and stands in its tables as it does in a later file of a recording in several.
"""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import msgspec

from recorder.file_rotation import OpenState
from recorder.layout import SESSION, read_header
from rig.bus.message_types import EngineReply, Episode, Event, Message, Tick


def opening_of(messages: Sequence[Message]) -> tuple[OpenState, list[Message]]:
    """What a clip begins with, and the messages that follow it.

    Args:
        messages: of the stream, after description and assets; the last of them is the first tick.
    """
    tick = messages[-1]
    assert isinstance(tick.content, Tick)
    episode: Message | None = None
    answer: Message | None = None
    rest = []
    for message in messages:
        content = message.content
        if isinstance(content, Episode) and message.tick < tick.tick:
            episode = message
        elif isinstance(content, EngineReply):
            answer = message
        else:
            rest.append(message)
    events: tuple[Event, ...] = ()
    expected: dict[str, int] = {}
    if answer is not None and isinstance(answer.content, EngineReply):
        events = answer.content.events
        expected = {"answer": answer.sequence + 1}
    return OpenState(
        first_tick=tick.tick,
        expected=expected,
        episode=episode,
        open_events=tuple((tick.tick - 1, event) for event in events),
        answer=answer,
    ), rest


def mark_as_clip(file: h5py.File, first_tick: int) -> None:
    """Says in an empty recording that it is a clip.

    Args:
        file: open for writing.
        first_tick: the tick of the session that it begins with.
    """
    header = read_header(file)
    assert header is not None
    file[SESSION][()] = msgspec.json.encode(msgspec.structs.replace(header, clip=True)).decode()
    file["general/notes"][()] = (
        f"Clip of a session, from its tick {first_tick} on: kept in memory and saved after it had happened; "
        f"{file['general/notes'].asstr()[()]}"
    )
