"""A session seen from outside: joining late, missing ticks, sending nonsense, over TCP with keys."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

from rig.bus.client import BusClient
from rig.bus.curve import make_keys
from rig.bus.encoding import decode, encode
from rig.bus.hub import Hub
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import (
    Assets,
    Command,
    Description,
    End,
    EngineReply,
    Episode,
    Fault,
    Message,
    Reply,
    Status,
    Tick,
)
from rig.bus.sockets import SocketFolder
from rig.errors import RunError, UserError
from tests.rodent_rig import ROOT, lose, wait_for
from tests.served_session import Served, served_session

Array = np.ndarray
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with served_session() as session:
        yield session


def _activity(messages: list[Message]) -> dict[int, Array]:
    """Activity (units,) of each tick among the messages."""
    return {m.tick: m.arrays["h_applied"] for m in messages if m.topic == "tick"}


def _ticks(messages: list[Message]) -> list[int]:
    return [message.tick for message in messages if isinstance(message.content, Tick)]


def test_who_joins_late_gets_everything_once_and_in_order(served: Served):
    with served.client() as bus:
        wait_for(lambda: any(tick > 60 for tick in _ticks(bus.poll(0.1))))
    with served.client() as bus:
        history = bus.join()
        assert isinstance(history[0].content, Description)
        assert isinstance(history[1].content, Assets)
        assert isinstance(history[2].content, Episode)
        live: list[Message] = []
        wait_for(lambda: live.extend(bus.poll(0.1)) or len(_ticks(live)) > 20)
        ticks = _ticks(history) + _ticks(live)
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
        answers = [m.tick for m in [*history, *live] if m.topic == "answer"]
        assert answers == list(range(answers[0], answers[0] + len(answers)))
        assert bus.lost == bus.rejected == 0


def test_a_client_that_missed_ticks_gets_them_from_the_history(served: Served):
    with served.client() as bus:
        seen = _ticks(bus.join())
        wait_for(lambda: seen.extend(_ticks(bus.poll(0.1))) or len(seen) > 5)
        lose(bus, 30)
        wait_for(lambda: seen.extend(_ticks(bus.poll(0.1))) or len(seen) > 40)
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert bus.lost == 0


def test_a_hub_that_comes_late_to_what_was_missed_is_waited_for(served: Served):
    with served.client() as bus:
        seen = _ticks(bus.join())
        wait_for(lambda: seen.extend(_ticks(bus.poll(0.1))) or len(seen) > 5)
        supervisor = served.rig.process.pid
        goes_on = threading.Timer(1.0, os.kill, (supervisor, signal.SIGCONT))
        os.kill(supervisor, signal.SIGSTOP)  # as on a machine that has no time for it
        goes_on.start()
        lose(bus, 30)
        wait_for(lambda: seen.extend(_ticks(bus.poll(0.1))) or len(seen) > 40)
        goes_on.join(60)
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert bus.lost == 0


def test_ticks_carry_what_the_description_names(served: Served):
    with served.client() as bus:
        history = bus.join()
        description = history[0].content
        assert isinstance(description, Description)
        tick = next(message for message in history if isinstance(message.content, Tick))
        n_units = sum(layer.n_units for layer in description.layers)
        assert n_units == 512
        for name in ("c_natural", "h_natural", "c_applied", "h_applied"):
            assert tick.arrays[name].shape == (n_units,)
        body = tick.arrays["body"]
        assert body.shape == (len(description.body_state),)
        assert tick.arrays["latency"].shape == (len(description.latencies),)
        assert tick.arrays["proprioception"].shape == (
            sum(n for _, n in description.proprioception),
        )
        assert tick.arrays["camera"].shape == (64, 64, 3)
        assert tick.arrays["camera"].std() > 5  # it sees something
        assert tick.arrays["qpos"].shape == (description.n_qpos,)
        there = [
            np.isfinite(x) or "orb" in n for n, x in zip(description.body_state, body, strict=True)
        ]
        assert all(there)  # NaN where the task has no orb, and nowhere else
        others = [array for name, array in tick.arrays.items() if name != "body"]
        assert all(np.isfinite(array).all() for array in others)


def _ticks_within(bus: BusClient, seconds: float) -> list[int]:
    """The ticks that come in so many seconds; health reports come all the time."""
    until = time.monotonic() + seconds
    ticks: list[int] = []
    while time.monotonic() < until:
        ticks += _ticks(bus.poll(0.05))
    return ticks


def _talk(served: Served, frames: list[bytes]) -> Message:
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    dealer.connect(served.directory.address("command"))
    dealer.send_multipart(frames)
    assert dealer.poll(20_000)
    reply = decode(dealer.recv_multipart())
    dealer.close()
    context.term()
    return reply


@pytest.mark.parametrize(
    "frames",
    [
        [b"nonsense"],
        [b"command", b"\xff\xff\xff"],
        [b"command", msgspec.msgpack.encode({"version": 1})],
        encode(Message(Fault("me", "I am not a command"))),
        encode(Message(Command("launch"))),
        encode(Message(Command("stop", {"now": True}))),
        encode(Message(Command("history", {"first": "a", "last": None}))),
        encode(Message(Command("start_recording", {"file": 3}))),
        encode(Message(Command("record", {"socket": "../x"}))),
        encode(Message(Command("engine_dead"))),
        encode(Message(Command("new_engine", {"socket": "../x"}))),
        encode(Message(Command("input", {"kind": "key", "name": "k", "args": {}}))),
        encode(Message(Command("stimulate", {"name": "x", "layer": "core", "units": [128]}))),
        encode(Message(Command("key", {"key": ["k"]}))),
    ],
)
def test_what_is_not_a_command_is_refused_with_a_reason(served: Served, frames: list[bytes]):
    reply = _talk(served, [bytes(frame) for frame in frames]).content
    assert isinstance(reply, Reply)
    assert not reply.ok
    assert len(reply.error) > 10
    with served.client() as bus:  # and the animal runs on
        wait_for(lambda: len(_ticks(bus.poll(0.2))) > 0)


def _status(bus: BusClient) -> Status:
    """The next status."""
    return next(m.content for m in bus.messages(timeout_s=20.0) if isinstance(m.content, Status))


def _in_sequence(served: Served, meanwhile: Callable[[BusClient], None]) -> None:
    """Whatever happens meanwhile, the animal goes on and every tick comes."""
    with served.client() as bus:
        ticks = _ticks(bus.join())
        with served.client() as another:
            meanwhile(another)
        last = ticks[-1]
        wait_for(lambda: ticks.extend(_ticks(bus.poll(0.1))) or ticks[-1] > last + 25)
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
        assert bus.lost == 0


def test_who_is_not_of_the_session_gets_nothing_at_its_inner_sockets_and_is_counted(
    served: Served,
) -> None:
    """Neither a word of it is heard nor a message dealt to it, whatever it speaks."""
    words = [
        [b"nonsense"],
        encode(Message(End("stopped", 1, 0))),
        encode(Message(Command("stop"))),
        encode(Message(EngineReply(), tick=10**6)),
    ]
    kinds = {
        "hub": zmq.PUSH,
        "control": zmq.PUSH,
        "recorder_report": zmq.PUSH,
        "engine": zmq.DEALER,
        "recorder-1": zmq.PULL,
    }

    def disturb(bus: BusClient) -> None:
        before = _status(bus).malformed
        with zmq.Context() as context, contextlib.ExitStack() as stack:
            strangers = [stack.enter_context(context.socket(kind)) for kind in kinds.values()]
            for stranger, name in zip(strangers, kinds, strict=True):
                stranger.linger = 0
                stranger.connect(served.directory.address(name))
                for frames in words if stranger.type != zmq.PULL else ():
                    # once it is refused, there is nobody to send to: it would wait for ever
                    with contextlib.suppress(zmq.Again):
                        stranger.send_multipart(frames, zmq.NOBLOCK)
            for name in kinds:
                with socket.socket(socket.AF_UNIX) as raw:
                    raw.connect(str(served.directory.path / name))
                    raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 50)
            wait_for(lambda: _status(bus).malformed >= before + len(kinds))
            assert not any(each.poll(0) for each in strangers)

    _in_sequence(served, disturb)


def test_a_process_of_the_session_that_sends_nonsense_is_heard_no_further(served: Served) -> None:
    """Counted and reported; the doubtful command changes nothing."""
    words = [
        [b"nonsense"],
        encode(Message(Command("sing"))),
        encode(Message(Command("input", {"colour": 3}))),
        encode(Message(Command("new_engine"))),
    ]

    def disturb(bus: BusClient) -> None:
        before = _status(bus)
        inner = InnerSockets(served.directory)
        with inner.connect(zmq.PUSH, "control", linger=1000) as control:
            for _ in range(20):
                for frames in words:
                    control.send_multipart(frames)
        inner.close()
        # reported when their number has doubled, so that 80 are a handful of faults
        wait_for(lambda: _status(bus).malformed >= before.malformed + 40)
        assert any("ignored" in each.sentence for each in _status(bus).faults)

    _in_sequence(served, disturb)


def test_pause_holds_the_animal_between_two_ticks(served: Served):
    with served.client() as bus:
        bus.join()
        bus.command("pause")
        try:
            wait_for(lambda: not _ticks_within(bus, 1.0))  # what was under way has come
            assert not _ticks_within(bus, 1.0)
        finally:
            bus.command("resume")
        wait_for(lambda: len(_ticks(bus.poll(0.2))) > 0)
        assert bus.lost == 0


def test_over_tcp_with_keys_the_session_is_heard_and_without_it_is_not(
    served: Served, tmp_path: Path
):
    stream, command = (f"tcp://127.0.0.1:{served.port + offset}" for offset in (0, 1))
    with BusClient(stream, command, keys=served.keys) as bus:
        assert isinstance(bus.join()[0].content, Description)
        wait_for(lambda: len(_ticks(bus.poll(0.2))) > 0)
        bus.command("stimulate", name="mine", layer="core", units=[0], for_ms=20)
        wait_for(
            lambda: any(
                message.content.inputs
                for message in bus.poll(0.1)
                if isinstance(message.content, Tick)
            )
        )
    strangers = tmp_path / "strangers"
    make_keys(strangers)
    (strangers / "server.key").write_bytes((served.keys / "server.key").read_bytes())
    for keys in (None, strangers):
        with BusClient(stream, command, keys=keys) as bus:
            with pytest.raises(RunError, match="did not answer"):
                bus.join(timeout_s=1.0)
            assert not bus.poll(0.5)


def test_the_example_client_prints_units(served: Served):
    with subprocess.Popen(
        [sys.executable, "examples/bus_client.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        watch = threading.Timer(100, client.kill)
        watch.start()
        line = client.stdout.readline()
        watch.cancel()
        client.kill()
    assert re.match(r"tick \d+: (core|policy_[0-2])/\d+ [+-]\d\.\d\d  ", line), line


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed (apt install nodejs)")
def test_the_client_in_another_language_reads_the_same(served: Served):
    """Written from docs/bus.md alone, in Node.js: its lines are those that ours would print."""
    assert NODE is not None
    with (
        served.client() as bus,
        subprocess.Popen(
            [NODE, "examples/bus_client.js"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as client,
    ):
        layers = bus.join()[0].content.layers
        watch = threading.Timer(60, client.kill)
        watch.start()
        assert client.stdout is not None
        lines = [client.stdout.readline() for _ in range(2)]
        watch.cancel()
        client.kill()
        ticks: dict[int, Array] = {}
        printed = [int(re.findall(r"\d+", line)[0]) for line in lines]
        wait_for(lambda: ticks.update(_activity(bus.poll(0.1))) or ticks.keys() >= set(printed))
    units = [f"{layer.name}/{unit}" for layer in layers for unit in range(layer.n_units)]
    for line, tick in zip(lines, printed, strict=True):
        _, *most = re.findall(r"[^ :]*\d[^ :]*", line)
        activity = ticks[tick]
        strongest = sorted(np.abs(activity))[-6:]
        assert len(most) == 12
        for name, value in zip(most[::2], most[1::2], strict=True):
            assert float(value) == pytest.approx(float(activity[units.index(name)]), abs=0.006)
            assert abs(float(value)) >= strongest[0] - 0.006


def test_who_joins_late_knows_what_goes_on(served: Served):
    with served.client() as bus:
        wait_for(lambda: any(tick > 560 for tick in _ticks(bus.poll(0.2))), 180)
    with served.client() as bus:
        history = bus.join()
    answers = [message.content for message in history if isinstance(message.content, EngineReply)]
    assert len(answers) > 450
    ongoing: set[tuple[str, str, int]] = set()
    for answer in answers:
        for event in answer.events:
            key = (event.kind, event.name, event.number)
            if event.phase == "onset":
                ongoing.add(key)
            else:
                ongoing.remove(key)  # raises where an offset comes without its onset


def test_a_session_is_heard_at_an_ipv6_address(sockets: Path):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    addresses = [f"tcp://[::1]:{port + offset}" for offset in (0, 1)]
    hub = Hub(SocketFolder(sockets), addresses[0])
    with contextlib.closing(hub), BusClient(*addresses) as bus:
        heard: list[Message] = []
        deadline = time.monotonic() + 60
        while not heard and time.monotonic() < deadline:
            hub.publish(Fault("test", "nothing is wrong"), 0)
            heard = bus.poll(0.05)
        assert heard
    make_keys(sockets / "keys")
    (sockets / "other").mkdir()
    with pytest.raises(UserError, match=r"no address \[2001:db8::1\]; listen on one that it has"):
        Hub(SocketFolder(sockets / "other"), "tcp://[2001:db8::1]:5600", sockets / "keys")
