"""Clips: what is saved after it has happened is what a recorder would have written of those ticks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recorder
from bench.synthetic_session import TRIAL_TICKS, Stream, assets, description
from recorder.clip import opening_of
from recorder.replay import ReplaySource
from recorder.rotating_writer import RotatingWriter
from rig.bus.clip_ring import SLACK_TICKS, ClipRing, Cut
from rig.bus.encoding import decode, encode
from rig.bus.message_types import Assets, Description, EngineReply, Input, Message, Tick
from rig.bus.open_intervals import OpenIntervals

N = 220
"""Ticks of the session: two trials and a half, with stimuli and behaviours open at many of them."""


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    made = Stream(description())
    return [*made.beginning(), *made.ticks(0, N), made.fault(N - 1)]


@pytest.fixture(scope="module")
def whole(stream: list[Message], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "whole.nwb"
    writer = RotatingWriter(path, description(), assets(), session="test", camera=False)
    for message in stream[2:]:
        writer.add(message)
    writer.close()
    return path


Encoded = list[tuple[Message, list[bytes]]]


@pytest.fixture(scope="module")
def encoded(stream: list[Message]) -> Encoded:
    return [(message, encode(message)) for message in stream]


def ring_of(encoded: Encoded, seconds: float = 60.0) -> ClipRing:
    ring = ClipRing(seconds)
    for message, frames in encoded:
        ring.keep(message, frames)
    return ring


def saved(cut: Cut, path: Path) -> Path:
    """What the process that saves a clip does with it."""
    messages = [decode(frames) for frames in cut.frames]
    described, files = messages[0], messages[1]
    assert isinstance(described.content, Description)
    assert isinstance(files.content, Assets)
    at = next(k for k, each in enumerate(messages) if isinstance(each.content, Tick))
    opening, rest = opening_of(messages[2 : at + 1])
    writer = RotatingWriter(
        path, described.content, files.arrays, session="test", camera=False, clip=opening
    )
    for message in (*rest, *messages[at + 1 :]):
        writer.add(message)
    assert writer.error == ""
    writer.close()
    return path


def test_a_clip_says_whether_the_protocol_was_armed_when_it_begins(
    stream: list[Message], tmp_path: Path
) -> None:
    ring = ClipRing(1.0)  # which has forgotten the tick that disarms
    for message in stream:
        content = message.content
        if message.tick in (2, N - 5) and isinstance(content, Tick):
            told = Input("disarm" if message.tick == 2 else "arm", "")
            message = replace(message, content=msgspec.structs.replace(content, inputs=(told,)))
        ring.keep(message, encode(message))
    disarmed, armed = ring.cut(N - 20, N - 1), ring.cut(N - 2, N - 1)
    assert disarmed is not None
    assert armed is not None
    with recorder.open(saved(disarmed, tmp_path / "clip.nwb")) as clip:
        assert clip.disarmed == ((N - 20, N - 4),)
    described = decode(armed.frames[0]).content
    assert isinstance(described, Description)
    assert described.armed


@pytest.mark.parametrize(("first", "last"), [(47, 131), (100, 103), (0, 0)])
def test_a_clip_has_what_the_recording_has_of_its_ticks(
    encoded: Encoded, whole: Path, tmp_path: Path, first: int, last: int
) -> None:
    cut = ring_of(encoded).cut(first, last)
    assert cut is not None
    assert (cut.first, cut.last) == (first, last)
    path = saved(cut, tmp_path / "clip.nwb")
    with recorder.open(path) as clip, recorder.open(whole) as all_of_it:
        assert clip.is_clip
        assert not all_of_it.is_clip
        assert (clip.first_tick, clip.last_tick) == (first, last)
        assert f"from its tick {first} on" in clip.nwb.notes
        for name in clip.series:
            a, b = clip.values(name, first, last), all_of_it.values(name, first, last)
            assert a.tobytes() == b.tobytes(), name
        assert clip.inputs == tuple(each for each in all_of_it.inputs if first <= each[0] <= last)

        def open_at(session: recorder.Recording, tick: int) -> set[tuple[str, int, bool]]:
            at_s = tick * 0.02 + 0.001
            return {
                (each.name, each.number, each.sham)
                for table in ("behaviours", "stimuli")
                for each in session.intervals(table)
                if each.start_s <= at_s < each.stop_s
            }

        for tick in range(first, last + 1):
            assert open_at(clip, tick) == open_at(all_of_it, tick), tick
        trials = [each.trial for each in clip.trials]
        assert trials == list(range(first // 100, last // 100 + 1))
        assert clip.trials[0].condition == all_of_it.trials[trials[0]].condition
        assert not [each for each in clip.log if each.kind in ("gap", "malformed")]
    with ReplaySource(path) as clip_again, ReplaySource(whole) as again:
        shown = [each for each in clip_again.messages(first, last) if each.topic == "tick"]
        for one, other in zip(shown, _ticks(again, first, last), strict=True):
            assert one.content == other.content
            np.testing.assert_array_equal(one.arrays["c_applied"], other.arrays["c_applied"])


def _ticks(source: ReplaySource, first: int, last: int) -> Iterator[Message]:
    return (each for each in source.messages(first, last) if each.topic == "tick")


def test_the_ring_is_bounded_and_keeps_the_newest(encoded: Encoded) -> None:
    ring = ring_of(encoded, seconds=0.4)
    assert (ring.n_ticks, ring.last_tick) == (20, N - 1)
    assert ring.first_tick == max(0, N - 20 - SLACK_TICKS)
    size = ring.n_bytes
    made = Stream(description())
    for message in made.ticks(N, 50):
        ring.keep(message, encode(message))
    assert ring.n_bytes == pytest.approx(size, rel=0.02)
    cut = ring.cut(0, N + 49)  # more than is kept: what there is
    assert cut is not None
    assert (cut.first, cut.last) == (N + 50 - 20 - SLACK_TICKS, N + 49)
    assert ring.cut(0, 3) is None
    assert ClipRing(0).cut(0, 3) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(-3, N + 5), st.integers(1, N), st.sampled_from([0.02, 0.5, 60.0]))
def test_any_cut_is_a_stream_without_a_hole(
    encoded: Encoded, first: int, n: int, seconds: float
) -> None:
    ring = ring_of(encoded, seconds)
    cut = ring.cut(first, first + n - 1)
    there = range(max(first, ring.first_tick), min(first + n, N))
    if not there:
        assert cut is None
        return
    assert cut is not None
    assert (cut.first, cut.last) == (there[0], there[-1])
    messages = [decode(frames) for frames in cut.frames]
    assert [each.topic for each in messages[:2]] == ["description", "assets"]
    numbers: dict[str, int] = {}
    for message in messages[2:]:
        last = numbers.get(message.topic)
        assert last is None or message.sequence == last + 1, message
        numbers[message.topic] = message.sequence
    assert [each.tick for each in messages if each.topic == "tick"] == list(there)
    leads = [each for each in messages if each.topic == "answer" and each.tick < there[0]]
    assert len(leads) == (there[0] > 0)
    known = OpenIntervals()
    for message, _ in encoded:
        if isinstance(message.content, EngineReply) and message.tick < there[0]:
            known.add(message.content.events)
    for lead in leads:
        assert isinstance(lead.content, EngineReply)
        assert set(lead.content.events) == set(known.events)
    episodes = [each.tick for each in messages if each.topic == "episode"]
    assert episodes[0] == there[0] // TRIAL_TICKS * TRIAL_TICKS
