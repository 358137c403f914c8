"""Clients that ask for more than they read, and crowds of them: bounded memory, and nobody falls silent."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bench.synthetic_session import Stream, description
from rig.bus.answers import GIVES_UP_BUSY_S, MOST_HISTORIES, MOST_QUESTIONS
from rig.bus.client import BusClient
from rig.bus.encoding import decode, encode
from rig.bus.external_inputs import short
from rig.bus.hub import MOST_COMMAND_BYTES, NO_NUMBER, Hub
from rig.bus.message_types import Command, Message, Reply
from rig.bus.socket_transport import SocketTransport
from rig.bus.sockets import SocketFolder
from rig.errors import RunError
from tests.rodent_rig import wait_for

N_TICKS = 100


class ServedHub:
    """A hub with a history, at work; how long the longest turn of its loop took."""

    def __init__(self, folder: SocketFolder) -> None:
        self.hub = Hub(folder)
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._subject = SocketTransport(folder)
        stream = Stream(description())
        for message in [*stream.beginning(), *stream.ticks(0, N_TICKS)]:
            self._subject.to_hub(
                self._subject.message(message.content, message.tick, dict(message.arrays))
            )

    def _serve(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            _, requests = self.hub.pump(0.01)
            for request in requests:
                self.hub.refuse(request, f"No {short(request.command.verb)}.")
            self.longest_s = max(self.longest_s, time.monotonic() - began_s)

    def close(self) -> None:
        self._subject.close()
        self._stop.set()
        self._thread.join(60)
        self.hub.close()


@pytest.fixture
def served() -> Iterator[tuple[ServedHub, SocketFolder]]:
    with tempfile.TemporaryDirectory(prefix="rr-") as path:
        folder = SocketFolder(Path(path))
        hub = ServedHub(folder)
        with BusClient.of(folder) as client:
            received: list[Message] = []

            def complete() -> bool:
                with contextlib.suppress(RunError):  # the hub has not got the beginning yet
                    received.extend(client.join())  # a later one brings what is new
                return len(received) >= 2 * N_TICKS

            wait_for(complete)
        yield hub, folder
        hub.close()


@contextlib.contextmanager
def dealers(folder: SocketFolder, count: int) -> Iterator[list[zmq.Socket[bytes]]]:
    """Clients without a program: they hold one message that they have not read."""
    with zmq.Context() as context, contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(count):
            socket = stack.enter_context(context.socket(zmq.DEALER))
            socket.linger = 0
            socket.rcvhwm = 1
            socket.connect(folder.address("command"))
            sockets.append(socket)
        yield sockets


def join(socket: zmq.Socket[bytes], number: int = 1) -> None:
    socket.send_multipart(encode(Message(Command("join"), sequence=number)))


def answer(socket: zmq.Socket[bytes]) -> tuple[int, Message]:
    """How many messages an answer brought, and the reply at its end."""
    for count in range(10**6):
        assert socket.poll(20_000), "no answer"
        message = decode(socket.recv_multipart())
        if isinstance(message.content, Reply):
            return count, message
    raise AssertionError


def test_who_asks_and_does_not_read_costs_little_and_holds_nobody_up(
    served: tuple[ServedHub, SocketFolder],
) -> None:
    hub, folder = served
    refused, memory = hub.hub.refused, _memory_bytes()
    with dealers(folder, 3 * MOST_HISTORIES) as stuck, BusClient.of(folder) as reader:
        for number in range(2 * MOST_QUESTIONS):
            for socket in stuck:
                with contextlib.suppress(zmq.Again):
                    socket.send_multipart(
                        encode(Message(Command("join"), sequence=number)), zmq.NOBLOCK
                    )
        began_s = time.monotonic()
        assert len(reader.join(timeout_s=20)) >= 2 * N_TICKS
        waited_s = time.monotonic() - began_s
        # one after the other they would get 24 x 32 x 3 MB
        assert _memory_bytes() - memory < 200e6
        # who reads after all, later than it is waited for, gets to know
        time.sleep(max(0.0, began_s + 2 * GIVES_UP_BUSY_S - time.monotonic()))
        replies = [answer(socket)[1].content for socket in stuck]
        assert any("was not read" in reply.error for reply in replies)
        assert answer(stuck[0])[1].content.ok
    assert hub.hub.refused > refused  # what was not read, and too many questions
    assert waited_s < 4 * GIVES_UP_BUSY_S + 4
    assert hub.longest_s < 1.0


def test_two_hundred_who_join_at_once_are_all_answered_in_turns(
    served: tuple[ServedHub, SocketFolder],
) -> None:
    hub, folder = served
    with dealers(folder, 200) as clients:
        for client in clients:
            join(client)
        poller = zmq.Poller()
        for client in clients:
            poller.register(client, zmq.POLLIN)
        brought, until_s = dict.fromkeys(clients, 0), time.monotonic() + 60
        while poller.sockets and time.monotonic() < until_s:
            for client, _ in poller.poll(1000):
                frames = client.recv_multipart()
                brought[client] += 1
                if frames[0] == b"reply":
                    content = decode(frames).content
                    assert isinstance(content, Reply)
                    assert content.ok, content.error
                    poller.unregister(client)
        assert not poller.sockets
        assert min(brought.values()) > 2 * N_TICKS
    assert hub.longest_s < 1.0


def test_what_cannot_be_read_is_refused_with_no_number_of_the_clients(
    served: tuple[ServedHub, SocketFolder],
) -> None:
    """So that no client takes it for the answer to its first command."""
    with dealers(served[1], 1) as (client,):
        client.send_multipart([b"command", b"\xc1", b""])
        _, message = answer(client)
        assert not message.content.ok
        assert message.sequence == NO_NUMBER
        client.send_multipart(encode(Message(Command("dance" * 2000), sequence=0)))
        _, message = answer(client)
        assert message.sequence == 0
        assert len(message.content.error) < 200


def test_who_sends_too_long_a_command_is_disconnected(
    served: tuple[ServedHub, SocketFolder],
) -> None:
    with dealers(served[1], 2) as (long, brief):
        long.send_multipart(encode(Message(Command("x" * 2 * MOST_COMMAND_BYTES))))
        assert not long.poll(300)
        join(brief)
        assert answer(brief)[1].content.ok


def _memory_bytes() -> int:
    """Resident memory of this process, in which hub and clients are."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
