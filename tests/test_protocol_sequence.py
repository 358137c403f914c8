"""One protocol after another, and comparisons of ticks, without a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rerun.comparison import Comparison, differences
from rerun.protocol_sequence import ProtocolSequence, Segment
from rig.bus.message_types import EngineReply, Event, Message, Tick
from stim.engine import Engine
from stim.protocol.read import parse
from tests.engine_scenario import describe, tick_message
from tests.protocol_texts import LAYERS

TEXTS = (
    """
protocol: p
subject: runner
task: corridor
detectors:
  run: {behaviour: run, smoothing_ms: 0, min_duration_ms: 20}
stimuli:
  a: {clamp: policy_2, units: [5, 3], to: 0.25, state: cell}
  b: {noise: core, units: all, sd: 1, state: hidden}
rules:
  - {on: run.onset, do: a, after_ms: 40, for_ms: 120, probability: 0.6, else: sham}
  - {on: run.offset, do: b, for_ms: 60, refractory_ms: 200, max_count: 3}
""",
    """
protocol: q
subject: runner
task: corridor
detectors:
  run: {behaviour: run, smoothing_ms: 0, min_duration_ms: 20}
stimuli:
  a: {clamp: policy_2, units: [5, 3], to: 0.5, state: cell}
  b: {noise: core, units: all, sd: 1, state: hidden}
  more: {lesion: policy_0, units: all}
rules:
  - {on: run.onset, do: a, for_ms: 200}
  - {on: run.offset, do: b, for_ms: 60, refractory_ms: 200, max_count: 3}
  - {on: {time_ms: 200}, do: more, for_ms: 100}
""",
)


PROTOCOLS = tuple(parse(text, "p.yaml", ("corridor",), LAYERS) for text in TEXTS)


def answers(
    segments: Sequence[Segment], speeds: Sequence[float], trials: Sequence[int]
) -> list[Message]:
    names = {name: None for segment in segments for name in segment.protocol.stimulus_names}
    described = describe(segments[0].protocol)
    described = msgspec.structs.replace(described, stimuli=tuple(names))
    engine: Engine | ProtocolSequence = ProtocolSequence(segments, described)
    if len(segments) == 1:
        engine = Engine(segments[0].protocol, describe(segments[0].protocol))
    out = []
    for tick, speed in enumerate(speeds):
        if tick == 0 or tick in trials:
            engine.begin_trial(sum(each <= tick for each in trials if each > 0), tick)
        trial = sum(each <= tick for each in trials if each > 0)
        out.append(engine.reply(tick_message(tick, speed, trial)))
    return out


courses = st.lists(st.sampled_from([0.0, 0.0, 0.1, 0.6, 0.6, 0.9]), min_size=5, max_size=80)


starts = st.sets(st.integers(0, 80), max_size=3)


@settings(max_examples=60, deadline=None)
@given(courses, starts, st.integers(0, 80))
def test_a_protocol_that_takes_over_from_itself_changes_nothing(
    speeds: list[float], trials: set[int], at: int
) -> None:
    plain = answers([Segment(PROTOCOLS[0], {}, None, 0)], speeds, sorted(trials))
    relayed = answers(
        [Segment(PROTOCOLS[0], {}, None, 0), Segment(PROTOCOLS[0], {}, None, at)],
        speeds,
        sorted(trials),
    )
    for one, other in zip(plain, relayed, strict=True):
        assert list(differences(one, other)) == []


@settings(max_examples=60, deadline=None)
@given(courses, starts, st.integers(0, 80))
def test_another_protocol_leaves_nothing_of_the_one_before(
    speeds: list[float], trials: set[int], at: int
) -> None:
    plain = answers([Segment(PROTOCOLS[0], {}, None, 0)], speeds, sorted(trials))
    segments = [Segment(PROTOCOLS[0], {}, None, 0), Segment(PROTOCOLS[1], {}, None, at)]
    found = answers(segments, speeds, sorted(trials))
    ongoing: dict[tuple[str, int], Event] = {}
    acting: set[str] = set()
    for tick, (one, other) in enumerate(zip(plain, found, strict=True)):
        if tick < at:
            assert list(differences(one, other)) == []
        content = other.content
        assert isinstance(content, EngineReply)
        for event in content.events:
            if event.kind != "stimulus":
                continue
            key = (event.name, event.number)
            if event.phase == "onset":
                assert key not in ongoing
                ongoing[key] = event
            else:
                assert ongoing.pop(key)
        # what the answer before ordered is what is announced as going on, but for a trial that began
        if tick not in trials:
            assert acting == {name for (name, _), event in ongoing.items() if not event.sham}
        acting = {each.stimulus for each in content.interventions}
        if tick >= at:
            held = [k for k, each in enumerate(content.interventions) if each.stimulus == "a"]
            assert all((other.arrays[f"{k}.value"] == 0.5).all() for k in held)


def ticks_of(values: Sequence[float]) -> list[Message]:
    return [
        Message(
            Tick(0, 0.0, 1.0, 0.0, k == 0, False, wall_s=k / 7),
            "s",
            k,
            k,
            {"qpos": np.array([value, 1.0]), "latency": np.array([value], np.float32)},
        )
        for k, value in enumerate(values)
    ]


numbers = st.lists(st.floats(width=32), min_size=1, max_size=10)


@settings(deadline=None)
@given(numbers, st.data())
def test_a_comparison_finds_the_first_differing_bit_and_no_clock(
    values: list[float], data: st.DataObject
) -> None:
    recorded = ticks_of(values)
    comparison = Comparison(recorded, 0)
    for message in recorded:
        content = msgspec.structs.replace(message.content, wall_s=0.0, overrun=True)
        later = {**message.arrays, "latency": np.ones(1, np.float32)}
        comparison.on_message(replace(message, content=content, arrays=later))
    assert comparison.complete
    assert comparison.difference is None
    place = data.draw(st.integers(0, len(values) - 1))
    changed = list(recorded)
    bits = np.array([values[place], 1.0]).view(np.uint64) ^ np.array([1, 0], np.uint64)
    changed[place] = replace(recorded[place], arrays={"qpos": bits.view(np.float64)})
    comparison = Comparison(recorded, 0)
    for message in changed:
        comparison.on_message(message)
    assert comparison.difference is not None
    assert comparison.difference.tick == place
    assert [name for name, _ in comparison.difference.series] == ["qpos"]
