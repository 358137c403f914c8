"""Whatever comes over the bus is a message or is refused with a sentence: bytes at random, messages damaged.

More examples: RODENT_RIG_FUZZ=50 pytest tests/test_fuzz_messages.py (times as many).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import tempfile
import threading
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.bus.client import BusClient
from rig.bus.encoding import MessageError, decode, encode
from rig.bus.hub import MOST_COMMAND_BYTES, Hub
from rig.bus.message_types import Content, Fault, Message
from rig.session.directory import SessionDirectory
from tests.rodent_rig import wait_for

TIMES = int(os.environ.get("RODENT_RIG_FUZZ", "1"))
MOST_BYTES = 300_000_000
"""How much more memory a test may take than it had."""

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_WHOLE = st.integers(-(1 << 53), 1 << 53)
_FLOAT = st.floats(allow_nan=False)
_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | _TEXT
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_ARRAYS = st.dictionaries(
    _TEXT,
    st.builds(
        lambda dtype, shape: np.zeros(shape, dtype),
        st.sampled_from(["<f8", "<f4", "<i8", "<i4", "<i2", "|u1", "|b1"]),
        st.lists(st.integers(0, 4), max_size=3),
    ),
    max_size=3,
)


def _of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of the type of a message's field."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return _ANY
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = {each.name: _of(each.type) for each in msgspec.structs.fields(kind)}
        return st.builds(kind, **fields)
    if origin is typing.Annotated:
        return st.integers(args[1].ge, args[1].le)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return st.lists(_of(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(_of, args))
    if origin is dict:
        return st.dictionaries(_of(args[0]), _of(args[1]), max_size=3)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(_of, args))
    return {int: _WHOLE, float: _FLOAT, str: _TEXT, bool: st.booleans(), type(None): st.none()}[
        kind
    ]


MESSAGES = st.builds(
    Message,
    content=st.one_of(*map(_of, typing.get_args(Content))),
    session=_TEXT,
    tick=_WHOLE,
    sequence=_WHOLE,
    arrays=_ARRAYS,
)
HUGE = st.sampled_from(
    [
        bytes([code]) + b"\xff" * size
        for code, size in zip(
            b"\xc6\xc9\xdb\xdd\xdf\xc5\xda\xdc\xde", (4,) * 5 + (2,) * 4, strict=True
        )
    ]
)
"""Beginnings of bytes, extensions, texts, lists and maps that say they are as long as can be."""
NESTED = st.builds(
    lambda code, depth: code * depth,
    st.sampled_from([b"\x91", b"\x81\xa0"]),
    st.integers(1, 100_000),
)


@st.composite
def damaged(draw: st.DrawFn, messages: st.SearchStrategy[Message] = MESSAGES) -> list[bytes]:
    """The frames of a message with something about them wrong, at least most of the time."""
    frames = encode(draw(messages))
    for _ in range(draw(st.integers(1, 4))):
        k = draw(st.integers(0, len(frames) - 1)) if frames else 0
        kind = draw(st.sampled_from(["flip", "cut", "insert", "header", "frames"]))
        if kind == "frames" or not frames:
            frames = draw(st.permutations([*frames, draw(st.binary(max_size=9))]))[
                : draw(st.integers(0, 4))
            ]
            continue
        frame = frames[k]
        place = draw(st.integers(0, len(frame)))
        if kind == "flip" and place < len(frame):
            frame = frame[:place] + bytes([draw(st.integers(0, 255))]) + frame[place + 1 :]
        elif kind == "cut":
            frame = frame[:place]
        elif kind == "insert":
            new = draw(st.one_of(HUGE, NESTED, st.binary(max_size=20)))
            frame = frame[:place] + new + frame[draw(st.sampled_from([place, len(frame)])) :]
        elif kind == "header" and len(frames) > 1:
            k, frame = 1, _another_header(draw, frames[1])
        frames[k] = frame
    return frames


def _another_header(draw: st.DrawFn, packed: bytes) -> bytes:
    """A header of which one entry, at any depth, has another value."""
    try:
        header = msgspec.msgpack.decode(packed)
    except (ValueError, RecursionError):  # what is no text raises a UnicodeDecodeError
        return packed
    value, key, holder = header, None, None
    while value and isinstance(value, dict | list) and (holder is None or draw(st.booleans())):
        holder = value
        key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        value = holder[key]
    if holder is not None:
        holder[key] = draw(
            st.one_of(_ANY, st.just([["x", "<f8", [0, 1 << 62, 1 << 62]]]), st.just([1 << 62] * 3))
        )
    return msgspec.msgpack.encode(header)


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Whoever takes more than `MOST_BYTES` gets a MemoryError."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def check(frames: list[bytes]) -> None:
    """Refused with one sentence, or a message that can be read and sent on."""
    with little_memory():
        try:
            message = decode(frames)
        except MessageError as problem:
            sentence = str(problem)
        else:
            sentence = ""
    if sentence:
        assert "\n" not in sentence
        return
    with little_memory():
        assert sum(array.nbytes for array in message.arrays.values()) <= len(frames[2])
        again = decode(encode(message))
    assert repr(again.content) == repr(message.content)
    for name, array in message.arrays.items():
        assert again.arrays[name].tobytes() == array.tobytes()
        assert again.arrays[name].shape == array.shape


@settings(max_examples=100 * TIMES, deadline=None)
@given(st.lists(st.binary(max_size=64), max_size=5))
def test_bytes_at_random(frames: list[bytes]):
    check(frames)


@settings(max_examples=200 * TIMES, deadline=None)
@given(MESSAGES)
def test_every_kind_of_message_arrives_as_it_was(message: Message):
    got = decode(encode(message))
    assert repr(dataclasses.replace(got, arrays={})) == repr(
        dataclasses.replace(message, arrays={})
    )
    assert {name: array.tolist() for name, array in got.arrays.items()} == {
        name: array.tolist() for name, array in message.arrays.items()
    }


@settings(max_examples=400 * TIMES, deadline=None)
@given(damaged())
def test_damaged_messages(frames: list[bytes]):
    check(frames)


@pytest.fixture(scope="module")
def bus() -> Iterator[tuple[SessionDirectory, Hub]]:
    """A hub at work."""
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        directory = SessionDirectory(Path(folder))
        hub = Hub(directory)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                _, requests = hub.pump(0.01)
                for request in requests:
                    hub.refuse(request, "No.")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield directory, hub
        stop.set()
        thread.join(60)
        hub.close()


def test_a_hub_refuses_what_is_no_command_and_goes_on(bus: tuple[SessionDirectory, Hub]):
    directory, _ = bus
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(directory.address("command"))

    @settings(max_examples=60 * TIMES, deadline=None)
    @given(
        damaged().filter(
            lambda frames: bool(frames) and max(map(len, frames)) <= MOST_COMMAND_BYTES
        )
    )
    def send(frames: list[bytes]) -> None:
        socket.send_multipart(frames)
        assert socket.poll(20_000), "the hub does not answer any more"
        while socket.poll(5):
            decode(socket.recv_multipart())

    try:
        send()
    finally:
        socket.close()
        context.term()


def test_a_client_passes_over_what_is_no_message():
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        directory = SessionDirectory(Path(folder))
        context = zmq.Context()
        stream = context.socket(zmq.XPUB)
        stream.bind(directory.address("stream"))
        with BusClient.of(directory) as client:
            assert stream.recv() == b"\x01"  # it has subscribed
            marks = iter(range(10**9))

            @settings(max_examples=60 * TIMES, deadline=None)
            @given(damaged(MESSAGES.filter(lambda message: message.topic != "tick")).filter(bool))
            def hear(frames: list[bytes]) -> None:
                stream.send_multipart(frames)
                mark = Fault("test", f"mark {next(marks)}")
                stream.send_multipart(encode(Message(mark)))
                wait_for(lambda: any(message.content == mark for message in client.poll(5.0)))

            hear()
        stream.close(linger=0)
        context.term()
