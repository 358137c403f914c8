"""`python -m bench.bus_latency`: how fast our messages travel, beside bare pyzmq and Redis streams.

The same tick messages (512 units, the camera: what a session sends) between the same two processes, all ways
in turn, one message at a time, so that whatever else the machine does falls on all of them alike:

- one way, to a client: our bus (through the hub, which runs in a process of its own as it does in a session),
  bare pyzmq (PUB to SUB, direct), the same with libzmq's own forwarder between (as the hub is), Redis (XADD,
  XREAD);
- there and back, tick to engine and answer: our bus, bare pyzmq (DEALER to DEALER), Redis (two streams).

Each begins with the content of a tick and ends with content and arrays in the receiver's hands: all ways but
one carry the same encoding, which costs the same everywhere. "Ready made" is bare pyzmq without it: the same
bytes, made once, and not looked at.

Sockets are Unix sockets everywhere, Redis keeps nothing on disk. Without a Redis server it is left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zmq
from rich.console import Console
from rich.table import Table

from bench.synthetic_session import Stream, description
from rig.bus.client import BusClient
from rig.bus.encoding import decode, encode
from rig.bus.hub import Hub
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import EngineReply, Message, Reply, Tick
from rig.bus.socket_transport import SocketTransport
from rig.session.directory import SessionDirectory

ONE_WAY = ("our bus", "bare pyzmq", "pyzmq, ready made", "pyzmq forwarder", "Redis")
ROUND_TRIP = ("our bus ", "bare pyzmq ", "pyzmq, ready made ", "Redis ")
"""With a blank at the end, so that every way has a name of its own."""
AIM_ZMQ, AIM_REDIS = 1.2, 0.5
BRAND = "BRAND reports less than 600 us between its nodes over Redis streams (its own machine, not run here)."
PAUSE_S = 0.003
WARM_UP = 50
STREAM_LENGTH = 500
"""Ticks that Redis keeps: as many as the hub does."""

Way = Callable[[int], float]
"""Sends message number k; returns its latency in seconds."""


def tick_and_answer() -> tuple[Message, Message]:
    """What goes to and fro: a tick as a session sends it, and an engine's answer with confidences."""
    messages = list(Stream(description()).ticks(0, 30))
    return messages[-2], messages[-1]


class Sockets:
    """The bare sockets of one side; the other side has the same and connects where this one binds.

    Each has a context, and so a thread, of its own, as our bus has: one that is used more often is faster.
    """

    def __init__(self, folder: Path, side: Literal["animal", "client"]) -> None:
        self._contexts: list[zmq.Context[Any]] = []
        self._folder, self._animal = folder, side == "animal"
        self.acks = self._made(zmq.PAIR, zmq.PAIR, "acks")
        self.stream = self._made(zmq.PUB, zmq.SUB, "bare")
        self.engine = self._made(zmq.DEALER, zmq.DEALER, "bare-engine")
        self.to_forwarder = self._made(zmq.PUSH, zmq.SUB, "in" if self._animal else "out", False)
        for socket in (self.stream, self.to_forwarder):
            if not self._animal:
                socket.subscribe(b"")

    def _made(self, animal: int, client: int, name: str, bind: bool = True) -> zmq.Socket[bytes]:
        context = zmq.Context()
        self._contexts.append(context)
        socket: zmq.Socket[bytes] = context.socket(animal if self._animal else client)
        socket.linger = 0
        address = f"ipc://{self._folder}/{name}"
        if self._animal and bind:
            socket.bind(address)
        else:
            socket.connect(address)
        return socket

    def close(self) -> None:
        """Closes all."""
        for context in self._contexts:
            context.destroy(linger=0)


def serve_hub(path: str, stop: Any) -> None:
    """The hub's process."""
    hub = Hub(SessionDirectory(Path(path)))
    gc.freeze()
    while not stop.is_set():
        hub.pump(0.05)  # as the supervisor does
    hub.close()


def forward(path: str) -> None:
    """The forwarder's process."""
    with zmq.Context() as context, context.socket(zmq.PULL) as incoming:
        incoming.bind(f"ipc://{path}/in")
        with context.socket(zmq.PUB) as out:
            out.bind(f"ipc://{path}/out")
            zmq.proxy(incoming, out)


@contextmanager
def redis_server(folder: Path) -> Iterator[bool]:
    """A Redis server of our own on a Unix socket in this folder; False where there is none to start."""
    try:
        import redis  # noqa: F401
    except ImportError:
        yield False
        return
    program = shutil.which("redis-server")
    if program is None:
        yield False
        return
    command = [program, "--port", "0", "--unixsocket", str(folder / "redis"), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not (folder / "redis").exists() and process.poll() is None:
            time.sleep(0.05)
        yield process.poll() is None
    finally:
        process.terminate()
        process.wait()


def _redis(folder: Path) -> Any:
    import redis

    return redis.Redis(unix_socket_path=str(folder / "redis"))


def _xadd(server: Any, stream: str, frames: list[bytes]) -> None:
    fields = {str(k): frame for k, frame in enumerate(frames)}
    server.xadd(stream, fields, maxlen=STREAM_LENGTH, approximate=True)


class _Reader:
    """What XREAD brings of a stream, one entry after the other."""

    def __init__(self, server: Any, stream: str) -> None:
        self._server, self._stream, self._last = server, stream, b"0"

    def __call__(self) -> list[bytes]:
        found = self._server.xread({self._stream: self._last}, count=1, block=10_000)
        ((_, ((self._last, fields),)),) = found.items() if isinstance(found, dict) else found
        return list(fields.values())


def order_of(k: int, ways: list[str]) -> list[str]:
    """The ways in turn, another one first each time."""
    return ways[k % len(ways) :] + ways[: k % len(ways)]


def _answer_to(tick: Message, answer: Message) -> Message:
    return replace(answer, session=tick.session, tick=tick.tick)


def client(path: str, n: int, ways: list[str]) -> None:
    """The other process: a client of the stream, and an engine, over each of the ways."""
    folder = Path(path)
    directory = SessionDirectory(folder)
    _, answer = tick_and_answer()
    ready = encode(answer)
    sockets = Sockets(folder, "client")
    inner = InnerSockets(directory)
    engine = inner.connect(zmq.DEALER, "engine")
    engine.send_multipart(encode(Message(Reply(True), directory.session)))
    bus = BusClient.of(directory)
    server = _redis(folder) if "Redis" in ways else None
    from_redis, to_engine = _Reader(server, "ticks"), _Reader(server, "to-engine")

    def from_bus() -> None:
        while not bus.poll(10.0):
            pass

    def answer_on(socket: zmq.Socket[bytes]) -> None:
        socket.send_multipart(encode(_answer_to(decode(socket.recv_multipart()), answer)))

    def answer_ready_made() -> None:
        sockets.engine.recv_multipart()
        sockets.engine.send_multipart(ready)

    receive: dict[str, Callable[[], object]] = {
        "our bus": from_bus,
        "bare pyzmq": lambda: decode(sockets.stream.recv_multipart()),
        "pyzmq, ready made": sockets.stream.recv_multipart,
        "pyzmq forwarder": lambda: decode(sockets.to_forwarder.recv_multipart()),
        "Redis": lambda: decode(from_redis()),
        "our bus ": lambda: answer_on(engine),
        "bare pyzmq ": lambda: answer_on(sockets.engine),
        "pyzmq, ready made ": answer_ready_made,
        "Redis ": lambda: _xadd(server, "answers", encode(_answer_to(decode(to_engine()), answer))),
    }
    gc.collect()
    gc.freeze()
    gc.disable()
    sockets.acks.send(b"")
    for k in range(n):
        for way in order_of(k, ways):
            receive[way]()
            if way in ONE_WAY:
                sockets.acks.send(time.perf_counter_ns().to_bytes(8, "little"))
    bus.close()
    engine.close(0)
    sockets.close()
    inner.close()


def animal(
    folder: Path, transport: SocketTransport, sockets: Sockets, session: str
) -> dict[str, Way]:
    """The ways as the process of the animal goes them."""
    tick, _ = tick_and_answer()
    assert isinstance(tick.content, Tick)
    ready = encode(tick)
    server = _redis(folder) if (folder / "redis").exists() else None
    answers = _Reader(server, "answers")

    def one_way(send: Callable[[int], object]) -> Way:
        def go(k: int) -> float:
            started = time.perf_counter_ns()
            send(k)
            return (int.from_bytes(sockets.acks.recv(), "little") - started) / 1e9

        return go

    def there_and_back(send: Callable[[int], object], receive: Callable[[], object]) -> Way:
        def go(k: int) -> float:
            started = time.perf_counter_ns()
            send(k)
            receive()
            return (time.perf_counter_ns() - started) / 1e9

        return go

    def hear_ours() -> None:
        answer, _ = transport.listen(10.0)
        assert answer is not None
        assert isinstance(answer.content, EngineReply)

    def numbered(k: int) -> Message:
        return Message(tick.content, session, k, k, tick.arrays)

    def encoded(k: int) -> list[bytes]:
        return encode(numbered(k))

    return {
        "our bus": one_way(
            lambda k: transport.to_hub(transport.message(tick.content, k, tick.arrays))
        ),
        "bare pyzmq": one_way(lambda k: sockets.stream.send_multipart(encoded(k))),
        "pyzmq, ready made": one_way(lambda k: sockets.stream.send_multipart(ready)),
        "pyzmq forwarder": one_way(lambda k: sockets.to_forwarder.send_multipart(encoded(k))),
        "Redis": one_way(lambda k: _xadd(server, "ticks", encoded(k))),
        "our bus ": there_and_back(lambda k: transport.to_engine(numbered(k)), hear_ours),
        "bare pyzmq ": there_and_back(
            lambda k: sockets.engine.send_multipart(encoded(k)),
            lambda: decode(sockets.engine.recv_multipart()),
        ),
        "pyzmq, ready made ": there_and_back(
            lambda k: sockets.engine.send_multipart(ready), sockets.engine.recv_multipart
        ),
        "Redis ": there_and_back(
            lambda k: _xadd(server, "to-engine", encoded(k)), lambda: decode(answers())
        ),
    }


def measure(n: int) -> dict[str, np.ndarray]:
    """Microseconds of each of `n` messages, by way."""
    fork = multiprocessing.get_context("spawn")
    directory = SessionDirectory.create()
    folder = directory.path
    with ExitStack() as stack:
        stack.callback(directory.remove)
        redis = stack.enter_context(redis_server(folder))
        ways = [way for way in (*ONE_WAY, *ROUND_TRIP) if redis or not way.startswith("Redis")]
        stop = fork.Event()
        hub = fork.Process(target=serve_hub, args=(str(folder), stop))
        hub.start()
        stack.callback(hub.join)
        stack.callback(stop.set)
        forwarder = fork.Process(target=forward, args=(str(folder),), daemon=True)
        forwarder.start()
        stack.callback(forwarder.terminate)
        while not all((folder / each).exists() for each in ("status", "hub", "in", "out")):
            time.sleep(0.05)
        transport = SocketTransport(directory)
        stack.callback(transport.close)
        sockets = Sockets(folder, "animal")
        stack.callback(sockets.close)
        other = fork.Process(target=client, args=(str(folder), n + WARM_UP, ways), daemon=True)
        other.start()
        assert transport.wait_for_engine(120.0)
        sockets.acks.recv()
        time.sleep(1.0)  # until every subscription has arrived
        go = animal(folder, transport, sockets, directory.session)
        found: dict[str, list[float]] = {way: [] for way in ways}
        gc.collect()
        gc.freeze()
        gc.disable()
        for k in range(n + WARM_UP):
            for way in order_of(k, ways):
                time.sleep(PAUSE_S)
                found[way].append(go[way](k))
        gc.enable()
        other.join()
    return {way: np.array(each[WARM_UP:]) * 1e6 for way, each in found.items()}


def main() -> None:
    """Measures, prints a table for each of the two, writes `bench/bus_latency.json`."""
    parser = argparse.ArgumentParser(prog="bench.bus_latency", description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="over each way")
    given = parser.parse_args()
    found = measure(given.messages)
    console = Console(width=120)
    size = sum(map(len, encode(tick_and_answer()[0])))
    for title, ways in (("One way", ONE_WAY), ("There and back", ROUND_TRIP)):
        console.print(_table(f"{title}, a tick message of {size / 1e3:.1f} kB", ways, found))
    if "Redis" not in found:
        console.print("Redis: not installed here")
    console.print(BRAND)
    results = {
        ("one way, " if way in ONE_WAY else "there and back, ") + way.strip(): {
            "p50_us": float(np.median(each)),
            "p99_us": float(np.percentile(each, 99)),
        }
        for way, each in found.items()
    }
    path = Path(__file__).with_name("bus_latency.json")
    path.write_text(json.dumps({"messages": given.messages, "ways": results}, indent=2) + "\n")


def _table(title: str, ways: tuple[str, ...], found: dict[str, np.ndarray]) -> Table:
    table = Table(title=title)
    for name in ("", "p50 us", "p99 us", "our p50 / its", "our p99 / its", "aim", ""):
        table.add_column(name, justify="left" if name in ("", "aim") else "right")
    ours = np.percentile(found[ways[0]], [50, 99])
    for way in ways:
        if way not in found:
            continue
        its = np.percentile(found[way], [50, 99])
        row = [way.strip(), *(f"{each:.0f}" for each in its)]
        if way != ways[0]:
            ratios = ours / its
            row += [f"{ratio:.2f}" for ratio in ratios]
            aim = {"bare pyzmq": AIM_ZMQ, "Redis": AIM_REDIS}.get(way.strip())
            if aim is not None:
                row += [f"<= {aim:g}", "reached" if ratios.max() <= aim else "MISSED"]
        table.add_row(*row)
    return table


if __name__ == "__main__":
    main()
