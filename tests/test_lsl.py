"""A session as LSL streams, received by LSL's own inlets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pylsl

from recorder.replay import ReplaySource
from rig.bus.lsl import BEHIND_S, TickClock
from rig.bus.message_types import Tick
from tests.rodent_rig import ROOT, RunningRig, rodent_rig, wait_for

OBSERVE = ROOT / "protocols" / "observe.yaml"


def test_ticks_are_evenly_spaced_until_animal_time_stands_still() -> None:
    """Jitter of arrival is not in the stamps; a pause moves them on; they never go back."""
    clock = TickClock(0.02)
    arrivals = 100.0 + 0.02 * np.arange(200) + np.random.default_rng(0).uniform(0, 0.05, 200)
    stamps = []
    for tick, now in enumerate(arrivals):
        clock.see(tick, float(now))
        stamps.append(clock.stamp(tick))
    np.testing.assert_allclose(np.diff(stamps), 0.02)
    clock.see(200, stamps[-1] + 3.0)
    assert clock.stamp(200) == stamps[-1] + 3.0
    clock.see(201, stamps[-1] + 3.0 + 0.02 + BEHIND_S / 2)
    np.testing.assert_allclose(clock.stamp(201), stamps[-1] + 3.02)


def _inlet(source: str) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("source_id", source, timeout=20)
    assert len(found) == 1, source
    inlet = pylsl.StreamInlet(found[0])
    inlet.open_stream(timeout=10)
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
            session = bus.poll(5.0)[0].session
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
            about = activity.info(timeout=10)
            bus.command("stop")
            assert rig.end()[0] == 0
            assert outlet.wait(20) == 0  # with the session
        finally:
            outlet.kill()
            outlet.communicate()
    assert (about.nominal_srate(), about.channel_count(), about.type()) == (50.0, 512, "Activity")
    channel = about.desc().child("channels").child("channel")
    assert channel.child_value("label") == "core/0"
    assert about.desc().child_value("subject") == "runner"
    steps = np.diff(stamps)
    assert (steps > 0.02 - 1e-6).all()  # more where a busy machine let animal time fall behind
    assert np.isclose(steps, 0.02, atol=1e-6).mean() > 0.5
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


def test_without_a_session_it_says_so(runtime: Path) -> None:
    done = rodent_rig("lsl")
    assert done.returncode == 1
    assert "No session is running" in done.stderr
