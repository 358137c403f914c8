"""Interventions laid out in an engine's reply and read from it, over the wire as well."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.bus.encoding import decode, encode
from rig.bus.interventions import BusIntervention, pack, unpack
from rig.bus.message_types import EngineReply, Message

LAYERS = st.sampled_from(["core", "policy_0", "policy_2"])


@st.composite
def bus_interventions(draw: st.DrawFn) -> BusIntervention:
    n = draw(st.integers(0, 5))
    numbers = st.lists(st.floats(width=32, allow_nan=False), min_size=n, max_size=n)
    return BusIntervention(
        draw(st.text(max_size=8)),
        draw(LAYERS),
        draw(st.sampled_from("ch")),
        np.array(draw(st.permutations(range(n))), np.int64),
        np.array(draw(numbers), np.float32),
        np.array(draw(numbers), np.float32),
    )


@given(st.lists(bus_interventions(), max_size=6))
def test_what_is_packed_is_read_again_in_its_order(packed: list[BusIntervention]) -> None:
    entries, arrays = pack(packed)
    message = decode(encode(Message(EngineReply((), entries), "s", 3, arrays=arrays)))
    assert isinstance(message.content, EngineReply)
    found = unpack(message.content, message.arrays)
    assert len(found) == len(packed)
    for one, other in zip(found, packed, strict=True):
        assert one[:3] == other[:3]
        for ours, theirs in zip(one[3:], other[3:], strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


def test_a_missing_array_is_named() -> None:
    three = np.arange(3)
    entries, arrays = pack([BusIntervention("s", "core", "c", three, three, three)] * 2)
    del arrays["1.gain"]
    with pytest.raises(KeyError, match=r"1\.gain"):
        unpack(EngineReply((), entries), arrays)
