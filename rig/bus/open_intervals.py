"""Intervals that are open at a moment of a session: behaviours, stimuli, and the trial's condition."""

from __future__ import annotations

from collections.abc import Iterable

from rig.bus.message_types import Event


def occurrence(event: Event) -> tuple[str, str, int]:
    """What an onset and its offset have in common: kind, name and number."""
    return event.kind, event.name, event.number


class OpenIntervals:
    """What has begun and not ended, followed through the events of a session; a condition until the next."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str, int], tuple[int, Event]] = {}

    def add(self, events: Iterable[Event], answer_tick: int = -1) -> None:
        """Takes in events in their order, and which tick's answer brought them."""
        for event in events:
            key = occurrence(event)
            if event.kind == "condition":
                for each in [key for key in self._events if key[0] == "condition"]:
                    del self._events[each]
            if event.phase == "onset":
                self._events[key] = (answer_tick, event)
            else:
                self._events.pop(key, None)

    def add_answered(self, answered: Iterable[tuple[int, Event]]) -> None:
        """Takes in onsets, each with the tick whose answer brought it."""
        for answer_tick, event in answered:
            self.add((event,), answer_tick)

    @property
    def events(self) -> tuple[Event, ...]:
        """The onsets of the open intervals, in their order."""
        return tuple(event for _, event in self._events.values())

    @property
    def answered(self) -> tuple[tuple[int, Event], ...]:
        """The same, each with the tick whose answer brought it."""
        return tuple(self._events.values())
