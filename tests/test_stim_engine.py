"""The engine: every tick answered, every stimulus on exactly the ticks that its rule says."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.bus.encoding import encode
from rig.bus.message_types import Description, EngineReply, LayerInfo, Message
from rig.errors import RunError
from rig.random_streams import generator
from stim.engine import Engine
from stim.rules import Rule
from stim.triggers import BehaviourTransition, TrialTime
from tests.engine_scenario import (
    HEAD,
    SILENCE,
    EngineLog,
    describe,
    run,
    still_then_running,
    tick_message,
)
from tests.protocol_texts import read

# --- exact ticks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_ms", "delay"), [(0, 1), (20, 1), (40, 2), (60, 3), (500, 25)])
def test_a_stimulus_acts_on_exactly_the_ticks_that_its_rule_says(after_ms: int, delay: int) -> None:
    protocol = read(
        SILENCE + f"  - {{on: run.onset, after_ms: {after_ms}, do: silence, for_ms: 500}}\n"
    )
    log = run(protocol, still_then_running(10, 90))
    assert log.of("run") == [("onset", 110, False)]
    first = 110 + delay
    assert log.of("silence") == [("onset", first, False), ("offset", first + 25, False)]
    assert log.ticks_with("silence") == list(range(first, first + 25))
    assert all(
        acting == [("silence", "policy_2", "c", [5, 3], [0.0, 0.0], [0.25, 0.25])]
        for tick, acting in log.acting.items()
        if acting
    )


def test_events_are_in_the_answer_to_their_tick() -> None:
    protocol = read(SILENCE + "  - {on: run.onset, do: silence, for_ms: 100}\n")
    log = run(protocol, still_then_running(5, 50))
    for tick, message in log.answers.items():
        answer = message.content
        assert isinstance(answer, EngineReply)
        assert all(event.tick == tick for event in answer.events)
    onset = next(event for event in log.events if event.name == "silence")
    assert onset.cause == "rule 1: run.onset 1"
    assert (onset.kind, onset.number, onset.began_tick) == ("stimulus", 1, onset.tick)


def test_an_overwrite_follows_its_course_and_holds_its_end() -> None:
    protocol = read(
        HEAD + "stimuli:\n"
        "  push: {overwrite: core, units: [2, 9], with: [[1, 2, 3], [4, 5, 6]], state: hidden}\n"
        "  wave: {overwrite: core, units: all, with: [0.5, -0.5], state: cell}\n"
        "rules:\n"
        "  - {on: run.onset, do: push, for_ms: 100}\n"
        "  - {on: run.onset, do: wave, after_ms: 200}\n"
    )
    log = run(protocol, still_then_running(3, 40), first_tick=0)
    values = [log.acting[tick][0][5] for tick in log.ticks_with("push")]
    assert values == [[1, 4], [2, 5], [3, 6], [3, 6], [3, 6]]
    assert log.ticks_with("push") == [4, 5, 6, 7, 8]
    assert log.acting[4][0][:3] == ("push", "core", "h")
    assert log.ticks_with("wave") == [13, 14]  # no for_ms: as long as its waveform
    assert [log.acting[tick][0][5] for tick in (13, 14)] == [[0.5] * 128, [-0.5] * 128]


def test_a_stimulus_of_both_states_changes_c_then_h() -> None:
    text = (
        SILENCE.replace("state: cell", "state: both")
        + "  - {on: run.onset, do: silence, for_ms: 20}\n"
    )
    log = run(read(text), still_then_running(3, 5), first_tick=0)
    assert [acting[2] for acting in log.acting[4]] == ["c", "h"]
    assert log.ticks_with("silence") == [4]


def test_overlapping_stimuli_apply_in_the_order_of_the_file() -> None:
    protocol = read(
        HEAD + "stimuli:\n"
        "  a: {clamp: core, units: [1], to: 1, state: cell}\n"
        "  b: {clamp: core, units: [1], to: 2, state: cell}\n"
        "rules:\n"
        "  - {on: run.onset, do: b, for_ms: 100}\n"
        "  - {on: run.onset, do: a, after_ms: 60, for_ms: 100}\n"
    )
    log = run(protocol, still_then_running(3, 20), first_tick=0)
    order = [[acting[0] for acting in log.acting[tick]] for tick in range(4, 12)]
    assert order == [["b"], ["b"], *[["a", "b"]] * 3, ["a"], ["a"], []]


def test_a_rule_is_busy_until_its_stimulus_has_ended() -> None:
    protocol = read(SILENCE + "  - {on: run.onset, do: silence, after_ms: 40, for_ms: 60}\n")
    log = run(protocol, [0, 0.8] * 12, first_tick=0)
    # onsets at 1, 3, 5 ...: the first acts on 3, 4, 5; free again at 6, the next onset is at 7
    assert log.ticks_with("silence") == [3, 4, 5, 9, 10, 11, 15, 16, 17, 21, 22, 23]
    assert [event.number for event in log.events if event.name == "silence"] == [
        *(1, 1, 2, 2, 3, 3, 4)
    ]


def test_refractory_time_and_maximum_count() -> None:
    rule = "  - {on: run.onset, do: silence, for_ms: 20, refractory_ms: 120, max_count: 3}\n"
    log = run(read(SILENCE + rule), [0, 0.8] * 20, first_tick=0)
    assert log.ticks_with("silence") == [2, 8, 14]  # triggers at 1, 7, 13


def test_trial_start_and_time_are_triggers_of_every_trial() -> None:
    protocol = read(
        SILENCE
        + "  - {on: trial.start, do: silence, for_ms: 40}\n"
        + "  - {on: {time_ms: 200}, do: silence, for_ms: 20}\n"
    )
    log = run(protocol, [0.0] * 40, first_tick=50, trials_at=[70])
    assert log.ticks_with("silence") == [51, 52, 61, 71, 72, 81]
    causes = [event.cause for event in log.events if event.kind == "stimulus"][::2]
    assert causes == [
        *("rule 1: trial 0 start", "rule 2: 200 ms of trial 0"),
        *("rule 1: trial 1 start", "rule 2: 200 ms of trial 1"),
    ]


def test_an_offset_is_a_trigger_but_the_end_of_a_trial_is_not() -> None:
    protocol = read(SILENCE + "  - {on: run.offset, do: silence, for_ms: 40}\n")
    log = run(protocol, [0.8, 0.8, 0, 0, 0, 0.8, 0.8, 0, 0, 0, 0], first_tick=0, trials_at=[7])
    assert log.of("run") == [
        *(("onset", 0, False), ("offset", 2, False), ("onset", 5, False), ("offset", 7, False))
    ]
    assert log.ticks_with("silence") == [3, 4]


def test_what_is_on_at_the_end_of_a_trial_ends_there() -> None:
    protocol = read(SILENCE + "  - {on: run.onset, do: silence}\n")
    log = run(protocol, [0, 0.8, 0.8, 0.8, 0, 0, 0.8, 0.8], first_tick=0, trials_at=[4])
    assert log.of("silence") == [("onset", 2, False), ("offset", 4, False), ("onset", 7, False)]
    assert log.ticks_with("silence") == [2, 3, 7]
    ended = [event for event in log.events if event.phase == "offset"]
    assert {event.cause for event in ended} == {"the trial ended"}


def test_what_was_due_when_a_trial_ended_never_was() -> None:
    protocol = read(SILENCE + "  - {on: run.onset, do: silence, for_ms: 20, max_count: 1}\n")
    log = run(protocol, [0, 0.8, 0, 0.8, 0, 0], first_tick=0, trials_at=[2])
    assert log.of("silence") == [("onset", 4, False), ("offset", 5, False)]


# --- chance -------------------------------------------------------------------------------------------


def test_half_are_shams_drawn_by_seed_rule_and_tick_alone() -> None:
    rule = "  - {on: run.onset, do: silence, for_ms: 20, probability: 0.5, else: sham}\n"
    log = run(read(SILENCE + rule), [*[0, 0.8] * 300, 0], first_tick=0, seed=3)
    onsets = [event for event in log.events if event.name == "silence" and event.phase == "onset"]
    assert len(onsets) == 300
    for event in onsets:
        assert event.sham == (generator(3, "rule 1", event.tick - 1).random() >= 0.5)
    delivered = [event.tick for event in onsets if not event.sham]
    assert 110 < len(delivered) < 190
    assert log.ticks_with("silence") == delivered
    other = run(read(SILENCE + rule), [0, 0.8] * 300, first_tick=0, seed=4)
    assert other.of("silence") != log.of("silence")
    # The same draws where another protocol asks at the same tick, whatever happened before.
    later = run(read(SILENCE + rule), [*[0, 0.8] * 100, 0], first_tick=400, seed=3)
    assert later.of("silence") == [each for each in log.of("silence") if 401 < each[1] <= 600]


def test_without_a_sham_the_draw_leaves_nothing() -> None:
    rule = "  - {on: run.onset, do: silence, for_ms: 20, probability: 0.5, max_count: 20}\n"
    log = run(read(SILENCE + rule), [0, 0.8] * 100, first_tick=0)
    onsets = [each for each in log.of("silence") if each[0] == "onset"]
    assert len(onsets) == 20
    assert not any(sham for _, _, sham in onsets)


def test_probability_0_and_1() -> None:
    for probability, shams in ((0, 10), (1, 0)):
        rule = f"  - {{on: run.onset, do: silence, for_ms: 20, probability: {probability}, else: sham}}\n"
        log = run(read(SILENCE + rule), [*[0, 0.8] * 10, 0], first_tick=0)
        onsets = [each for each in log.of("silence") if each[0] == "onset"]
        assert sum(sham for _, _, sham in onsets) == shams


# --- any protocol -------------------------------------------------------------------------------------

triggers = st.sampled_from(
    ["run.onset", "run.offset", "stand.onset", "walk.onset", "trial.start", "{time_ms: 300}"]
)
milliseconds = st.one_of(st.sampled_from([0, 20, 40, 60, 500]), st.integers(0, 700))


@st.composite
def rules(draw: st.DrawFn) -> str:
    keys = {"on": draw(triggers), "do": draw(st.sampled_from(["a", "b", "c"]))}
    if draw(st.booleans()):
        keys["after_ms"] = str(draw(milliseconds))
    if draw(st.booleans()):
        keys["for_ms"] = str(max(20, draw(milliseconds)))
    if draw(st.booleans()):
        keys["probability"] = repr(draw(st.floats(0, 1)))
        keys["else"] = draw(st.sampled_from(["sham", "nothing"]))
    if draw(st.booleans()):
        keys["refractory_ms"] = str(draw(milliseconds))
    if draw(st.booleans()):
        keys["max_count"] = str(draw(st.integers(1, 4)))
    return "  - {" + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}\n"


@st.composite
def bouts(draw: st.DrawFn) -> list[float]:
    pieces = st.tuples(st.sampled_from([0.0, 0.2, 0.35, 0.8]), st.integers(1, 40))
    return [
        speed
        for speed, ticks in draw(st.lists(pieces, min_size=1, max_size=8))
        for _ in range(ticks)
    ]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(rules(), min_size=1, max_size=4),
    bouts(),
    st.lists(st.integers(1, 200), max_size=3),
    st.integers(0, 2**53),
)
def test_interventions_are_there_exactly_on_the_ticks_inside_the_events(
    rule_lines: list[str], speeds: list[float], trials_at: list[int], seed: int
) -> None:
    protocol = read(
        HEAD + "stimuli:\n"
        "  a: {clamp: policy_2, units: {random: 8}, to: 0, state: cell}\n"
        "  b: {overwrite: core, units: [0, 1], with: [0.1, 0.2, 0.3], state: both}\n"
        "  c: {clamp: policy_0, units: all, to: 1, state: hidden}\n"
        "rules:\n" + "".join(rule_lines)
    )
    log = run(protocol, speeds, seed=seed, first_tick=0, trials_at=trials_at)
    assert sorted(log.answers) == list(range(len(speeds)))
    starts = sorted({0, *(tick for tick in trials_at if tick < len(speeds))})
    expected: list[tuple[str, str, int, bool]] = []
    inside: dict[int, list[str]] = {tick: [] for tick in range(len(speeds))}
    for rule in protocol.rules:
        name = rule.do.name
        for first, end, sham in _expected(
            rule, _triggers(rule, log, starts), starts, len(speeds), seed
        ):
            expected.append((name, "onset", first, sham))
            if end < len(speeds):
                expected.append((name, "offset", end, sham))
            if not sham:
                for tick in range(first, min(end, len(speeds))):
                    inside[tick].extend([name] * (2 if name == "b" else 1))
    stimuli = [event for event in log.events if event.kind == "stimulus"]
    assert sorted((e.name, e.phase, e.tick, e.sham) for e in stimuli) == sorted(expected)
    for tick, names in inside.items():
        assert [acting[0] for acting in log.acting[tick]] == sorted(names)  # the file's order
    for name in "abc":
        onsets = [e for e in stimuli if (e.name, e.phase) == (name, "onset")]
        assert [event.number for event in onsets] == list(range(1, len(onsets) + 1))
        for event in stimuli:
            if (event.name, event.phase) == (name, "offset"):
                assert onsets[event.number - 1].tick < event.tick
                assert onsets[event.number - 1].sham == event.sham


def _triggers(rule: Rule, log: EngineLog, starts: Sequence[int]) -> list[int]:
    if isinstance(rule.on, BehaviourTransition):
        return [
            event.tick
            for event in log.events
            if (event.name, event.phase) == (rule.on.behaviour, rule.on.phase)
            and event.cause != "the trial ended"
        ]
    after = rule.on.ticks if isinstance(rule.on, TrialTime) else 0
    ends = [*starts[1:], len(log.answers)]
    return [start + after for start, end in zip(starts, ends, strict=True) if start + after < end]


def _expected(
    rule: Rule, triggers: Sequence[int], starts: Sequence[int], n_ticks: int, seed: int
) -> list[tuple[int, int, bool]]:
    """The meaning of a rule written once more, from its triggers to (onset, offset, sham)."""
    found: list[tuple[int, int, bool]] = []
    free_at = 0
    for trigger in triggers:
        if trigger < free_at or len(found) == (rule.max_count or -1):
            continue
        sham = False
        if rule.probability < 1:
            sham = generator(seed, f"rule {rule.number}", trigger).random() >= rule.probability
        if sham and not rule.sham:
            continue
        trial_end = min([start for start in starts if start > trigger], default=10**6)
        first = trigger + max(1, int(rule.after_ms / 20 + 0.5))
        lasting = 3 if rule.do.name == "b" else 10**6
        if rule.for_ms is not None:
            lasting = int(rule.for_ms / 20 + 0.5)
        end = min(first + lasting, trial_end)
        if first < min(trial_end, n_ticks):
            found.append((first, end, sham))
        free_at = max(
            end if first < trial_end else trial_end, trigger + int(rule.refractory_ms / 20 + 0.5)
        )
    return found


# --- the rest -----------------------------------------------------------------------------------------


def test_the_same_ticks_give_the_same_answers() -> None:
    rule = "  - {on: run.onset, do: silence, for_ms: 60, probability: 0.5, else: sham}\n"
    speeds = (np.sin(np.arange(400) / 7) + 0.3).tolist()
    first, second = (run(read(SILENCE + rule), speeds, trials_at=[200, 300]) for _ in range(2))
    assert [encode(message) for message in first.answers.values()] == [
        encode(message) for message in second.answers.values()
    ]


def test_a_session_of_other_behaviours_or_layers_is_refused() -> None:
    protocol = read(SILENCE)
    description = describe(protocol)
    with pytest.raises(RunError, match="have to be the same"):
        Engine(read(SILENCE.replace("  run: {", "  dash: {")), description)
    with pytest.raises(RunError, match="no layer 'policy_2'"):
        Engine(protocol, _replace(description, layers=(LayerInfo("core", 128),)))


def test_behaviours_are_answered_in_the_order_of_the_description() -> None:
    protocol = read(HEAD)
    description = _replace(describe(protocol), behaviours=tuple(reversed(protocol.behaviour_names)))
    engine = Engine(protocol, description)
    message = engine.reply(tick_message(0, 0.9, first=True))
    confidence = dict(
        zip(description.behaviours, message.arrays["confidence"].tolist(), strict=True)
    )
    assert confidence["run"] == 1.0
    assert confidence["stand"] == confidence["walk"] == 0.0
    forward = Engine(protocol, describe(protocol)).reply(tick_message(0, 0.9, first=True))
    assert list(confidence.values()) == forward.arrays["confidence"].tolist()[::-1]


def test_nothing_but_ticks_is_answered() -> None:
    engine = Engine(read(HEAD), describe(read(HEAD)))
    with pytest.raises(RunError, match="expected a tick"):
        engine.reply(Message(EngineReply()))


def _replace(description: Description, **changes: object) -> Description:
    return msgspec.structs.replace(description, **changes)
