"""Clips: what is saved after it has happened is what a recorder would have written of those ticks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import recorder
from bench.synthetic_session import Stream, assets, description
from recorder.clip import opening_of
from recorder.replay import ReplaySource
from recorder.rotating_writer import RotatingWriter
from rig.bus.clip_ring import SLACK_TICKS, ClipRing, Cut
from rig.bus.encoding import decode, encode
from rig.bus.message_types import Assets, Description, Message, Tick
from rig.errors import RunError
from tests.rodent_rig import RunningRig, rodent_rig_here

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


def ring_of(stream: list[Message], seconds: float = 60.0) -> ClipRing:
    ring = ClipRing(seconds)
    for message in stream:
        ring.keep(message, encode(message))
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


@pytest.mark.parametrize(("first", "last"), [(47, 131), (100, 103), (0, 0)])
def test_a_clip_has_what_the_recording_has_of_its_ticks(
    stream: list[Message], whole: Path, tmp_path: Path, first: int, last: int
) -> None:
    cut = ring_of(stream).cut(first, last)
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


def test_the_ring_is_bounded_and_keeps_the_newest(stream: list[Message]) -> None:
    ring = ring_of(stream, seconds=0.4)
    assert (ring.n_ticks, ring.last_tick) == (20, N - 1)
    assert ring.first_tick == N - 20 - SLACK_TICKS
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


PROTOCOL = """
protocol: clips
subject: runner
task: corridor
trial_s: 1
stimuli:
  push: {clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}
rules:
  - {on: {time_ms: 500}, do: push, for_ms: 200}
  - {on: {key: c}, do: clip, seconds: 1, after_ms: 200}
"""


def test_a_session_saves_clips_for_clients_and_rules(runtime: Path, tmp_path: Path) -> None:
    """Twice at once, beside a recording, over a trial's boundary; what cannot be is a sentence."""
    (tmp_path / "p.yaml").write_text(PROTOCOL)
    out, clip = tmp_path / "whole.nwb", tmp_path / "mine.nwb"
    options = ("--pace", "realtime", "--no-picture", "--no-camera", "--seed", 3, "--animal", "Ada")
    with RunningRig("run", tmp_path / "p.yaml", "--out", out, *options) as rig, rig.attach() as bus:
        newest = [0]

        def listen(tick: int) -> None:
            while newest[0] < tick:
                newest[0] = max((newest[0], *(message.tick for message in bus.poll(0.1))))

        for wrong, said in (
            ({"seconds": 61}, "from 0.02 to 60"),
            ({"after_ms": -1}, "from 0 to 60000"),
            ({"file": "here.nwb"}, "absolute path"),
            ({"minutes": 1}, "not 'minutes'"),
        ):
            with pytest.raises(RunError, match=said):
                bus.command("save_clip", **wrong)
        listen(80)
        bus.command("key", key="c")
        mine = bus.command("save_clip", seconds=0.8, file=str(clip))
        lost = bus.command("save_clip", file=str(tmp_path / "nowhere" / "x.nwb"))
        bus.command("save_clip", after_ms=60_000, file=str(tmp_path / "nowhere" / "y.nwb"))
        listen(newest[0] + 3)
        with pytest.raises(RunError, match="4 clips wait to be saved already"):
            bus.command("save_clip")
        listen(newest[0] + 15)
        bus.command("stop")  # what waits is saved before the session is over
        ends = time.monotonic() + 120
        while not any(message.topic == "end" for message in bus.poll(0.1)):
            assert time.monotonic() < ends
        status, _, trouble = rig.end()
    assert status == 0, trouble
    assert trouble.count("was not saved: There is no folder") == 2
    assert str(lost["file"]).endswith("nowhere/x.nwb")
    (by_rule,) = tmp_path.glob("*-clip-*.nwb")
    with recorder.open(clip) as one, recorder.open(out) as session, recorder.open(by_rule) as two:
        assert (one.first_tick, one.last_tick) == (mine["first_tick"], mine["last_tick"])
        assert by_rule.name.startswith(f"Ada-clips-clip-{two.last_tick:07d}-")
        ((pressed, _),) = (each for each in session.inputs if each[1].kind == "key")
        assert (two.first_tick, two.last_tick) == (pressed + 10 - 49, pressed + 10)
        assert len(two.trials) == 2
        assert one.is_clip
        assert not session.is_clip
        for own in (one, two):
            assert [each.kind for each in own.log if each.kind in ("gap", "malformed")] == []
            for name in own.series:
                a = own.values(name, own.first_tick, own.last_tick)
                assert a.tobytes() == session.values(name, own.first_tick, own.last_tick).tobytes()
    # a clip is a recording as any other; simulated again from its session's start, it is the same
    assert "clip        of a session" in rodent_rig_here("info", clip).stdout
    again = rodent_rig_here("rerun", clip, "--from", mine["last_tick"] * 0.02)
    assert again.returncode == 0, again.stderr
    assert "does not have all of its session's ticks from the first on" in again.stdout
