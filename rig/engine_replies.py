"""Replies of stimulation engines: read for the network, and followed for when an engine dies."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from agent.interventions import Intervention, by_layer
from rig.bus.interventions import unpack
from rig.bus.message_types import EngineReply, Event, Message
from rig.bus.open_intervals import OpenIntervals


class EngineReplies:
    """Follows the replies of a session's engines.

    Args:
        layer_sizes: units of each layer of the subject.

    Attributes:
        numbers_used: highest number so far of each kind and name of events, for the next engine.
    """

    def __init__(self, layer_sizes: Mapping[str, int]) -> None:
        self._layer_sizes = layer_sizes
        self._open = OpenIntervals()
        self.numbers_used: dict[str, int] = {}

    def interventions(self, message: Message) -> tuple[Intervention, ...]:
        """The interventions of a reply, in their order.

        Raises:
            ValueError: one is not finite, or its layer or a unit does not exist.
            KeyError: an array of one is missing.
        """
        reply = message.content
        assert isinstance(reply, EngineReply)
        interventions = tuple(
            Intervention(
                each.layer,
                each.state,  # type: ignore[arg-type]  # Intervention refuses other states
                each.units,
                each.gain,
                each.value,
            )
            for each in unpack(reply, message.arrays)
        )
        by_layer(interventions, self._layer_sizes)
        return interventions

    def register(self, reply: EngineReply) -> EngineReply:
        """Follows a reply's events: what is open, to end it when the engine dies, and the numbers in use.

        Returns the reply without conditions that are known already: an engine that came in the middle of a
        trial announces its condition a second time.
        """
        events = tuple(event for event in reply.events if not self._is_known_condition(event))
        for event in events:
            name = f"{event.kind} {event.name}"
            self.numbers_used[name] = max(event.number, self.numbers_used.get(name, 0))
        self._open.add(events)
        return reply if len(events) == len(reply.events) else replace(reply, events=events)

    def release_all(self, tick: int) -> Message:
        """The reply to a tick in place of an engine that has died: behaviours and stimuli all end."""
        events = tuple(
            Event(
                event.kind,
                event.name,
                "offset",
                tick + 1,
                tick + 1,
                event.number,
                sham=event.sham,
                cause="the stimulation engine died",
            )
            for event in self._open.events
            if event.kind != "condition"
        )
        return Message(EngineReply(events), tick=tick)

    def _is_known_condition(self, event: Event) -> bool:
        used = self.numbers_used.get(f"{event.kind} {event.name}", 0)
        return event.kind == "condition" and event.number <= used
