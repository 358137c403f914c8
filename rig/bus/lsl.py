"""A session as streams of the lab streaming layer, for LabRecorder, Bonsai or the Open Ephys LSL plugin.

Three streams, made from the bus by a client that can never hold the animal up: *activity* (every unit),
*body* (the body state) and *events* (behaviours, stimuli, events of the task, conditions, inputs and
trials, as JSON markers).

Time stamps are those of LSL's clock. Where animal time keeps pace with it, ticks are evenly spaced, 20 ms
apart, and as old as the quickest of the last second was when it came: what made the others late is not in
their stamps. Where it does not (another speed, a pause, between trials, the backlog of the start), a tick is
stamped with when it came, until a second has gone by evenly. Stamps never go back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rig.bus.client import BusClient
from rig.bus.message_types import Description, EngineReply, Episode, Message, Tick
from rig.errors import RunError, UserError

if TYPE_CHECKING:
    import pylsl

State = Literal["cell", "hidden"]

WINDOW_S = 1.0
"""How far back arrivals are compared."""
_PACE = 0.02
"""By so much animal time may run faster or slower than the clock and still keep pace."""
_SAME_S = 0.002
"""A stamp that would be right to within this stays as evenly spaced as it is."""
_STEP_S = 1e-4
"""From one stamp to the next at least."""

_ARRAYS = {"cell": "c_applied", "hidden": "h_applied"}


class TickClock:
    """Maps ticks to LSL's clock: by the one that came with the smallest lag, while time keeps pace."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._seen: deque[tuple[int, float]] = (
            deque()
        )  # ticks, and when tick 0 would have come with them
        self._origin_s: float | None = None
        self._last_s = -inf

    def see(self, tick: int, now_s: float) -> None:
        """A tick has come, at this time of LSL's clock."""
        seen = self._seen
        if seen and tick <= seen[-1][0]:
            seen.clear()
        origin_s = now_s - tick * self._tick_s
        seen.append((tick, origin_s))
        while now_s - self._came(0) > WINDOW_S:
            seen.popleft()
        if self._keeps_pace(now_s):
            smallest_s = min(each for _, each in seen)
            known = self._origin_s is not None and abs(smallest_s - self._origin_s) < _SAME_S
            origin_s = self._origin_s if known and self._origin_s is not None else smallest_s
        self._origin_s = max(origin_s, self._last_s + _STEP_S - tick * self._tick_s)
        self._last_s = self.stamp(tick)

    def stamp(self, tick: int) -> float:
        """The time of a tick. Raises `RunError` before the first was seen."""
        if self._origin_s is None:
            raise RunError("No tick has been seen yet.")
        return self._origin_s + tick * self._tick_s

    def _came(self, k: int) -> float:
        tick, origin_s = self._seen[k]
        return origin_s + tick * self._tick_s

    def _keeps_pace(self, now_s: float) -> bool:
        """Whether the quickest ticks came no later or earlier in the second half of the last second."""
        if now_s - self._came(0) < 0.9 * WINDOW_S:
            return False
        halves: tuple[list[float], list[float]] = ([], [])
        for k, (_, origin_s) in enumerate(self._seen):
            halves[self._came(k) > now_s - WINDOW_S / 2].append(origin_s)
        if not all(halves):
            return False
        return abs(min(halves[1]) - min(halves[0])) < _PACE * WINDOW_S / 2


class Outlets:
    """The LSL streams of one session; `send` takes the messages of its bus.

    Args:
        session: its name; the streams' source ids are "<session>-activity", "-body" and "-events".
        description: what the session is.
        unit_of: gives the unit of an entry of the body state, by its name.
        state: which activity of the units is streamed, "cell" or "hidden"; as applied.

    Raises:
        UserError: pylsl, or the library that it needs, is not there.
    """

    def __init__(
        self,
        session: str,
        description: Description,
        unit_of: Callable[[str], str],
        state: State = "hidden",
    ) -> None:
        self._lsl = _pylsl()
        self._array = _ARRAYS[state]
        self._clock = TickClock(description.tick_s)
        self._started = False
        rate = 1.0 / description.tick_s
        units = [
            (f"{layer.name}/{unit}", layer.name, "a.u.")
            for layer in description.layers
            for unit in range(layer.n_units)
        ]
        self._session, self._description = session, description
        self._activity = self._outlet("activity", len(units), rate, "float32", units, state=state)
        body = [(name, "body", unit_of(name)) for name in description.body_state]
        self._body = self._outlet("body", len(body), rate, "double64", body)
        marker = [("event", "json", "JSON")]
        self._events = self._outlet("events", 1, self._lsl.IRREGULAR_RATE, "string", marker)

    def send(self, message: Message) -> None:
        """Passes a message on, as far as it belongs into a stream; ticks in their order."""
        content, tick = message.content, message.tick
        if isinstance(content, Tick):
            self._clock.see(tick, self._lsl.local_clock())
            stamp = self._clock.stamp(tick)
            self._activity.push_sample(message.arrays[self._array].tolist(), stamp)
            self._body.push_sample(message.arrays["body"].tolist(), stamp)
            if content.first or not self._started:
                self._mark(tick, {"kind": "trial", "name": str(content.trial), "phase": "onset"})
            self._started = True
            for name in content.task_events:
                self._mark(tick, {"kind": "task_event", "name": name})
            for given in content.inputs:
                self._mark(tick, {"kind": given.kind, "name": given.name, "args": given.args})
        elif isinstance(content, EngineReply) and self._started:
            for event in content.events:
                self._mark(event.tick, msgspec.to_builtins(event))

    def _mark(self, tick: int, what: dict[str, Any]) -> None:
        text = msgspec.json.encode({"tick": tick, **what}).decode()
        self._events.push_sample([text], self._clock.stamp(tick))

    def _outlet(
        self,
        name: str,
        n_channels: int,
        rate_hz: float,
        number: str,
        channels: list[tuple[str, str, str]],
        **more: str,
    ) -> pylsl.StreamOutlet:
        """An outlet whose channels have a label, a type and a unit each; `more` is said of the stream."""
        kind = "Markers" if number == "string" else name.capitalize()
        info = self._lsl.StreamInfo(
            f"rodent-rig {name}", kind, n_channels, rate_hz, number, f"{self._session}-{name}"
        )
        described = info.desc()
        for key in (
            "subject",
            "subject_sha256",
            "task",
            "protocol_name",
            "started",
            "pace",
            "seed",
        ):
            described.append_child_value(key, str(getattr(self._description, key)))
        for key, text in {"session": self._session, **more}.items():
            described.append_child_value(key, text)
        listed = described.append_child("channels")
        for label, group, unit in channels:
            channel = listed.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", group)
        return self._lsl.StreamOutlet(info)


def offer(client: BusClient, unit_of: Callable[[str], str], state: State = "hidden") -> Outlets:
    """Joins a session and offers its streams; `follow` then feeds them. Arguments as of `Outlets`."""
    description: Description | None = None
    session = ""
    for message in client.join():
        if isinstance(message.content, Description):
            description, session = message.content, message.session
        elif description is not None and isinstance(message.content, Episode):
            break
    if description is None:
        raise RunError("The session has not said what it is.")
    return Outlets(session, description, unit_of, state)


def follow(client: BusClient, outlets: Outlets) -> None:
    """Passes on what the session sends, until it ends."""
    for message in client.messages():
        outlets.send(message)


def _pylsl() -> Any:
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as problem:
        raise UserError(
            f"LSL streams need pylsl and its library liblsl, which are not usable here ({problem}); "
            "`pip install pylsl` brings both on Linux with glibc 2.35 or newer, macOS and Windows."
        ) from None
    return pylsl
