"""What a late joiner gets of what went on before the kept ticks."""

from __future__ import annotations

from bench.synthetic_session import description
from rig.bus.encoding import decode, encode
from rig.bus.history import HISTORY_TICKS, RecentHistory
from rig.bus.message_types import Assets, EngineReply, Event, Message, Tick


def test_a_late_joiner_gets_what_goes_on_and_the_last_condition_only():
    history = RecentHistory("s")
    for message in (Message(description(), "s"), Message(Assets(), "s")):
        assert history.join() is None
        history.keep(message, encode(message))
    for tick in range(2 * HISTORY_TICKS):
        events = []
        if tick % 100 == 0:
            events.append(Event("condition", "abc"[tick // 100 % 3], "onset", tick, tick, tick))
        if tick == 5:
            events.append(Event("behaviour", "run", "onset", tick, tick, 1))
            events.append(Event("behaviour", "rear", "onset", tick, tick, 1))
        if tick == 50:
            events.append(Event("behaviour", "rear", "offset", tick, tick, 1))
        for content in (Tick(0, 0.0, 1.0, 0.0, False, False, 0.0), EngineReply(tuple(events))):
            message = Message(content, "s", tick, tick)
            history.keep(message, encode(message))
    before = decode((history.join() or [])[2])
    assert isinstance(before.content, EngineReply)
    known = [(event.kind, event.name) for event in before.content.events]
    assert known == [("behaviour", "run"), ("condition", "b")]
