"""Which stimuli are on, as the session says: whose, for how many ticks; and how much was done by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import TICK_S, EngineReply, Event, Message
from rig.bus.stimulus_request import asked_for

BY_HAND = "by hand"
"""The origin of what this window asks for."""


@dataclass(frozen=True)
class StimulusOn:
    """A stimulus or sham that goes on since `first` (a tick).

    `called` is the name that a client gave it, "" of the protocol's; `by_hand`: it came from a window's hand.
    """

    name: str
    number: int
    first: int
    sham: bool
    called: str = ""
    by_hand: bool = False


@dataclass
class Total:
    """How much was done by hand: stimuli and ticks that were delivered, and shams."""

    stimuli: int = 0
    ticks: int = 0
    shams: int = 0


@dataclass
class StimuliOn:
    """Follows the engine's answers. `total` counts what was done by hand and is over, or is on."""

    last_tick: int = -1
    total: Total = field(default_factory=Total)
    _on: dict[tuple[str, int], StimulusOn] = field(default_factory=dict)
    _pulses: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def asked(self, name: str, args: Mapping[str, Any]) -> None:
        """This window has asked for a stimulus of this name: how it pulses, if it does."""
        pulses = args.get("pulses")
        if pulses:
            width = max(1, math.floor(pulses["width_ms"] / (TICK_S * 1000) + 0.5))
            period = max(1, round(1 / (pulses["rate_hz"] * TICK_S)))
            self._pulses[name] = width, period, pulses.get("number", 1 << 30)

    def add(self, answers: Sequence[Message], ticks: Sequence[Message]) -> None:
        """Takes in what the session has said, oldest first."""
        if ticks:
            self.last_tick = max(self.last_tick, ticks[-1].tick)
        for message in answers:
            if isinstance(message.content, EngineReply):
                for event in message.content.events:
                    if event.kind == "stimulus":
                        self._take(event)

    @property
    def on(self) -> tuple[StimulusOn, ...]:
        """Those that are on, in the order in which they began."""
        return tuple(self._on.values())

    def ticks_of(self, each: StimulusOn, until: int | None = None) -> int:
        """How many ticks of one have acted, up to now or before a tick; a sham's would have."""
        n = max(0, (self.last_tick + 1 if until is None else until) - each.first)
        if each.called not in self._pulses or not each.by_hand:
            return n
        width, period, number = self._pulses[each.called]
        whole, rest = divmod(n, period)
        return min(whole, number) * width + (min(rest, width) if whole < number else 0)

    def forget(self) -> None:
        """What comes next does not follow what was seen; the total stays."""
        self._on.clear()
        self.last_tick = -1

    def _take(self, event: Event) -> None:
        key = event.name, event.number
        if event.phase == "onset":
            called, origin = asked_for(event.cause) if event.name == OUTSIDE else ("", "")
            by_hand = origin == BY_HAND
            self._on[key] = StimulusOn(
                event.name, event.number, event.tick, event.sham, called, by_hand
            )
            return
        ended = self._on.pop(key, None)
        if ended is None or not ended.by_hand:
            return
        if ended.sham:
            self.total.shams += 1
        else:
            self.total.stimuli += 1
            self.total.ticks += self.ticks_of(ended, event.tick)
