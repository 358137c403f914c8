"""What starts stimuli: every sort of event and condition, trials, blocks, latency, requests, Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.body_state import NAMES
from rig.bus.message_types import EngineReply, Event, Input, Message, Tick
from rig.errors import RunError, UserError
from stim.engine import Engine
from stim.protocol.model import Protocol
from stim.protocol.read import parse
from stim.protocol.script import execute, header_of
from stim.rules import Block, condition_of
from tests.engine_scenario import describe
from tests.protocol_texts import LAYERS

HEAD = """
protocol: p
subject: runner
task: two_tap
detectors:
  run: {behaviour: run, smoothing_ms: 0, min_duration_ms: 20}
stimuli:
  a: {clamp: policy_2, units: [5, 3], to: 0.25, state: cell}
  b: {bias: core, units: all, by: 1, state: hidden}
"""
UPRIGHT = [k for k, name in enumerate(NAMES) if name.endswith("up")]
SPEED = NAMES.index("forward_speed")


@dataclass
class Seen:
    """One tick of a scripted session: what the animal does in it, and what comes from outside."""

    speed: float = 0.0
    unit: float = 0.0
    task: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    first: bool = False


@dataclass
class Played:
    """What an engine made of it; `acting[k]` are the stimuli that act on tick k."""

    events: list[Event] = field(default_factory=list)
    acting: dict[int, list[str]] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    clips: list[tuple[int, float, float, str]] = field(default_factory=list)

    @property
    def stimuli(self) -> list[Event]:
        return [event for event in self.events if event.kind == "stimulus"]

    def on(self, name: str) -> list[int]:
        return [tick for tick, names in self.acting.items() if name in names]

    def onsets(self, name: str) -> list[int]:
        return [e.tick for e in self.events if (e.name, e.phase) == (name, "onset")]


def read(text: str) -> Protocol:
    return parse(HEAD + text, "p.yaml", ("two_tap",), LAYERS)


def play(
    protocol: Protocol,
    ticks: Sequence[Seen],
    seed: int = 7,
    numbers: Mapping[str, int] | None = None,
) -> Played:
    description = msgspec.structs.replace(
        describe(protocol, seed), numbers_used=dict(numbers or {})
    )
    script = execute(protocol.text, "p.py") if protocol.is_script else None
    engine = Engine(protocol, description, script=script)
    played, trial = Played(), -1
    pending: list[str] = []
    for tick, seen in enumerate(ticks):
        if seen.first or tick == 0:
            trial += 1
            engine.begin_trial(trial, tick)
            pending = []
        played.acting[tick] = pending
        body = np.zeros(len(NAMES))
        body[UPRIGHT], body[SPEED] = 1.0, seen.speed
        activity = np.zeros(512, np.float32)
        activity[384:] = seen.unit  # policy_2
        states = ("c_natural", "h_natural", "c_applied", "h_applied")
        arrays = {"body": body} | dict.fromkeys(states, activity)
        content = Tick(trial, 0, 1, 0, False, False, 0, seen.task, seen.inputs)
        answer = engine.reply(Message(content, "s", tick, tick, arrays)).content
        assert isinstance(answer, EngineReply)
        played.events.extend(answer.events)
        played.clips.extend(
            (tick, each.seconds, each.after_ms, each.cause) for each in answer.clips
        )
        pending = [each.stimulus for each in answer.interventions]
        if answer.end_trial:
            played.ended.append(tick)
    return played


def quiet(n: int, **at: Seen) -> list[Seen]:
    """`n` uneventful ticks, but for those given as t5=Seen(...)."""
    ticks = [Seen() for _ in range(n)]
    for name, seen in at.items():
        ticks[int(name[1:])] = seen
    return ticks


# --- events ---------------------------------------------------------------------------------------------


def test_a_key_a_task_event_a_time_and_any_of_them() -> None:
    protocol = read(
        "rules:\n"
        "  - {on: {key: s}, do: a, for_ms: 40}\n"
        "  - {on: [{task: first_tap}, {time_ms: 600}], do: b, for_ms: 20}\n"
    )
    assert protocol.keys == ("s",)
    key = Seen(inputs=(Input("key", "s"), Input("key", "x")))
    played = play(protocol, quiet(50, t5=key, t9=Seen(task=("first_tap",))))
    assert played.on("a") == [6, 7]
    assert played.on("b") == [10, 31]
    causes = [event.cause for event in played.stimuli if event.phase == "onset"]
    assert causes == ["rule 1: key s", "rule 2: task first_tap", "rule 2: 600 ms of trial 0"]


def test_a_threshold_on_activity_acts_when_it_is_crossed_and_not_while_it_is_held() -> None:
    rule = "{on: {activity: policy_2, units: all, state: hidden, above: 0.5%s}, do: a, for_ms: 20}"
    ticks = [Seen(unit=x) for x in [0.9] * 5 + [0.1] * 5 + [0.9] * 10 + [0.1] * 5 + [0.6] * 5]
    played = play(read(f"rules:\n  - {rule % ''}\n"), ticks)
    assert played.on("a") == [11, 26]  # already above at the first tick: that is no crossing
    played = play(read(f"rules:\n  - {rule % ', smoothing_ms: 60'}\n"), ticks)
    assert played.on("a") == [12, 28]  # the mean of three ticks crosses later
    between = "{on: {activity: policy_2, units: [1], state: cell, above: 0.05, below: 0.2}, do: a}"
    assert play(read(f"rules:\n  - {between}\n"), ticks).onsets("a")[0] == 6


def test_a_forecast_comes_before_the_onset_that_it_foretells() -> None:
    protocol = read("rules:\n  - {on: {forecast: walk, lead_ms: 100}, do: a, for_ms: 20}\n")
    speeding_up = [Seen(speed=min(0.3, 0.005 * max(0, k - 20))) for k in range(120)]
    played = play(protocol, speeding_up)
    (onset,) = played.onsets("walk")
    (acted,) = played.onsets("a")
    assert 3 <= onset - acted <= 7  # 5 ticks of lead, one of them spent on acting
    assert played.stimuli[0].cause == "rule 1: walk.onset foretold 100 ms"


def test_conditions_are_judged_at_the_tick_of_the_trigger() -> None:
    protocol = read(
        "rules:\n"
        "  - {on: {key: s}, if: {all: [run, {not: fallen}]}, do: a, for_ms: 20}\n"
        "  - {on: {key: s}, if: {any: [fallen, {within_ms: 100, of: run.offset}]}, do: b, for_ms: 20}\n"
    )
    press = (Input("key", "s"),)
    ticks = [Seen(speed=0.8 if 10 <= k < 20 else 0.0) for k in range(40)]
    for k in (5, 15, 22, 35):
        ticks[k].inputs = press
    played = play(protocol, ticks)
    assert played.on("a") == [16]
    assert played.on("b") == [23]  # run ended at 20; 22 is within 100 ms of that, 35 is not


def test_until_ends_a_stimulus_early_and_withdraws_one_that_has_not_begun() -> None:
    protocol = read(
        "rules:\n  - {on: {key: s}, after_ms: 100, do: a, for_ms: 400, until: {task: second_tap}}\n"
    )
    press, tap = Seen(inputs=(Input("key", "s"),)), Seen(task=("second_tap",))
    played = play(protocol, quiet(40, t2=press, t9=tap))
    assert played.on("a") == [7, 8, 9]
    assert [(e.phase, e.tick) for e in played.stimuli] == [("onset", 7), ("offset", 10)]
    assert play(protocol, quiet(40, t2=press, t4=tap)).stimuli == []
    again = play(protocol, quiet(40, t2=press, t4=tap, t10=press))
    assert again.onsets("a") == [15]


# --- trials ---------------------------------------------------------------------------------------------


def test_a_trial_may_start_and_end_by_events() -> None:
    protocol = read(
        "trial_starts: {task: orb_moved}\ntrial_ends: {task: second_tap}\n"
        "rules:\n  - {on: {time_ms: 100}, do: a, for_ms: 20}\n  - {on: {key: s}, do: b, for_ms: 20}\n"
    )
    press = (Input("key", "s"),)
    ticks = quiet(30, t3=Seen(inputs=press), t5=Seen(task=("orb_moved",)))
    ticks[2].task = ("second_tap",)  # before the trial has started: it does not end
    ticks[6].inputs = press
    ticks[20].task = ("second_tap",)
    played = play(protocol, ticks)
    assert played.on("b") == [7]  # the key at tick 3 came before the trial's start
    assert played.on("a") == [11]  # 100 ms from the start at tick 5
    assert played.ended == [20]


def test_rules_hold_in_the_trials_of_their_condition() -> None:
    protocol = read(
        "blocks:\n  - {conditions: [silent, control], trials: 6}\n"
        "rules:\n  - {on: {time_ms: 40}, do: a, for_ms: 20, in: silent}\n"
    )
    assert protocol.trials == 6
    assert protocol.condition_names == ("silent", "control")
    ticks = [Seen(first=k % 10 == 0) for k in range(60)]
    played = play(protocol, ticks)
    conditions = [e for e in played.events if e.kind == "condition"]
    assert [e.tick for e in conditions] == list(range(0, 60, 10))
    assert Counter(e.name for e in conditions) == {"silent": 3, "control": 3}
    assert played.on("a") == [e.tick + 3 for e in conditions if e.name == "silent"]


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 5),
    st.integers(0, 2**53),
    st.integers(0, 200),
)
def test_every_round_of_a_shuffled_block_has_each_condition_once(
    sizes: list[int], rounds: int, seed: int, turns: int
) -> None:
    names = "abcd"
    blocks = tuple(Block(tuple(names[:size]), size * rounds) for size in sizes)
    period = sum(block.trials for block in blocks)
    trial = (turns % 3) * period
    for block in blocks:
        for _ in range(rounds):
            size = len(block.conditions)
            drawn = [condition_of(blocks, seed, trial + k) for k in range(size)]
            assert sorted(drawn) == list(block.conditions)
            trial += size


def test_conditions_may_alternate_or_be_drawn_freely() -> None:
    alternating = (Block(("x", "y"), 5, "alternating"),)
    assert [condition_of(alternating, 1, k) for k in range(7)] == list("xyxyxxy")
    free = (Block(("x", "y"), 400, "random"),)
    drawn = Counter(condition_of(free, 1, k) for k in range(400))
    assert 150 < drawn["x"] < 250


@pytest.mark.parametrize("latency", ["60", "{mean: 60, sd: 20}"])
def test_latency_delays_stimuli_as_a_real_rig_would(latency: str) -> None:
    protocol = read(
        f"loop_latency_ms: {latency}\nrules:\n  - {{on: {{key: s}}, do: a, for_ms: 20}}\n"
    )
    ticks = [Seen(inputs=(Input("key", "s"),) if k % 50 == 0 else ()) for k in range(2500)]
    late = [onset % 50 for onset in play(protocol, ticks).onsets("a")]
    assert len(late) == 50
    assert min(late) >= 1
    if latency == "60":
        assert set(late) == {3}
    else:
        assert len(set(late)) > 2
        assert np.mean(late) == pytest.approx(3, abs=0.5)
        assert late == [onset % 50 for onset in play(protocol, ticks).onsets("a")]


# --- requests from outside, and Python -------------------------------------------------------------------


def asked(**args: object) -> Input:
    given = {"layer": "core", "units": [1, 2], "value": 0.5, "state": "both", "for_ms": 60}
    return Input("stimulate", "mine", given | args)


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


SCRIPT = '''
from stim.protocol.script import EndTrial, Release, Stimulate

PROTOCOL = """
protocol: p
subject: runner
task: two_tap
detectors:
  run: {behaviour: run, smoothing_ms: 0, min_duration_ms: 20}
"""

class Fast:
    name = "fast"
    def step(self, tick, body, events):
        return float(body["forward_speed"] > 0.7)

DETECTORS = [Fast()]

def protocol(session):
    tick = yield
    while True:
        actions = []
        if tick.began("fast"):
            units = session.generator("units", tick.number).choice(128, 3, replace=False)
            actions = [Stimulate("mine", "core", units, for_ms=60)]
        if "first_tap" in tick.task_events:
            actions = [Stimulate("long", "policy_2", [1], gain=2.0, value=0.0)]
        if tick.ended("fast"):
            actions = [Release("long"), EndTrial()]
        if "fail" in tick.task_events:
            raise ValueError("no")
        tick = yield actions
'''


def script(text: str) -> Protocol:
    return parse(text, "p.py", ("two_tap",), LAYERS, execute(text, "p.py"))


def test_a_python_protocol_sees_ticks_and_acts_from_the_next_one_on() -> None:
    protocol = script(SCRIPT)
    assert protocol.behaviour_names[-1] == "fast"
    ticks = [Seen(speed=0.8 if 10 <= k < 30 else 0.0) for k in range(40)]
    ticks[20].task = ("first_tap",)
    played = play(protocol, ticks)
    assert played.on("script") == [11, 12, 13, *range(21, 31)]
    assert played.ended == [30]
    assert play(protocol, ticks).acting == played.acting


def test_a_python_protocol_that_fails_says_where() -> None:
    ticks = quiet(10, t5=Seen(task=("fail",)))
    line = SCRIPT.splitlines().index('            raise ValueError("no")') + 1
    with pytest.raises(RunError, match=rf"p.py:{line}:1: the protocol failed: ValueError: no"):
        play(script(SCRIPT), ticks)
    with pytest.raises(RunError, match="yielded 7, which is no action"):
        play(script(SCRIPT.replace("tick = yield actions", "tick = yield 7, 8")), quiet(3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PROTOCOL = 3\n", r"p.py:1:1: a Python protocol has a text PROTOCOL"),
        ("def protocol(:\n", r"p.py:1:1: this is not Python: "),
        (
            SCRIPT.replace("two_tap", "tap_two"),
            r"p.py:7:7: there is no task 'tap_two'; there is only two_tap",
        ),
        (SCRIPT.replace('"fast"', '"run"', 1), r"a detector cannot be named 'run': there is one"),
    ],
)
def test_mistakes_in_a_python_protocol(text: str, message: str) -> None:
    def read_it() -> None:
        header_of(text, "p.py")
        script(text)

    with pytest.raises(UserError, match=message):
        read_it()


def test_what_python_does_while_it_is_executed_is_reported() -> None:
    with pytest.raises(UserError, match=r"p.py:2:1: ZeroDivisionError"):
        execute('PROTOCOL = ""\n1/0\n', "p.py")
    with pytest.raises(UserError, match="generator function protocol"):
        execute("PROTOCOL = ''\n", "p.py")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Seen,
            speed=st.sampled_from([0.0, 0.2, 0.8]),
            unit=st.sampled_from([0.0, 0.7]),
            task=st.sampled_from([(), ("first_tap",), ("second_tap",)]),
            inputs=st.sampled_from(
                [
                    (),
                    (Input("key", "s"),),
                    (asked(),),
                    (asked(probability=0.5),),
                    (Input("release", "mine"),),
                    (Input("release_all", "client"),),
                ]
            ),
            first=st.booleans(),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_onsets_and_offsets_pair_up_and_enclose_exactly_what_acted(ticks: list[Seen]) -> None:
    protocol = read(
        "loop_latency_ms: {mean: 20, sd: 30}\n"
        "blocks:\n  - {conditions: [x, y], trials: 4}\n"
        "rules:\n"
        "  - {on: {key: s}, do: a, for_ms: 100, until: run.offset, probability: 0.7, else: sham}\n"
        "  - {on: [{task: first_tap}, run.onset], if: {not: fallen}, do: b, in: x}\n"
        "  - {on: {activity: policy_2, units: all, state: cell, above: 0.5}, do: a, max_count: 2}\n"
    )
    played = play(protocol, ticks)
    open_: dict[tuple[str, int], Event] = {}
    inside: dict[int, list[str]] = {tick: [] for tick in range(len(ticks))}
    for tick in range(len(ticks)):
        for event in (e for e in played.stimuli if e.tick == tick):
            key = (event.name, event.number)
            if event.phase == "onset":
                assert key not in open_
                open_[key] = event
            else:
                assert open_.pop(key).sham == event.sham
        inside[tick] = sorted(
            each.name
            for each in open_.values()
            if not each.sham
            for _ in range(2 if each.name == "outside" else 1)
        )
    for tick, names in inside.items():
        # a trial's first tick has none: what was meant for it is dropped
        assert sorted(played.acting[tick]) == names
