"""The hub: the supervisor's end of the bus.

Clients of this machine subscribe to the subject itself (`rig.bus.socket_transport`): no process stands
between. The hub is one of its subscribers. It keeps the last ten seconds for who joins late or missed some
(`rig.bus.history`), takes commands, publishes what the supervisor has to say, and passes everything on over
TCP where that was asked for.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeGuard

import zmq
from zmq.auth.thread import ThreadAuthenticator

from rig.bus.answers import MOST_CLIENTS, Answers
from rig.bus.clip_ring import ClipRing
from rig.bus.encoding import MessageError, decode, encode
from rig.bus.history import Frames, History, RecentHistory
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import Command, Content, Fault, Message, Reply
from rig.bus.sockets import (
    HISTORY_MESSAGES,
    HUB_TOPIC,
    NOT_STREAMED,
    STREAM_MESSAGES,
    SocketFolder,
)
from rig.errors import UserError

MOST_COMMAND_BYTES = 64 * 1024
"""Who sends a longer command is disconnected."""
COMMANDS_HELD = 32
"""So many commands of a client are held that have not been looked at; it waits with more."""
REQUESTS_AT_ONCE = 50

OWING_S = 0.002
"""How often clients that take their answers slowly are asked whether they take more."""
COLLECT_S = 0.02
"""The stream is collected this often: the supervisor need not wake for every message of it."""


_BIND_REMEDIES = {
    errno.EADDRINUSE: "choose another port, or end the program that has it",
    errno.EACCES: "ports below 1024 are the system's; choose a higher one",
}
"""What to do where an address cannot be listened at; else there is no such address."""

NO_NUMBER = -1
"""The sequence of an answer to what had none that could be read; a client's own begin at 0."""


class Request(NamedTuple):
    """A client's command, with the way back to it.

    `trusted`: it came by the session's own folder, which only its user can reach, or with an authorised
    key; whoever merely reaches a TCP port of this machine may listen, and change nothing.
    """

    client: bytes
    command: Command
    number: int
    trusted: bool


class Hub:
    """Sockets of a session for its clients, and its recent history.

    `last_malformed` says what was wrong with the latest message that came as the subject's and was none;
    `clip_ring` keeps the last of the stream.

    Args:
        folder: of the session's sockets.
        listen: a TCP address at which everything is offered besides, "tcp://HOST:PORT", or "".
        keys: the folder with CURVE keys, which an address that other machines can reach must have.
        history: what joins are answered from. Who gives one has no subject and sends the stream itself, with
            `send`, as a replay does; without one it is what the subject has sent.
        clip_s: how much of the stream is kept for clips, s.

    Raises:
        UserError: the address is malformed, in use, or would be open to other machines without keys.
    """

    def __init__(
        self,
        folder: SocketFolder,
        listen: str = "",
        keys: Path | None = None,
        history: History | None = None,
        clip_s: float = 0.0,
    ) -> None:
        self._session = folder.session
        self._context = zmq.Context()
        self._status = self._bind(zmq.PUB, folder.address("status"))
        self._commands: list[tuple[zmq.Socket[bytes], Answers]] = []
        self._bind(zmq.ROUTER, folder.address("command"))
        self._incoming: list[zmq.Socket[bytes]] = []
        self._stream: zmq.Socket[bytes] | None = None
        self._inner: InnerSockets | None = None
        if history is None:
            self._inner = InnerSockets(folder)
            self._incoming = [
                self._subscribe(folder.address("stream")),
                self._inner.bind(zmq.PULL, "hub"),
            ]
        else:
            self._stream = self._bind(zmq.PUB, folder.address("stream"))
        self._keys = keys
        self._tcp_stream: zmq.Socket[bytes] | None = None
        self._recent = RecentHistory(self._session)
        self.clip_ring = ClipRing(clip_s)
        self._history = history or self._recent
        self._sequence: dict[str, int] = {}
        self._authenticator: ThreadAuthenticator | None = None
        self._refused = 0
        self._malformed = 0
        self.last_malformed = ""
        self._poller = zmq.Poller()
        if listen:
            try:
                self._listen(listen, keys)
            except BaseException:
                self.close()
                raise
            for socket in self._incoming:  # to be passed on at once
                self._poller.register(socket, zmq.POLLIN)
        for socket, _ in self._commands:
            self._poller.register(socket, zmq.POLLIN)

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.linger = 500
        if kind == zmq.PUB:
            socket.sndhwm = STREAM_MESSAGES
        elif kind == zmq.ROUTER:
            socket.maxmsgsize = MOST_COMMAND_BYTES
            socket.rcvhwm = COMMANDS_HELD
            self._commands.append((socket, Answers(socket)))
        return socket

    def _bind(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket = self._socket(kind)
        socket.bind(address)
        return socket

    def _subscribe(self, address: str) -> zmq.Socket[bytes]:
        socket = self._socket(zmq.SUB)
        socket.rcvhwm = HISTORY_MESSAGES
        socket.reconnect_ivl = 20  # ms; the subject, which binds it, starts later
        socket.subscribe(b"")
        socket.subscribe(HUB_TOPIC)
        socket.connect(address)
        return socket

    def _listen(self, address: str, keys: Path | None) -> None:
        host, port = parse_tcp(address)
        if not _is_loopback(host) and keys is None:
            raise UserError(
                f"--listen {address} would open the session to other machines without keys: add "
                "--keys FOLDER (made with `rodent-rig keys FOLDER`), or listen on tcp://127.0.0.1."
            )
        if keys is not None:
            from rig.bus.curve import authenticator

            self._authenticator = authenticator(self._context, keys)
        self._tcp_stream = self._socket(zmq.PUB)
        tcp_commands = self._socket(zmq.ROUTER)
        for socket, its_port in ((self._tcp_stream, port), (tcp_commands, port + 1)):
            if keys is not None:
                from rig.bus.curve import use_server_keys

                use_server_keys(socket, keys)
            try:
                socket.ipv6 = ":" in host
                socket.bind(f"tcp://{host}:{its_port}")
            except zmq.ZMQError as problem:
                remedy = _BIND_REMEDIES.get(
                    problem.errno or 0,
                    f"this machine has no address {host}; listen on one that it has",
                )
                raise UserError(
                    f"--listen {address}: port {its_port} cannot be used ({problem.strerror}); {remedy}."
                ) from None

    def pump(self, timeout_s: float, limit: int = 200) -> tuple[list[Message], list[Request]]:
        """Takes in the stream, answers joins, some at a time; returns the stream and the commands to act on.

        Args:
            timeout_s: the longest wait for a command.
            limit: the most messages that one call takes of a socket.

        Returns:
            The subject's messages, the end and the assets among them, and the requests but for `join` and
            `history`.
        """
        owing = any(answers.waiting for _, answers in self._commands)
        timeout_s = min(timeout_s, OWING_S if owing else COLLECT_S)
        ready = dict(self._poller.poll(int(timeout_s * 1000)))
        messages = self._collect(
            limit
        )  # before the commands: a join brings all that came before it
        requests: list[Request] = []
        for door, (socket, answers) in enumerate(self._commands):
            if socket in ready:
                requests += self._serve(door)
            answers.send()
        return messages, requests

    def _collect(self, limit: int) -> list[Message]:
        messages: list[Message] = []
        for socket in self._incoming:
            for _ in range(limit):
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                try:
                    message = decode(frames)
                except MessageError as problem:
                    self._malformed += 1
                    self.last_malformed = str(problem)
                    continue
                if message.topic not in NOT_STREAMED:
                    _publish(self._tcp_stream, frames)
                self._recent.keep(message, frames)
                self.clip_ring.keep(message, frames)
                messages.append(message)
        return messages

    @property
    def refused(self) -> int:
        """Commands that were refused or malformed, or whose client did not take the answer."""
        return self._refused + sum(answers.dropped for _, answers in self._commands)

    @property
    def malformed(self) -> int:
        """How much came as if from the subject and was not: messages, and connections that were refused."""
        return self._malformed + (self._inner.strangers if self._inner is not None else 0)

    def publish(self, content: Content, tick: int) -> None:
        """Sends something of the supervisor's own to all subscribers."""
        topic = str(content.__struct_config__.tag)
        number = self._sequence.get(topic, 0)
        self._sequence[topic] = number + 1
        message = Message(content, self._session, tick, number)
        frames = encode(message)
        if isinstance(content, Fault):
            self.clip_ring.keep(message, frames)
        _publish(self._status, frames)
        _publish(self._tcp_stream, frames)

    def send(self, message: Message) -> None:
        """Sends a message of the stream, which is numbered already, to all subscribers."""
        frames = encode(message)
        _publish(self._stream, frames)
        _publish(self._tcp_stream, frames)

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers a request."""
        frames = encode(Message(reply, self._session, sequence=request.number))
        _, answers = self._commands[request.client[0]]
        answers.add(request.client[1:], lambda: [frames])

    def refuse(self, request: Request, sentence: str) -> None:
        """Answers a request that is malformed, unknown or not allowed; counted in `refused`."""
        self._refused += 1
        self.reply(request, Reply(False, sentence))

    def close(self) -> None:
        """Closes the sockets after what was sent has gone out (half a second at most)."""
        if self._authenticator is not None:
            self._authenticator.stop()
        publishers = (self._status, self._stream, self._tcp_stream)
        for socket in (*self._incoming, *publishers, *(socket for socket, _ in self._commands)):
            if socket is not None:
                socket.close()
        self._context.term()
        if self._inner is not None:
            self._inner.close()

    def _serve(self, door: int) -> list[Request]:
        """Takes a socket's commands; answers what needs nobody else and returns the rest."""
        requests = []
        socket, answers = self._commands[door]
        trusted = door == 0 or self._keys is not None
        for _ in range(REQUESTS_AT_ONCE):
            if not int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
                break
            client, *frames = socket.recv_multipart()
            try:
                message = decode(frames)
                content = message.content
                if not isinstance(content, Command):
                    raise MessageError("it is not a command")
            except MessageError as problem:
                self._turn_away(answers, client, NO_NUMBER, f"The message was refused: {problem}.")
                continue
            if not answers.has_room(client):
                sentence = f"{MOST_CLIENTS} clients wait for an answer already; ask again later."
                self._turn_away(answers, client, message.sequence, sentence)
                continue
            request = Request(bytes([door]) + client, content, message.sequence, trusted)
            if content.verb in ("join", "history"):
                self._answer_history(answers, request)
            else:
                requests.append(request)
        return requests

    def _turn_away(self, answers: Answers, client: bytes, number: int, sentence: str) -> None:
        """Refuses what is not kept for later, not even for a client that does not take the refusal."""
        self._refused += 1
        refusal = Message(Reply(False, sentence), self._session, sequence=number)
        answers.try_once(client, encode(refusal))

    def _answer_history(self, answers: Answers, request: Request) -> None:
        args = request.command.args
        found: Callable[[], list[Frames] | None]
        if request.command.verb == "join":
            found = self._history.join
        else:
            first, last = args.get("first"), args.get("last")
            if not _is_whole(first) or not _is_whole(last):
                self.refuse(request, "history needs the ticks `first` and `last`.")
                return
            found = partial(self._history.between, first, last)

        def reply(ok: bool, sentence: str = "") -> Frames:
            return encode(Message(Reply(ok, sentence), self._session, sequence=request.number))

        def make() -> list[Frames]:
            kept = found()
            if kept is None:
                return [reply(False, "The session is still starting; ask again.")]
            return [*kept, reply(True)]

        unread = reply(False, "The answer was not read in time, and ends here; ask again.")
        answers.add(request.client[1:], make, unread)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _publish(socket: zmq.Socket[bytes] | None, frames: list[bytes]) -> None:
    """To whoever subscribes to a PUB socket: it never waits, and a subscriber with a full queue loses it."""
    if socket is not None:
        socket.send_multipart(frames)


def parse_tcp(address: str) -> tuple[str, int]:
    """Host and port of "tcp://HOST:PORT". Raises `UserError` for anything else."""
    host, separator, port = address.removeprefix("tcp://").rpartition(":")
    if not address.startswith("tcp://") or not separator or not host or not port.isdecimal():
        raise UserError(f"--listen takes tcp://HOST:PORT, not {address!r}.")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise UserError(f"--listen {address}: write an IPv6 address in brackets, tcp://[::1]:5600.")
    if not 1 <= int(port) <= 65534:
        raise UserError(f"--listen {address}: the port has to be between 1 and 65534.")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
