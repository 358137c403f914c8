"""The stream between a subject, its hub and clients, with sockets and without a session."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from bench.synthetic_session import Stream, description
from rig.bus.client import BusClient
from rig.bus.encoding import encode
from rig.bus.hub import Hub
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import Description, End, Fault, Message, Tick
from rig.bus.socket_transport import SocketTransport
from rig.bus.sockets import STREAM_MESSAGES, SocketFolder
from tests.rodent_rig import lose, wait_for


class Bus:
    """A subject's transport and a hub that serves, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = SocketFolder(folder)
        self.hub = Hub(self.folder)
        self.collected: list[Message] = []
        self._session = Stream(description())
        self._stop = threading.Event()
        self._serving = threading.Event()
        self._serving.set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.subject = SocketTransport(self.folder)

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._serving.wait(0.05):
                messages, requests = self.hub.pump(0.01)
                self.collected += messages
                for request in requests:
                    self.hub.refuse(request, "No.")

    def hold_hub(self, seconds: float) -> None:
        """The hub does nothing for so long, as on a machine that is busy."""
        self._serving.clear()
        threading.Timer(seconds, self._serving.set).start()

    def begin(self) -> None:
        for message in self._session.beginning():
            self._send(message)

    def ticks(self, first: int, n: int) -> None:
        for message in self._session.ticks(first, n):
            self._send(message)

    def _send(self, message: Message) -> None:
        self.subject.to_hub(
            self.subject.message(message.content, message.tick, dict(message.arrays))
        )

    def close(self) -> None:
        self.subject.close()
        self._stop.set()
        self._thread.join(60)
        self.hub.close()


@pytest.fixture
def bus() -> Iterator[Bus]:
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        bus = Bus(Path(folder))
        yield bus
        bus.close()


def _ticks(messages: list[Message]) -> list[int]:
    return [message.tick for message in messages if isinstance(message.content, Tick)]


def _collect(client: BusClient, until: Callable[[list[Message]], bool]) -> list[Message]:
    found: list[Message] = []
    wait_for(lambda: found.extend(client.poll(0.05)) or until(found))
    return found


def test_the_hub_misses_nothing_from_the_first_message_on(bus: Bus) -> None:
    """Though the subject sends at once, and a fault is all that it ever says."""
    bus.subject.to_hub(bus.subject.message(Fault("subject", "No.", fatal=True), -1, {}))
    bus.begin()
    bus.ticks(0, 3)
    wait_for(lambda: _ticks(bus.collected) == [0, 1, 2])
    assert isinstance(bus.collected[0].content, Fault)
    assert {"description", "assets"} <= {message.topic for message in bus.collected}


def test_who_joins_between_two_ticks_gets_each_once(bus: Bus) -> None:
    """Also when the hub is behind the stream, so that its history lacks what has just been sent."""
    bus.begin()
    bus.ticks(0, 5)
    with BusClient.of(bus.folder) as client:
        wait_for(lambda: bus.ticks(5, 1) or bool(client.poll(0.05)))  # it has subscribed
    wait_for(lambda: 5 in _ticks(bus.collected))
    with BusClient.of(bus.folder) as client:
        history = client.join()
        time.sleep(0.3)
        bus.ticks(6, 3)
        live = _collect(client, lambda found: 8 in _ticks(found))
        bus.hold_hub(0.1)
        bus.ticks(9, 4)
        lose(client, 6)  # three ticks and their replies
        bus.ticks(13, 1)
        live += _collect(client, lambda found: 13 in _ticks(found))
        assert isinstance(history[0].content, Description)
        ticks = _ticks([*history, *live])
        assert ticks[-8:] == list(range(6, 14))
        assert client.lost == client.rejected == 0


def test_the_end_comes_after_the_last_tick(bus: Bus) -> None:
    """Though it is sent at another socket, and the client has not yet read what came before."""
    bus.begin()
    with BusClient.of(bus.folder) as client:
        wait_for(lambda: bus.ticks(0, 1) or bool(client.poll(0.05)))
        bus.ticks(1, 200)
        bus.hub.publish(End("duration", 201, 0), 201)
        topics = [message.topic for message in client.messages(timeout_s=60.0)]
    assert topics[-1] == "end"
    assert topics.count("tick") >= 200


def test_assets_are_for_who_asks(bus: Bus) -> None:
    with BusClient.of(bus.folder) as client:
        wait_for(lambda: bus.ticks(0, 1) or bool(client.poll(0.05) and bus.collected))
        bus.begin()
        bus.ticks(1, 1)
        live = _collect(client, lambda found: 1 in _ticks(found))
        assert "assets" not in {message.topic for message in live}
        wait_for(lambda: 1 in _ticks(bus.collected))  # the hub may get it later than the client
        assert "assets" in {message.topic for message in client.join()}


def test_a_client_that_reads_nothing_holds_nobody_up(bus: Bus) -> None:
    """What it does not take is lost to it when its queues are full; the sender never waits."""
    bus.begin()
    with BusClient.of(bus.folder) as stuck, BusClient.of(bus.folder) as reading:
        for client in (stuck, reading):
            wait_for(lambda client=client: bus.ticks(0, 1) or bool(client.poll(0.05)))
        tick = next(m for m in Stream(description()).ticks(0, 1) if m.topic == "tick")
        longest_s, read = 0.0, 0
        for number in range(3 * STREAM_MESSAGES):
            began_s = time.perf_counter()
            bus.subject.to_hub(bus.subject.message(tick.content, number, {}))
            longest_s = max(longest_s, time.perf_counter() - began_s)
            if number % 100 == 99:
                read += len(_collect(reading, lambda found, last=number: last in _ticks(found)))
        assert read >= 3 * STREAM_MESSAGES
    assert longest_s < 5.0  # a socket that waits would wait for ever


def test_what_is_no_message_is_counted_and_the_stream_goes_on(bus: Bus) -> None:
    inner = InnerSockets(bus.folder)
    with inner.connect(zmq.PUSH, "hub", linger=1000) as subject:
        subject.send_multipart([b"nonsense"])
        subject.send_multipart([*encode(Message(End("x", 1, 0)))[:2], b"four"])
        wait_for(lambda: bus.hub.malformed == 2)
    inner.close()
    assert "bytes" in bus.hub.last_malformed
    bus.ticks(0, 2)
    wait_for(lambda: _ticks(bus.collected) == [0, 1])
