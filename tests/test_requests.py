"""What is asked of a protocol from outside: stimuli by hand, releasing all, disarming, keys."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from rig.body_state import NAMES
from rig.bus.message_types import EngineReply, Input, Message, Tick
from stim.engine import Engine
from tests.engine_scenario import describe
from tests.played_ticks import Seen, asked, play, quiet, read


def test_a_request_from_outside_acts_from_the_next_tick_and_can_be_released() -> None:
    protocol = read("")
    ticks = quiet(40, t3=Seen(inputs=(asked(),)), t10=Seen(inputs=(asked(for_ms=None),)))
    ticks[15].inputs = (Input("release", "mine"),)
    played = play(protocol, ticks)
    assert played.on("outside") == [4, 5, 6, 11, 12, 13, 14, 15]
    turns = [(e.phase, e.tick, e.number) for e in played.stimuli]
    assert turns == [("onset", 4, 1), ("offset", 7, 1), ("onset", 11, 2), ("offset", 16, 2)]
    assert "mine" in played.stimuli[0].cause


def test_a_hand_can_do_what_a_protocol_can() -> None:
    """A pulse train over two layers, a waveform that ends by itself, shams, chosen and drawn."""
    parts = [
        {"layer": "core", "units": [1], "state": "cell", "gain": 1.0, "value": 0.5},
        {"layer": "policy_0", "units": [3], "state": "hidden", "gain": 0.0, "value": 0.25},
    ]
    train = Input(
        "stimulate",
        "train",
        {"parts": parts, "pulses": {"width_ms": 40, "rate_hz": 10}, "origin": "by hand"}
        | {"for_ms": 180},
    )
    course = asked(waveform=[[0.5, 1.0], [2.0, 3.0]], state="cell", for_ms=None)
    del course.args["value"]
    sham = asked(sham=True)
    ticks = quiet(40, t3=Seen(inputs=(train,)), t20=Seen(inputs=(course,)))
    ticks[30].inputs = (sham,)
    played = play(read(""), ticks)
    # two layers at once: each tick of a pulse twice
    assert played.on("outside") == [4, 5, 9, 10, 21, 22]
    turns = [(e.phase, e.tick, e.number, e.sham) for e in played.stimuli]
    assert turns == [
        ("onset", 4, 1, False),
        ("offset", 13, 1, False),
        ("onset", 21, 2, False),
        ("offset", 23, 2, False),
        ("onset", 31, 3, True),
        ("offset", 34, 3, True),
    ]
    assert played.stimuli[0].cause == "by hand: asked for as 'train'"


def test_whether_a_hand_s_stimulus_is_a_sham_is_drawn_by_the_session() -> None:
    inputs = {f"t{tick}": Seen(inputs=(asked(probability=0.5, for_ms=20),)) for tick in range(60)}
    shams = [e.sham for e in play(read(""), quiet(62, **inputs)).stimuli if e.phase == "onset"]
    again = [e.sham for e in play(read(""), quiet(62, **inputs)).stimuli if e.phase == "onset"]
    assert len(shams) == 60
    assert 15 < sum(shams) < 45
    assert again == shams


def test_a_rule_has_the_last_of_the_session_saved() -> None:
    """As often as its refractory time and its count allow; not by a disarmed protocol."""
    protocol = read(
        "rules:\n"
        "  - {on: {key: s}, do: a, for_ms: 40}\n"
        "  - {on: {key: s}, do: clip, seconds: 10, after_ms: 2000, refractory_ms: 100, max_count: 2}\n"
    )
    press = Seen(inputs=(Input("key", "s"),))
    off = Seen(inputs=(Input("disarm", "disarm"), Input("key", "s")))
    on = Seen(inputs=(Input("arm", "arm"),))
    ticks = quiet(40, t3=press, t5=press, t9=off, t10=on, t12=press, t30=press)
    played = play(protocol, ticks)
    assert played.clips == [(3, 10.0, 2000.0, "rule 2: key s"), (12, 10.0, 2000.0, "rule 2: key s")]
    assert played.on("a") == [4, 5, 13, 14, 31, 32]
    assert protocol.key_uses[0].words == "a, saves a clip"


def test_all_that_is_on_can_be_released_at_once() -> None:
    """The protocol's, what is due, those of clients; what triggers later acts again."""
    protocol = read(
        "rules:\n  - {on: {key: s}, do: a}\n  - {on: {key: s}, do: b, after_ms: 200, for_ms: 40}\n"
    )
    press = Input("key", "s")
    ticks = quiet(30, t3=Seen(inputs=(press, asked(for_ms=None))), t20=Seen(inputs=(press,)))
    ticks[8].inputs = (asked(), Input("release_all", "by hand"))
    played = play(protocol, ticks)
    assert played.on("outside") == [4, 5, 6, 7, 8]
    assert played.on("a") == [4, 5, 6, 7, 8, *range(21, 30)]
    assert played.on("b") == []
    assert [e.tick for e in played.stimuli if e.phase == "offset"] == [9, 9]


@pytest.mark.parametrize(
    "wrong",
    [
        {"layer": "cortex"}, {"units": [128]}, {"units": [1, 1]}, {"units": "all"}, {"units": [[1]]},
        {"value": float("nan")}, {"value": [1, 2, 3]}, {"gain": 1e30}, {"state": "x"}, {"for_ms": "1"},
        {"parts": []}, {"waveform": [[1, 2, 3]]}, {"pulses": {"rate_hz": 5}}, {"pulses": 3},
        {"units": []}, {"units": [-1]}, {"for_ms": float("inf")}, {"value": None}, {"units": [2**70]},
    ],
)  # fmt: skip
def test_what_a_request_cannot_mean_never_becomes_an_intervention(wrong: dict[str, object]) -> None:
    played = play(read(""), quiet(10, t3=Seen(inputs=(asked(**wrong),))))
    assert played.stimuli == []
    assert played.on("outside") == []


def test_a_new_engine_goes_on_counting() -> None:
    protocol = read("rules:\n  - {on: {key: s}, do: a, for_ms: 20}\n")
    press = Seen(inputs=(Input("key", "s"), asked()), speed=0.8)
    numbers = {"stimulus a": 4, "stimulus outside": 2, "behaviour run": 9}
    played = play(protocol, quiet(10, t3=press), numbers=numbers)
    first = {e.name: e.number for e in reversed(played.events) if e.phase == "onset"}
    assert (first["a"], first["outside"], first["run"]) == (5, 3, 10)


def test_a_disarmed_protocol_delivers_nothing_and_remembers_no_trigger() -> None:
    protocol = read(
        "rules:\n"
        "  - {on: {key: s}, do: a, for_ms: 200, refractory_ms: 400, max_count: 2}\n"
        "  - {on: run.onset, do: b, after_ms: 100, for_ms: 100}\n"
    )
    key = Input("key", "s")
    ticks = quiet(
        80,
        t5=Seen(inputs=(key,)),
        t8=Seen(inputs=(Input("disarm", ""),), speed=0.8),  # b would begin at 13
        t20=Seen(inputs=(key, asked(for_ms=40))),
        t30=Seen(inputs=(Input("arm", ""),)),
        t31=Seen(inputs=(key,)),
    )
    played = play(protocol, ticks)
    # it ends with the tick after, as all that is decided; what had not begun never does
    assert played.on("a") == [6, 7, 8, *range(32, 42)]
    assert played.on("b") == []
    assert played.on("outside") == [21, 22]
    assert played.onsets("run") == [8]
    ends = [(each.name, each.tick) for each in played.stimuli if each.phase == "offset"]
    assert ends == [("a", 9), ("outside", 23), ("a", 42)]
    # an engine that is taken in while it is disarmed is disarmed, too
    description = msgspec.structs.replace(describe(protocol), armed=False)
    engine = Engine(protocol, description)
    engine.begin_trial(0, 0)
    body = {"body": np.zeros(len(NAMES))}
    for tick in range(5):
        content = Tick(0, 0, 1, 0, False, False, 0, (), (key,))
        answer = engine.reply(Message(content, "s", tick, tick, body)).content
        assert isinstance(answer, EngineReply)
        assert not answer.interventions


def test_what_a_key_does_is_said_in_words() -> None:
    protocol = read(
        "trial_ends: {key: e}\n"
        "rules:\n"
        "  - {on: {key: s}, do: a, until: {key: e}}\n"
        "  - {on: [{key: s}, run.onset], do: b, for_ms: 20}\n"
    )
    assert [(each.key, each.words, each.stimuli) for each in protocol.key_uses] == [
        ("e", "ends the trial, ends a", ()),
        ("s", "a, b", ("a", "b")),
    ]
