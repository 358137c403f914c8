"""A stream beside a session's own: what another program makes of a session, for whoever subscribes.

Its socket lies in the session's folder, under a name of its own, and goes with the program.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import zmq

from rig.bus.encoding import encode
from rig.bus.message_types import Array, Content, Message
from rig.bus.sockets import STREAM_MESSAGES, SocketFolder
from rig.errors import RunError


class DerivedStream:
    """Publishes messages that carry the session's name and numbers of their own.

    Raises `RunError` where another program has a stream of that name already.
    """

    def __init__(self, folder: SocketFolder, name: str) -> None:
        self._session = folder.session
        self._sequence: dict[str, int] = {}
        if _is_served(folder.path / name):
            raise RunError(f"Session {self._session} has a stream of {name} already.")
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.sndhwm = STREAM_MESSAGES
        self._socket.linger = 500
        self._socket.bind(folder.address(name))

    def send(self, content: Content, tick: int, arrays: Mapping[str, Array] | None = None) -> None:
        """Sends it to all who listen; waits for nobody."""
        topic = str(content.__struct_config__.tag)
        number = self._sequence.get(topic, 0)
        self._sequence[topic] = number + 1
        self._socket.send_multipart(
            encode(Message(content, self._session, tick, number, arrays or {}))
        )

    def close(self) -> None:
        """Ends the stream, after what was sent has gone out (half a second at most)."""
        self._socket.close()
        self._context.term()


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as test:
        try:
            test.connect(str(path))
        except OSError:
            return False
    return True
