"""What the supervisor asks of the subject: in order, and never lost or waited for."""

from __future__ import annotations

from collections import deque

import zmq

from rig.bus.encoding import encode
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import Command, Message
from rig.bus.sockets import SocketFolder


class SubjectCommands:
    """Sends commands to the subject; they queue up while it still starts, or is busy.

    Args:
        folder: of the session's sockets.
    """

    def __init__(self, folder: SocketFolder) -> None:
        self._inner = InnerSockets(folder)
        self._socket = self._inner.connect(zmq.PUSH, "control", linger=500)
        self._untold: deque[list[bytes]] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether it has not taken so many that no client's should be added."""
        return bool(self._untold)

    def tell(self, verb: str, **args: object) -> None:
        """Sends a command."""
        self._untold.append(encode(Message(Command(verb, dict(args)))))
        self.send_waiting()

    def send_waiting(self) -> None:
        """Sends what it could not take before."""
        while self._untold:
            try:
                self._socket.send_multipart(self._untold[0], zmq.NOBLOCK)
            except zmq.Again:
                return
            self._untold.popleft()

    def close(self) -> None:
        """Closes the socket, after half a second at most."""
        self._socket.close()
        self._inner.close()
