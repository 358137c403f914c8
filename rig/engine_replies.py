"""What a stimulation engine has answered: read for the network, and remembered for when the engine dies."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from agent.interventions import Intervention, by_layer
from rig.bus.messages import Array, EngineReply, Event, Message


class Answers:
    """Follows the answers of a session's engines.

    Args:
        layer_sizes: the units of each layer of the subject.

    `numbers_used`: the highest number so far of each kind and name of events, for the next engine.
    """

    def __init__(self, layer_sizes: Mapping[str, int]) -> None:
        self._layer_sizes = layer_sizes
        self._going_on: dict[tuple[str, str, int], Event] = {}
        self.numbers_used: dict[str, int] = {}

    def interventions(
        self, answer: EngineReply, arrays: Mapping[str, Array]
    ) -> tuple[Intervention, ...]:
        """An answer's interventions. Raises ValueError or KeyError if one is not finite, or not possible."""
        interventions = tuple(
            Intervention(
                each.layer,
                each.state,  # type: ignore[arg-type]  # Intervention refuses other states
                arrays[f"{index}.units"],
                arrays[f"{index}.gain"],
                arrays[f"{index}.value"],
            )
            for index, each in enumerate(answer.interventions)
        )
        by_layer(interventions, self._layer_sizes)
        return interventions

    def noted(self, answer: EngineReply) -> EngineReply:
        """Keeps what goes on, to end it when the engine dies, and the numbers, for the next engine.

        An engine that came in the middle of a trial tells its condition a second time: that is left out.
        """
        events = []
        for event in answer.events:
            name = f"{event.kind} {event.name}"
            used = self.numbers_used.get(name, 0)
            if event.kind == "condition" and event.number <= used:
                continue
            events.append(event)
            self.numbers_used[name] = max(event.number, used)
            if event.kind == "condition":
                continue
            key = (event.kind, event.name, event.number)
            if event.phase == "onset":
                self._going_on[key] = event
            else:
                self._going_on.pop(key, None)
        return (
            answer if len(events) == len(answer.events) else replace(answer, events=tuple(events))
        )

    def released(self, tick: int) -> Message:
        """The answer to a tick in place of an engine that has died: all that goes on ends."""
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
            for event in self._going_on.values()
        )
        return Message(EngineReply(events), tick=tick)
