"""A session without its other processes: the same tick loop and animal, the engine beside them, no clock.

A re-run takes what came from outside from a recording, each input at its tick, and ends where the
recording ended. Everything else follows from the seed and the protocol. Nothing is sent or encoded: the
listener is given the stream, message by message, as a recorder would get it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from rig.bus.message_types import (
    Array,
    Command,
    Content,
    Description,
    Episode,
    Input,
    Message,
    Tick,
)


class ReplyingEngine(Protocol):
    """What decides on stimuli: the engine, or a sequence of engines."""

    def begin_trial(self, trial: int, tick: int) -> None:
        """A trial begins, and `tick` is its first."""

    def reply(self, message: Message) -> Message:
        """The reply to a tick."""


class InProcessTransport:
    """A `rig.bus.transport.Transport` whose engine and listener are in this process.

    Args:
        session: the session's name, for its messages.
        engine: makes what replies to ticks, once the session has described itself.
        inputs: what comes from outside, each with the tick that it reaches, in order.
        n_ticks: the session ends after so many.
        reason: of its end.
        on_message: is given every message of the stream, in order; its arrays may be reused after the tick.
    """

    recording = False
    strangers = 0

    def __init__(
        self,
        session: str,
        engine: Callable[[Description], ReplyingEngine],
        inputs: Iterable[tuple[int, Input]],
        n_ticks: int,
        reason: str,
        on_message: Callable[[Message], None],
    ) -> None:
        self._session = session
        self._make_engine = engine
        self._engine: ReplyingEngine | None = None
        self._inputs = deque(inputs)
        self._n_ticks = n_ticks
        self._reason = reason
        self._on_message = on_message
        self._next_tick = 0
        self._reply: Message | None = None
        self._sequence: dict[str, int] = {}
        self._stopping = False

    def stop(self) -> None:
        """Ends the session with the next tick at the latest."""
        self._n_ticks = min(self._n_ticks, self._next_tick + 1)

    def message(self, content: Content, tick: int, arrays: Mapping[str, Array]) -> Message:
        """As `Transport.message`."""
        topic = str(content.__struct_config__.tag)
        number = self._sequence.get(topic, 0)
        self._sequence[topic] = number + 1
        return Message(content, self._session, tick, number, arrays)

    def to_engine(self, message: Message) -> None:
        """Gives the engine what it replies to."""
        match message.content:
            case Description():
                self._engine = self._make_engine(message.content)
            case Episode(trial=trial) if self._engine is not None:
                self._engine.begin_trial(trial, message.tick)
            case Tick() if self._engine is not None:
                self._reply = self._engine.reply(message)

    def to_hub(self, message: Message) -> None:
        """Gives the listener a message."""
        if isinstance(message.content, Tick):
            self._next_tick = message.tick + 1
        self._on_message(message)

    def to_recorder(self, message: Message) -> bool:
        """There is no recorder: the listener has been given the message already."""
        return True

    def listen(self, timeout_s: float) -> tuple[Message | None, Command | None]:
        """The engine's reply to the tick before."""
        reply, self._reply = self._reply, None
        return reply, None

    def command(self) -> Command | None:
        """What came from outside since the tick before; with the last tick, that it is the last."""
        if self._inputs and self._inputs[0][0] <= self._next_tick:
            given = self._inputs.popleft()[1]
            return Command("input", {"kind": given.kind, "name": given.name, "args": given.args})
        if self._next_tick >= self._n_ticks - 1 and not self._stopping:
            self._stopping = True
            return Command("stop", {"reason": self._reason})
        return None

    def wait_for_engine(self, timeout_s: float) -> bool:
        """The engine is made when the session describes itself."""
        return True

    def replace_engine(self, socket: str) -> None:
        """The one engine neither dies nor is followed by another."""

    def send_preamble(self, numbers_used: Mapping[str, int]) -> None:
        """As `replace_engine`."""

    def connect_recorder(self, socket: str) -> None:
        """There is no recorder."""

    def begin_recording(self, wait_s: float) -> bool:
        """There is no recorder."""
        return True

    def disconnect_recorder(self, keep_queue: bool = True) -> None:
        """There is no recorder."""
