"""The sockets between a session's own processes, which know each other by the session's token.

The token lies in the session's folder, which only its user can enter. A peer that connects shows it in
ZeroMQ's handshake (PLAIN); whoever does not is disconnected before it can send or receive anything, and
counted. Without that a program that connects by mistake would be dealt every second tick, or end a session
with something that no process of it ever said.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import deque
from pathlib import Path

import zmq
from zmq.utils.monitor import parse_monitor_message

from rig.bus.sockets import SocketFolder
from rig.errors import RunError

_USER = b"session"
_WATCHED = zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_SUCCEEDED


class InnerSockets:
    """Makes sockets of one process to the session's others.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> inner = InnerSockets(SocketFolder(Path(mkdtemp())))
    >>> reports = inner.bind(zmq.PULL, "recorder_report")
    >>> recorder = inner.connect(zmq.PUSH, "recorder_report")
    >>> recorder.send(b"all is well")
    >>> reports.recv(), inner.strangers
    (b'all is well', 0)
    >>> reports.close(), recorder.close(), inner.close()
    (None, None, None)

    Args:
        folder: of the session's sockets; a token is made in it where there is none.

    Raises:
        RunError: the folder is gone, or cannot be read.
    """

    def __init__(self, folder: SocketFolder) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._folder = folder
        self._token = _token(folder)
        self._guard: _Guard | None = None

    @property
    def strangers(self) -> int:
        """How many have connected to a bound socket and were not of the session."""
        return self._guard.strangers if self._guard is not None else 0

    def connect(self, kind: int, name: str, **options: int) -> zmq.Socket[bytes]:
        """A socket that connects to the named one.

        Args:
            kind: `zmq.PUSH`, ...
            name: of the socket in the session's folder.
            options: of the socket, such as `linger=500`.
        """
        socket = self._socket(kind, options)
        socket.plain_username, socket.plain_password = _USER, self._token
        socket.connect(self._folder.address(name))
        return socket

    def bind(self, kind: int, name: str, **options: int) -> zmq.Socket[bytes]:
        """A socket that listens at a name, for the session's processes alone; arguments as `connect`."""
        if self._guard is None:
            self._guard = _Guard(self.context, self._token)
        socket = self._socket(kind, options)
        socket.plain_server = True
        socket.zap_domain = b"session"
        self._guard.watch(socket)
        socket.bind(self._folder.address(name))
        return socket

    def _socket(self, kind: int, options: dict[str, int]) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self.context.socket(kind)
        for option, value in options.items():
            setattr(socket, option, value)
        return socket

    def close(self) -> None:
        """Ends the guard and the context; sockets have to be closed, and linger as they were told."""
        if self._guard is not None:
            self._guard.close()
        self.context.term()


class _Guard:
    """A thread that answers ZeroMQ's questions about who may connect (ZAP), and counts who may not."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], token: bytes) -> None:
        self._context = context
        self._token = token
        self._new: deque[str] = deque()
        self._number = 0
        self.strangers = 0
        self._questions = context.socket(zmq.ROUTER)
        self._questions.linger = 0
        self._questions.bind("inproc://zeromq.zap.01")
        self._heard = context.socket(zmq.PAIR)
        self._heard.bind("inproc://guard")
        self._bell = context.socket(zmq.PAIR)
        self._bell.linger = 0
        self._bell.connect("inproc://guard")
        self._thread = threading.Thread(target=self._run, name="bus guard", daemon=True)
        self._thread.start()

    def watch(self, socket: zmq.Socket[bytes]) -> None:
        """Counts the strangers at a socket, from before it is bound."""
        self._number += 1
        address = f"inproc://monitor-{self._number}"
        socket.monitor(address, _WATCHED)
        self._new.append(address)
        self._bell.send(b"watch")

    def close(self) -> None:
        self._bell.send(b"end")
        self._thread.join()
        self._bell.close()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._questions, zmq.POLLIN)
        poller.register(self._heard, zmq.POLLIN)
        pending: dict[zmq.Socket[bytes], list[int]] = {}
        """Connections of each watched socket that have not shown the token, by their descriptors."""
        while True:
            for socket, _ in poller.poll():
                if socket is self._questions:
                    self._answer()
                elif socket is self._heard:
                    if socket.recv() == b"end":
                        for each in (*pending, self._questions, self._heard):
                            each.close()
                        return
                    monitor = self._context.socket(zmq.PAIR)
                    monitor.linger = 0
                    monitor.connect(self._new.popleft())
                    poller.register(monitor, zmq.POLLIN)
                    pending[monitor] = []
                elif not self._follow(pending[socket], socket):
                    poller.unregister(socket)
                    socket.close()
                    del pending[socket]

    def _answer(self) -> None:
        peer, _, version, request, _, _, _, mechanism, *shown = self._questions.recv_multipart()
        known = mechanism == b"PLAIN" and len(shown) == 2
        known = known and secrets.compare_digest(shown[1], self._token)
        verdict = (b"200", b"OK") if known else (b"400", b"not of this session")
        self._questions.send_multipart([peer, b"", version, request, *verdict, b"", b""])

    def _follow(self, pending: list[int], monitor: zmq.Socket[bytes]) -> bool:
        """Takes in what a monitor reports; False when its socket has been closed."""
        told = parse_monitor_message(monitor.recv_multipart())
        if told["event"] == zmq.Event.ACCEPTED:
            pending.append(told["value"])
        elif told["event"] == zmq.Event.HANDSHAKE_SUCCEEDED:
            # which one is not told: the count is right in the end whichever is taken
            if pending:
                pending.pop(0)
        elif told["event"] == zmq.Event.DISCONNECTED and told["value"] in pending:
            pending.remove(told["value"])
            self.strangers += 1
        return bool(told["event"] != zmq.Event.MONITOR_STOPPED)


def _token(folder: SocketFolder) -> bytes:
    """The session's token, made by whichever of its processes asks first."""
    path = folder.path / "token"
    try:
        return path.read_bytes() if path.exists() else _make_token(path)
    except OSError as problem:
        raise RunError(
            f"The session's folder {folder.path} cannot be used ({problem.strerror}); start the session "
            "again."
        ) from None


def _make_token(path: Path) -> bytes:
    mine = path.with_name(f"token-{secrets.token_hex(4)}")
    handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(16).encode())
    try:
        os.link(mine, path)  # whole, or not at all; fails where another was quicker
    except FileExistsError:
        pass
    finally:
        mine.unlink()
    return path.read_bytes()
