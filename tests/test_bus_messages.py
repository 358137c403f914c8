"""The bus's encoding: what goes in comes out, and nothing that comes in can do harm."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rig.bus.encoding import MessageError, decode, encode
from rig.bus.message_types import (
    Command,
    Content,
    EngineReply,
    Event,
    Fault,
    Input,
    InterventionEntry,
    Message,
    Tick,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "bus.md"


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """All structs that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from _structs(field.type)
    for part in typing.get_args(kind):
        yield from _structs(part)


def test_the_page_on_the_bus_names_every_field_and_every_topic():
    code = re.findall(r"`([^`]+)`", PAGE.read_text())
    named = {word for each in code for word in re.findall(r"\w+", each)}
    for kind in _structs(Content):
        assert {field.name for field in msgspec.structs.fields(kind)} <= named, kind.__name__
        tag = kind.__struct_config__.tag
        assert tag is None or tag in named or tag == "recorder_report"  # that one stays inside


_names = st.text(min_size=1, max_size=12)
_floats = st.floats(allow_nan=False)
_whole = st.integers(0, 2**40)
_events = st.builds(
    Event,
    kind=st.sampled_from(["behaviour", "stimulus", "condition"]),
    name=_names,
    phase=st.sampled_from(["onset", "offset"]),
    tick=_whole,
    began_tick=_whole,
    number=_whole,
    sham=st.booleans(),
    confidence=_floats,
    cause=_names,
)
_inputs = st.builds(
    Input,
    kind=st.sampled_from(["key", "stimulate", "release", "release_all"]),
    name=_names,
    args=st.dictionaries(_names, st.one_of(_floats, _names, st.lists(_whole)), max_size=3),
)
_interventions = st.builds(
    InterventionEntry, stimulus=_names, layer=_names, state=st.sampled_from("ch")
)
_contents = st.one_of(
    st.builds(
        Tick,
        trial=_whole,
        reward=_floats,
        discount=_floats,
        value=_floats,
        first=st.booleans(),
        overrun=st.booleans(),
        wall_s=_floats,
        task_events=st.lists(_names, max_size=2).map(tuple),
        inputs=st.lists(_inputs, max_size=2).map(tuple),
    ),
    st.builds(
        EngineReply,
        events=st.tuples(_events),
        interventions=st.tuples(_interventions),
        end_trial=st.booleans(),
        engine_ms=_floats,
    ),
    st.builds(Fault, source=_names, sentence=_names, name=_names, over=st.booleans()),
    st.builds(
        Command, verb=_names, args=st.dictionaries(_names, st.one_of(_whole, _names), max_size=3)
    ),
)
_arrays = st.dictionaries(
    _names,
    st.sampled_from(["<f8", "<f4", "<i8", "<i4", "|u1", "|b1", ">f4"]).flatmap(
        lambda kind: hnp.arrays(
            kind, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
        )
    ),
    max_size=4,
)


@given(_contents, _arrays, st.text(max_size=8), st.integers(-1, 2**50), _whole)
def test_a_message_survives_the_wire(content, arrays, session, tick, sequence):
    sent = Message(content, session, tick, sequence, arrays)
    received = decode(encode(sent))
    assert received.content == content
    assert (received.session, received.tick, received.sequence) == (session, tick, sequence)
    assert set(received.arrays) == set(arrays)
    for name, array in arrays.items():
        assert received.arrays[name].shape == array.shape
        np.testing.assert_array_equal(received.arrays[name], array)


@given(st.lists(st.binary(max_size=64), max_size=5))
def test_arbitrary_bytes_are_refused_with_a_sentence(frames):
    with pytest.raises(MessageError, match=r"\w"):
        decode(frames)


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_message_is_refused_or_still_a_message(data):
    frames = [bytearray(bytes(frame)) for frame in encode(_tick())]
    which = data.draw(st.integers(0, len(frames) - 1))
    frame = frames[which]
    if frame:
        place = data.draw(st.integers(0, len(frame) - 1))
        frame[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        frames.pop(data.draw(st.integers(0, len(frames) - 1)))
    try:
        message = decode([bytes(each) for each in frames])
    except MessageError:
        return
    for array in message.arrays.values():
        array.sum()  # whatever came through can be read


def _tick() -> Message:
    content = Tick(0, 0.5, 1.0, 0.1, True, False, 0.25)
    return Message(
        content, "s", 3, 3, {"action": np.arange(4.0), "camera": np.zeros((2, 2, 3), np.uint8)}
    )


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (["x", "<f8", [1 << 40]], "does not fit"),
        (["x", "<f8", [-1, -8]], "impossible shape"),
        (["x", "|O", [1]], "dtype"),
        (["x", "<f8", [0] * 60], "impossible shape"),
    ],
)
def test_an_array_that_lies_about_itself_is_refused(spec, says):
    frames = encode(_tick())
    header = msgspec.msgpack.decode(frames[1])
    header["arrays"] = [spec]
    with pytest.raises(MessageError, match=says):
        decode([frames[0], msgspec.msgpack.encode(header), b"12345678"])


def test_another_version_is_refused():
    frames = encode(_tick())
    header = msgspec.msgpack.decode(frames[1])
    header["version"] = 2
    with pytest.raises(MessageError, match="version 2"):
        decode([frames[0], msgspec.msgpack.encode(header), *frames[2:]])


def test_objects_do_not_travel():
    with pytest.raises(ValueError, match="does not carry"):
        encode(Message(Fault("a", "b"), arrays={"bad": np.array([{}], dtype=object)}))
