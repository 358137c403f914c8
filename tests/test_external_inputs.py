"""Inputs from outside: what is accepted acts on the next tick and is recorded, the rest is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.replay import ReplaySource
from rig.bus.client import BusClient
from rig.bus.external_inputs import (
    LONGEST_NOTE,
    MOST_STIMULI,
    MOST_WAITING,
    VERBS,
    ExternalInputs,
    read_input,
)
from rig.bus.message_types import (
    Description,
    EngineReply,
    Episode,
    Event,
    Input,
    Message,
    Tick,
)
from rig.bus.stimulus_request import (
    LARGEST,
    MOST_WAVEFORM_NUMBERS,
    PART_FIELDS,
    WHOLE_FIELDS,
    NotAcceptedError,
)
from rig.errors import RunError
from stim.engine import Engine
from stim.protocol.read import parse
from stim.stimuli.external import RequestedStimuli
from tests.rodent_rig import ROOT, RunningRig, free_port, wait_for

LAYERS = {"core": 128, "policy_0": 64}
PORT = free_port()
OBSERVE = ROOT / "protocols" / "observe.yaml"
PUSH = {"name": "push", "layer": "core", "units": [0, 7], "value": 0.5, "for_ms": 100}


# --- what is accepted -------------------------------------------------------------------------------


def test_every_field_is_given_in_what_is_accepted() -> None:
    assert read_input("key", {"key": "k"}, LAYERS) == Input("key", "k")
    assert read_input("stimulate", {**PUSH, "gain": [1, 0.5]}, LAYERS) == Input(
        "stimulate",
        "push",
        {
            "layer": "core",
            "units": [0, 7],
            "state": "cell",
            "gain": [1.0, 0.5],
            "value": 0.5,
            "for_ms": 100.0,
        },
    )
    by_hand = {
        "name": "hand",
        "parts": [
            {"layer": "core", "units": [1, 2], "waveform": np.float32([[1, 2], [3, 4]]).tobytes()},
            {"layer": "policy_0", "units": [0], "state": "both", "gain": 1, "value": 0.5},
        ],
        "pulses": {"width_ms": 40, "rate_hz": 5, "number": 3},
        "probability": 0.5,
        "origin": "by hand",
    }
    assert read_input("stimulate", by_hand, LAYERS).args == {
        "parts": [
            {
                "layer": "core",
                "units": [1, 2],
                "state": "cell",
                "gain": 0.0,
                "waveform": [[1.0, 2.0], [3.0, 4.0]],
            },
            {"layer": "policy_0", "units": [0], "state": "both", "gain": 1.0, "value": 0.5},
        ],
        "for_ms": None,
        "pulses": {"width_ms": 40.0, "rate_hz": 5.0, "number": 3},
        "probability": 0.5,
        "origin": "by hand",
    }
    assert read_input("release_all", {"origin": "by hand"}, LAYERS) == Input(
        "release_all", "by hand"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layer": "policy_9"}, "core, policy_0"),
        ({"layer": ["core"]}, "core, policy_0"),
        ({"units": [128]}, "0 to 127"),
        ({"units": [-1]}, "0 to 127"),
        ({"units": [1.0]}, "whole numbers"),
        ({"units": [True]}, "whole numbers"),
        ({"units": [3, 3]}, "twice"),
        ({"units": []}, "list"),
        ({"units": "all"}, "list"),
        ({"units": list(range(129))}, "129 units"),
        ({"value": math.nan}, "value"),
        ({"value": [0.1, math.inf]}, "value"),
        ({"value": [0.1]}, "1 numbers for 2 units"),
        ({"gain": 1e9}, "gain"),
        ({"gain": "1"}, "number"),
        ({"gain": False}, "number"),
        ({"state": "c"}, "cell, hidden, both"),
        ({"for_ms": 0}, "for_ms"),
        ({"for_ms": 19.9}, "at least 20"),
        ({"for_ms": math.inf}, "for_ms"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 65}, "64"),
        ({"sham": "drawn"}, "true or false"),
        ({"sham": True, "probability": 0.5}, "exclude each other"),
        ({"probability": 1.5}, "from 0 to 1"),
        ({"origin": ""}, "origin"),
        ({"loud": True}, "loud"),
        ({"waveform": [0.1]}, "value and waveform exclude"),
        ({"pulses": {"width_ms": 40}}, "rate_hz"),
        ({"pulses": {"width_ms": 40, "rate_hz": 26}}, "from 0.001 to 25"),
        ({"pulses": {"width_ms": 200, "rate_hz": 5}}, "leave no gap"),
        ({"pulses": {"width_ms": 40, "rate_hz": 5, "number": 0}}, "whole number"),
        ({"parts": [{"layer": "core", "units": [1]}]}, "into each of the parts"),
    ],
)
def test_what_is_wrong_is_refused_with_what_and_where(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(NotAcceptedError, match=said):
        read_input("stimulate", {**PUSH, **wrong}, LAYERS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"waveform": []}, "1 to 3000 ticks"),
        ({"waveform": [[0.1], [0.2]]}, "2 numbers in each tick"),
        ({"waveform": [0.1, math.nan]}, "waveform"),
        ({"waveform": b"123"}, "3 bytes"),
        ({"waveform": [[0.0, 0.0]] * (MOST_WAVEFORM_NUMBERS // 2 + 1)}, "1 to 3000 ticks"),
        ({"parts": [PUSH]}, "a part takes"),
        ({"parts": [{"layer": "core", "units": [1]}] * 2}, "a layer twice"),
        ({"parts": []}, "1 to 4 mappings"),
    ],
)
def test_what_is_wrong_in_a_waveform_or_a_part_is_refused_too(
    wrong: dict[str, Any], said: str
) -> None:
    whole = {"name": "push"} if "parts" in wrong else {**PUSH}
    whole.pop("value", None)
    with pytest.raises(NotAcceptedError, match=said):
        read_input("stimulate", {**whole, **wrong}, LAYERS)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_FIELD = st.sampled_from(("key", "text", "tick", *PART_FIELDS, *WHOLE_FIELDS))
_SENSIBLE = st.sampled_from(
    [
        *([0], [5, 2], "core", "cell", "x", 0.5, 20, None, [1.0, math.nan], True, b"12345678"),
        *({"width_ms": 20, "rate_hz": 5}, [{"layer": "core", "units": [1]}], [[0.5], [0.25]]),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(VERBS),
    st.dictionaries(_FIELD, _SENSIBLE | _ANYTHING, max_size=7),
)
def test_whatever_comes_is_refused_or_harmless(verb: str, args: dict[str, Any]) -> None:
    """Nothing raises anything else; what passes has finite numbers and units that exist."""
    try:
        accepted = read_input(verb, args, LAYERS)
    except NotAcceptedError as problem:
        said = str(problem)
    else:
        said = ""
    assert len(said) < 300
    if said:
        return
    assert accepted.kind == verb
    assert accepted.name or verb in ("arm", "disarm")
    assert len(accepted.name) <= LONGEST_NOTE
    if verb == "note":
        assert accepted.args == {"tick": 0}  # no other one has been
    if verb == "stimulate":
        for part in accepted.args.get("parts", [accepted.args]):
            units = part["units"]
            assert set(units) <= set(range(LAYERS[part["layer"]]))
            for name in {"gain", "value", "waveform"} & part.keys():
                numbers = np.asarray(part[name], float)
                assert (np.abs(numbers) <= LARGEST).all()
                if name != "waveform" or numbers.ndim == 2:
                    np.broadcast_to(numbers, (*numbers.shape[:-1], len(units)))
        # whatever passes is something that the engine can do
        asked = RequestedStimuli(LAYERS, 1)
        asked.accept(accepted, 3)
        assert [event.tick for event in asked.begin_or_end(4)] == [4]
        asked.interventions(4)


def _tick(tick: int, *inputs: Input) -> Message:
    return Message(Tick(0, 0.0, 1.0, 0.0, False, False, 0.0, (), inputs), tick=tick)


def _answer(tick: int, *events: Event) -> Message:
    return Message(EngineReply(events), tick=tick)


def test_no_more_than_so_many_wait_or_go_on() -> None:
    """Room comes back when a tick takes what waits, when a stimulus ends, and when one never begins."""
    outside = ExternalInputs(LAYERS)
    asked = [outside.accept("stimulate", PUSH) for _ in range(MOST_STIMULI)]
    with pytest.raises(NotAcceptedError, match="are active already"):
        outside.accept("stimulate", PUSH)
    outside.follow(_tick(5, *asked))
    outside.follow(_answer(5))
    with pytest.raises(NotAcceptedError, match="are active already"):
        outside.accept("stimulate", PUSH)
    onsets = [Event("stimulus", "outside", "onset", 6, 6, k) for k in range(1, 15)]
    outside.follow(_tick(6))
    outside.follow(_answer(6, *onsets))  # 14 began, 2 never will
    more = [outside.accept("stimulate", PUSH) for _ in range(2)]
    with pytest.raises(NotAcceptedError, match="are active already"):
        outside.accept("stimulate", PUSH)
    outside.follow(_answer(7, Event("stimulus", "outside", "offset", 7, 7, 3)))
    more.append(outside.accept("stimulate", PUSH))
    keys = [outside.accept("key", {"key": "k"}) for _ in range(MOST_WAITING - 3)]
    with pytest.raises(NotAcceptedError, match="wait for the next tick"):
        outside.accept("key", {"key": "k"})
    outside.follow(_tick(8, *more, *keys))
    outside.accept("key", {"key": "k"})
    with pytest.raises(NotAcceptedError, match="ever called"):
        outside.accept("release", {"name": "pull"})
    outside.accept("release", {"name": "push"})


# --- through the bus of a real session --------------------------------------------------------------


@pytest.fixture
def observed(runtime: Path, tmp_path: Path) -> Iterator[tuple[RunningRig, BusClient, Path]]:
    """A session that does nothing of its own, recorded and open at a port; and a client of it."""
    out = tmp_path / "outside.nwb"
    listen = f"tcp://127.0.0.1:{PORT}"
    arguments = ("run", OBSERVE, "--out", out, "--pace", "realtime", "--no-picture", "--seed", 3)
    with RunningRig(*arguments, "--listen", listen) as rig, rig.attach() as bus:
        yield rig, bus, out


def _refused_over_tcp() -> int:
    """Without keys the port of a session lets one listen, and nothing else. How much was refused."""
    with BusClient(f"tcp://127.0.0.1:{PORT}", f"tcp://127.0.0.1:{PORT + 1}") as stranger:
        assert stranger.join()
        commands: dict[str, dict[str, Any]] = {
            "stimulate": PUSH,
            "key": {"key": "k"},
            "pause": {},
            "stop": {},
        }
        for verb, args in commands.items():
            with pytest.raises(RunError, match="without keys"):
                stranger.command(verb, **args)
        return len(commands)


def test_a_stimulus_from_outside_acts_from_the_next_tick_and_is_recorded(
    observed: tuple[RunningRig, BusClient, Path],
) -> None:
    rig, bus, out = observed
    refused = _refused_over_tcp()
    with pytest.raises(RunError, match="policy_2"):
        bus.command("stimulate", **{**PUSH, "layer": "hippocampus"})
    with pytest.raises(RunError, match="ever called"):
        bus.command("release", name="push")
    after = bus.command("stimulate", **PUSH)["after_tick"]
    bus.command("stimulate", name="bias µ", layer="policy_1", units=[3], gain=1, value=[0.25])
    bus.command("key", key="k")
    wait_for(lambda: any(m.tick > after + 20 for m in bus.poll(0.05)))
    bus.command("release", name="bias µ")
    wait_for(lambda: any(m.tick > after + 40 for m in bus.poll(0.05)))
    wait_for(
        lambda: any(m.topic == "status" and m.content.refused == refused + 2 for m in bus.poll(0.1))
    )
    bus.command("stop")
    status, _, trouble = rig.end()
    assert status == 0, trouble

    with ReplaySource(out) as replay:
        inputs, description = replay.recording.inputs, replay.recording.description
        messages = replay.messages(0, replay.last_tick)
        events = [event for _, event in replay.recording.events if event.kind == "stimulus"]
    assert [(each.kind, each.name) for _, each in inputs] == [
        ("stimulate", "push"),
        ("stimulate", "bias µ"),
        ("key", "k"),
        ("release", "bias µ"),
    ]
    at = {(each.kind, each.name): tick for tick, each in inputs}
    assert at["stimulate", "push"] > after
    pushed = range(at["stimulate", "push"] + 1, at["stimulate", "push"] + 6)
    biased = range(at["stimulate", "bias µ"] + 1, at["release", "bias µ"] + 1)
    assert {(event.name, event.phase, event.tick) for event in events} == {
        ("outside", "onset", pushed.start),
        ("outside", "offset", pushed.stop),
        ("outside", "onset", biased.start),
        ("outside", "offset", biased.stop),
    }
    assert any("bias µ" in event.cause for event in events)
    for message in messages:
        if not isinstance(message.content, Tick):
            continue
        c, c0 = message.arrays["c_applied"], message.arrays["c_natural"]
        expected = c0.copy()
        if message.tick in pushed:
            expected[[0, 7]] = 0.5
        if message.tick in biased:
            expected[256 + 3] = c0[256 + 3] + np.float32(0.25)
        np.testing.assert_array_equal(c, expected, err_msg=str(message.tick))
    _assert_follows_from_ticks_and_inputs(messages, description)


def _assert_follows_from_ticks_and_inputs(
    messages: list[Message], description: Description
) -> None:
    """An engine that gets the recorded ticks, with their inputs, gives the recorded answers again."""
    layers = {layer.name: layer.n_units for layer in description.layers}
    protocol = parse(description.protocol_text, str(OBSERVE), layers=layers)
    engine = Engine(protocol, description)
    for message in messages:
        if isinstance(message.content, Episode):
            engine.begin_trial(message.content.trial, message.tick)
        elif isinstance(message.content, Tick):
            again = engine.reply(message)
        elif isinstance(message.content, EngineReply):
            assert isinstance(again.content, EngineReply)
            assert again.content.events == message.content.events
            assert again.content.interventions == message.content.interventions
            assert set(again.arrays) == set(message.arrays)
            for name, array in again.arrays.items():
                np.testing.assert_array_equal(array, message.arrays[name])
