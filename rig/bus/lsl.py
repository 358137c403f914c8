"""A session as streams of the lab streaming layer, for LabRecorder, Bonsai or the Open Ephys LSL plugin.

Three streams, made from the bus by a client that can never hold the animal up: *activity* (every unit),
*body* (the body state) and *events* (behaviours, stimuli, events of the task, conditions, inputs and
trials, as JSON markers).

Time stamps are those of LSL's clock. Ticks are evenly spaced, 20 ms of animal time apart, however they
reached this process; where animal time stood still (between trials, in a pause) the spacing begins anew
with the clock's present time. At `--pace max` animal time runs as fast as it can, and the stamps with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rig.bus.client import BusClient
from rig.bus.message_types import Description, EngineReply, Episode, Message, Tick
from rig.errors import RunError, UserError

if TYPE_CHECKING:
    import pylsl

State = Literal["cell", "hidden"]

BEHIND_S = 0.2
"""A stamp that is so much older than the clock says that animal time stood still meanwhile."""

_ARRAYS = {"cell": "c_applied", "hidden": "h_applied"}


class TickClock:
    """Maps ticks to LSL's clock: evenly spaced, until animal time has stood still."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._first: tuple[int, float] | None = None

    def see(self, tick: int, now_s: float) -> None:
        """A tick has come, at this time of LSL's clock."""
        if self._first is None or now_s - self.stamp(tick) > BEHIND_S:
            self._first = (tick, now_s)

    def stamp(self, tick: int) -> float:
        """The time of a tick. Raises `RunError` before the first was seen."""
        if self._first is None:
            raise RunError("No tick has been seen yet.")
        first, first_s = self._first
        return first_s + (tick - first) * self._tick_s


class Outlets:
    """The LSL streams of one session; `send` takes the messages of its bus.

    Args:
        session: its name; the streams' source ids are "<session>-activity", "-body" and "-events".
        description: what the session is.
        state: which activity of the units is streamed, "cell" or "hidden"; as applied.

    Raises:
        UserError: pylsl, or the library that it needs, is not there.
    """

    def __init__(self, session: str, description: Description, state: State = "hidden") -> None:
        self._lsl = _pylsl()
        self._array = _ARRAYS[state]
        self._clock = TickClock(description.tick_s)
        self._started = False
        rate = 1.0 / description.tick_s
        units = [
            (f"{layer.name}/{unit}", layer.name)
            for layer in description.layers
            for unit in range(layer.n_units)
        ]
        self._session, self._description = session, description
        self._activity = self._outlet(
            "activity", len(units), rate, "float32", units, f"{state} state"
        )
        body = [(name, "body") for name in description.body_state]
        self._body = self._outlet("body", len(body), rate, "double64", body, "m, s, rad, N")
        marker = [("event", "json")]
        self._events = self._outlet("events", 1, self._lsl.IRREGULAR_RATE, "string", marker, "JSON")

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
        channels: list[tuple[str, str]],
        unit: str,
    ) -> pylsl.StreamOutlet:
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
        described.append_child_value("session", self._session)
        listed = described.append_child("channels")
        for label, group in channels:
            channel = listed.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", group)
        return self._lsl.StreamOutlet(info)


def offer(client: BusClient, state: State = "hidden") -> Outlets:
    """Joins a session and offers its streams; `follow` then feeds them."""
    description: Description | None = None
    session = ""
    for message in client.join():
        if isinstance(message.content, Description):
            description, session = message.content, message.session
        elif description is not None and isinstance(message.content, Episode):
            break
    if description is None:
        raise RunError("The session has not said what it is.")
    return Outlets(session, description, state)


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
