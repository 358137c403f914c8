"""A session as LSL streams, received by LSL's own inlets."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pylsl
import pytest

from bench.synthetic_session import Stream, description
from recorder.replay import ReplaySource
from recorder.writer import Writer
from rig.body_quantities import unit_of
from rig.bus.lsl import TickClock
from rig.bus.message_types import Tick
from rig.session.directory import running_sessions
from tests.rodent_rig import ROOT, RunningRig, rodent_rig_here, wait_for

OBSERVE = ROOT / "protocols" / "observe.yaml"


TOGETHER_S = 0.02
"""A stamp is within this of when its tick came, once a second has gone by."""


def _stamps(arrivals_s: np.ndarray, ticks: np.ndarray | None = None) -> np.ndarray:
    clock = TickClock(0.02)
    stamps = []
    for tick, now_s in zip(
        range(len(arrivals_s)) if ticks is None else ticks, arrivals_s, strict=True
    ):
        clock.see(int(tick), float(now_s))
        stamps.append(clock.stamp(int(tick)))
    assert (np.diff(stamps) > 0).all()  # they never go back
    return np.array(stamps)


def test_stamps_are_evenly_spaced_and_as_old_as_the_quickest_ticks() -> None:
    """Jitter of arrival is not in them, and lateness is no part of them."""
    late_s = np.random.default_rng(0).uniform(0, 0.05, 300)
    late_s[::20] = 0.001
    stamps = _stamps(100.0 + 0.02 * np.arange(300) + late_s)
    np.testing.assert_allclose(np.diff(stamps[60:]), 0.02, atol=1e-9)
    np.testing.assert_allclose(stamps[60:], 100.001 + 0.02 * np.arange(60, 300), atol=0.003)


@pytest.mark.parametrize("backlog", [1, 25, 40, 400])
def test_a_backlog_at_the_start_is_forgotten_within_a_second(backlog: int) -> None:
    """As many ticks at once as waited while the streams were made: those after them are of their time."""
    live = 5.0 + 0.02 * np.arange(1, 200)
    arrivals = np.concatenate([np.full(backlog, 5.0) + 1e-5 * np.arange(backlog), live])
    stamps = _stamps(arrivals)
    assert np.abs(stamps - arrivals)[backlog + 50 :].max() < TOGETHER_S
    np.testing.assert_allclose(np.diff(stamps[backlog + 60 :]), 0.02, atol=1e-9)


@pytest.mark.parametrize("speed", [0.1, 0.5, 2.0, 20.0])
def test_at_another_speed_and_after_a_pause_they_are_those_of_the_arrival(speed: float) -> None:
    """A replay that is slower or faster, held for a while, and sent back to its beginning."""
    steps = np.full(400, 0.02 / speed)
    steps[150] = 3.0
    ticks = np.concatenate([np.arange(300), np.arange(100)])
    arrivals = 7.0 + np.cumsum(steps)
    stamps = _stamps(arrivals, ticks)
    assert np.abs(stamps - arrivals).max() < TOGETHER_S
    at_speed_one = 7.0 + np.cumsum(np.where(steps > 1, steps, 0.02))
    assert np.abs(_stamps(at_speed_one, ticks) - at_speed_one).max() < TOGETHER_S


class _Lags:
    """How much later than its stamp each sample of an inlet came, s; only of those that came alone."""

    def __init__(self, inlet: pylsl.StreamInlet) -> None:
        self._inlet = inlet
        self.after_s: list[float] = []

    def receive(self, samples: int) -> None:
        """So many from now on, which come from a process that has run for a while."""
        give_up_s = time.monotonic() + 60
        for _ in range(samples):
            assert time.monotonic() < give_up_s
            _, stamp_s = self._inlet.pull_sample(timeout=20.0)
            assert stamp_s is not None
            self.after_s.append(pylsl.local_clock() - stamp_s)

    def check(self) -> None:
        """A machine that is busy brings many late, and not all; none may come before its time."""
        assert np.min(self.after_s) > -0.005
        assert np.min(self.after_s) < TOGETHER_S


def _inlet(source: str) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("source_id", source, timeout=60)
    assert len(found) == 1, source
    inlet = pylsl.StreamInlet(found[0])
    inlet.open_stream(timeout=60)
    return inlet


def _told(markers: list[dict[str, object]]) -> set[tuple[object, object]]:
    return {(each["kind"], each.get("phase")) for each in markers}


def test_labrecorder_would_get_activity_body_and_events(runtime: Path, tmp_path: Path) -> None:
    """What arrives is what the recording holds, with the same spacing of ticks."""
    out = tmp_path / "lsl.nwb"
    with (
        RunningRig(
            "run", OBSERVE, "--out", out, "--pace", "realtime", "--no-picture", "--seed", 2
        ) as rig,
        rig.attach() as bus,
    ):
        outlet = subprocess.Popen(
            [sys.executable, "-m", "cli", "lsl", "--state", "cell"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert outlet.stdout is not None
            assert "rodent-rig activity" in outlet.stdout.readline()
            session = bus.poll(60.0)[0].session
            activity, body, events = (
                _inlet(f"{session}-{name}") for name in ("activity", "body", "events")
            )
            samples: list[list[float]] = []
            stamps: list[float] = []
            postures: list[list[float]] = []
            markers: list[dict[str, object]] = []

            def receive() -> bool:
                more, times = activity.pull_chunk(timeout=0.1)
                samples.extend(more)
                stamps.extend(times)
                postures.extend(body.pull_chunk(timeout=0.0)[0])
                markers.extend(json.loads(text) for (text,) in events.pull_chunk(timeout=0.0)[0])
                return min(len(samples), len(postures)) > 50

            wait_for(receive, 60)
            bus.command("stimulate", name="mine", layer="core", units=[3], value=0.5, for_ms=60)
            wait_for(lambda: receive() and ("stimulus", "offset") in _told(markers), 60)
            about, about_body = activity.info(timeout=10), body.info(timeout=10)
            receive()
            lags = _Lags(activity)
            lags.receive(50)
            bus.command("stop")
            assert rig.end()[0] == 0
            assert outlet.wait(60) == 0  # with the session
        finally:
            outlet.kill()
            outlet.communicate(timeout=60)
    assert (about.nominal_srate(), about.channel_count(), about.type()) == (50.0, 512, "Activity")
    channel = about.desc().child("channels").child("channel")
    assert channel.child_value("label") == "core/0"
    assert about.desc().child_value("subject") == "runner"
    assert (channel.child_value("unit"), about.desc().child_value("state")) == ("a.u.", "cell")
    channel = about_body.desc().child("channels").child("channel")
    while not channel.empty():
        assert channel.child_value("unit") == unit_of(channel.child_value("label"))
        channel = channel.next_sibling()
    lags.check()
    steps = np.diff(stamps)
    assert (steps > 0).all()
    with ReplaySource(out) as replay:
        messages = replay.messages(0, replay.last_tick)
        recorded = [event for _, event in replay.recording.events]
    ticks = [m for m in messages if isinstance(m.content, Tick)]
    first = next(k for k, m in enumerate(ticks) if m.arrays["c_applied"].tolist() == samples[0])
    sent = np.stack([m.arrays["c_applied"] for m in ticks[first : first + len(samples)]])
    np.testing.assert_array_equal(np.array(samples, np.float32), sent)
    known = {(e.kind, e.name, e.phase, e.tick, e.number) for e in recorded}
    marked = [each for each in markers if each["kind"] in ("behaviour", "stimulus")]
    assert {"stimulate", "stimulus"} <= {each["kind"] for each in markers}
    for each in marked:
        key = tuple(each[name] for name in ("kind", "name", "phase", "tick", "number"))
        assert key in known


def test_stamps_of_a_replay_are_of_the_time_at_which_its_ticks_come(
    runtime: Path, tmp_path: Path
) -> None:
    """Joined in its middle: what waited meanwhile does not make the stamps of all that follows early."""
    file = tmp_path / "session.nwb"
    stream = Stream(description())
    described, files = stream.beginning()
    writer = Writer(file, description(), files.arrays, session=described.session)
    for message in stream.ticks(0, 1500):
        writer.add(message)
    writer.close()
    with RunningRig("replay", file, "--bus", "--hold") as rig:
        wait_for(lambda: bool(running_sessions()) or rig.process.poll() is not None, 180)
        session = running_sessions()[0].session
        outlet = subprocess.Popen(
            [sys.executable, "-m", "cli", "lsl"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert outlet.stdout is not None
            assert "rodent-rig activity" in outlet.stdout.readline()
            inlet = _inlet(f"{session}-activity")
            _Lags(inlet).receive(60)
            lags = _Lags(inlet)
            lags.receive(50)
        finally:
            outlet.kill()
            outlet.communicate(timeout=60)
    lags.check()


def test_without_a_session_it_says_so(runtime: Path) -> None:
    done = rodent_rig_here("lsl")
    assert done.returncode == 1
    assert "No session is running" in done.stderr
