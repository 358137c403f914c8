"""What starts stimuli: every sort of event and condition, trials, blocks, latency."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.bus.message_types import Event, Input
from stim.rules import Block, condition_of
from tests.played_ticks import Seen, asked, play, quiet, read

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


# --- all together -----------------------------------------------------------------------------------------


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
