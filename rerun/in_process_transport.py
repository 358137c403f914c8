"""A session without its other processes: the same tick loop and animal, the engine beside them, no clock.

A re-run takes what came from outside from a recording, each input at its tick, and ends where the
recording ended. Everything else follows from the seed and the protocol. Nothing is sent anywhere: whoever
runs it hears the stream, message by message, as a recorder would (`hear`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from rig.bus.messages import (
    Array,
    Command,
    Content,
    Description,
    Episode,
    Input,
    Message,
    Tick,
    decode,
    encode,
)
from rig.bus.transport import Frames


class Answering(Protocol):
    """What decides on stimuli: the engine, or a relay of engines."""

    def episode(self, trial: int, tick: int) -> None:
        """A trial begins, and `tick` is its first."""

    def answer(self, message: Message) -> Message:
        """The answer to a tick."""


class InProcessTransport:
    """Stands for `rig.bus.transport.SocketTransport` where engine and listener are in this process.

    Args:
        session: the session's name, for its messages.
        engine: makes what answers, once the session has described itself.
        inputs: what comes from outside, each with the tick that it reaches, in order.
        n_ticks: the session ends after so many.
        reason: of its end.
        hear: is given every message of the stream, in order.
    """

    recording = False

    def __init__(
        self,
        session: str,
        engine: Callable[[Description], Answering],
        inputs: Iterable[tuple[int, Input]],
        n_ticks: int,
        reason: str,
        hear: Callable[[Message], None],
    ) -> None:
        self._session = session
        self._make_engine = engine
        self._engine: Answering | None = None
        self._inputs = deque(inputs)
        self._n_ticks = n_ticks
        self._reason = reason
        self._hear = hear
        self._next_tick = 0
        self._answer: Message | None = None
        self._sequence: dict[str, int] = {}
        self._stopping = False

    def stop(self) -> None:
        """Ends the session with the next tick at the latest."""
        self._n_ticks = min(self._n_ticks, self._next_tick + 1)

    def frames(self, content: Content, tick: int, arrays: Mapping[str, Array]) -> Frames:
        """As `SocketTransport.frames`."""
        topic = str(content.__struct_config__.tag)
        number = self._sequence.get(topic, 0)
        self._sequence[topic] = number + 1
        return encode(Message(content, self._session, tick, number, arrays))

    def to_engine(self, frames: Frames) -> None:
        """Gives the engine what it answers to."""
        message = decode(frames)
        match message.content:
            case Description():
                self._engine = self._make_engine(message.content)
            case Episode(trial=trial) if self._engine is not None:
                self._engine.episode(trial, message.tick)
            case Tick() if self._engine is not None:
                self._answer = self._engine.answer(message)

    def to_hub(self, frames: Frames) -> None:
        """Gives the listener a message."""
        message = decode(frames)
        if isinstance(message.content, Tick):
            self._next_tick = message.tick + 1
        self._hear(message)

    def listen(self, timeout_s: float) -> tuple[Message | None, Command | None]:
        """The engine's answer to the tick before."""
        answer, self._answer = self._answer, None
        return answer, None

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
        """It is there."""
        return True

    def to_recorder(self, frames: Frames) -> bool:
        """There is none: the listener has heard it already."""
        return True

    def connect_recorder(self, name: str) -> None:
        """There is none."""

    def begin_recording(self, wait_s: float) -> bool:
        """There is none."""
        return True

    def disconnect_recorder(self, keep_queue: bool = True, last: Frames | None = None) -> None:
        """There is none."""

    def expect_engine(self, name: str) -> None:
        """The one engine neither dies nor is followed by another."""

    def introduce(self, numbers_used: Mapping[str, int]) -> None:
        """As `expect_engine`."""
