"""What units do around events and at different speeds and headings, over all that a window has seen.

Every unit is averaged, tick by tick, so that one that is selected later has its average at once. What a
replay shows again counts once, and an event only when all that follows it has been seen: jumps do no harm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.event_average import EventAverage, EventMoments
from analysis.tuning import Tuning, TuningSums
from gui.seen.seen_ticks import SeenTicks
from rig.bus.message_types import Description, EngineReply, Event, Message, Tick

BEFORE_S, AFTER_S = 1.0, 2.0
EDGES = {
    "speed": np.linspace(0.0, 2.0, 41),
    "heading": np.linspace(-np.pi, np.pi, 17),
}
"""Of the bins: speed of the body over the ground (m/s), heading in the arena (rad)."""
STATES = ("c", "h")
_RING_TICKS = 1024
_NEVER = -(1 << 60)


@dataclass(frozen=True, order=True)
class EventKind:
    """What one may average around: kind ("stimulus", "behaviour", "task"), name, and "onset" or "offset"."""

    kind: str
    name: str
    phase: str = "onset"

    @property
    def words(self) -> str:
        """As it is called in a list."""
        name = self.name.replace("_", " ")
        return name if self.kind == "task" else f"{name} {self.phase}"


class UnitAverages:
    """Averages of all units.

    Args:
        description: of the session.
        which: "applied" or "natural" activity.
    """

    def __init__(self, description: Description, which: str = "applied") -> None:
        self.which = which
        self.tick_s = description.tick_s
        self.seen = SeenTicks()
        self.n_units = sum(layer.n_units for layer in description.layers)
        self._before = round(BEFORE_S / self.tick_s)
        self._after = round(AFTER_S / self.tick_s) + 1
        names = {name: place for place, name in enumerate(description.body_state)}
        wanted = ("body_vx", "body_vy", "yaw")
        self._body = [names[name] for name in wanted] if names.keys() >= set(wanted) else []
        width = len(STATES) * self.n_units
        self._tuning = {name: TuningSums(edges, width) for name, edges in EDGES.items()}
        self._moments: dict[tuple[EventKind, bool], EventMoments] = {}
        self._counted: set[tuple[EventKind, int]] = set()
        self._pending: deque[tuple[int, EventKind, bool, int]] = deque()
        self._ring = np.zeros((_RING_TICKS, width), np.float32)
        self._ring_tick = np.full(_RING_TICKS, _NEVER, np.int64)
        self._ring_trial = np.zeros(_RING_TICKS, np.int64)
        self._ring_begins = np.zeros(_RING_TICKS, bool)  # a trial
        self._newest = -1

    def leave(self) -> None:
        """What comes next does not follow; events of which not all has been seen do not count yet."""
        self._pending.clear()
        self._ring_tick[:] = _NEVER
        self._newest = -1
        for sums in self._tuning.values():
            sums.leave()

    def add(self, ticks: Sequence[Message], answers: Sequence[Message]) -> None:
        """Takes in ticks, and what was found in them, each oldest first; an answer may come later."""
        ticks = [message for message in ticks if message.tick > self._newest]
        later = deque(answers)
        for message in ticks:
            while later and later[0].tick < message.tick:
                self._note_answer(later.popleft())
            self._store(message)
            self._finish()
        while later:
            self._note_answer(later.popleft())
        self._finish()
        self._add_tuning(ticks)

    def kinds(self) -> list[EventKind]:
        """The events of which at least one counts, stimuli first."""
        order = {"stimulus": 0, "behaviour": 1, "task": 2}
        found = {kind for kind, _ in self._moments}
        return sorted(found, key=lambda each: (order[each.kind], each.name, each.phase == "offset"))

    def around(
        self, kind: EventKind, state: str, units: Sequence[int], apart: bool = True
    ) -> dict[str, EventAverage]:
        """The average activity of these units around an event.

        Args:
            kind: the event.
            state: "c" or "h".
            units: their numbers over all layers.
            apart: whether delivered stimuli and shams are apart.

        Returns:
            By "delivered" and "sham", of stimuli that are told apart; else by "".
        """
        columns = self._columns(state, units)
        groups = {sham: self._moments.get((kind, sham)) for sham in (False, True)}
        if kind.kind == "stimulus" and apart:
            named = {"sham" if sham else "delivered": each for sham, each in groups.items()}
        else:
            there = [each for each in groups.values() if each is not None]
            both = there[0].joined(there[1]) if len(there) > 1 else None
            named = {"": both or next(iter(there), None)}
        return {
            name: each.average(self._before, self.tick_s, columns)
            for name, each in named.items()
            if each is not None
        }

    def tuning(self, variable: str, state: str, units: Sequence[int]) -> Tuning:
        """How these units depend on "speed" (m/s) or "heading" (rad)."""
        return self._tuning[variable].tuning(self.tick_s, self._columns(state, units))

    def _columns(self, state: str, units: Sequence[int]) -> list[int]:
        begin = STATES.index(state) * self.n_units
        return [begin + unit for unit in units]

    def _activity(self, message: Message) -> NDArray[np.float32]:
        return np.concatenate([message.arrays[f"{state}_{self.which}"] for state in STATES])

    def _store(self, message: Message) -> None:
        assert isinstance(message.content, Tick)
        place = message.tick % _RING_TICKS
        self._ring[place] = self._activity(message)
        self._ring_tick[place] = message.tick
        self._ring_trial[place] = message.content.trial
        self._ring_begins[place] = message.content.first
        self._newest = message.tick
        for name in message.content.task_events:
            self._await(EventKind("task", name), message.tick, message.tick, False)

    def _note_answer(self, message: Message) -> None:
        if isinstance(message.content, EngineReply):
            for event in message.content.events:
                if event.kind in ("behaviour", "stimulus"):
                    kind = EventKind(event.kind, event.name, event.phase)
                    self._await(kind, event.number, _moment(event), event.sham)

    def _await(self, kind: EventKind, number: int, tick: int, sham: bool) -> None:
        if (kind, number) not in self._counted:
            self._pending.append((tick, kind, sham, number))

    def _finish(self) -> None:
        """Counts the events of which all has been seen."""
        while self._pending and self._pending[0][0] + self._after - 1 <= self._newest:
            tick, kind, sham, number = self._pending.popleft()
            asked = np.arange(tick - self._before, tick + self._after)
            places = asked % _RING_TICKS
            known = self._ring_tick[places] == asked
            if not known[self._before] or (kind, number) in self._counted:
                continue
            oldest = int(np.argmax(known))
            if oldest and not self._ring_begins[places[oldest]]:
                continue  # what is before it was not seen, and may be another time
            known &= self._ring_trial[places] == self._ring_trial[tick % _RING_TICKS]
            window = self._ring[places]
            window[~known] = np.nan
            moments = self._moments.get((kind, sham))
            if moments is None:
                moments = EventMoments(len(asked), self._ring.shape[1])
                self._moments[kind, sham] = moments
            moments.add(window)
            self._counted.add((kind, number))

    def _add_tuning(self, ticks: Sequence[Message]) -> None:
        fresh = ~self.seen.has([message.tick for message in ticks])
        new = [
            message
            for message, is_fresh in zip(ticks, fresh, strict=True)
            if is_fresh and "body" in message.arrays
        ]
        if len(new) < len(ticks):
            for sums in self._tuning.values():
                sums.leave()
        if not new:
            return
        self.seen.add([message.tick for message in new])
        if not self._body:
            return
        activity = np.stack([self._activity(message) for message in new])
        body = np.stack([message.arrays["body"][self._body] for message in new])
        trial = np.array([message.content.trial for message in new])  # type: ignore[union-attr]
        self._tuning["speed"].add(activity, np.hypot(body[:, 0], body[:, 1]), trial)
        self._tuning["heading"].add(activity, body[:, 2], trial)


def _moment(event: Event) -> int:
    """The tick that an event is at: a behaviour's onset is where it began, looking back."""
    return event.began_tick if event.phase == "onset" and event.began_tick >= 0 else event.tick
