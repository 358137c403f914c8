"""A client of a session's bus: what every display and outside program uses.

The stream is lossy by design: a client that cannot keep up loses the oldest ticks, never delays the
animal. `BusClient` keeps a bounded queue, notices holes by the sequence numbers and fills them from the
session's history where that still has them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq

from rig.bus.encoding import MessageError, decode, encode
from rig.bus.message_types import Command, End, Message, Reply
from rig.bus.sockets import CLIENT_MESSAGES, HISTORY_MESSAGES, SocketFolder
from rig.errors import RunError

HUB_LAG_S = 2.0
"""How long the hub is waited for, which may come to what a client has received a little later."""
END_QUIET_S = 0.1
"""The end comes by another socket than the ticks, and is handed out when nothing more comes after it."""

_NUMBERED = ("tick", "answer", "episode")
"""Topics that the history keeps: what came with it is not taken a second time from the stream."""


class BusClient:
    """Subscribes to a session's stream and sends it commands. Not thread-safe: one per thread.

    `rig.client.attach` makes one for a running session of this machine. Iterate over `messages()`, or call
    `poll()` from an event loop. `lost` counts ticks that could not be recovered; `rejected` counts
    malformed messages.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from rig.bus.hub import Hub
    >>> from rig.bus.message_types import Fault
    >>> folder = SocketFolder(Path(mkdtemp()))
    >>> hub = Hub(folder)
    >>> with BusClient.of(folder) as client:
    ...     while not (messages := client.poll(timeout_s=0.05)):
    ...         hub.publish(Fault("example", "nothing is wrong"), tick=0)
    >>> messages[0].content.sentence
    'nothing is wrong'
    >>> hub.close()

    Args:
        stream_addresses: where to subscribe: a session's `stream` and `status`, or the one TCP address.
        command_address: its `command` socket.
        keys: the folder with the CURVE keys of a session that is reached over TCP.

    Raises:
        UserError: the folder holds no keys that can be used.
    """

    def __init__(
        self,
        stream_addresses: str | Iterable[str],
        command_address: str,
        *,
        keys: Path | None = None,
    ) -> None:
        self._context = zmq.Context()
        self._stream = self._context.socket(zmq.SUB)
        self._command = self._context.socket(zmq.DEALER)
        for socket in (self._stream, self._command):
            socket.linger = 0
            if keys is not None:
                from rig.bus.curve import use_client_keys

                use_client_keys(socket, keys)
        self._stream.rcvhwm = CLIENT_MESSAGES
        self._command.rcvhwm = HISTORY_MESSAGES
        self._stream.subscribe(b"")
        addresses = [stream_addresses] if isinstance(stream_addresses, str) else stream_addresses
        addresses = list(addresses)
        for socket in (self._stream, self._command):
            socket.ipv6 = any(each.startswith("tcp://[") for each in (*addresses, command_address))
        for address in addresses:
            self._stream.connect(address)
        self._command.connect(command_address)
        self._n_commands = 0
        self._queue: deque[Message] = deque()
        self._end: Message | None = None
        self._received_s = 0.0
        self._timeout_ms = -1
        self._last_number = dict.fromkeys(_NUMBERED, -1)
        self.lost = 0
        self.rejected = 0

    @classmethod
    def of(cls, folder: SocketFolder) -> Self:
        """A client of the session in this folder."""
        return cls((folder.address("stream"), folder.address("status")), folder.address("command"))

    def join(self, timeout_s: float = 10.0) -> list[Message]:
        """What a late joiner needs, oldest first: description, assets, the episode, recent ticks.

        The ticks are those of the session's history (about the last 10 s of animal time); later ones
        come by `messages` or `poll`, none twice. Raises `RunError` when the session does
        not answer, or is still starting.
        """
        replies, reply = self._request(Command("join"), timeout_s)
        if not reply.ok:
            raise RunError(reply.error)
        return [message for message in replies if self._is_new(message)]

    def command(self, verb: str, timeout_s: float = 10.0, **args: Any) -> dict[str, Any]:
        """Sends a command and waits for its reply.

        Args:
            verb: one of those in docs/bus.md.
            timeout_s: how long the reply is waited for, s.
            args: of the command.

        Returns:
            The fields of the reply.

        Raises:
            RunError: it was refused (with the reason), or not answered in time.
        """
        _, reply = self._request(Command(verb, args), timeout_s)
        if not reply.ok:
            raise RunError(reply.error)
        return reply.fields

    def poll(self, timeout_s: float = 0.0, limit: int = 256) -> list[Message]:
        """The messages that have come, at most `limit`, waiting up to `timeout_s` for the first."""
        if not self._queue:
            self._receive(timeout_s, limit)
        out: list[Message] = []
        while self._queue and len(out) < limit:
            out.append(self._queue.popleft())
        return out

    def messages(self, timeout_s: float | None = None) -> Iterator[Message]:
        """Messages as they come, until the session's `End` or for `timeout_s` without any."""
        quiet_since = time.monotonic()
        while True:
            batch = self.poll(0.2)
            for message in batch:
                yield message
                if message.topic == "end":
                    return
            now = time.monotonic()
            if batch:
                quiet_since = now
            elif timeout_s is not None and now - quiet_since > timeout_s:
                return

    def close(self) -> None:
        """Leaves the bus."""
        self._stream.close()
        self._command.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _receive(self, timeout_s: float, limit: int) -> None:
        if self._end is not None:
            timeout_s = min(timeout_s, END_QUIET_S)
        timeout_ms = int(timeout_s * 1000)
        if timeout_ms != self._timeout_ms:
            self._timeout_ms = timeout_ms
            self._stream.set(
                zmq.RCVTIMEO, timeout_ms
            )  # takes less of a processor than a poll before
        try:
            self._take(self._stream.recv_multipart())
        except zmq.Again:
            if self._end is not None and time.monotonic() - self._received_s >= END_QUIET_S:
                self._queue.append(self._end)
                self._end = None
            return
        for _ in range(limit - 1):
            if not int(self._stream.get(zmq.EVENTS)) & zmq.POLLIN:
                break
            self._take(self._stream.recv_multipart())
        self._received_s = time.monotonic()

    def _take(self, frames: list[bytes]) -> None:
        try:
            message = decode(frames)
        except MessageError:
            self.rejected += 1
            return
        if isinstance(message.content, End):
            self._end = message
            return
        last = self._last_number["tick"]
        if message.topic == "tick" and -1 < last < message.sequence - 1:
            self._fill(message.tick, message.sequence - 1 - last)
        if self._is_new(message):
            self._queue.append(message)

    def _fill(self, tick: int, n_missed: int) -> None:
        """Asks for the ticks that were missed before this one.

        By sequence numbers, not by ticks: those of a replay may go back, or on by many.
        """
        args = {"first": tick - n_missed, "last": tick}
        deadline = time.monotonic() + HUB_LAG_S
        while True:
            try:
                kept, _ = self._request(Command("history", args), 2.0)
            except RunError:
                kept = []
            # a hub that has this tick, too, has all that it will ever have of those before it
            up_to_date = any(each.topic == "tick" and each.tick == tick for each in kept)
            if up_to_date or time.monotonic() > deadline:
                break
            time.sleep(0.005)
        found = [message for message in kept if message.tick < tick and self._is_new(message)]
        self._queue.extend(found)
        self.lost += n_missed - sum(message.topic == "tick" for message in found)

    def _is_new(self, message: Message) -> bool:
        if message.topic not in self._last_number:
            return True
        if message.sequence <= self._last_number[message.topic]:
            return False
        self._last_number[message.topic] = message.sequence
        return True

    def _request(self, command: Command, timeout_s: float) -> tuple[list[Message], Reply]:
        self._n_commands += 1
        self._command.send_multipart(encode(Message(command, sequence=self._n_commands)))
        deadline = time.monotonic() + timeout_s
        before: list[Message] = []
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self._command.poll(int(left * 1000)):
                raise RunError(
                    f"The session did not answer {command.verb!r} within {timeout_s:.0f} s."
                )
            try:
                message = decode(self._command.recv_multipart())
            except MessageError as problem:
                raise RunError(f"What the session answers cannot be read: {problem}.") from None
            if not isinstance(message.content, Reply):
                before.append(message)
            elif message.sequence == self._n_commands:
                return before, message.content
            else:
                before.clear()  # the late answer to a question that was given up
