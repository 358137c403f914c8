"""The hub: where displays and outside programs meet a session.

It lives in the supervisor. What the subject sends comes in once; it goes out to every subscriber without
ever holding the subject up, and who joins late or missed some is sent the last ten seconds
(`rig.bus.history`).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import NamedTuple

import zmq
from zmq.auth.thread import ThreadAuthenticator

from rig.bus.client import HISTORY_MESSAGES, QUEUE_TICKS
from rig.bus.history import History, RecentHistory
from rig.bus.messages import (
    Command,
    Content,
    Message,
    MessageError,
    Reply,
    decode,
    encode,
)
from rig.bus.sockets import SocketFolder
from rig.errors import UserError

MOST_COMMAND_BYTES = 4 * 1024 * 1024
"""Who sends a longer command is disconnected."""


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
    """The session's stream and command sockets, and its recent history."""

    def __init__(
        self,
        folder: SocketFolder,
        listen: str = "",
        keys: Path | None = None,
        history: History | None = None,
    ) -> None:
        """Binds the session's sockets, and a TCP address besides if one is asked for.

        Joins are answered from `history`, without one from what has passed by.

        Raises `UserError` when the address is malformed, in use, or would be open to other machines
        without keys.
        """
        self._session = folder.session
        self._context = zmq.Context()
        self._incoming = self._bind(zmq.PULL, folder.address("hub"))
        self._stream = self._bind(zmq.XPUB, folder.address("stream"))
        self._commands = self._bind(zmq.ROUTER, folder.address("command"))
        self._keys = keys
        self._outside: list[zmq.Socket[bytes]] = []
        self._recent = RecentHistory(self._session)
        self._history = history or self._recent
        self._sequence: dict[str, int] = {}
        self._authenticator: ThreadAuthenticator | None = None
        self.refused = 0
        self._poller = zmq.Poller()
        if listen:
            try:
                self._listen(listen, keys)
            except BaseException:
                self.close()
                raise
        for socket in (self._incoming, *self._command_sockets()):
            self._poller.register(socket, zmq.POLLIN)

    def _bind(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.linger = 500
        _make_room(socket, kind)
        socket.bind(address)
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
        for kind, offset in ((zmq.XPUB, 0), (zmq.ROUTER, 1)):
            socket: zmq.Socket[bytes] = self._context.socket(kind)
            socket.linger = 500
            _make_room(socket, kind)
            self._outside.append(socket)
            if keys is not None:
                from rig.bus.curve import use_server_keys

                use_server_keys(socket, keys)
            try:
                socket.bind(f"tcp://{host}:{port + offset}")
            except zmq.ZMQError as problem:
                raise UserError(
                    f"--listen {address}: port {port + offset} cannot be used ({problem.strerror}); "
                    "choose another port, or end the program that has it."
                ) from None

    def _command_sockets(self) -> list[zmq.Socket[bytes]]:
        return [self._commands, *self._outside[1:]]

    def pump(self, timeout_s: float, limit: int = 200) -> tuple[list[Message], list[Request]]:
        """Takes in what has come, passes the stream on, answers joins; returns what is left to act on.

        The messages are those of the subject; the requests are commands other than `join` and `history`.
        Assets are for who asks; the end is for the supervisor to tell, when all has been closed.
        """
        messages: list[Message] = []
        requests: list[Request] = []
        ready = dict(self._poller.poll(int(timeout_s * 1000)))
        if self._incoming in ready:
            for _ in range(limit):
                try:
                    frames = self._incoming.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                if frames[0] not in (b"assets", b"end"):
                    self._send_out(frames)  # before all else: a client waits for it
                message = decode(frames)
                self._recent.keep(message, frames)
                messages.append(message)
        for socket in self._command_sockets():
            if socket in ready:
                requests += self._serve(socket, limit)
        return messages, requests

    def publish(self, content: Content, tick: int) -> None:
        """Sends something of the supervisor's own to all subscribers."""
        topic = str(content.__struct_config__.tag)
        number = self._sequence.get(topic, 0)
        self._sequence[topic] = number + 1
        self._send_out(encode(Message(content, self._session, tick, number)))

    def send(self, message: Message) -> None:
        """Sends a message that is numbered already to all subscribers."""
        self._send_out(encode(message))

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers a request."""
        self._answer(request.client, encode(Message(reply, self._session, sequence=request.number)))

    def refuse(self, request: Request, sentence: str) -> None:
        """Answers a request that is malformed, unknown or not allowed; counted in `refused`."""
        self.refused += 1
        self.reply(request, Reply(False, sentence))

    def close(self) -> None:
        """Closes the sockets after what was sent has gone out (half a second at most)."""
        if self._authenticator is not None:
            self._authenticator.stop()
        for socket in (self._incoming, self._stream, self._commands, *self._outside):
            socket.close()
        self._context.term()

    def _send_out(self, frames: list[bytes]) -> None:
        for socket in (self._stream, *self._outside[:1]):
            try:
                socket.send_multipart(frames, zmq.NOBLOCK)
            except zmq.Again:
                pass

    def _serve(self, socket: zmq.Socket[bytes], limit: int) -> list[Request]:
        requests = []
        trusted = socket is self._commands or self._keys is not None
        for _ in range(limit):
            if not socket.poll(0):
                break
            client, *frames = socket.recv_multipart()
            token = bytes([self._command_sockets().index(socket)]) + client
            try:
                message = decode(frames)
                content = message.content
                if not isinstance(content, Command):
                    raise MessageError("it is not a command")
            except MessageError as problem:
                self.refused += 1
                refusal = Reply(False, f"The message was refused: {problem}.")
                self._answer(token, encode(Message(refusal, self._session)))
                continue
            request = Request(token, content, message.sequence, trusted)
            if content.verb == "join":
                self._send_history(request, self._history.join())
            elif content.verb == "history":
                first, last = content.args.get("first"), content.args.get("last")
                if not isinstance(first, int) or not isinstance(last, int):
                    self.refuse(request, "history needs the ticks `first` and `last`.")
                    continue
                self._send_history(request, self._history.between(first, last))
            else:
                requests.append(request)
        return requests

    def _send_history(self, request: Request, kept: list[list[bytes]] | None) -> None:
        if kept is None:
            self.reply(request, Reply(False, "The session is still starting; ask again."))
            return
        for frames in kept:
            self._answer(request.client, frames)
        self.reply(request, Reply(True))

    def _answer(self, token: bytes, frames: list[bytes]) -> None:
        self._command_sockets()[token[0]].send_multipart([token[1:], *frames])


def _make_room(socket: zmq.Socket[bytes], kind: int) -> None:
    if kind == zmq.XPUB:
        socket.sndhwm = 4 * QUEUE_TICKS
    elif kind == zmq.ROUTER:
        socket.sndhwm = HISTORY_MESSAGES
        socket.maxmsgsize = MOST_COMMAND_BYTES


def parse_tcp(address: str) -> tuple[str, int]:
    """Host and port of "tcp://HOST:PORT". Raises `UserError` for anything else."""
    host, separator, port = address.removeprefix("tcp://").rpartition(":")
    if not address.startswith("tcp://") or not separator or not host or not port.isdecimal():
        raise UserError(f"--listen takes tcp://HOST:PORT, not {address!r}.")
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
