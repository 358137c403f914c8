"""The subject's side of the bus: one socket for each of those who must receive every tick.

The recorder's queue is bounded at ten seconds of ticks and never loses one: when it is full the animal
waits. The engine answers every tick. Displays and other clients subscribe to the stream here, as the hub
does, so that no process stands between; no subscriber is ever waited for.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping

import msgspec
import zmq

from rig.bus.encoding import MessageError, decode, encode
from rig.bus.external_inputs import armed_after
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import (
    Array,
    Assets,
    Command,
    Content,
    Description,
    EngineReply,
    Episode,
    Input,
    Message,
    Reply,
    Tick,
)
from rig.bus.sockets import HUB_TOPIC, NOT_STREAMED, STREAM_MESSAGES, SocketFolder

HUB_SUBSCRIBES_S = 5.0
LINGER_MS = 2000
MOST_SUBSCRIPTION_BYTES = 64
"""Who sends the stream more than the name of a topic is disconnected."""
QUEUE_S = 10.0
_MESSAGES_PER_S = 2 * 50  # a tick and the engine's answer to it


class SocketTransport:
    """Sends the session's stream to recorder, engine and hub, and receives from engine and supervisor."""

    def __init__(self, folder: SocketFolder) -> None:
        self._session = folder.session
        self._inner = InnerSockets(folder)
        self._sequence: dict[str, int] = {}
        self._stream: zmq.Socket[bytes] = self._inner.context.socket(zmq.XPUB)
        self._stream.linger = 500  # a client that is stuck must not hold up the session's end
        self._stream.sndhwm = STREAM_MESSAGES
        self._stream.maxmsgsize = MOST_SUBSCRIPTION_BYTES
        self._stream.bind(folder.address("stream"))
        self._hub_subscribes = False
        self._hub = self._inner.connect(zmq.PUSH, "hub", linger=LINGER_MS)
        self._control = self._inner.bind(zmq.PULL, "control")
        self._engine = self._engine_socket("engine")
        self._recorder: zmq.Socket[bytes] | None = None
        self._preamble: dict[str, Message] = {}
        self._encoded: tuple[Message, list[bytes]] | None = None
        self._wake = zmq.Poller()
        self._wake.register(self._engine, zmq.POLLIN)
        self._wake.register(self._control, zmq.POLLIN)

    def _engine_socket(self, name: str) -> zmq.Socket[bytes]:
        # not bounded: an answer is owed for each tick, so that none can pile up
        return self._inner.bind(zmq.DEALER, name, linger=LINGER_MS, sndhwm=0, rcvhwm=0)

    @property
    def strangers(self) -> int:
        """How many have connected as one of the session's processes and were none."""
        return self._inner.strangers

    @property
    def recording(self) -> bool:
        """Whether the stream goes to a recorder at present."""
        return self._recorder is not None

    def message(self, content: Content, tick: int, arrays: Mapping[str, Array]) -> Message:
        """As `Transport.message`; description, assets and episode are kept for those who come later.

        The description is then kept up to date: whether the protocol is armed.
        """
        topic = str(content.__struct_config__.tag)
        number = self._sequence.get(topic, 0)
        self._sequence[topic] = number + 1
        message = Message(content, self._session, tick, number, arrays)
        if isinstance(content, Description | Assets | Episode):
            self._preamble[topic] = message
        elif isinstance(content, Tick) and content.inputs:
            self._follow(content.inputs)
        return message

    def _follow(self, inputs: Iterable[Input]) -> None:
        known = self._preamble["description"]
        assert isinstance(known.content, Description)
        armed = armed_after(inputs, known.content.armed)
        content = msgspec.structs.replace(known.content, armed=armed)
        self._preamble["description"] = dataclasses.replace(known, content=content)

    def _frames(self, message: Message) -> list[bytes]:
        """The message encoded: once, as it goes to engine, clients and recorder one after the other."""
        if self._encoded is None or self._encoded[0] is not message:
            self._encoded = message, encode(message)
        return self._encoded[1]

    def to_engine(self, message: Message) -> None:
        """Sends to the engine; where it has just died, to nobody: the supervisor will say so."""
        try:
            self._engine.send_multipart(self._frames(message), zmq.NOBLOCK)
        except zmq.Again:
            pass

    def to_hub(self, message: Message) -> None:
        """Sends to the hub and the clients of the stream; none of them is waited for."""
        if not self._hub_subscribes:
            self._wait_for_hub()
        if message.topic not in NOT_STREAMED:
            self._stream.send_multipart(
                self._frames(message)
            )  # never blocks: a full queue loses it
            while int(self._stream.get(zmq.EVENTS)) & zmq.POLLIN:
                self._stream.recv()  # subscriptions, which would pile up unread
            return
        try:
            self._hub.send_multipart(self._frames(message), zmq.NOBLOCK)
        except zmq.Again:
            pass

    def _wait_for_hub(self) -> None:
        """Before the first message, so that the hub misses none."""
        deadline = time.monotonic() + HUB_SUBSCRIBES_S
        while not self._hub_subscribes and self._stream.poll(
            int(max(0.0, deadline - time.monotonic()) * 1000)
        ):
            self._hub_subscribes = self._stream.recv() == b"\x01" + HUB_TOPIC
        self._hub_subscribes = (
            True  # or there is none: the session's parts do not wait for it again
        )

    def to_recorder(self, message: Message) -> bool:
        """Sends to the recorder. False when its queue is full: try again, nothing was sent."""
        if self._recorder is None:
            return True
        try:
            # large payloads (a probe) are not copied; pyzmq copies those below 64 kB all the same
            self._recorder.send_multipart(self._frames(message), zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        return True

    def connect_recorder(self, socket: str) -> None:
        """Opens a queue for a recorder, at the named socket; see `begin_recording`."""
        self.disconnect_recorder()
        self._recorder = self._inner.bind(
            zmq.PUSH, socket, linger=LINGER_MS, sndhwm=int(QUEUE_S * _MESSAGES_PER_S)
        )

    def begin_recording(self, wait_s: float) -> bool:
        """Sends what a recording begins with once the recorder has connected; False if it has not yet."""
        if self._recorder is None or not self._recorder.poll(int(wait_s * 1000), zmq.POLLOUT):
            return False
        for topic in ("description", "assets", "episode"):
            if topic in self._preamble:
                self.to_recorder(self._preamble[topic])
        return True

    def disconnect_recorder(self, keep_queue: bool = True) -> None:
        """As `Transport.disconnect_recorder`; what is in the queue has ten seconds to go out."""
        if self._recorder is not None:
            self._recorder.close(linger=10_000 if keep_queue else 0)
            self._recorder = None

    def wait_for_engine(self, timeout_s: float) -> bool:
        """Whether the engine has said that it is ready, within the time."""
        deadline = time.monotonic() + timeout_s
        while self._engine.poll(int(max(0.0, deadline - time.monotonic()) * 1000)):
            try:
                if isinstance(decode(self._engine.recv_multipart()).content, Reply):
                    return True
            except MessageError:
                continue
        return False

    def replace_engine(self, socket: str) -> None:
        """Opens a socket for another engine; nothing of the one before is received any more."""
        self._wake.unregister(self._engine)
        self._engine.close(linger=0)
        self._engine = self._engine_socket(socket)
        self._wake.register(self._engine, zmq.POLLIN)

    def send_preamble(self, numbers_used: Mapping[str, int]) -> None:
        """Sends an engine that comes while the session runs what the session is, and which trial runs."""
        message = self._preamble["description"]
        assert isinstance(message.content, Description)
        content = msgspec.structs.replace(message.content, numbers_used=dict(numbers_used))
        self.to_engine(Message(content, self._session, message.tick, message.sequence))
        self.to_engine(self._preamble["episode"])

    def listen(self, timeout_s: float) -> tuple[Message | None, Command | None]:
        """The engine's next reply or the supervisor's next command, whichever is there first.

        A malformed message raises `MessageError`.
        """
        ready = dict(self._wake.poll(int(timeout_s * 1000)))
        if self._control in ready:
            content = decode(self._control.recv_multipart()).content
            return None, content if isinstance(content, Command) else None
        if self._engine in ready:
            message = decode(self._engine.recv_multipart())
            return (message if isinstance(message.content, EngineReply) else None), None
        return None, None

    def command(self) -> Command | None:
        """The supervisor's next command if one is waiting."""
        if not int(self._control.get(zmq.EVENTS)) & zmq.POLLIN:  # half the time of a poll
            return None
        content = decode(self._control.recv_multipart()).content
        return content if isinstance(content, Command) else None

    def close(self) -> None:
        """Leaves the bus after what was sent has gone out (two seconds at most, ten to the recorder)."""
        self.disconnect_recorder()
        for socket in (self._stream, self._hub, self._control, self._engine):
            socket.close()
        self._inner.close()
