"""What a session's clients have asked for: sent in turns, as fast as each takes it, and bounded.

A client that asks and does not read fills a short queue; of a history it then gets no more, but a refusal
when it reads on. So neither such a client nor a crowd of them takes the supervisor's memory or time.
"""

from __future__ import annotations

import errno
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import zmq

from rig.bus.history import Frames

QUEUE_MESSAGES = 32
"""So many messages of an answer are held for a client that has not taken them."""
MOST_CLIENTS = 256
"""So many clients may wait for an answer at a time."""
MOST_QUESTIONS = 16
"""So many answers may be owed to one client."""
MOST_HISTORIES = 8
"""So many answers that bring a history are under way at a time; others wait for their turn."""
GIVES_UP_S = 5.0
"""A client that has taken nothing for so long gets no more of a history."""
GIVES_UP_BUSY_S = 1.0
"""The same where others may be waiting for their turn."""
TURN_MESSAGES = 16
SLICE_S = 0.01
"""How long one call of `send` takes at most, but for one message more."""


@dataclass
class _Answer:
    """Messages for a client; those of a history are made when their turn comes.

    `unread` is sent instead of the rest of a history that was not read; None for what is no history.
    """

    make: Callable[[], list[Frames]]
    unread: Frames | None
    frames: list[Frames] | None = None
    n_sent: int = 0


@dataclass
class _Client:
    owed: deque[_Answer] = field(default_factory=deque)
    blocked_since_s: float = 0.0
    """Since when its queue is full; 0 while it is not."""
    given_up: bool = False


class Answers:
    """Answers through one ROUTER socket.

    `dropped` counts requests that were not answered, or not to the end: of clients that did not read.

    Args:
        socket: not bound yet.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        socket.sndhwm = QUEUE_MESSAGES
        socket.router_mandatory = True  # so that a full queue is told, and one that is gone
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        self._histories = 0
        self.dropped = 0

    @property
    def waiting(self) -> bool:
        """Whether anybody is owed anything."""
        return bool(self._clients)

    def has_room(self, client: bytes) -> bool:
        """Whether one more client can be answered; always so for one that is being answered."""
        if client in self._clients or len(self._clients) < MOST_CLIENTS:
            return True
        idle = next((each for each, state in self._clients.items() if state.given_up), None)
        if idle is None:
            return False
        self._forget(idle)
        return True

    def add(
        self, client: bytes, make: Callable[[], list[Frames]], unread: Frames | None = None
    ) -> None:
        """Owes a client some messages, after those that it is owed already.

        Args:
            client: its identity.
            make: gives the messages, at the latest moment.
            unread: of a history, what is sent instead of the rest if it is not read.
        """
        owed = self._clients.get(client, _Client())
        if len(owed.owed) >= MOST_QUESTIONS:
            self.dropped += 1
            return
        self._clients[client] = owed
        owed.owed.append(_Answer(make, unread))
        if len(owed.owed) == 1 and unread is None:
            self._turn(client)

    def try_once(self, client: bytes, frames: Frames) -> None:
        """Sends one message where that is possible at once; it is dropped otherwise."""
        if self._send(client, frames) != "sent":
            self.dropped += 1

    def send(self) -> None:
        """Sends what clients take now, in turns."""
        until_s = time.monotonic() + SLICE_S
        progress = True
        while progress and time.monotonic() < until_s:
            progress = False
            for client in list(self._clients):
                progress = self._turn(client) or progress
                if time.monotonic() >= until_s:
                    return

    def _turn(self, client: bytes) -> bool:
        """Some messages for one client; whether it took any."""
        state = self._clients[client]
        self._clients.move_to_end(client)
        for n_sent in range(TURN_MESSAGES):
            frames = self._next(state)
            if frames is None:
                if not state.owed:
                    del self._clients[client]
                return n_sent > 0
            outcome = self._send(client, frames)
            if outcome == "sent":
                state.owed[0].n_sent += 1
                state.blocked_since_s, state.given_up = 0.0, False
                continue
            if outcome == "gone":
                self._forget(client)
            else:
                self._wait_for(state)
            return n_sent > 0
        return True

    def _wait_for(self, state: _Client) -> None:
        """Its queue is full: after a while it gets no more of a history."""
        now = time.monotonic()
        state.blocked_since_s = state.blocked_since_s or now
        patience_s = GIVES_UP_BUSY_S if len(self._clients) > MOST_HISTORIES else GIVES_UP_S
        if now - state.blocked_since_s > patience_s:
            answer = state.owed[0]
            if answer.unread is not None:
                self.dropped += 1
                self._histories -= 1
                state.owed[0] = _Answer(list, None, [answer.unread])
            state.given_up = True

    def _next(self, state: _Client) -> Frames | None:
        """The next message that a client is owed; None if there is none, or it is not its turn."""
        while state.owed:
            answer = state.owed[0]
            if answer.frames is None:
                if answer.unread is not None and self._histories >= MOST_HISTORIES:
                    return None
                self._histories += answer.unread is not None
                answer.frames = answer.make()
            if answer.n_sent < len(answer.frames):
                return answer.frames[answer.n_sent]
            self._histories -= answer.unread is not None
            state.owed.popleft()
        return None

    def _send(self, client: bytes, frames: Frames) -> str:
        """ "sent", "full" or "gone"."""
        try:
            # the arena's files are not copied for every client
            self._socket.send_multipart([client, *frames], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return "full"
        except zmq.ZMQError as problem:
            if problem.errno != errno.EHOSTUNREACH:
                raise
            return "gone"
        return "sent"

    def _forget(self, client: bytes) -> None:
        answers = self._clients.pop(client).owed
        self._histories -= sum(
            each.unread is not None and each.frames is not None for each in answers
        )
